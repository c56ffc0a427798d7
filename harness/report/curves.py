"""The best value so far, run by run, of a study and its control. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from harness.results.final_info import mean
from harness.state.history import History


@dataclass(frozen=True)
class Point:
    """The state of a study after a run; run 0 is the baseline."""

    run: int
    seconds: float
    """Machine time of all attempts so far."""
    best: float
    """The best primary metric so far: mean over seeds, then over datasets."""


@dataclass(frozen=True)
class Difference:
    """A study and its control at equal cost."""

    at: str
    study: float
    control: float

    @property
    def difference(self) -> float:
        return self.study - self.control


def curve(history: History) -> list[Point]:
    """One point for the baseline and one for each run; empty if no run gave a result."""
    primary = next((c for run in history.measured for c in run.primary), None)
    if primary is None:
        return []
    better = min if primary.goal == "min" else max
    points = [Point(0, 0.0, mean(tuple(mean(scores[primary.metric]) for scores in history.begun.baseline.values())))]
    for run in sorted(history.runs.values(), key=lambda run: run.number):
        best, seconds = points[-1].best, points[-1].seconds + sum(a.seconds for a in run.attempts)
        if run.measured and run.complete:
            best = better(best, mean(tuple(c.mean for c in run.primary)))
        points.append(Point(run.number, seconds, best))
    return points


def differences(study: list[Point], control: list[Point]) -> list[Difference]:
    """The difference after equally many runs and after equal machine time, as far as both curves reach."""
    runs = min(study[-1].run, control[-1].run)
    seconds = min(study[-1].seconds, control[-1].seconds)
    return [
        Difference(f"after {runs} runs", _after_runs(study, runs), _after_runs(control, runs)),
        Difference(f"after {seconds:.0f} s", _after_seconds(study, seconds), _after_seconds(control, seconds)),
    ]


def _after_runs(points: list[Point], runs: int) -> float:
    return [p.best for p in points if p.run <= runs][-1]


def _after_seconds(points: list[Point], seconds: float) -> float:
    return [p.best for p in points if p.seconds <= seconds][-1]
