"""Format the records of harness.report for a terminal."""

from __future__ import annotations

from harness.cli.app import print_line
from harness.report.curves import Point, differences
from harness.report.story import StoryLine
from harness.text import number

BAR = 24
STYLES = {"title": "bold", "aside": "dim", "good": "green", "bad": "red"}
"""Tone of a line → its style."""
VERDICT_STYLES = {
    "better": "bold green",
    "promising, unconfirmed": "green",
    "better, but less than is worth it": "green",
    "guard not held": "bold red",
    "not confirmed": "yellow",
    "no difference worth it": "yellow",
    "worse": "bold red",
    "not promising": "yellow",
    "inconclusive": "yellow",
    "cannot be confirmed": "yellow",
    "cannot tell": "yellow",
}


def style_of(line: StoryLine) -> str:
    return VERDICT_STYLES.get(line.verdict, "") if line.tone == "verdict" else STYLES.get(line.tone, "")


def columns(rows: list[list[str]], ragged: bool = True) -> str:
    """Rows as aligned columns; `ragged` strips trailing spaces."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() if ragged else line for line in lines)


def print_warnings(sentences: list[str], style: str) -> None:
    for sentence in sentences:
        print_line((sentence, style))


def curves(study: list[Point], control: list[Point], names: tuple[str, str]) -> list[str]:
    """Best value so far of a study and its control, run by run, and their difference at equal cost.

    Every bar begins at zero, so that lengths can be compared.
    """
    largest = max(abs(point.best) for point in (*study, *control))

    def cell(points: list[Point], run: int) -> str:
        value = next((p.best for p in points if p.run == run), None)
        if value is None:
            return ""
        length = round(BAR * abs(value) / largest) if largest else 0
        return f"{number(value):10} {'█' * length}"

    last = max(study[-1].run, control[-1].run)
    rows = [["run", *names], *([str(run), cell(study, run), cell(control, run)] for run in range(last + 1))]
    equal = [
        f"{d.at}: {number(d.study)} against {number(d.control)}, a difference of {d.difference:+.3g}"
        for d in differences(study, control)
    ]
    return [*columns(rows).splitlines(), *equal]
