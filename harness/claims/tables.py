"""Tables in notes: which run, metric and dataset a cell is about. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from harness.claims.names import Vocabulary

_RULE = re.compile(r"[\s:|=-]*")
_RUN_HEADER = re.compile(r"\W*(?:runs?|#|no\.?|id|exp(?:eriment)?s?|run (?:id|number|no\.?))\W*$", re.I)
_RUN_CELL = re.compile(r"\W*(?:r(?:un)?[ _#]*)?(\d{1,4})(?![.,]?\d|\s?%)", re.I)
_DELTA = re.compile(r"Δ|\b(?:delta|diff\w*|change|gain|improvement|effect|relative|vs\.?|against)\b", re.I)
_VERDICT = re.compile(r"\W*(?:verdict|result|outcome|status|judg\w+)\W*$", re.I)


@dataclass(frozen=True)
class Cell:
    """A cell, or what the header of its column or the label of its row says about it."""

    text: str
    metrics: frozenset[str] = frozenset()
    datasets: frozenset[str] = frozenset()
    run: int | None = None
    change: bool = False
    percent: bool = False
    verdict: bool = False


class Table:
    """Reads a table row by row; the first row is its header."""

    def __init__(self, words: Vocabulary) -> None:
        self._words = words
        self._columns: list[Cell] = []
        self._runs_at: int | None = None

    def row(self, cells: tuple[str, ...]) -> Iterator[Cell]:
        """The cells that may hold results."""
        if all(_RULE.fullmatch(cell) for cell in cells):
            return
        if not self._columns:
            self._columns = [self._label(cell) for cell in cells]
            self._runs_at = next((i for i, cell in enumerate(cells) if _RUN_HEADER.match(cell)), None)
            return
        run, metrics, datasets = self._run(cells), frozenset[str](), frozenset[str]()
        for cell, column in zip_longest(cells, self._columns[: len(cells)], fillvalue=None):
            if cell is None or column is None:
                return
            label = self._label(cell)
            yield Cell(
                cell,
                column.metrics or metrics,
                column.datasets or datasets,
                run if column.run is None else column.run,
                column.change,
                column.percent,
                column.verdict,
            )
            metrics, datasets = metrics or label.metrics, datasets or label.datasets

    def _run(self, cells: tuple[str, ...]) -> int | None:
        if self._runs_at is not None and self._runs_at < len(cells):
            number = _RUN_CELL.match(cells[self._runs_at])
            return int(number[1]) if number else self._named(cells[self._runs_at])
        return next((run for cell in cells if (run := self._named(cell)) is not None), None)

    def _named(self, cell: str) -> int | None:
        runs = self._words.runs(cell)
        named = runs.subject + runs.references + runs.further
        return named[0] if len(set(named)) == 1 else None

    def _label(self, cell: str) -> Cell:
        return Cell(
            cell,
            self._words.metrics_alone(cell),
            self._words.datasets_in_cell(cell),
            self._named(cell),
            change=_DELTA.search(cell) is not None,
            percent="%" in cell,
            verdict=_VERDICT.match(cell) is not None,
        )
