"""Measuring code: an attempt, a replicate, a confirmation and the baseline on fresh seeds are all the same step.

A launch is identified by its folder. So doing the same step again continues with the launch that is under way, or
collects its result; a new launch is started only if that one was lost.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from harness.execution.launcher import LaunchResult
from harness.execution.outputs import keep
from harness.planning.steps import Attempt, Confirmation, Measure
from harness.records import Outcome
from harness.state.events import AttemptEnded, AttemptLaunched, ConfirmationEnded
from harness.study.commits import confirmation_message
from harness.study.judging import judge_on_fresh_seeds
from harness.study.study import Study


def measure(study: Study, step: Measure) -> None:
    """Launch what the step names, or continue with the launch under way, and write its result to the journal."""
    match step.of:
        case Attempt() as attempt:
            _measure_attempt(study, step, attempt)
        case Confirmation() as confirmation:
            _measure_on_fresh_seeds(study, step, confirmation)


def give_up_confirmation(study: Study, run: int, seeds: tuple[int, ...], outcome: Outcome, why: str) -> None:
    """Journal that a run could not be measured on fresh seeds."""
    history = study.history
    study.happened(
        ConfirmationEnded(
            run=run,
            seeds=seeds,
            outcome=outcome,
            seconds=0.0,
            message=why,
            commit=history.commit,
            tree=history.tree,
        )
    )


def _measure_attempt(study: Study, step: Measure, attempt: Attempt) -> None:
    if not attempt.announced:
        study.happened(
            AttemptLaunched(
                run=attempt.run,
                attempt=attempt.attempt,
                tree=attempt.tree,
                digest=attempt.digest,
                replicate_of=attempt.replicate_of,
                seeds=step.seeds,
            )
        )
    result = _launch(study, step, study.paths.run(attempt.run), f"run {attempt.run}, attempt {attempt.attempt}")
    study.happened(  # before anything is put back, so that what a run did is known after a crash too
        AttemptEnded(run=attempt.run, attempt=attempt.attempt, **_fields(result))
    )
    study.workspace.restore(attempt.tree)


def _measure_on_fresh_seeds(study: Study, step: Measure, confirmation: Confirmation) -> None:
    history, run = study.history, confirmation.run
    out_dir = study.paths.job(step.job) / "out"
    result = _launch(study, step, out_dir, f"run {run} on fresh seeds" if run else "the baseline on fresh seeds")
    place = {"commit": history.commit, "tree": history.tree}
    ended = ConfirmationEnded(run=run, seeds=step.seeds, **place, **_fields(result))
    if run and result.outcome == "ok":
        metrics = study.template.manifest.metrics
        repeated, comparisons = judge_on_fresh_seeds(run, result.scores, result.machine, history, metrics)
        judged = {"repeats": repeated, "comparisons": comparisons}
        ended = _commit(study, ended.model_copy(update=judged), out_dir)
    study.happened(ended)
    study.workspace.restore(history.tree)


def _launch(study: Study, step: Measure, out_dir: Path, what: str) -> LaunchResult:
    job, tick = study.paths.job(step.job), study.ticker(what)
    tree = step.of.tree
    if tree is None:
        return study.launcher.run(study.paths.pinned, job, out_dir, tick, step.seeds)
    if not study.launcher.is_under_way(study.paths.root, job, out_dir, step.seeds):
        study.workspace.restore(tree)
    result = study.launcher.run(study.paths.root, job, out_dir, tick, step.seeds)
    return _refuse_tampered(study, tree, _refuse_incomplete(study, result))


def _fields(result: LaunchResult) -> dict[str, Any]:
    """What an event keeps of a launch."""
    return {**vars(result), "seconds": round(result.seconds, 3)}


def _refuse_incomplete(study: Study, result: LaunchResult) -> LaunchResult:
    """The result, unless it lacks a dataset of the baseline."""
    missing = sorted(set(study.history.begun.baseline) - set(result.scores))
    if result.outcome == "ok" and missing:
        message = f"final_info.json lacks the dataset {missing[0]!r}, which the baseline has"
        return LaunchResult("no-metrics", result.seconds, result.peak_memory, message)
    return result


def _refuse_tampered(study: Study, tree: str, result: LaunchResult) -> LaunchResult:
    """The result, or "tampered" if the experiment changed the code while it ran: then its metrics do not count."""
    touched = study.workspace.touched(tree)
    if not touched:
        return result
    message = f"while it ran, the experiment changed files of the study ({touched}); its results do not count"
    return LaunchResult("tampered", result.seconds, result.peak_memory, message)


def _commit(study: Study, ended: ConfirmationEnded, saved: Path) -> ConfirmationEnded:
    """The event with the commit that keeps what the fresh seeds gave."""
    name, verified = f"run_{ended.run}/confirmed.json", saved / "verified.json"
    keep(verified if verified.exists() else saved / "final_info.json", study.paths.root / name)
    tree = study.workspace.with_results(study.history.tree, [name])
    commit = study.workspace.commit(tree, study.history.commit, confirmation_message(ended), time.time())
    return ended.model_copy(update={"commit": commit, "tree": tree})
