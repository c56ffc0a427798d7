"""Comparing what a launch gave with the baseline. Pure: verdicts follow from these comparisons."""

from __future__ import annotations

from collections.abc import Mapping

from harness.records import Comparison, Machine, MetricSpec, Scores
from harness.results.compare import against_baseline, pooled
from harness.state.events import AttemptEnded
from harness.state.history import History

Metrics = Mapping[str, MetricSpec]


def compare_attempt(ended: AttemptEnded, history: History, metrics: Metrics) -> tuple[Comparison, ...]:
    """Every metric of a run against the baseline."""
    return _compare(ended.scores, history.begun.baseline, [ended.machine], history, metrics)


def compare_pooled(ended: AttemptEnded, history: History, metrics: Metrics) -> tuple[Comparison, ...]:
    """For a replicate: all values of its code against the baseline. Nothing for other runs."""
    if history.runs[ended.run].replicate_of is None:
        return ()
    original, scores, machines = history.original(ended.run), ended.scores, [ended.machine]
    for run in history.measured:
        if run.measured and history.original(run.number) == original:
            scores = pooled(run.measured.scores, scores)
            machines.append(run.measured.machine)
    return _compare(scores, history.begun.baseline, machines, history, metrics)


def compare_on_fresh_seeds(
    scores: Scores, machine: Machine | None, history: History, metrics: Metrics
) -> tuple[Comparison, ...]:
    """What a run gave on fresh seeds against all of the baseline's values, those on fresh seeds included."""
    baseline, machines, again = history.begun.baseline, [machine], history.baseline_on_fresh_seeds
    if again is not None and again.outcome == "ok":
        baseline = pooled(baseline, again.scores)
        machines.append(again.machine)
    return _compare(scores, baseline, machines, history, metrics, tried=history.confirmations_asked)


def _compare(
    scores: Scores,
    baseline: Scores,
    machines: list[Machine | None],
    history: History,
    metrics: Metrics,
    tried: int | None = None,
) -> tuple[Comparison, ...]:
    """`tried` runs share the error rate, on every dataset; as many as the budget allows unless it is given."""
    tried = (tried or history.begun.budget.runs) * len(baseline)
    same_machine = all(machine == history.begun.baseline_machine for machine in machines)
    return against_baseline(scores, baseline, metrics, tried=tried, same_machine=same_machine)
