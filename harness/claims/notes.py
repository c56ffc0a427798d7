"""Checks a study's own notes against its journal. Pure, except that it reads the notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.claims.check import Known, unsupported
from harness.claims.recorded import collect
from harness.records import Comparison, Finding
from harness.results.final_info import deviation, mean
from harness.state.history import History
from harness.state.run import Run
from harness.state.verdicts import judge

NAMES = ("notes.md", "notes.txt")
SIZE_LIMIT = 2**20
"""Maximum number of bytes of notes that are read."""


def audit(study: Path, history: History) -> list[tuple[str, Finding]]:
    """File name and finding for every claim in the notes of a study's folder that its results do not support."""
    files = [study / name for name in NAMES if (study / name).is_file() and not (study / name).is_symlink()]
    if not files or not history.measured:
        return []
    known = recorded(history)
    return [(file.name, finding) for file in files for finding in unsupported(_text(file), known)]


def recorded(history: History) -> Known:
    """Everything that a study computed and reported to its agent."""
    compared = [comparison for run in history.measured for comparison in _comparisons(run)]
    others = collect((c.metric, value) for c in compared for value in (c.effect, c.low, c.high, c.detectable))
    measured = {run.number: run.measured.scores for run in history.measured if run.measured}
    return Known(
        scores={0: history.begun.baseline, **measured},
        verdicts={run: {d: word for d, (word, _) in of_run.items()} for run, of_run in judge(history).items()},
        primary=next((c.metric for c in compared if c.primary), ""),
        goals={c.metric: c.goal for c in compared},
        others=others,
        of_runs={
            0: collect((c.metric, value) for c in compared for value in (c.baseline_mean, c.baseline_sd)),
            **{
                run.number: collect(
                    (*((c.metric, value) for c in _comparisons(run) for value in (c.mean, c.sd)), *_on_fresh_seeds(run))
                )
                for run in history.measured
            },
        },
    )


def _comparisons(run: Run) -> tuple[Comparison, ...]:
    alone = run.recorded.comparisons if run.recorded else ()
    return (*alone, *run.pooled, *(run.confirmed.comparisons if run.confirmed else ()))


def _on_fresh_seeds(run: Run) -> Iterator[tuple[str, float | None]]:
    """Mean and standard deviation of all that was measured there, not only of the template's metrics."""
    for scores in (run.confirmed.scores if run.confirmed else {}).values():
        for metric, values in scores.items():
            yield from ((metric, mean(values)), (metric, deviation(values)))


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(SIZE_LIMIT).decode(errors="replace")
