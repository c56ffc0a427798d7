"""Do the numbers support what the notes say? Layer 1: pure.

Every number of a text that looks like a value of a metric must be a recorded one within its printed digits: a value, a
mean, a spread, a difference or a relative change between two runs. What is called improved or worse must have a verdict
that says so. Nothing is rewritten, and what cannot be told is not listed.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Literal

from harness import mentions
from harness.excerpt import printable
from harness.mentions import Mention, Number, Polarity, Vocabulary
from harness.metrics import deviation, mean, standard_error
from harness.records import Finding, Goal, Scores

LINE, LINES, FINDINGS = 20_000, 20_000, 200
"""Characters of a line and lines of a text that are read, and findings that are given, at most."""
NAMES, PAIRED, SEEDS = 60, 20, 100
"""Metrics, datasets; runs that are compared with each other; values per seed that are looked at, at most."""
KNOWN_BY_ITSELF = 4
"""Significant digits from which a number is taken for a result though nothing near it names a metric."""

_HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(.*)")
_GIVEN = re.compile(r"^#\s*(?:Title|Experiment description):")
_BINDS = re.compile(r"(?:\b(?:of|to|from|at|is|was|by|than|reached|reaches)|[=:≈~'\"])\s*$", re.IGNORECASE)
_COUNTED = re.compile(
    r"^\s+(?!(?:and|or|to|in|for|on|with|but|while|from|at|vs|versus|compared|after|over)\b)[a-z]", re.I
)


@dataclass(frozen=True)
class Known:
    """What was recorded: all that a claim can be held against."""

    scores: Mapping[int, Scores]
    """run → its values; run 0 is the baseline."""
    verdicts: Mapping[int, Mapping[str, str]]
    """run → dataset → what may be said of the primary metric; only "better" and "worse" support such words."""
    primary: str
    goals: Mapping[str, Goal]
    """metric → which way is good, where that is known."""
    others: Mapping[str, frozenset[float]] = field(default_factory=dict)
    """metric → further numbers that were computed, such as p values and ends of intervals; "" is any metric."""

    @cached_property
    def metrics(self) -> frozenset[str]:
        names = dict.fromkeys(m for of_run in self.scores.values() for each in of_run.values() for m in each)
        return frozenset(list(names)[:NAMES])

    @cached_property
    def datasets(self) -> frozenset[str]:
        return frozenset(list(dict.fromkeys(d for of_run in self.scores.values() for d in of_run))[:NAMES])


def unsupported(text: str, known: Known) -> tuple[Finding, ...]:
    """What a text claims and the numbers do not support, with line numbers."""
    reader = _Reader(known)
    found: list[Finding] = []
    for number, line in enumerate(text.split("\n")[:LINES], 1):
        for message in dict.fromkeys(reader.line(line[:LINE])):
            if len(found) == FINDINGS:
                return (*found, Finding(check="claim", message=f"only the first {FINDINGS} claims are listed"))
            found.append(Finding(check="claim", message=printable(message), line=number))
    return tuple(found)


class _Reader:
    """Reads a text line by line and remembers what it is about."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._values = _Values(known)
        self._words = Vocabulary(sorted(known.metrics), sorted(known.datasets))
        self._run: int | None = None
        """The run whose section this is."""
        self._level = 0
        self._carried: frozenset[str] = frozenset()
        """Metrics that the lines above were about."""
        self._columns: list[frozenset[str]] | None = None
        """Metrics of a table's columns."""

    def line(self, line: str) -> Iterator[str]:
        if _GIVEN.match(line):
            return
        if not line.strip():
            self._carried, self._columns = frozenset(), None
            return
        if heading := _HEADING.match(line):
            self._heading(len(heading[1]), heading[2])
        if line.lstrip().startswith("|"):
            yield from self._table_row(line)
            return
        self._columns = None
        for clause in mentions.clauses(line):
            yield from self._clause(clause)

    def _heading(self, level: int, text: str) -> None:
        named = [run for run in mentions.runs(text) if run in self._known.scores]
        if named or level <= self._level:
            self._run, self._level = (named[0], level) if named else (None, 0)
        self._carried = frozenset()

    def _table_row(self, line: str) -> Iterator[str]:
        cells = line.strip().strip("|").split("|")
        named = [frozenset[str]().union(*(m.metrics for m in self._words.mentions(cell))) for cell in cells]
        if self._columns is None:
            self._columns = named
            return
        for column, cell in enumerate(cells):
            of_column = self._columns[column] if column < len(self._columns) else frozenset()
            metrics = of_column or (named[0] if column else frozenset())
            for number in mentions.numbers(cell):
                if (
                    metrics
                    and number.kind in ("decimal", "percent")
                    and not self._find(number, metrics, frozenset(), line)
                ):
                    yield self._unrecorded(number, metrics)

    def _clause(self, text: str) -> Iterator[str]:
        named, places = self._words.mentions(text), self._words.datasets(text)
        metrics = frozenset[str]().union(*(m.metrics for m in named))
        compares = mentions.compares(text)
        about: set[tuple[str, str]] = set()
        for number in mentions.numbers(text):
            bound = self._bound(number, text, named, compares or bool(places))
            if bound is None:
                continue
            nearest = frozenset([name for at, name in places if at < number.start][-1:])
            found = self._find(number, bound, nearest, text) or (
                self._find(number, metrics or self._known.metrics, frozenset(name for _, name in places), text)
            )
            if found:
                about |= found
            else:
                yield self._unrecorded(number, bound if bound <= metrics else self._known.metrics)
        if metrics:
            self._carried = metrics
        if (said := mentions.praise(text)) is not None:
            yield from self._praised(said, text, metrics, {name for _, name in places}, about)

    def _bound(self, number: Number, text: str, named: list[Mention], compared: bool) -> frozenset[str] | None:
        """The metrics that a number may be a value of, all of them if any; None where it is no claim of a result."""
        if mentions.is_setting(text, number):
            return None
        before = next((m for m in reversed(named) if m.end <= number.start), None)
        if before is None or number.start - before.end > 120:
            behind = next((m for m in named if m.start >= number.end), None)
            near = behind is not None and behind.start - number.end <= 30
            before = behind if near and (compared or number.kind == "decimal") else None
        if before is not None and not before.metrics:
            return None
        if number.kind == "integer":
            is_value = before is not None and before.end <= number.start and _BINDS.search(text[: number.start])
            counted = _COUNTED.match(text[number.end :])
            return before.metrics if before is not None and is_value and not counted and number.digits > 1 else None
        if number.kind == "times":
            return None
        if number.kind == "percent":
            return None if before is None and not (compared and self._carried) else self._of(before)
        if before is not None or (compared and self._carried):
            return self._of(before)
        return self._known.metrics if number.digits >= KNOWN_BY_ITSELF else None

    def _of(self, mention: Mention | None) -> frozenset[str]:
        return mention.metrics if mention is not None else self._carried

    def _find(
        self, number: Number, metrics: frozenset[str], datasets: frozenset[str], text: str
    ) -> set[tuple[str, str]]:
        """(dataset, metric) of every recorded value that the number prints; `datasets`: all where none is named."""
        involved = frozenset(run for run in (*mentions.runs(text), self._run) if run in self._known.scores)
        kind: _Of = "percent" if number.kind == "percent" else "value"
        if kind == "value" and mentions.is_difference(text, number):
            kind = "difference"
        return self._values.find(number, metrics, datasets, kind, frozenset(r for r in involved if r is not None))

    def _unrecorded(self, number: Number, metrics: frozenset[str]) -> str:
        what = f"value of {', '.join(sorted(metrics))}" if len(metrics) <= 3 else "value of any metric"
        if number.kind == "percent":
            return f"{number.text} is no recorded {what} and no change of it between two runs"
        return f"{number.text} is no recorded {what}"

    # Words of praise

    def _praised(
        self,
        said: tuple[Polarity, str],
        text: str,
        metrics: frozenset[str],
        datasets: set[str],
        about: set[tuple[str, str]],
    ) -> Iterator[str]:
        polarity, word = said
        named = [run for run in mentions.runs(text) if run in self._known.scores and run]
        run = self._run if self._run else named[0] if named else None
        if run is None or run == 0 or not (metrics or datasets or about or mentions.speaks_of_results(text)):
            return
        metrics = metrics or frozenset(metric for _, metric in about) or self._carried
        others = [n for n in named if n != run and n in self._known.scores]
        if not others and not mentions.names_baseline(text) and mentions.names_previous_run(text) and run > 1:
            others = [run - 1]
        claim = f'"{word}" is said of run {run}'
        if "replicate" in self._known.verdicts.get(run, {}).values():
            yield f"{claim}, which repeated code that had already run"
        elif (not metrics or self._known.primary in metrics) and (not others or mentions.names_baseline(text)):
            yield from self._against_verdict(claim, polarity, run, datasets)
        else:
            reference = others[0] if others else 0
            yield from self._against_means(claim, polarity, (reference, run), metrics, datasets)

    def _against_verdict(self, claim: str, polarity: Polarity, run: int, datasets: set[str]) -> Iterator[str]:
        words = {d: w for d, w in self._known.verdicts.get(run, {}).items() if not datasets or d in datasets}
        if words and polarity not in words.values():
            said = sorted(set(words.values()))
            yield f"{claim}, whose verdict for {self._known.primary} is {'; '.join(said)}"

    def _against_means(
        self, claim: str, polarity: Polarity, runs: tuple[int, int], metrics: frozenset[str], datasets: set[str]
    ) -> Iterator[str]:
        """For what has no verdict: whether the means moved that way at all, and are of more than one value."""
        wrong, moved = [], []
        for metric in sorted(metrics & set(self._known.goals)):
            for dataset in sorted(datasets or self._known.datasets):
                first, second = (self._known.scores.get(run, {}).get(dataset, {}).get(metric) for run in runs)
                if first is None or second is None:
                    continue
                gain = mean(first) - mean(second) if self._known.goals[metric] == "min" else mean(second) - mean(first)
                if gain and (gain > 0) == (polarity == "better"):
                    moved.append((metric, min(len(first), len(second))))
                else:
                    went = f"went from {mean(first):.4g} to {mean(second):.4g}"
                    wrong.append(f"{claim}, but {metric} on {dataset} {went} (run {runs[0]} to run {runs[1]})")
        if not moved:
            yield from wrong[:2]
        elif all(values == 1 for _, values in moved):
            yield f"{claim}, from one value of {moved[0][0]} each: cannot tell"


_Of = Literal["value", "difference", "percent"]
"""What a number may be: a recorded value, or also a difference of two runs, or also a relative one."""


class _Values:
    """Recorded values and what follows from them, sorted, for whatever a claim may be about."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._cache: dict[tuple[str, str, _Of, frozenset[int]], list[float]] = {}
        self._found: dict[tuple[object, ...], set[tuple[str, str]]] = {}

    def find(
        self, number: Number, metrics: frozenset[str], datasets: frozenset[str], kind: _Of, runs: frozenset[int]
    ) -> set[tuple[str, str]]:
        """(dataset, metric) whose numbers include this one; a difference must involve one of `runs`, if any."""
        key = (number.value, number.unit, number.hedged, metrics, datasets, kind, runs)
        if key not in self._found:
            self._found[key] = self._find(number, metrics, datasets, kind, runs)
        return set(self._found[key])

    def _find(
        self, number: Number, metrics: frozenset[str], datasets: frozenset[str], kind: _Of, runs: frozenset[int]
    ) -> set[tuple[str, str]]:
        places = datasets or {*self._known.datasets, ""}
        found = {(d, m) for m in metrics for d in places if _holds(self._of(d, m, kind, runs), number)}
        for metric in metrics:
            others = self._known.others.get(metric, frozenset()) | self._known.others.get("", frozenset())
            if any(number.is_print_of(value) for value in others):
                found.add(("", metric))
        return found

    def _of(self, dataset: str, metric: str, kind: _Of, runs: frozenset[int]) -> list[float]:
        key = (dataset, metric, kind, frozenset() if kind == "value" else runs)
        if key not in self._cache:
            values = list(self._recorded(dataset, metric))
            if kind != "value":
                values += self._differences(dataset, metric, runs)
            if kind == "percent":
                values += [100 * value for value in values if abs(value) <= 1]
                values += self._changes(dataset, metric, runs)
            self._cache[key] = sorted(values)
        return self._cache[key]

    def _means(self, dataset: str, metric: str) -> dict[int, float]:
        """run → mean; over all datasets where none is named."""
        found = {}
        for run, scores in self._known.scores.items():
            each = [mean(m[metric]) for d, m in scores.items() if metric in m and dataset in ("", d)]
            if each:
                found[run] = mean(tuple(each))
        return found

    def _recorded(self, dataset: str, metric: str) -> Iterator[float]:
        yield from self._means(dataset, metric).values()
        for scores in self._known.scores.values():
            values = scores.get(dataset, {}).get(metric, ())
            yield from values[:SEEDS]
            if len(values) > 1:
                yield deviation(values) or 0.0
                yield standard_error(values) or 0.0

    def _differences(self, dataset: str, metric: str, runs: frozenset[int]) -> list[float]:
        pairs = _pairs(self._means(dataset, metric), runs)
        return [difference for a, b in pairs for difference in (a - b, b - a)]

    def _changes(self, dataset: str, metric: str, runs: frozenset[int]) -> Iterator[float]:
        """Relative changes in percent, in either direction; without a dataset also their mean over all of them."""
        for a, b in _pairs(self._means(dataset, metric), runs):
            for base in (a, b):
                if base:
                    yield 100 * (a - b) / abs(base)
                    yield 100 * (b - a) / abs(base)
        if not dataset:
            each = [self._means(d, metric) for d in self._known.datasets]
            for one, other in combinations(sorted({run for means in each for run in means})[:PAIRED], 2):
                both = [(means[one], means[other]) for means in each if one in means and other in means and means[one]]
                if both and (not runs or {one, other} & runs):
                    average = 100 * mean(tuple((b - a) / abs(a) for a, b in both))
                    yield from (average, -average)


def _pairs(means: Mapping[int, float], runs: frozenset[int]) -> list[tuple[float, float]]:
    chosen = sorted(means)[:PAIRED]
    return [(means[a], means[b]) for a, b in combinations(chosen, 2) if not runs or {a, b} & runs]


def _holds(values: list[float], number: Number) -> bool:
    low, high = number.reach
    return any(number.is_print_of(value) for value in values[bisect_left(values, low) : bisect_right(values, high)])
