"""Whether what a clause says of a run agrees with what was recorded. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, replace
from itertools import product

from harness.claims import cues, prose
from harness.claims.cues import Cue, Factor, Sense
from harness.claims.names import Vocabulary
from harness.claims.prose import Mention, Number
from harness.claims.recorded import Known, Recorded

KNOWN_BY_ITSELF = 4
"""A number with this many significant digits counts as a result even if no metric is named near it."""


@dataclass
class Scope:
    """What a clause is about."""

    run: tuple[int, ...] = ()
    references: tuple[int, ...] | None = ()
    """What the run is compared with; None if that is not clear."""
    compared: bool = False
    """Whether the sentence says so."""
    outright: bool = False
    """Whether the clause itself names both."""
    metrics: Set[str] = frozenset()
    named: bool = True
    """Whether its sentence or table names a metric."""
    judged: Set[str] = frozenset()
    """The metrics that praise is about."""
    datasets: Set[str] = frozenset()
    """None: any of them."""
    certainly_about_results: bool = False
    strict: bool = False
    """Whether values are of this run only."""
    sense: Sense | None = None
    """Which way the sentence said that something went."""


class Judge:
    """Checks the numbers and the words of a clause."""

    def __init__(self, known: Known, recorded: Recorded, words: Vocabulary) -> None:
        self._known = known
        self._recorded = recorded
        self._words = words

    def clause(self, text: str, named: list[Mention], scope: Scope) -> Iterator[tuple[int, str]]:
        plain = self._words.without_names(text)
        found = cues.cues(plain)
        sizes = list(self._sizes(plain, named, found, scope))
        yield from ((offset, message) for offset, message in sizes if message)
        if found:
            scope.sense = found[-1].sense
        if not cues.general(text) and not cues.unsure(text) and scope.run and scope.run != (0,):
            yield from self._words_of(plain, named, found, scope, bool(sizes))

    # Numbers

    def _sizes(self, text: str, named: list[Mention], found: list[Cue], scope: Scope) -> Iterator[tuple[int, str]]:
        """Values and changes; for a change that is right an empty message."""
        spans = prose.thresholds(text)
        for start, end, count, unit in prose.reached(text):
            spans.append((start, end))
            of = {metric for metric in self._recorded.metrics if unit in metric.lower()}
            for number in prose.numbers(count):
                yield from ((start, message) for message in (self.value(number, scope, scope.run, of) if of else ()))
        for factor in cues.factors(text):
            if self._attached(factor.start, factor.end, text, named):
                about = replace(scope, metrics=self._of(cues.rate(text, factor), scope.metrics))
                sense = factor.sense or cues.sense_at(found, factor.end)
                yield from ((factor.start, message) for message in self.change(factor, sense, about))
        for number in prose.numbers(text):
            if any(start <= number.start < end for start, end in spans):
                continue
            yield from ((number.start, message) for message in self._number(number, text, named, found, scope))

    def _number(self, number: Number, text: str, named: list[Mention], found: list[Cue], scope: Scope) -> Iterator[str]:
        if not prose.is_value(number, text, named):
            return
        if prose.is_difference(number, text):
            sense = cues.of_sign(number.sign) or cues.sense_at(found, number.end) or scope.sense
            yield from self.change(number, sense, scope)
        elif not prose.is_bound(number, text):
            yield from self.value(number, scope, scope.run if scope.strict else ())

    def value(
        self, number: Number, scope: Scope, runs: tuple[int, ...], metrics: Set[str] = frozenset()
    ) -> Iterator[str]:
        of = metrics or scope.metrics or (self._recorded.metrics if number.digits >= KNOWN_BY_ITSELF else ())
        if not of or self._recorded.include(number, of, scope.datasets, runs):
            return
        if not scope.named and self._recorded.include(number, self._recorded.metrics, ()):
            return
        what = f"value of {', '.join(sorted(of))}" if len(of) <= 3 else "value of any metric"
        change = " or change of it between two runs" if number.percent else ""
        elsewhere = f" in run {runs[0]}" if runs and self._recorded.include(number, of, ()) else ""
        yield f"{number.text} is not a recorded {what}{change}{elsewhere}"

    def change(self, amount: Number | Factor, sense: Sense | None, scope: Scope) -> Iterator[str]:
        """One message, empty if the change was recorded."""
        pairs = self._recorded.pairs(scope.run, scope.references or ())
        if not scope.metrics or not pairs:
            return
        moved = self._recorded.moved(amount, sense, pairs, scope.metrics, scope.datasets)
        what = f"value of {', '.join(sorted(scope.metrics))}" if len(scope.metrics) <= 3 else "value of any metric"
        between = f"from run {pairs[0][0]} to run {pairs[0][1]}" if len(pairs) == 1 else "between two runs"
        text = f'"{amount.text}"' if isinstance(amount, Factor) else amount.text
        yield f"{text} is not a recorded {what} or change of it {between}" if moved is False else ""

    def _attached(self, start: int, end: int, text: str, named: list[Mention]) -> bool:
        """Whether words are about a metric: only linking words are between them or, if none is named, around them."""
        if not named:
            return prose.linked(text[:start], prose.BEFORE_VALUE) and prose.linked(text[end:], prose.BEFORE_VALUE)
        return any(
            prose.linked(text[min(end, m.end) : max(start, m.start)], prose.BEFORE_VALUE)
            for m in named
            if abs(m.start - start) <= prose.REACH
        )

    def _about(self, cue: Cue, text: str, named: list[Mention], scope: Scope) -> bool:
        """Whether praise is about a metric: one that is linked to it or, if the clause names none, its topic."""
        if not named:
            return scope.outright or prose.linked(text[: cue.start], prose.GENERIC)
        return any(prose.linked(text[min(cue.end, m.end) : max(cue.start, m.start)], prose.GENERIC) for m in named)

    # Words

    def verdict(self, text: str, scope: Scope) -> Iterator[str]:
        """For a table's cell that gives a verdict."""
        word = re.match(r"\W*(better|worse)\b", text, re.I)
        if word and scope.run:
            yield from self._against_verdict(word[1], word[1].lower(), scope)

    def _words_of(
        self, text: str, named: list[Mention], found: list[Cue], scope: Scope, sized: bool
    ) -> Iterator[tuple[int, str]]:
        if scope.references is None or not scope.certainly_about_results:
            return
        certain = cues.CERTAIN.search(text)
        if certain and found:
            cue = min(found, key=lambda each: abs(each.start - certain.start()))
            if not cues.denied(text, cue) and self._about(cue, text, named, scope):
                yield from ((cue.start, m) for m in self._untested(certain[0], cue, scope))
                return
        judged = [cue for cue in found if cue.strength == "judged"]
        if len({cue.sense for cue in judged}) == 1:
            cue = judged[0]
            if not self._about(cue, text, named, scope):
                return
            deny = cues.denied(text, cue)
            check = self._denied_wrongly if deny else self._undeserved
            yield from ((cue.start, message) for message in check(cue, scope, self._of(cue.speed, scope.judged)))
        moved = [cue for cue in found if cue.strength == "moved"]
        if judged or sized or len({cue.sense for cue in moved}) != 1 or cues.within_run(text):
            return
        (cue, *_) = moved
        if named and self._attached(cue.start, cue.end, text, named) and not cues.denied(text, cue):
            yield from ((cue.start, message) for message in self._unmoved(cue, scope, scope.metrics))

    def _of(self, speed: bool, metrics: Set[str]) -> Set[str]:
        """The metrics that are meant: "faster" is about times."""
        return metrics & self._words.speeds or self._words.speeds if speed else metrics

    def _claim(self, word: str, scope: Scope) -> str:
        return f'"{word}" is said of run {scope.run[0]}'

    def _verdicts(self, scope: Scope) -> dict[str, str]:
        """Dataset → verdict of the primary metric, where one is known."""
        of_run = self._known.verdicts.get(scope.run[0], {})
        return {d: word for d, word in of_run.items() if not scope.datasets or d in scope.datasets}

    def _tested(self, metrics: Set[str], scope: Scope) -> bool:
        """Whether a verdict decides: on the primary metric, against the baseline."""
        return self._known.primary in metrics and scope.references == (0,)

    def _untested(self, word: str, cue: Cue, scope: Scope) -> Iterator[str]:
        """For "significantly" and the like: what no verdict confirms."""
        metrics, primary = self._of(cue.speed, scope.judged), self._known.primary
        if not metrics or not primary:
            return
        if not self._tested(metrics, scope):
            yield f"{self._claim(word, scope)}, but only {primary} against the baseline is tested"
            return
        upwards = self._recorded.upwards(cue.sense, primary)
        goal = self._known.goals.get(primary)
        if upwards is not None and goal:
            yield from self._against_verdict(word, "better" if upwards == (goal == "max") else "worse", scope)

    def _against_verdict(self, word: str, wanted: str, scope: Scope) -> Iterator[str]:
        verdicts, said = self._verdicts(scope), self._claim(word, scope)
        if "replicate" in verdicts.values():
            yield f"{said}, which repeated code that had already run"
        elif verdicts and not _holds((v == wanted for v in verdicts.values()), scope):
            yield f"{said}, whose verdict for {self._known.primary} is {'; '.join(sorted(set(verdicts.values())))}"

    def _undeserved(self, cue: Cue, scope: Scope, metrics: Set[str]) -> Iterator[str]:
        if self._tested(metrics, scope):
            yield from self._against_verdict(cue.word, cue.sense, scope)
        elif "replicate" in self._verdicts(scope).values() and scope.references == (0,):
            yield f"{self._claim(cue.word, scope)}, which repeated code that had already run"
        else:
            yield from self._unmoved(cue, scope, metrics)

    def _denied_wrongly(self, cue: Cue, scope: Scope, metrics: Set[str]) -> Iterator[str]:
        said = self._claim(f"not {cue.word}", scope)
        if self._tested(metrics, scope):
            verdicts = self._verdicts(scope)
            if verdicts and _contradicted((v == cue.sense for v in verdicts.values()), scope):
                yield f"{said}, whose verdict for {self._known.primary} is {cue.sense}"
            return
        for metric, dataset, pair, went in self._movements(metrics, scope):
            if went is (self._recorded.upwards(cue.sense, metric)) and self._recorded.apart(pair, metric, dataset):
                yield f"{said}, {self._went(metric, dataset, pair)}"
                return

    def _movements(self, metrics: Set[str], scope: Scope) -> Iterator[tuple[str, str, tuple[int, int], bool | None]]:
        """Metric, dataset, pair of runs, and whether its mean rose (None: it stayed)."""
        pairs = self._recorded.pairs(scope.run[:1], scope.references or ())
        known = sorted(metrics & self._known.goals.keys())
        for pair, metric, dataset in product(pairs, known, sorted(scope.datasets or self._recorded.datasets)):
            means = self._recorded.means(pair, metric, dataset)
            if means:
                yield metric, dataset, pair, None if means[0] == means[1] else means[1] > means[0]

    def _unmoved(self, cue: Cue, scope: Scope, metrics: Set[str]) -> Iterator[str]:
        """Where no verdict decides: whether a mean moved that way and, if it is praised, is one of several values."""
        right: set[str] = set()
        wrong: dict[str, str] = {}
        for metric, dataset, pair, went in self._movements(metrics, scope):
            if went is not self._recorded.upwards(cue.sense, metric):
                wrong.setdefault(dataset, self._went(metric, dataset, pair))
            elif cue.strength == "judged" and self._recorded.single(pair, metric, dataset):
                wrong[dataset] = f"from one value of {metric} each: cannot tell"
            else:
                right.add(dataset)
        reasons = [reason for dataset, reason in wrong.items() if dataset not in right]
        if reasons and (scope.datasets or not right):
            yield f"{self._claim(cue.word, scope)}, {reasons[0]}"

    def _went(self, metric: str, dataset: str, pair: tuple[int, int]) -> str:
        first, second = self._recorded.means(pair, metric, dataset) or (0.0, 0.0)
        return f"but {metric} on {dataset} went from {first:.4g} to {second:.4g} (run {pair[0]} to run {pair[1]})"


def _holds(each: Iterable[bool], scope: Scope) -> bool:
    """Of every dataset that is named; if none is, of any."""
    return all(each) if scope.datasets else any(each)


def _contradicted(each: Iterable[bool], scope: Scope) -> bool:
    return any(each) if scope.datasets else all(each)
