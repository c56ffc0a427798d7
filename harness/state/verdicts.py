"""The verdict on each run of a study. Pure.

Verdicts can change as runs are added, because p values are corrected over all comparisons. So they are computed from
the history whenever they are shown, and never stored.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.records import Comparison
from harness.results import final_info
from harness.results.compare import Verdict, after_first_seeds, confirmation, holm, screening, unconfirmable
from harness.results.confirmation import words as words_on_fresh_seeds
from harness.state.history import History
from harness.state.run import Run

Verdicts = dict[int, dict[str, tuple[Verdict, float | None]]]
"""run → dataset → verdict of the primary metric and its corrected p value."""


def judge(history: History) -> Verdicts:
    """Verdict of each run: from its fresh seeds where it was confirmed, otherwise from screening."""
    found = screen(history)
    for number, of_run in judge_confirmed(history).items():
        found[number] |= of_run
    return found


def screen(history: History) -> Verdicts:
    """Verdicts on the study's own seeds; p values are corrected over all its runs and datasets."""
    tried = [(run, c) for run in history.measured if run.replicate_of is None for c in run.primary]
    found = _apply_rule(tried, unconfirmable if history.begun.seeding == "fixed" else screening)
    for run in history.measured:
        if run.stopped:
            found[run.number] = {d: (after_first_seeds(word), p) for d, (word, p) in found[run.number].items()}
        if run.replicate_of is not None:
            found[run.number] = {c.dataset: ("replicate", None) for c in run.primary}
    return found


def judge_confirmed(history: History) -> Verdicts:
    """Verdicts on fresh seeds, for the datasets that a confirmation was about. They have no p value: the interval of
    the design decides."""
    found: Verdicts = _judge_older(history)
    for run in history.measured:
        if run.confirmed and (of_run := words_on_fresh_seeds(run.confirmed.comparisons)):
            found[run.number] = {dataset: (word, None) for dataset, word in of_run.items()}
    return found


def _judge_older(history: History) -> Verdicts:
    """The same for older journals: one Welch's test at all fresh seeds, corrected over all confirmations."""
    return _apply_rule(
        [
            (run, c)
            for run in history.measured
            for c in (run.confirmed.comparisons if run.confirmed else ())
            if c.primary and not c.look and not run.looked and (not run.promising or c.dataset in run.promising_on)
        ],
        confirmation,
    )


def in_one_word(history: History) -> dict[int, str]:
    """run → its verdict on the datasets that were confirmed, otherwise on those that it changes; or "mixed".

    A dataset that the screening calls worse always counts: a gain on one must not hide a loss on another.
    """
    confirmed = {run.number for run in history.measured if run.looked}
    judged, fresh = judge(history), judge_confirmed(history)
    found: dict[int, str] = {}
    for run, of_run in judged.items():
        words: set[str] = {word for word, _ in (fresh[run] if run in confirmed and run in fresh else of_run).values()}
        words |= {word for word, _ in of_run.values() if word == "worse"}
        words = words - {"unchanged"} or words
        found[run] = words.pop() if len(words) == 1 else "mixed"
    return found


def disagreements(history: History, run: Run) -> list[str]:
    """Metrics whose reported values the evaluator did not confirm, as sentences."""
    if run.measured is None:
        return []
    usual = history.begun.baseline_reported, history.begun.baseline
    return final_info.disagreements(run.measured.reported, run.measured.scores, usual)


def _apply_rule(
    compared: list[tuple[Run, Comparison]], rule: Callable[[Comparison, float | None], Verdict]
) -> Verdicts:
    """A verdict for each comparison, with p values Holm-corrected over all comparisons that can have a result."""
    adjusted = iter(holm([c.p for _, c in compared if c.p is not None and not c.unchanged]))
    found: Verdicts = {}
    for run, c in compared:
        p = next(adjusted) if c.p is not None and not c.unchanged else None
        found.setdefault(run.number, {})[c.dataset] = (rule(c, p), p)
    return found
