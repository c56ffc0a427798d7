"""Do the numbers support what the notes say? Pure.

A text is read sentence by sentence, and a table cell by cell:

- A number given as a value of a metric (`prose.is_value` decides) must match a recorded number in all printed digits: a
  value, a mean, a spread, a difference or a relative change between two runs. Its metric is any that the sentence
  names, otherwise the last that the paragraph named; in a table the column's, otherwise the row's. If there is none, a
  number with KNOWN_BY_ITSELF digits must match one of any metric.
- What is called improved or worse must have a verdict that says so. For other metrics than the primary one, and for
  comparisons with another run than the baseline, it is enough that a mean moved that way. The run is the section's,
  otherwise the one that the sentence names.

Nothing is rewritten, and sentences that cannot be decided are not listed.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import permutations, product

from harness.claims import prose
from harness.claims.prose import Mention, Number, Polarity, Vocabulary
from harness.records import Finding, Goal, Scores
from harness.results.final_info import deviation, mean, standard_error
from harness.text import printable

LINE, LINES, FINDINGS = 20_000, 20_000, 200
"""Maximum number of characters read of a line, of lines read of a text, and of findings."""
NAMES, PAIRED, SEEDS = 60, 20, 100
"""Maximum number of metrics and of datasets, of runs compared with each other, and of values per seed."""
KNOWN_BY_ITSELF = 4
"""A number with this many significant digits counts as a result even if no metric is named near it."""

_HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(.*)")
_ITEM = re.compile(r"(?:[-*+]|\d+[.)])\s")
_ABOUT_RESULTS = re.compile(r"\b(?:performance|results?|quality|baseline|runs?)\b", re.I)
_SOMETHING_ELSE = re.compile(r"\b(?:than|previous|prior|earlier|last)\b", re.I)
_AVERAGE = ""
"""Stands for a dataset: the average over all of them."""


@dataclass(frozen=True)
class Known:
    """What was recorded: everything that a claim is checked against."""

    scores: Mapping[int, Scores]
    """run → its values; run 0 is the baseline."""
    verdicts: Mapping[int, Mapping[str, str]]
    """run → dataset → verdict on the primary metric; only "better" and "worse" support such words."""
    primary: str
    goals: Mapping[str, Goal]
    """metric → its direction, if known."""
    others: Mapping[str, frozenset[float]] = field(default_factory=dict)
    """metric → further numbers that were computed, such as effects and the ends of their intervals."""


def unsupported(text: str, known: Known) -> tuple[Finding, ...]:
    """Claims in a text that the numbers do not support, with line numbers."""
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
        self._words = Vocabulary(self._values.metrics, self._values.datasets)
        self._section: tuple[int, int] = 0, 0
        """The run of this section (0 for none) and the level of its heading."""
        self._topic: frozenset[str] = frozenset()
        """Metrics that the paragraph was last about."""
        self._columns: list[frozenset[str]] = []
        """Metrics of a table's columns."""

    def line(self, line: str) -> Iterator[str]:
        heading = _HEADING.match(line)
        if heading or _ITEM.match(line) or not line.strip():
            self._topic = frozenset()
        if line.lstrip().startswith("|"):
            yield from self._row(line.strip().strip("|").split("|"))
            return
        self._columns = []
        if heading:
            self._heading(len(heading[1]), heading[2])
            return
        for sentence in prose.sentences(line):
            yield from self._sentence(sentence)

    def _heading(self, level: int, text: str) -> None:
        named = [run for run, _ in prose.runs(text) if run in self._known.scores]
        if named or level <= self._section[1]:
            self._section = (named[0], level) if named else (0, 0)

    def _row(self, cells: list[str]) -> Iterator[str]:
        named = [self._words.metrics_alone(cell) for cell in cells]
        of_row: frozenset[str] = frozenset()
        for cell, metrics, of_column in zip(cells, named, self._columns, strict=False):
            yield from self._unrecorded(cell, [], of_column or of_row, frozenset())
            of_row = of_row or metrics
        self._columns = self._columns or named

    def _sentence(self, text: str) -> Iterator[str]:
        named, datasets = self._words.metrics(text), self._words.datasets(text)
        self._topic = frozenset[str]().union(*(m.metrics for m in named)) or self._topic
        yield from self._unrecorded(text, named, self._topic, datasets)
        results = _ABOUT_RESULTS.search(text)
        metrics = self._topic or ({self._known.primary} if results else set())
        praise, compared = prose.praise(text), self._find_runs(text)
        if praise and compared and metrics and (named or datasets or results):
            yield from self._undeserved(*praise, *compared, metrics, datasets)

    def _unrecorded(self, text: str, named: list[Mention], metrics: Set[str], datasets: Set[str]) -> Iterator[str]:
        text = self._words.without_names(text)
        for number in prose.numbers(text):
            of = metrics or (self._values.metrics if number.digits >= KNOWN_BY_ITSELF else ())
            if of and prose.is_value(number, text, named) and not self._values.include(number, of, datasets):
                what = f"value of {', '.join(sorted(of))}" if len(of) <= 3 else "value of any metric"
                change = " or change of it between two runs" if number.percent else ""
                yield f"{number.text} is not a recorded {what}{change}"

    # Praise and blame

    def _find_runs(self, text: str) -> tuple[int, int] | None:
        """The run that a sentence is about and the one it is compared with; None if that is not clear."""
        named = [(run, behind) for run, behind in prose.runs(text) if run in self._known.scores]
        run = self._section[0] or next((run for run, behind in named if behind in ("", "in", "of", "for")), 0)
        others = [(other, behind) for other, behind in named if other != run]
        if not run or (others and not others[0][1]):
            return None
        if "baseline" in text.lower():
            return run, 0
        if others:
            return run, others[0][0]
        return None if _SOMETHING_ELSE.search(text) else (run, 0)

    def _undeserved(
        self, polarity: Polarity, word: str, run: int, reference: int, metrics: Set[str], datasets: Set[str]
    ) -> Iterator[str]:
        claim, primary = f'"{word}" is said of run {run}', self._known.primary
        verdicts = {w for d, w in self._known.verdicts.get(run, {}).items() if not datasets or d in datasets}
        if "replicate" in verdicts:
            yield f"{claim}, which repeated code that had already run"
        elif primary not in metrics or reference:
            yield from self._unmoved(claim, polarity, (reference, run), metrics, datasets)
        elif verdicts and polarity not in verdicts:
            yield f"{claim}, whose verdict for {primary} is {'; '.join(sorted(verdicts))}"

    def _unmoved(
        self, claim: str, polarity: Polarity, runs: tuple[int, int], metrics: Set[str], datasets: Set[str]
    ) -> Iterator[str]:
        """For metrics without a verdict: whether any mean, of more than one value, moved that way."""
        wrong = single = ""
        known = sorted(metrics & self._known.goals.keys())
        for metric, dataset in product(known, sorted(datasets or self._values.datasets)):
            first, second = (self._known.scores.get(run, {}).get(dataset, {}).get(metric) for run in runs)
            if not first or not second:
                continue
            upwards = (self._known.goals[metric] == "max") == (polarity == "better")
            if mean(second) == mean(first) or (mean(second) > mean(first)) != upwards:
                went = f"went from {mean(first):.4g} to {mean(second):.4g}"
                wrong = wrong or f"but {metric} on {dataset} {went} (run {runs[0]} to run {runs[1]})"
            elif len(first) > 1 and len(second) > 1:
                return
            else:
                single = f"from one value of {metric} each: cannot tell"
        if single or wrong:
            yield f"{claim}, {single or wrong}"


class _Values:
    """Recorded values and what can be derived from them."""

    def __init__(self, known: Known) -> None:
        self._known = known
        scores = [(dataset, metrics) for of_run in known.scores.values() for dataset, metrics in of_run.items()]
        self.datasets = list(dict.fromkeys(dataset for dataset, _ in scores))[:NAMES]
        self.metrics = list(dict.fromkeys(metric for _, metrics in scores for metric in metrics))[:NAMES]
        self._sorted: dict[tuple[str, str, bool], list[float]] = {}

    def include(self, number: Number, metrics: Collection[str], datasets: Collection[str]) -> bool:
        """Whether a number belongs to one of the metrics on one of the datasets (by default, on any of them)."""
        low, high = number.value - 1.01 * number.unit, number.value + 1.01 * number.unit
        for metric, dataset in product(metrics, datasets or (*self.datasets, _AVERAGE)):
            key = (metric, dataset, number.percent)
            if key not in self._sorted:
                self._sorted[key] = sorted(self._of(*key))
            near = self._sorted[key][bisect_left(self._sorted[key], low) : bisect_right(self._sorted[key], high)]
            if any(number.is_print_of(value) for value in near):
                return True
        return False

    def _of(self, metric: str, dataset: str, percent: bool) -> Iterator[float]:
        runs = self._runs(metric, dataset)
        pairs = list(permutations([mean(values) for values in runs[:PAIRED]], 2))
        found = [*self._known.others.get(metric, ()), *(a - b for a, b in pairs)]
        for values in runs:
            found += [mean(values), deviation(values) or 0.0, standard_error(values) or 0.0, *values[:SEEDS]]
        yield from found
        if percent:
            yield from (100 * value for value in found if abs(value) <= 1)
            yield from (sign * 100 * (a - b) / b for a, b in pairs if b for sign in (1, -1))

    def _runs(self, metric: str, dataset: str) -> list[tuple[float, ...]]:
        """The values of every run that has any; for the average over datasets, the run's mean on each of them."""
        scores = [of_run for _, of_run in sorted(self._known.scores.items())]
        if dataset == _AVERAGE:
            runs = [tuple(mean(m[metric]) for m in of_run.values() if m.get(metric)) for of_run in scores]
        else:
            runs = [of_run.get(dataset, {}).get(metric, ()) for of_run in scores]
        return [values for values in runs if values]
