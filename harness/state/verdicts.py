"""What may be said of each run of a study. Pure.

Verdicts can change as runs are added, because p values are corrected over all that was tried; so they are computed from
the history whenever they are shown, never stored.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.records import Comparison
from harness.results import final_info
from harness.results.compare import Verdict, confirmation, holm, screening
from harness.state.history import History
from harness.state.run import Run

Verdicts = dict[int, dict[str, tuple[Verdict, float | None]]]
"""run → dataset → verdict of the primary metric and its corrected p value."""


def judge(history: History) -> Verdicts:
    """Verdict of each run: what its fresh seeds say where it was confirmed, otherwise what screening says."""
    found = screen(history)
    for number, of_run in judge_confirmed(history).items():
        found[number] |= of_run
    return found


def screen(history: History) -> Verdicts:
    """Verdicts on the study's own seeds; p values are corrected over all its runs and datasets."""
    tried = [(run, c) for run in history.measured if run.replicate_of is None for c in run.primary]
    found = _judged(tried, screening)
    for run in history.measured:
        if run.replicate_of is not None:
            found[run.number] = {c.dataset: ("replicate", None) for c in run.primary}
    return found


def judge_confirmed(history: History) -> Verdicts:
    """Verdicts on fresh seeds, where a run looked better before (on all datasets, where the user had it confirmed
    though it did not); corrected over everything that was confirmed."""
    return _judged(
        [
            (run, c)
            for run in history.measured
            for c in (run.confirmed.comparisons if run.confirmed else ())
            if c.primary and (not run.promising or c.dataset in run.promising_on)
        ],
        confirmation,
    )


def in_one_word(history: History) -> dict[int, str]:
    """run → its verdict where that is the same over all datasets it changes, otherwise "mixed"."""
    found = {run: {word for word, _ in of_run.values()} for run, of_run in judge(history).items()}
    changed = {run: words - {"unchanged"} or words for run, words in found.items()}
    return {run: words.pop() if len(words) == 1 else "mixed" for run, words in changed.items()}


def disagreements(history: History, run: Run) -> list[str]:
    """Metrics that the experiment reported otherwise than the evaluator found them, as sentences."""
    if run.measured is None:
        return []
    usual = history.begun.baseline_reported, history.begun.baseline
    return final_info.disagreements(run.measured.reported, run.measured.scores, usual)


def _judged(compared: list[tuple[Run, Comparison]], rule: Callable[[Comparison, float | None], Verdict]) -> Verdicts:
    """A verdict for each comparison, given its p value corrected by Holm's method over all that could be a result."""
    adjusted = iter(holm([c.p for _, c in compared if c.p is not None and not c.unchanged]))
    found: Verdicts = {}
    for run, c in compared:
        p = next(adjusted) if c.p is not None and not c.unchanged else None
        found.setdefault(run.number, {})[c.dataset] = (rule(c, p), p)
    return found
