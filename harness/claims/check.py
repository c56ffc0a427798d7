"""Do the numbers support what the notes say? Pure.

A text is read clause by clause, and a table cell by cell. A run, metric or dataset that a clause does not name is that
of the clause before it, of the paragraph or of the heading.

- A value must match a recorded number in all printed digits: one of the clause's run or, if it compares runs, of any.
  If no metric is named, a number with KNOWN_BY_ITSELF digits must match one of any metric.
- A change ("by 9 %", "halved") must have that size and direction between the two runs.
- "Better" and "worse" than the baseline need a verdict on the primary metric that says so. For other metrics, and for
  comparisons with another run, it is enough that a mean moved that way; "higher" and "lower" always mean the mean.
- "Significant" and "confirmed" always need such a verdict. What is denied ("no better") must not have one.

Nothing is rewritten, and clauses that cannot be decided are not listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.claims import cues, prose, sentences
from harness.claims.context import Clause, Context, Scope
from harness.claims.layout import Block, blocks
from harness.claims.names import Vocabulary
from harness.claims.praise import Praise
from harness.claims.recorded import NAMES, PAIRED, SEEDS, Known, Recorded
from harness.claims.sizes import Sizes
from harness.claims.tables import Cell, Table
from harness.records import Finding
from harness.text import printable

__all__ = ["FINDINGS", "LINE", "LINES", "NAMES", "PAIRED", "SEEDS", "Known", "unsupported"]

LINE, LINES, FINDINGS = 20_000, 20_000, 200
"""Maximum number of characters read of a line, of lines read of a text, and of findings."""


def unsupported(text: str, known: Known) -> tuple[Finding, ...]:
    """Claims in a text that the numbers do not support, with line numbers."""
    reader = _Reader(known)
    found: dict[tuple[int, str], Finding] = {}
    for block in blocks([line[:LINE] for line in text.split("\n")[:LINES]]):
        for line, message in reader.read(block):
            if (line, message) not in found and len(found) == FINDINGS:
                return (*found.values(), Finding(check="claim", message=f"only the first {FINDINGS} claims are listed"))
            found[line, message] = Finding(check="claim", message=printable(message), line=line)
    return tuple(found.values())


class _Reader:
    """Reads a text block by block."""

    def __init__(self, known: Known) -> None:
        recorded = Recorded(known)
        self._known = known
        self._words = Vocabulary(recorded.metrics, recorded.datasets)
        self._sizes = Sizes(recorded, self._words)
        self._praise = Praise(known, recorded, self._words)
        self._context = Context(known, recorded, self._words)
        self._table: Table | None = None

    def read(self, block: Block) -> Iterator[tuple[int, str]]:
        """Line and message for each claim without support."""
        self._context.enter(block)
        if block.kind == "row":
            self._table = self._table or Table(self._words)
            for cell in self._table.row(block.cells):
                yield from ((block.line, message) for message in self._cell(cell))
            return
        self._table = None
        if block.kind in ("item", "text") and not sentences.planned(block.text):
            for sentence in sentences.sentences(block.text):
                yield from ((block.line_of(offset), message) for offset, message in self._sentence(sentence))

    def _cell(self, cell: Cell) -> Iterator[str]:
        run = (cell.run,) if cell.run is not None and cell.run in self._known.scores else ()
        datasets = cell.datasets or self._context.datasets
        scope = Scope(run=run, alone=bool(run), metrics=cell.metrics, named=True, datasets=datasets)
        if cell.verdict:
            yield from self._praise.verdict(cell.text, scope)
            return
        text = self._words.without_names(cell.text)
        for number in prose.numbers(text):
            whole = text.strip() == number.text and number.digits > 1
            if cell.metrics and (whole or prose.is_value(number, text, ())):
                given = replace(number, percent=number.percent or cell.percent)
                if cell.change:
                    yield from self._sizes.change(given, cues.of_sign(number.sign), scope)
                else:
                    yield from self._sizes.value(given, scope)

    def _sentence(self, sentence: sentences.Sentence) -> Iterator[tuple[int, str]]:
        before = self._context.sentence(sentence.text)
        for start, text in sentences.clauses(sentence, self._says):
            scope = self._context.scope(text, before)
            plain = self._words.without_names(text)
            clause = Clause(plain, cues.cues(plain), scope)
            if sentence.claims and (scope.explicit or not self._context.without_results):
                for offset, message in (*self._sizes.clause(clause), *self._praise.clause(clause)):
                    yield start + offset, message
            before = replace(scope, sense=clause.cues[-1].sense if clause.cues else scope.sense)

    def _says(self, text: str) -> bool:
        """Whether a part of a sentence says something of its own."""
        moved = any(cue.strength != "size" for cue in cues.cues(text)) or any(cues.factors(text))
        if moved or cues.STEADY.search(text):
            return True
        names = self._words.metrics(text) or self._words.datasets(text) or self._words.runs(text)
        return bool(names) and any(prose.numbers(self._words.without_names(text)))
