"""Collects the text of a LaTeX file into lines of prose that know where they begin in the file. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

_SENTENCE_END = re.compile(r"(?<=[.!?])(?<!\b(?:vs|al|cf)\.)(?<!\b(?:Fig|Tab|Sec|i\.e|e\.g)\.)\s+(?=[A-Z(\"“])")
_POWER_OF_TEN = re.compile(
    r"(?:(?<![\d.,])(?P<factor>\d[\d.,]{0,30})\s?[×·]\s?)?(?<![\d.])10\s?\^\s?(?P<power>[+−-]?\d{1,3})(?!\d)"
)
_SPACE_LEFT = re.compile(r" (?=[.,;:)](?: |$))")
"""A space that was before a citation."""
_TYPED = {"``": "“", "''": "”", "---": "—", "--": "–"}
_AS_TYPED = re.compile("|".join(_TYPED))


class Line(NamedTuple):
    """A line of prose, and the line of the file on which it begins."""

    text: str
    number: int


Pieces = Sequence[tuple[str, int]]
"""Text with the line of each part."""


class Lines:
    """The lines so far, and the paragraph or the row of a table that is being read."""

    def __init__(self) -> None:
        self.found: list[Line] = []
        self.in_table = False
        self._mark = ""
        """What the paragraph begins with: "# " for a heading, "- " for an item of a list."""
        self._pieces: list[tuple[str, int]] = []
        self._cells: list[list[tuple[str, int]]] = [[]]

    def add(self, text: str, line: int) -> None:
        text = _AS_TYPED.sub(lambda match: _TYPED[match[0]], text)
        if self.in_table:
            self._cells[-1].append((text.replace("|", " "), line))
        else:
            self._pieces.append((text, line))

    def begin_paragraph(self, mark: str = "") -> None:
        """End the paragraph, unless this is inside a table, and begin another."""
        if self.in_table:
            return
        lines = [*_sentences(self._pieces)]
        if lines and self._mark:
            whole = " ".join(line.text for line in lines) if self._mark.startswith("#") else lines.pop(0).text
            lines = [Line(self._mark + whole, self._pieces_begin()), *(lines if self._mark == "- " else [])]
        if lines:
            self.found += [*lines, Line("", lines[-1].number)]
        self._pieces, self._mark = [], mark

    def _pieces_begin(self) -> int:
        return next(line for text, line in self._pieces if text.strip())

    @property
    def last_character(self) -> str:
        """The last one of the paragraph that is not a space."""
        return next((text.rstrip()[-1] for text, _ in reversed(self._pieces) if text.strip()), "")

    def begin_table(self) -> None:
        self.begin_paragraph()
        self.in_table, self._cells = True, [[]]

    def begin_cells(self, count: int = 1) -> None:
        self._cells += [[] for _ in range(count)]

    def begin_row(self) -> None:
        cells = [_line("".join(text for text, _ in cell)) for cell in self._cells]
        if any(cells):
            begin = next(line for cell in self._cells for text, line in cell if text.strip())
            self.found.append(Line(f"| {' | '.join(cells)} |", begin))
        self._cells = [[]]

    def end_table(self) -> None:
        self.begin_row()
        self.in_table = False
        if self.found:
            self.found.append(Line("", self.found[-1].number))


def _sentences(pieces: Pieces) -> Iterator[Line]:
    text = "".join(piece for piece, _ in pieces)
    ends = [*accumulate(len(piece) for piece, _ in pieces)]
    start = 0
    for end in (*(match.end() for match in _SENTENCE_END.finditer(text)), len(text)):
        sentence = text[start:end]
        if shown := _line(sentence).lstrip("#| "):
            begin = start + len(sentence) - len(sentence.lstrip())
            yield Line(shown, pieces[bisect_right(ends, begin)][1])
        start = end


def _line(text: str) -> str:
    one = _SPACE_LEFT.sub("", " ".join(text.split()))
    return _POWER_OF_TEN.sub(lambda match: f"{match['factor'] or 1}e{match['power']}", one)
