"""Measuring code: an attempt, a replicate, a confirmation and the baseline on fresh seeds are all the same step.

A launch is identified by its folder. So doing the same step again continues with the launch that is under way, or
collects its result; a new launch is started only if that one was lost.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.execution import outputs
from harness.execution.launcher import LaunchResult
from harness.files import write_json
from harness.planning import confirming
from harness.planning.confirming import Judged
from harness.planning.steps import Attempt, EndConfirmation, Fresh, Measure
from harness.results import final_info
from harness.results.compare import pooled, without_verdict
from harness.state.events import AttemptEnded, AttemptLaunched, ConfirmationEnded, SeedsMeasured
from harness.study.commits import confirmation_message
from harness.study.judging import REPEATED
from harness.study.study import Study


def measure(study: Study, step: Measure) -> None:
    """Launch what the step names, or continue with the launch under way, and write its result to the journal."""
    match step.of:
        case Attempt() as attempt:
            _measure_attempt(study, step, attempt)
        case Fresh() as fresh:
            _measure_on_fresh_seeds(study, step, fresh)


def end_confirmation(study: Study, step: EndConfirmation) -> None:
    """Judge what the fresh seeds gave, commit it, and write the end of the confirmation to the journal."""
    history = study.history
    if history.confirming is None:
        raise ValueError("no confirmation is under way")
    judged = confirming.judge(history, study.template.manifest, history.confirming)
    found = judged.comparisons if step.outcome == "ok" else ()
    if judged.repeats:
        found = tuple(without_verdict(c, REPEATED) for c in found)
    ended = ConfirmationEnded(
        run=step.run,
        seeds=judged.seeds,
        outcome=step.outcome,
        seconds=0.0,
        message="" if step.outcome == "ok" else step.why,
        why=step.why,
        repeats=judged.repeats,
        scores=judged.measured.run,
        comparisons=found,
        commit=history.commit,
        tree=history.tree,
    )
    study.happened(_commit(study, ended, judged) if found else ended)


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
    first, what = study.history.first, f"run {attempt.run}, attempt {attempt.attempt}"
    if attempt.part == "others" and first is not None:
        result = _launch(study, step, study.paths.job(step.job) / "out", f"{what}, {_span(step.seeds)}")
        result = _together(study, first, result)
    else:
        result = _launch(study, step, study.paths.run(attempt.run), what)
    only_first = attempt.part == "first" and result.outcome == "ok"
    study.happened(  # before anything is put back, so that what a run did is known after a crash too
        AttemptEnded(run=attempt.run, attempt=attempt.attempt, first=only_first, **_fields(result))
    )
    study.workspace.restore(attempt.tree)


def _together(study: Study, first: AttemptEnded, others: LaunchResult) -> LaunchResult:
    """The result on all seeds of a run, from its first ones and the others; its files then have the values of all.

    Doing it again gives the same files: the first values are the journal's.
    """
    seconds, memory = first.seconds + others.seconds, max(first.peak_memory, others.peak_memory)
    if others.outcome != "ok":
        return replace(others, seconds=seconds, peak_memory=memory)
    reported, scores = pooled(first.reported, others.reported), pooled(first.scores, others.scores)
    folder = study.paths.run(first.run)
    outputs.replace(folder / "final_info.json", final_info.as_json(reported))
    if study.template.manifest.has_evaluator:
        outputs.replace(folder / "verified.json", final_info.as_json(scores))
    elsewhere = first.machine != study.history.begun.baseline_machine
    machine = first.machine if elsewhere else others.machine
    return replace(others, seconds=seconds, peak_memory=memory, reported=reported, scores=scores, machine=machine)


def _measure_on_fresh_seeds(study: Study, step: Measure, fresh: Fresh) -> None:
    what = f"{'the baseline' if fresh.baseline else f'run {fresh.run}'} on {_span(step.seeds)}"
    result = _launch(study, step, study.paths.job(step.job) / "out", what)
    study.happened(SeedsMeasured(run=fresh.run, baseline=fresh.baseline, seeds=step.seeds, **_fields(result)))
    study.workspace.restore(study.history.tree)


def _span(seeds: tuple[int, ...]) -> str:
    return f"seeds {seeds[0]}–{seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"


def _launch(study: Study, step: Measure, out_dir: Path, what: str) -> LaunchResult:
    job, tick = study.paths.job(step.job), study.ticker(what)
    tree = step.of.tree
    if tree is None:
        return _refuse_incomplete(study, study.launcher.run(study.paths.pinned, job, out_dir, tick, step.seeds))
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


def _commit(study: Study, ended: ConfirmationEnded, judged: Judged) -> ConfirmationEnded:
    """The event with the commit that keeps what the fresh seeds gave, on both sides."""
    name = f"run_{ended.run}/confirmed.json"
    measured = judged.measured
    write_json(study.paths.root / name, {"seeds": judged.seeds, "run": measured.run, "baseline": measured.baseline})
    tree = study.workspace.with_results(study.history.tree, [name])
    commit = study.workspace.commit(tree, study.history.commit, confirmation_message(ended), time.time())
    return ended.model_copy(update={"commit": commit, "tree": tree})
