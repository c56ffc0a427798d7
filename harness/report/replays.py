"""Compare a study with its replay."""

from __future__ import annotations

import math
from itertools import zip_longest

from harness.state.history import History
from harness.state.run import Run
from harness.template.folder import Template

TOLERANCE = 1e-6
"""Relative; allows for a different order of floating-point additions."""


def differences(first: History, second: History, template: Template) -> list[str]:
    """Every difference in edits (turn by turn) and metrics (run by run), as sentences."""
    found = []
    for a, b in zip_longest(first.turns, second.turns):
        if a is None or b is None:
            found.append(f"{len(first.turns)} turns became {len(second.turns)}")
            break
        if a.status != b.status or (a.status != "rejected" and a.changed != b.changed):
            found.append(f"turn {a.turn}: {a.status} {list(a.changed)} became {b.status} {list(b.changed)}")
    for turn in sorted({*first.edits} & {*second.edits}):
        if first.edits[turn] != second.edits[turn]:
            found.append(f"turn {turn} led to different code")
    for number in sorted({*first.runs, *second.runs}):
        found += _of_run(number, first.runs.get(number), second.runs.get(number), template)
    return found


def _of_run(number: int, a: Run | None, b: Run | None, template: Template) -> list[str]:
    if a is None or b is None:
        return [f"run {number} is only in the {'second' if a is None else 'first'}"]
    if [x.outcome for x in a.attempts] != [x.outcome for x in b.attempts]:
        return [f"run {number}: attempts {[x.outcome for x in a.attempts]} became {[x.outcome for x in b.attempts]}"]
    found = []
    if a.digest != b.digest:
        found.append(f"run {number} executed different code")
    if a.measured and b.measured:
        for dataset, metrics in a.measured.scores.items():
            for metric, values in metrics.items():
                again = b.measured.scores.get(dataset, {}).get(metric, ())
                spec = template.manifest.metrics.get(metric)
                if spec and not spec.machine_bound and not _close(values, again):
                    found.append(f"run {number}: {metric} on {dataset} was {values}, is {again}")
    return found


def _close(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return len(a) == len(b) and all(
        math.isclose(x, y, rel_tol=TOLERANCE, abs_tol=1e-12) for x, y in zip(a, b, strict=True)
    )
