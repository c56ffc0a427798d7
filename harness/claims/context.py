"""What a clause is about: runs, metrics and datasets, from its own words and from what stands before it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness.claims.cues import Cue, Sense
from harness.claims.layout import Block
from harness.claims.names import Runs, Vocabulary
from harness.claims.prose import Mention, numbers
from harness.claims.recorded import Known, Recorded
from harness.claims.sentences import concludes, not_results

_ABOUT_RESULTS = re.compile(r"\b(?:performance|results?|quality|baseline|runs?|r\d+)\b", re.I)
_SOMETHING_ELSE = re.compile(r"(?:(?<!more )(?<!less )\bthan|\b(?:previous|prior|earlier|last|further))\b", re.I)
_COMPARES = re.compile(
    r"\b(?:from|vs|versus|against|than|compar\w*|relative|baseline|previous|prior|earlier|instead|where|both|range\w*"
    r"|between|over|each|respectively|original\w*|was)\b|→|[-=]>|\d%? to [+-]?[.\d]",
    re.I,
)
_COMPARED_TO = re.compile(r"\b(?:compared|relative|comparison) (?:to|with) .*", re.I | re.S)
_PAIR = re.compile(
    r"\bfrom (?P<first>[\d.,]*\d\s?%?)(?: \([^()]*\))? to [+-]?[\d.]|(?<![\d.])(?P<arrow>[\d.,]*\d\s?%?)\s*(?:→"
    r"|[-=]>)\s*[\d.]",
    re.I,
)
_EVERY = re.compile(
    r"\b(?:both|all(?: of)?(?: the)?|every|each)(?: \w+)? (?:data ?sets?|tasks?|environments?|languages?|domains?)\b"
    r"|\bacross the board\b",
    re.I,
)


@dataclass(frozen=True)
class Scope:
    """What a clause is about."""

    run: tuple[int, ...] = ()
    """The run, or several that may be meant; empty if it is not known."""
    references: tuple[int, ...] | None = (0,)
    """What it is compared with; None if that is not clear."""
    explicit: bool = False
    """Whether the clause itself names its run."""
    compared: bool = False
    """Whether its sentence names the reference."""
    alone: bool = False
    """Whether it is about this run only, so that its values must be of this run."""
    mentions: tuple[Mention, ...] = ()
    metrics: frozenset[str] = frozenset()
    named: bool = False
    """Whether its sentence names the metrics; otherwise they are the topic of the paragraph."""
    judged: frozenset[str] = frozenset()
    """The metrics that praise is about."""
    datasets: frozenset[str] = frozenset()
    """Empty: any of them may be meant."""
    of_results: bool = False
    """Whether anything in its sentence shows that it is about results."""
    sense: Sense | None = None
    """Which way the clause before it said that something went."""


@dataclass(frozen=True)
class Clause:
    text: str
    """Names of runs and datasets are blanked."""
    cues: list[Cue]
    scope: Scope


@dataclass
class _Section:
    run: int | None = None
    level: int = 0
    datasets: frozenset[str] = frozenset()
    without_results: int | None = None
    """The level of a heading that says that no results follow."""


@dataclass
class _Paragraph:
    metrics: frozenset[str] = frozenset()
    run: tuple[int, ...] = ()
    references: tuple[int, ...] = ()


@dataclass
class _List:
    """The line that introduces a list."""

    indent: int = 0
    metrics: frozenset[str] = frozenset()
    datasets: frozenset[str] = frozenset()
    references: tuple[int, ...] | None = (0,)


@dataclass
class Context:
    """Remembers what a text is about, block by block."""

    known: Known
    recorded: Recorded
    words: Vocabulary
    _section: _Section = field(default_factory=_Section)
    _paragraph: _Paragraph = field(default_factory=_Paragraph)
    _list: _List = field(default_factory=_List)

    def enter(self, block: Block) -> None:
        paragraph = self._paragraph
        if block.kind in ("heading", "gap"):
            self._paragraph = _Paragraph()
        elif block.kind != "text":
            self._paragraph = _Paragraph(run=paragraph.run)
        if block.kind == "heading":
            self._heading(block.level, block.text)
        elif block.kind in ("item", "text"):
            if concludes(block.text):
                self._section.without_results = None
            self._introduction(block.text)

    def _introduction(self, text: str) -> None:
        """Whether a line introduces a list, and whether the list ends."""
        indent = len(text) - len(text.lstrip())
        if indent <= self._list.indent:
            self._list = _List()
        if text.rstrip().endswith(":"):
            last = text[text.rfind(". ") + 1 :]
            references: tuple[int, ...] | None = self._known_runs(self.words.runs(last).references)
            unclear = not references and _SOMETHING_ELSE.search(last)
            metrics = frozenset[str]().union(*(mention.metrics for mention in self.words.metrics(last)))
            references = None if unclear else references or (0,)
            self._list = _List(indent, metrics, self.words.datasets(last), references)

    def _known_runs(self, runs: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(run for run in runs if run in self.known.scores)

    def _heading(self, level: int, text: str) -> None:
        self._list = _List()
        section, runs = self._section, self.words.runs(text).subject
        measured = bool(runs) and runs[0] in self.known.scores
        if measured or (section.without_results is not None and level <= section.without_results):
            section.without_results = None
        if section.without_results is None and not measured and (runs or not_results(text)):
            section.without_results = level
        if runs or level <= section.level:
            section.run, section.level = (runs[0], level) if runs else (None, 0)
        datasets = self.words.datasets_in_cell(text)
        if datasets or level <= 3:
            section.datasets = datasets

    @property
    def datasets(self) -> frozenset[str]:
        return self._list.datasets or self._section.datasets

    @property
    def without_results(self) -> bool:
        """Whether only clauses that name their run are about results here."""
        return self._section.without_results is not None

    def sentence(self, text: str) -> Scope:
        """What a sentence is about before its first clause; "compared to run 1" holds for all of its clauses."""
        comparison = _COMPARED_TO.search(text)
        references = self._known_runs(self.words.runs(comparison[0]).references) if comparison else ()
        return Scope(
            datasets=self._list.datasets or self._section.datasets,
            references=references or None if comparison else (0,),
            compared=comparison is not None,
        )

    def scope(self, text: str, before: Scope) -> Scope:
        """What a clause is about; `before` is the scope of the clause before it."""
        mentions = self.words.metrics(text)
        metrics = frozenset[str]().union(*(mention.metrics for mention in mentions))
        self._paragraph.metrics = metrics or self._paragraph.metrics
        of = metrics or before.metrics or self._paragraph.metrics or self._list.metrics
        datasets, every, runs = self.words.datasets(text), _EVERY.search(text), self.words.runs(text)
        results = every is not None or _ABOUT_RESULTS.search(text) is not None
        named = bool(metrics or (before.named and before.metrics))
        primary = frozenset({self.known.primary} if results and self.known.primary else ())
        run, explicit = self._run(runs, before)
        started = self._started_from(text, of, datasets or before.datasets)
        references = self._references(text, runs, run, before) if started is None else started or None
        return Scope(
            run=run,
            references=references,
            explicit=explicit,
            compared=before.compared or bool(runs.references or started),
            alone=bool(run)
            and not (_COMPARES.search(text) or runs.further or runs.references)
            and (explicit or before.alone or not before.run),
            mentions=tuple(mentions),
            metrics=of,
            named=named,
            judged=of if of and (named or not (explicit and runs.references)) else of | primary,
            datasets=frozenset(self.recorded.datasets) if every else datasets or before.datasets,
            of_results=bool(mentions or datasets or results or before.of_results),
            sense=before.sense,
        )

    def _run(self, runs: Runs, before: Scope) -> tuple[tuple[int, ...], bool]:
        """The run of a clause, and whether the clause names it; none if it names one without results."""
        section = self._section.run
        subject = self._known_runs(runs.subject)
        if runs.subject and not subject:
            return (), False
        run = subject or before.run or ((section,) if section is not None else self._paragraph.run)
        if section is None:
            self._paragraph.run = run
        return run, bool(subject)

    def _references(self, text: str, runs: Runs, run: tuple[int, ...], before: Scope) -> tuple[int, ...] | None:
        named = tuple(each for each in self._known_runs(runs.references) if each not in run)
        if named:
            self._paragraph.references = named
            return named
        foreign = self._section.run and runs.subject and self._section.run not in runs.subject
        if runs.references or foreign:
            return None
        if runs.subject:
            self._paragraph.references = ()
        elif before.compared:
            return before.references
        elif self._paragraph.references:
            return tuple({0, *self._paragraph.references} - {*run})
        return None if _SOMETHING_ELSE.search(text) else self._list.references

    def _started_from(self, text: str, metrics: frozenset[str], datasets: frozenset[str]) -> tuple[int, ...] | None:
        """The runs whose value is the first of "from 0.52 to 0.42" (none: of no run); None if there is no such pair."""
        pair = _PAIR.search(text)
        number = next(numbers(pair["first"] or pair["arrow"]), None) if pair else None
        if number is None or self.words.runs(text).references:
            return None
        runs = [run for run in self.recorded.runs if self.recorded.include(number, metrics, datasets, (run,))]
        return (0,) if 0 in runs else tuple(runs)
