"""Which run is confirmed on fresh seeds, and how. Pure.

Try enough runs and one will look better by chance. So screening only chooses: the run with the best estimate. Then the
run and the baseline are both measured on seeds that the study has never used, in looks, until it is decided
(`results/sequential.py`). No value of the screening counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import UserError
from harness.planning.steps import Confirm, EndConfirmation, Fresh, Measure
from harness.records import Comparison
from harness.results.compare import ALPHA, first_seeds
from harness.results.confirmation import Design, Measured, compare_on_fresh_seeds, why_stop
from harness.results.seeds import repeats, repeats_within
from harness.state.events import ConfirmationAsked, SeedsMeasured
from harness.state.history import History
from harness.template.manifest import Manifest

LOST_TRIES = 3
"""How often a launch is repeated whose job is lost."""


def next_confirmation(history: History, manifest: Manifest) -> Confirm | None:
    """The confirmation to start now, if any: of the best run that is not confirmed yet."""
    never = manifest.run.confirm.most == 0 or history.begun.seeding == "fixed"
    candidate = history.candidate
    planned = history.confirmations_asked - history.confirmations_by_hand
    if never or planned >= history.begun.budget.confirm or candidate is None:
        return None
    return plan(history, manifest, candidate.number)


def plan(history: History, manifest: Manifest, run: int, by_hand: bool = False) -> Confirm:
    """The confirmation of a run.

    The planned confirmations of a study share the error rate equally. The first one by hand gets half the rate of a
    planned one, and each further one half the rate of the one before.

    Raises:
        UserError: the template confirms nothing.
    """
    if manifest.run.confirm.most == 0:
        raise UserError("the template confirms no run: template.toml has [run] confirm = { most = 0 }")
    level = ALPHA / max(1, history.begun.budget.confirm)
    if by_hand:
        level /= 2 ** (1 + history.confirmations_by_hand)
    looks = manifest.run.confirm.looks(history.begun.budget.confirm_seeds)
    datasets = history.runs[run].hopeful_on or tuple(c.dataset for c in history.runs[run].primary)
    return Confirm(run, history.fresh_seeds(looks[-1]), looks, level, datasets, manifest.run.paired, by_hand)


def choose(history: History, run: int | None, under_way: bool) -> int:
    """The run to confirm for the user.

    Args:
        run: its number; None for the best run.
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
            raise UserError("no run that is not confirmed yet looks like a gain; name a run to confirm it anyway")
        return best.number
    wanted = history.runs.get(run)
    if wanted is None or not wanted.measured or not wanted.recorded:
        known = ", ".join(str(r.number) for r in history.measured) or "none"
        raise UserError(f"run {run} has no result to confirm; runs with a result: {known}")
    if wanted.replicate_of is not None:
        raise UserError(f"run {run} repeats run {history.original(run)}; confirm that one")
    if wanted.confirmed is not None and wanted.confirmed.comparisons:
        raise UserError(
            f"run {run} was already measured on fresh seeds; repeating that until it succeeds proves nothing"
        )
    return run


def design_of(asked: ConfirmationAsked, history: History) -> Design:
    """The design of a confirmation. One of an older version is a single look, at all datasets."""
    datasets = asked.datasets or tuple(history.begun.baseline)
    return Design(asked.looks or (len(asked.seeds),), asked.level / len(datasets), datasets, asked.paired)


def next_launch(history: History, manifest: Manifest, asked: ConfirmationAsked) -> Measure | EndConfirmation:
    """The next launch on fresh seeds, the baseline's first; or the end, after a failure or a look that decides."""
    failed = next((e for e in reversed(history.fresh) if e.outcome not in ("ok", "lost")), None)
    if failed is not None:
        return EndConfirmation(asked.run, failed.outcome, f"{_side(failed)} failed: {failed.message}")
    design = design_of(asked, history)
    measured = history.fresh_values(baseline=False)[0]
    if len(measured) == len(history.fresh_values(baseline=True)[0]) and design.look(len(measured)):
        why = _why_end(history, manifest, asked, design)
        if why is not None:
            return EndConfirmation(asked.run, "ok", why)
    return _launch(history, asked, design)


@dataclass(frozen=True)
class Judged:
    """What the fresh seeds show so far."""

    seeds: tuple[int, ...]
    measured: Measured
    comparisons: tuple[Comparison, ...]
    repeats: bool
    """Whether values repeat those of other seeds, so that these tell nothing."""


def judge(history: History, manifest: Manifest, asked: ConfirmationAsked) -> Judged:
    """What the seeds that both sides were measured on show."""
    (seeds, run), (of_baseline, baseline) = (history.fresh_values(side) for side in (False, True))
    n = min(len(seeds), len(of_baseline))
    screened = history.runs[asked.run].measured
    known = (screened.scores if screened else {}, history.begun.baseline)
    measured = Measured(first_seeds(run, n), first_seeds(baseline, n), known)
    machines = {e.machine.digest if e.machine else "" for e in history.fresh if e.outcome == "ok"}
    design, alike = design_of(asked, history), len(machines) <= 1
    found = compare_on_fresh_seeds(design, measured, manifest.metrics, alike) if n > 1 else ()
    return Judged(seeds[:n], measured, found, n > 0 and _repeats(measured, manifest))


def _repeats(measured: Measured, manifest: Manifest) -> bool:
    """Whether either side repeats values that the same code gave on other seeds, in the screening or just now."""
    run, baseline, (screened, own) = measured.run, measured.baseline, measured.screened
    return (
        repeats(run, [screened] if screened else [], baseline, manifest.metrics)
        or repeats(baseline, [own], own, manifest.metrics)
        or repeats_within(run, baseline, manifest.metrics)
    )


def _why_end(history: History, manifest: Manifest, asked: ConfirmationAsked, design: Design) -> str | None:
    judged = judge(history, manifest, asked)
    if judged.repeats:
        return "the values repeat those of other seeds"
    why = why_stop(design, judged.comparisons, judged.measured)
    hours = history.begun.budget.confirm_hours
    if why is None and hours is not None and sum(e.seconds for e in history.fresh) > hours * 3600:
        return f"{hours:g} h are spent on this confirmation"
    return why


def _launch(history: History, asked: ConfirmationAsked, design: Design) -> Measure | EndConfirmation:
    """The next seeds, no more at once than the template runs itself; the baseline's before the run's."""
    done, of_baseline = (len(history.fresh_values(baseline=side)[0]) for side in (False, True))
    baseline = of_baseline == done
    start = min(done, of_baseline)
    look = next(n for n in design.looks if n > start)
    size = min(look - start, len(history.begun.seeds)) if baseline else of_baseline - done
    seeds = asked.seeds[start : start + size]
    tries = sum(e.baseline == baseline and e.seeds == seeds for e in history.fresh)
    if tries >= LOST_TRIES:
        return EndConfirmation(asked.run, "lost", f"{_side(history.fresh[-1])} was lost {LOST_TRIES} times")
    of = Fresh(asked.run, baseline, None if baseline else history.tree_of(asked.run))
    side = "baseline" if baseline else f"run_{asked.run}"
    number = history.confirmations_asked
    return Measure(of, seeds, f"confirmation_{number}-{side}-seeds_{seeds[0]}_{seeds[-1]}-try_{tries + 1}")


def _side(event: SeedsMeasured) -> str:
    return f"{'the baseline' if event.baseline else f'run {event.run}'} on the fresh seeds"
