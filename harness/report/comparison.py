"""A study's runs compared with its baseline: the rows of a table, and the warnings below it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.paths import StudyPaths
from harness.records import Comparison
from harness.report.curves import Point, curve
from harness.state import verdicts
from harness.state.history import History
from harness.state.journal import history as read_history
from harness.state.run import Run
from harness.state.verdicts import Verdicts
from harness.text import duration, plain


@dataclass(frozen=True)
class ComparisonRow:
    """One metric of one run on one dataset, or a run without a result."""

    run: int
    fresh: bool
    """Whether the values are from fresh seeds."""
    verdict: str
    """"exploratory" if the metric is not the primary one; for a run without a result, how it ended."""
    comparison: Comparison | None = None
    p: float | None = None
    """Corrected over all comparisons of the study."""
    unchanged: int = 0
    """Instead of a comparison: the number of datasets on which the primary metric is unchanged."""


@dataclass(frozen=True)
class Control:
    """A study's control, with the curves of both."""

    study: str
    agent: str
    goal: str
    ours: list[Point]
    theirs: list[Point]


def rows(history: History, every: bool) -> list[ComparisonRow]:
    """One row per run and dataset for the primary metric, or for every metric.

    Unless `every`, the datasets that a run leaves unchanged are counted in one row.
    """
    found: list[ComparisonRow] = []
    screened, confirmed = verdicts.screen(history), verdicts.judge_confirmed(history)
    several = len(history.begun.baseline) > 1
    for run in history.runs.values():
        if not run.comparisons:
            found.append(ComparisonRow(run.number, False, run.outcome))
        shown = [c for c in run.comparisons if every or (c.primary and not (several and c.unchanged))]
        found += [_row(run, c, screened, fresh=False) for c in shown]
        unchanged = sum(c.unchanged for c in run.primary)
        if several and not every and unchanged:
            found.append(ComparisonRow(run.number, False, "unchanged", unchanged=unchanged))
        again = run.confirmed.comparisons if run.confirmed else ()
        judged = {c.dataset for c in again if c.primary and c.dataset in confirmed.get(run.number, {})}
        judged |= {c.dataset for c in again if c.primary and c.look}
        found += [
            _row(run, c, confirmed if c.dataset in judged else {}, fresh=True)
            for c in again
            if every or (c.primary and c.dataset in judged)
        ]
    return found


def _row(run: Run, c: Comparison, judged: Verdicts, fresh: bool) -> ComparisonRow:
    word, p = judged.get(run.number, {}).get(c.dataset, ("exploratory", None)) if c.primary else ("exploratory", None)
    return ComparisonRow(run.number, fresh, word, c, p)


def count_comparisons(history: History) -> int:
    """The number of comparisons that the p values of a study are corrected for."""
    return sum(p is not None for of_run in verdicts.screen(history).values() for _, p in of_run.values())


def disagreements(history: History) -> list[str]:
    """One line for each value that an experiment reported and the evaluator did not confirm."""
    return [
        f"run {run.number}: reported and verified differ: {plain(sentence)}"
        for run in history.measured
        for sentence in verdicts.disagreements(history, run)
    ]


def repeated(history: History) -> list[str]:
    """One line for each run whose values on fresh seeds were no new samples."""
    why = "exactly those of other seeds again, so HARNESS_SEEDS has no effect on this code"
    found = []
    for run in history.measured:
        if run.recorded and run.recorded.repeats:
            found.append(f"run {run.number}: the values are {why}; they are not pooled")
        if run.confirmed and run.confirmed.repeats:
            found.append(f"run {run.number} on fresh seeds: the values are {why} and nothing is confirmed")
    return found


def stopped_early(history: History) -> list[str]:
    """One line for each run that was stopped after its first seeds, and the time that this saved."""
    runs = [(run.number, run.recorded) for run in history.measured if run.recorded and run.stopped]
    return [f"run {number}: {r.stopped}; {duration(r.saved)} of machine time saved" for number, r in runs]


def elsewhere(history: History) -> list[str]:
    """What was measured on a different kind of machine than the baseline, one line per kind."""
    home, kinds = history.begun.baseline_machine, history.elsewhere()
    if home is None:
        return []
    by_difference: dict[str, list[str]] = {}
    for what, machine in kinds.items():
        by_difference.setdefault("; ".join(machine.differences(home)), []).append(what)
    return [
        f"{', '.join(what)}: measured on a different kind of machine than the baseline ({plain(difference)}), "
        "so equal values do not prove equal code"
        for difference, what in by_difference.items()
    ]


def control_of(paths: StudyPaths, history: History) -> Control | None:
    """The study's control with both curves; None if there is no control or either has no result."""
    control = StudyPaths(paths.root.with_name(f"{paths.name}-control"))
    if not control.journal.is_file():
        return None
    found = read_history(control)
    if found.begun.control_of != paths.name or not (ours := curve(history)) or not (theirs := curve(found)):
        return None
    return Control(control.name, found.begun.agent, history.measured[0].primary[0].goal, ours, theirs)
