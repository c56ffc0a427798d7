"""A study's own notes, held against its journal. Layer 1: pure but for reading the file it is given."""

from __future__ import annotations

from pathlib import Path

from harness.claims import Known, unsupported
from harness.history import History
from harness.records import Comparison, Finding

NAMES = ("notes.md", "notes.txt")
SIZE_LIMIT = 2**20
"""Bytes of notes that are read; more than that nobody wrote for a reader."""


def audit(study: Path, history: History) -> list[tuple[str, Finding]]:
    """File name and finding for every claim in the notes of a study's folder that its results do not support."""
    known = recorded(history)
    return [
        (name, finding)
        for name in NAMES
        if (study / name).is_file() and not (study / name).is_symlink() and history.measured
        for finding in unsupported(_text(study / name), known)
    ]


def recorded(history: History) -> Known:
    """Everything that was computed in a study and that its agent was told."""
    compared = [c for run in history.measured for c in _comparisons(run.number, history)]
    others: dict[str, set[float]] = {"": set()}
    for c in compared:
        shown = (c.baseline_mean, c.baseline_sd, c.mean, c.sd, c.effect)
        others.setdefault(c.metric, set()).update(value for value in shown if value is not None)
        others[""].update(value for value in (c.p, c.low, c.high, c.detectable) if value is not None)
    verdicts = history.verdicts()
    others[""].update(p for of_run in verdicts.values() for _, p in of_run.values() if p is not None)
    return Known(
        scores={0: history.begun.baseline}
        | {run.number: run.measured.scores for run in history.measured if run.measured},
        verdicts={run: {dataset: word for dataset, (word, _) in of_run.items()} for run, of_run in verdicts.items()},
        primary=next((c.metric for c in compared if c.primary), ""),
        goals={c.metric: c.goal for c in compared},
        others={metric: frozenset(values) for metric, values in others.items()},
    )


def _comparisons(number: int, history: History) -> tuple[Comparison, ...]:
    run = history.runs[number]
    own = run.recorded.comparisons if run.recorded else ()
    return (*own, *run.pooled, *(run.confirmed.comparisons if run.confirmed else ()))


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(SIZE_LIMIT).decode(errors="replace")
