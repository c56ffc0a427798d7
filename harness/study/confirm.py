"""Measuring a run that looks better once more, on seeds that nothing in the study has seen.

Whoever tries many runs finds one that looks better. Values that played no part in the choice tell whether it is, and
only they may: until then a run is "promising, unconfirmed". All confirmations of a study use the same fresh seeds, so
that the baseline, which is run on them too where its own seeds are fewer, is run once.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import TemplateFault, UserError
from harness.execution.executors import is_under_way
from harness.execution.launcher import Trial, keep
from harness.records import Comparison
from harness.results.compare import pooled
from harness.state.events import ConfirmationAsked, ConfirmationEnded
from harness.state.history import History, Run
from harness.study.commits import confirmation_message

if TYPE_CHECKING:
    from harness.study.loop import Study


def due(study: Study) -> Run | None:
    """The run to confirm now: the best that looks better and was not tried, while there are confirmations left."""
    left = study.budget.confirm - study.history.confirmations_asked
    wanted = study.template.manifest.run.confirm_seeds
    return study.history.candidate if left > 0 and wanted > 0 else None


def ask(study: Study, run: Run) -> None:
    """Have a run measured on fresh seeds."""
    earlier = study.history.confirmations
    seeds = earlier[0].seeds if earlier else study.history.fresh_seeds(study.template.manifest.run.confirm_seeds)
    study.happened(ConfirmationAsked(run=run.number, seeds=seeds))


def chosen(history: History, run: int | None) -> int:
    """The run that the user wants confirmed.

    Raises:
        UserError: it cannot be, and why.
    """
    best, pending = history.candidate, history.confirming
    if pending is not None:
        if run not in (None, pending.run):
            raise UserError(f"run {pending.run} is half way through its confirmation; confirm that one first")
        return pending.run
    if history.stage in ("check", "launch", "record"):
        raise UserError("the study was stopped half way through a run; `harness resume` ends that one first")
    if run is None:
        if best is None:
            raise UserError("no run looks better and was not measured on fresh seeds yet; name one to do it anyway")
        return best.number
    wanted = history.runs.get(run)
    if wanted is None or not wanted.measured or not wanted.recorded:
        known = ", ".join(str(r.number) for r in history.measured) or "none"
        raise UserError(f"run {run} has no result to confirm; runs that have: {known}")
    if wanted.replicate_of is not None:
        raise UserError(f"run {run} repeats run {history.original(run)}; confirm that one")
    if wanted.confirmed is not None and wanted.confirmed.comparisons:
        raise UserError(f"run {run} was measured on fresh seeds already; doing it until it fits would prove nothing")
    return run


def now(study: Study, run: int | None) -> int:
    """Confirm a run of a study that is not being worked on, or end what was begun, and leave the study as it was.

    Returns:
        The run.

    Raises:
        UserError: it cannot be confirmed, see `chosen`.
        TemplateFault: it could not be measured; it can be tried again.
    """
    history = study.history
    try:
        number = chosen(history, run)
        if history.confirming is None:
            ask(study, history.runs[number])
        while history.confirming is not None:
            step(study)
    except TemplateFault as error:
        study.happened(_ended(study, number, Trial("crashed", 0.0, 0, str(error))))
        raise
    finally:
        study.workspace.restore(history.tree)
        if history.confirming is None and (before := history.stopped_before) is not None:
            study.happened(before.model_copy(update={"at": time.time()}))
    return number


def step(study: Study) -> None:
    """The next launch on fresh seeds: the baseline's, where its own seeds are fewer, then the run's."""
    history, asked = study.history, study.history.confirming
    assert asked is not None
    baseline, again = history.begun.baseline, history.baseline_on_fresh_seeds
    machines = [history.begun.baseline_machine]
    if any(len(values) < len(asked.seeds) for scores in baseline.values() for values in scores.values()):
        failed_before = again is not None and again.outcome != "ok" and again.at < asked.at
        if again is None or failed_before or history.may_try_again(again):
            study.happened(_ended(study, 0, _baseline_trial(study, asked.seeds)))
            return
        if again.outcome != "ok":
            why = f"the baseline failed on the fresh seeds: {again.message}"
            study.happened(_ended(study, asked.run, Trial(again.outcome, 0.0, 0, why)))
            return
        baseline = pooled(baseline, again.scores)
        machines.append(again.machine)
    trial = _run_trial(study, asked.run, asked.seeds)
    if trial.outcome != "ok":
        study.happened(_ended(study, asked.run, trial))
        return
    same_machine = all(machine == trial.machine for machine in machines)
    compared = study.compared(trial.scores, baseline, history.confirmations_asked, same_machine)
    study.happened(_committed(study, _ended(study, asked.run, trial, compared)))
    study.workspace.restore(history.tree)


def _baseline_trial(study: Study, seeds: tuple[int, ...]) -> Trial:
    job = _job(study, 0)
    tick = study.ticker("the baseline on fresh seeds")
    return study.launcher.run(study.paths.pinned, job, job / "out", tick, seeds)


def _run_trial(study: Study, number: int, seeds: tuple[int, ...]) -> Trial:
    job, recorded = _job(study, number), study.history.runs[number].recorded
    assert recorded is not None, "only a measured run is confirmed"
    if not is_under_way(job):
        study.workspace.restore(recorded.tree)
    tick = study.ticker(f"run {number} on fresh seeds")
    trial = study.complete(study.launcher.run(study.paths.root, job, job / "out", tick, seeds))
    return study.untampered(recorded.tree, trial)


def _ended(study: Study, number: int, trial: Trial, compared: tuple[Comparison, ...] = ()) -> ConfirmationEnded:
    asked = study.history.confirming
    assert asked is not None
    return ConfirmationEnded(
        run=number,
        seeds=asked.seeds,
        outcome=trial.outcome,
        seconds=round(trial.seconds, 3),
        peak_memory=trial.peak_memory,
        message=trial.message,
        reported=trial.reported,
        scores=trial.scores,
        machine=trial.machine,
        comparisons=compared,
        commit=study.history.commit,
        tree=study.history.tree,
    )


def _committed(study: Study, ended: ConfirmationEnded) -> ConfirmationEnded:
    """The event with the commit that keeps what the fresh seeds gave."""
    name, saved = f"run_{ended.run}/confirmed.json", _job(study, ended.run) / "out"
    verified = saved / "verified.json"
    keep(verified if verified.exists() else saved / "final_info.json", study.paths.root / name)
    tree = study.workspace.with_results(study.history.tree, [name])
    commit = study.workspace.commit(tree, study.history.commit, confirmation_message(ended), time.time())
    return ended.model_copy(update={"commit": commit, "tree": tree})


def _job(study: Study, number: int) -> Path:
    """Folder of the launch under way; a job that vanished is tried again in another."""
    what = f"run_{number}" if number else "baseline"
    return study.paths.job(f"{what}-fresh_seeds-try_{study.history.confirmation_tries(number) + 1}")
