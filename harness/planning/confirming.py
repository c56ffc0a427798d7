"""Which run is re-run on fresh seeds, and how. Pure.

Try enough runs and one will look better by chance. Only values that played no part in the choice can decide, so until
then a run is "promising, unconfirmed". All confirmations of a study use the same fresh seeds. The baseline is run on
them once, if it has fewer seeds of its own.
"""

from __future__ import annotations

from harness.errors import UserError
from harness.planning.steps import Confirm, Confirmation, GiveUpConfirmation, Measure, Step
from harness.state.events import ConfirmationAsked
from harness.state.history import History
from harness.template.manifest import Manifest


def next_confirmation(history: History, manifest: Manifest) -> Confirm | None:
    """The confirmation to start now, if any: of the best promising run that is not confirmed yet."""
    left = history.begun.budget.confirm - history.confirmations_asked
    candidate = history.candidate
    never = manifest.run.confirm_seeds <= 0 or history.begun.seeding == "fixed"
    if left <= 0 or never or candidate is None:
        return None
    return Confirm(candidate.number, fresh_seeds(history, manifest))


def fresh_seeds(history: History, manifest: Manifest) -> tuple[int, ...]:
    """The seeds that all confirmations of a study use."""
    earlier = history.confirmations
    return earlier[0].seeds if earlier else history.fresh_seeds(manifest.run.confirm_seeds)


def choose(history: History, run: int | None, under_way: bool) -> int:
    """The run to confirm for the user.

    Args:
        run: its number; None for the best promising run.
        under_way: whether the study was stopped between an edit and its result.

    Raises:
        UserError: no run can be confirmed; says why.
    """
    best, pending = history.candidate, history.confirming
    if pending is not None:
        if run not in (None, pending.run):
            raise UserError(f"the confirmation of run {pending.run} is not finished; confirm that run first")
        return pending.run
    if under_way:
        raise UserError("the study was stopped in the middle of a run; finish it first with `harness resume`")
    if history.begun.seeding == "fixed":
        raise UserError("the template ignores HARNESS_SEEDS, so there are no fresh seeds that could confirm a run")
    if run is None:
        if best is None:
            raise UserError("there is no promising run that is not confirmed yet; name a run to confirm it anyway")
        return best.number
    wanted = history.runs.get(run)
    if wanted is None or not wanted.measured or not wanted.recorded:
        known = ", ".join(str(r.number) for r in history.measured) or "none"
        raise UserError(f"run {run} has no result to confirm; runs with a result: {known}")
    if wanted.replicate_of is not None:
        raise UserError(f"run {run} repeats run {history.original(run)}; confirm that one")
    if wanted.confirmed is not None and wanted.confirmed.comparisons:
        raise UserError(
            f"run {run} was already re-run on fresh seeds; repeating this until it succeeds would prove nothing"
        )
    return run


def next_launch(history: History, asked: ConfirmationAsked) -> Step:
    """The next launch on fresh seeds: the baseline's, if it has fewer seeds of its own, then the run's."""
    baseline, again = history.begun.baseline, history.baseline_on_fresh_seeds
    if any(len(values) < len(asked.seeds) for scores in baseline.values() for values in scores.values()):
        failed_before = again is not None and again.outcome != "ok" and again.at < asked.at
        if again is None or failed_before or history.may_try_again(again):
            return _measure(Confirmation(0, None), history, asked)
        if again.outcome != "ok":
            why = f"the baseline failed on the fresh seeds: {again.message}"
            return GiveUpConfirmation(asked.run, asked.seeds, again.outcome, why)
    return _measure(Confirmation(asked.run, history.tree_of(asked.run)), history, asked)


def _measure(of: Confirmation, history: History, asked: ConfirmationAsked) -> Measure:
    """A lost job is tried again in a new folder."""
    what = f"run_{of.run}" if of.run else "baseline"
    return Measure(of, asked.seeds, f"{what}-fresh_seeds-try_{history.confirmation_tries(of.run) + 1}")
