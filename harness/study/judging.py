"""Comparing what a launch gave with the baseline. Pure: verdicts follow from these comparisons."""

from __future__ import annotations

from collections.abc import Mapping

from harness.records import Comparison, Machine, MetricSpec, Scores
from harness.results.compare import against_baseline, pooled
from harness.results.seeds import repeats
from harness.state.events import AttemptEnded
from harness.state.history import History

Metrics = Mapping[str, MetricSpec]
REPEATED = "the values repeat those of other seeds"


def compare_attempt(ended: AttemptEnded, history: History, metrics: Metrics) -> tuple[Comparison, ...]:
    """Every metric of a run against the baseline."""
    return _compare(ended.scores, history.begun.baseline, [ended.machine], history, metrics)


def repeats_earlier_seeds(ended: AttemptEnded, history: History, metrics: Metrics) -> bool:
    """For a replicate: whether its values are those of other seeds again. False for other runs."""
    earlier = [launch.scores for launch in _launches_of_its_code(ended.run, history)]
    return bool(earlier) and repeats(ended.scores, earlier, history.begun.baseline, metrics)


def compare_pooled(ended: AttemptEnded, history: History, metrics: Metrics) -> tuple[Comparison, ...]:
    """For a replicate: all values of its code against the baseline. Nothing for other runs."""
    scores, machines = ended.scores, [ended.machine]
    for launch in _launches_of_its_code(ended.run, history, only_complete=True):
        scores = pooled(launch.scores, scores)
        machines.append(launch.machine)
    return _compare(scores, history.begun.baseline, machines, history, metrics) if len(machines) > 1 else ()


def _launches_of_its_code(run: int, history: History, only_complete: bool = False) -> list[AttemptEnded]:
    """The launches that gave results for the code that a replicate repeats, apart from those that repeat others.

    Args:
        only_complete: whether to leave out a run that was stopped after its first seeds, because these looked bad.
    """
    if history.runs[run].replicate_of is None:
        return []
    same = [r for r in history.measured if history.original(r.number) == history.original(run)]
    launches = [(r, r.measured) for r in same if r.measured and not (r.recorded and r.recorded.repeats)]
    return [launch for r, launch in launches if not (only_complete and r.stopped)]


def _compare(
    scores: Scores,
    baseline: Scores,
    machines: list[Machine | None],
    history: History,
    metrics: Metrics,
) -> tuple[Comparison, ...]:
    same_machine = all(machine == history.begun.baseline_machine for machine in machines)
    return against_baseline(scores, baseline, metrics, same_machine=same_machine)
