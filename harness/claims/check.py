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

import re
from collections.abc import Iterator
from dataclasses import replace

from harness.claims import cues, prose, sentences
from harness.claims.judge import Judge, Scope
from harness.claims.layout import Block, blocks
from harness.claims.names import Runs, Vocabulary
from harness.claims.recorded import NAMES, PAIRED, SEEDS, Known, Recorded
from harness.claims.tables import Cell, Table
from harness.records import Finding
from harness.text import printable

__all__ = ["FINDINGS", "LINE", "LINES", "NAMES", "PAIRED", "SEEDS", "Known", "unsupported"]

LINE, LINES, FINDINGS = 20_000, 20_000, 200
"""Maximum number of characters read of a line, of lines read of a text, and of findings."""

_ABOUT_RESULTS = re.compile(r"\b(?:performance|results?|quality|baseline|runs?|r\d+)\b", re.I)
_SOMETHING_ELSE = re.compile(r"(?:(?<!more )(?<!less )\bthan|\b(?:previous|prior|earlier|last))\b", re.I)
_COMPARES = re.compile(
    r"\b(?:from|vs|versus|against|than|compar\w*|relative|baseline|previous|prior|earlier|instead|where|both|range\w*"
    r"|between|over|each|respectively|original\w*|was)\b|→|[-=]>",
    re.I,
)
_EVERY = re.compile(
    r"\b(?:both|all(?: of)?(?: the)?|every|each)(?: \w+)? (?:data ?sets?|tasks?|environments?|languages?|pairs?"
    r"|domains?)\b"
    r"|\bboth\b(?= tasks)|\bacross the board\b",
    re.I,
)
_FURTHER = re.compile(r"\b(?:further|additional\w*|previous|prior|last|again|another|remaining)\b", re.I)


def unsupported(text: str, known: Known) -> tuple[Finding, ...]:
    """Claims in a text that the numbers do not support, with line numbers."""
    reader = _Reader(known)
    found: list[Finding] = []
    seen: set[tuple[int, str]] = set()
    for block in blocks([line[:LINE] for line in text.split("\n")[:LINES]]):
        for line, message in reader.read(block):
            if (line, message) in seen:
                continue
            if len(found) == FINDINGS:
                return (*found, Finding(check="claim", message=f"only the first {FINDINGS} claims are listed"))
            seen.add((line, message))
            found.append(Finding(check="claim", message=printable(message), line=line))
    return tuple(found)


class _Reader:
    """Reads a text block by block and remembers what it is about."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._recorded = Recorded(known)
        self._words = Vocabulary(self._recorded.metrics, self._recorded.datasets)
        self._judge = Judge(known, self._recorded, self._words)
        self._section: tuple[int | None, int] = None, 0
        """The run of this section and the level of its heading."""
        self._off: int | None = None
        """The level of a heading below which there are no results."""
        self._section_datasets: frozenset[str] = frozenset()
        self._topic: frozenset[str] = frozenset()
        """Metrics that the paragraph was last about."""
        self._run: tuple[int, ...] = ()
        """The run that the paragraph was last about."""
        self._references: tuple[int, ...] = ()
        """What the paragraph last compared that run with."""
        self._listed: tuple[int, frozenset[str]] = 0, frozenset()
        """The indent of a line that introduces a list, and the datasets that the list is about."""
        self._table: Table | None = None

    def read(self, block: Block) -> Iterator[tuple[int, str]]:
        if block.kind != "text":
            self._topic = frozenset()
            self._references = ()
        if block.kind in ("heading", "gap"):
            self._run = ()
        if block.kind == "row":
            self._table = self._table or Table(self._words)
            cells = list(self._table.row(block.cells)) if self._off is None else []
            yield from ((block.line, message) for cell in cells for message in self._cell(cell))
            return
        self._table = None
        if block.kind == "heading":
            self._heading(block.level, block.text)
        if block.kind in ("item", "text"):
            self._list(block.text)
        if block.kind in ("item", "text") and self._off is None and not sentences.planned(block.text):
            for sentence in sentences.sentences(block.text):
                for offset, message in self._sentence(sentence):
                    yield block.line_of(offset), message

    def _heading(self, level: int, text: str) -> None:
        self._listed = 0, frozenset()
        if self._off is not None and level <= self._off:
            self._off = None
        if self._off is None and sentences.not_results(text):
            self._off = level
        named = self._words.runs(text)
        runs = named.subject or named.references
        if runs or level <= self._section[1]:
            run = runs[0] if runs else None
            self._section = (run, level) if runs else (None, 0)
            if run is not None and run not in self._known.scores:
                self._off = level
        datasets = self._words.datasets_in_cell(text)
        if datasets or level <= 3:
            self._section_datasets = datasets

    def _list(self, text: str) -> None:
        indent = len(text) - len(text.lstrip())
        if indent <= self._listed[0]:
            self._listed = 0, frozenset()
        if text.rstrip().endswith(":") and (datasets := self._words.datasets(text)):
            self._listed = indent, datasets

    def _cell(self, cell: Cell) -> Iterator[str]:
        run = (cell.run,) if cell.run in self._known.scores and cell.run is not None else ()
        scope = Scope(run=run, references=(0,), metrics=cell.metrics, datasets=cell.datasets or self._section_datasets)
        if cell.verdict:
            yield from self._judge.verdict(cell.text, scope)
            return
        text = self._words.without_names(cell.text)
        for number in prose.numbers(text):
            alone = text.strip() == number.text
            if not cell.metrics or not (prose.is_value(number, text, []) or (alone and number.digits > 1)):
                continue
            given = replace(number, percent=number.percent or cell.percent)
            if cell.change:
                yield from self._judge.change(given, cues.of_sign(number.sign), scope)
            else:
                yield from self._judge.value(given, scope, run)

    # Sentences

    def _sentence(self, sentence: sentences.Part) -> Iterator[tuple[int, str]]:
        before = Scope(datasets=self._listed[1] or self._section_datasets, named=False)
        for clause in sentences.clauses(sentence, self._says):
            scope, named = self._scope(clause.text, before)
            for offset, message in self._judge.clause(clause.text, named, scope):
                yield clause.start + offset, message
            before = scope

    def _says(self, text: str) -> bool:
        """Whether a part of a sentence says something of its own."""
        if any(cue.strength != "size" for cue in cues.cues(text)) or any(cues.factors(text)):
            return True
        names = self._words.metrics(text) or self._words.datasets(text) or self._words.runs(text)
        return bool(names) and any(prose.numbers(self._words.without_names(text)))

    def _scope(self, text: str, before: Scope) -> tuple[Scope, list[prose.Mention]]:
        """What a clause is about."""
        named, datasets = self._words.metrics(text), self._words.datasets(text)
        metrics = frozenset[str]().union(*(m.metrics for m in named))
        self._topic = metrics or self._topic
        every = _EVERY.search(text) is not None
        results = _ABOUT_RESULTS.search(text) is not None
        runs = self._words.runs(text)
        run, references, strict = self._runs(text, runs, before)
        of = metrics or before.metrics or self._topic
        return Scope(
            run=run,
            references=references,
            compared=before.compared or bool(runs.references),
            outright=bool(runs.subject and runs.references),
            metrics=of,
            named=bool(metrics or (before.named and before.metrics)),
            judged=of or (frozenset({self._known.primary}) - {""} if results or every else frozenset()),
            datasets=frozenset(self._recorded.datasets) if every else datasets or before.datasets,
            certainly_about_results=bool(named or datasets or results or every or before.certainly_about_results),
            strict=strict,
            sense=before.sense,
        ), named

    def _runs(self, text: str, named: Runs, before: Scope) -> tuple[tuple[int, ...], tuple[int, ...] | None, bool]:
        """The run, what it is compared with (None if unclear), and whether values must be of this run."""
        known = self._known.scores
        section = self._section[0]
        subject = tuple(run for run in named.subject if run in known)
        if named.subject and not subject:
            return (), None, False
        inherited = before.run or ((section,) if section is not None else self._run)
        run = subject or inherited
        self._run = run if section is None else self._run
        references: tuple[int, ...] | None = tuple(
            each for each in named.references if each in known and each not in run
        )
        strict = bool(run) and not _COMPARES.search(text) and not named.further and not named.references
        if references:
            self._references = references
        else:
            if named.references or (section and subject and section not in subject):
                references = None
            elif before.compared and not subject:
                references = before.references
            elif self._references and not subject:
                references = tuple({0, *self._references} - set(run))
            elif _FURTHER.search(text) or _SOMETHING_ELSE.search(text):
                references = None
            else:
                references = (0,)
        return run, references, strict
