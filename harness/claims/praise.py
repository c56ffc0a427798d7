"""Whether what a clause calls better, worse, higher or confirmed is so. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import product

from harness.claims import cues, prose
from harness.claims.context import Clause, Scope
from harness.claims.cues import Cue
from harness.claims.names import Vocabulary
from harness.claims.recorded import Known, Recorded
from harness.records import Goal

_VERDICT = re.compile(r"\W*(better|worse)\b", re.I)


class Praise:
    """Checks praise and blame."""

    def __init__(self, known: Known, recorded: Recorded, words: Vocabulary) -> None:
        self._known = known
        self._recorded = recorded
        self._words = words

    def verdict(self, text: str, scope: Scope) -> Iterator[str]:
        """For a table's cell that gives a verdict."""
        word = _VERDICT.match(text)
        if word and scope.run and scope.run != (0,):
            yield from self._against_verdict(word[1], word[1].lower(), scope)

    def clause(self, clause: Clause) -> Iterator[tuple[int, str]]:
        """Offset and message for each word that the results do not support."""
        text, scope = clause.text, clause.scope
        if not scope.run or scope.run == (0,) or not scope.references or not scope.of_results:
            return
        if cues.is_general(text) or cues.is_unsure(text):
            return
        found = [cue for cue in clause.cues if self._is_about(cue, clause)]
        certain = cues.CERTAIN.search(text)
        if certain and found:
            cue = min(found, key=lambda each: abs(each.start - certain.start()))
            if not cues.denied(text, cue):
                yield from ((cue.start, message) for message in self._untested(certain[0], cue, scope))
                return
        said = [cue for cue in clause.cues if cue.strength == "judged"]
        if not said and scope.named and not _gives_size(text):
            said = [cue for cue in clause.cues if cue.strength == "moved"]
        alike = len({cue.sense for cue in said}) == 1
        if alike and said[0] in found and (scope.compared or not cues.is_within_run(text)):
            check = self._denied if cues.denied(text, said[0]) else self._said
            yield from ((said[0].start, message) for message in check(said[0], scope))

    def _is_about(self, cue: Cue, clause: Clause) -> bool:
        """Whether a word is about a metric: one that is linked to it or, if the clause names none, its topic."""
        text, scope = clause.text, clause.scope
        if not scope.mentions:
            outright = scope.explicit and scope.compared
            return outright or prose.linked(text[: cue.start], prose.GENERIC)
        return prose.is_about(cue.start, cue.end, text, scope.mentions, prose.GENERIC)

    def _said(self, cue: Cue, scope: Scope) -> Iterator[str]:
        metrics = self._words.meant(scope.judged, speed=cue.speed)
        if cue.strength == "judged" and self._is_tested(metrics, scope):
            yield from self._against_verdict(cue.word, cue.sense, scope)
        elif cue.strength == "judged" and scope.references == (0,) and "replicate" in self._verdicts(scope).values():
            yield f"{_claim(cue.word, scope)}, which repeated code that had already run"
        else:
            yield from self._unmoved(cue, scope, metrics)

    # What a verdict decides: the primary metric against the baseline

    def _is_tested(self, metrics: frozenset[str], scope: Scope) -> bool:
        return self._known.primary in metrics and scope.references == (0,)

    def _verdicts(self, scope: Scope) -> dict[str, str]:
        """Dataset → verdict."""
        of_run = self._known.verdicts.get(scope.run[0], {})
        return {d: word for d, word in of_run.items() if not scope.datasets or d in scope.datasets}

    def _polarity(self, cue: Cue) -> str | None:
        """Whether a word says that the primary metric got better or worse."""
        upwards, goal = self._recorded.upwards(cue.sense, self._known.primary), self._goal(self._known.primary)
        return None if upwards is None or not goal else "better" if upwards == (goal == "max") else "worse"

    def _goal(self, metric: str) -> Goal | None:
        return self._known.goals.get(metric)

    def _untested(self, word: str, cue: Cue, scope: Scope) -> Iterator[str]:
        """For "significantly" and the like: what no verdict confirms."""
        metrics, primary = self._words.meant(scope.judged, speed=cue.speed), self._known.primary
        if metrics and primary and not self._is_tested(metrics, scope):
            yield f"{_claim(word, scope)}, but only {primary} against the baseline is tested"
        elif metrics and (wanted := self._polarity(cue)):
            yield from self._against_verdict(word, wanted, scope)

    def _against_verdict(self, word: str, wanted: str, scope: Scope) -> Iterator[str]:
        verdicts = list(self._verdicts(scope).values())
        if "replicate" in verdicts:
            yield f"{_claim(word, scope)}, which repeated code that had already run"
        elif verdicts and not _of_datasets((verdict == wanted for verdict in verdicts), scope):
            there = "; ".join(sorted(set(verdicts)))
            yield f"{_claim(word, scope)}, whose verdict for {self._known.primary} is {there}"

    def _denied(self, cue: Cue, scope: Scope) -> Iterator[str]:
        """What is denied although a verdict or, where there is none, every value says it."""
        metrics, said = self._words.meant(scope.judged, speed=cue.speed), _claim(f"not {cue.word}", scope)
        if self._is_tested(metrics, scope):
            verdicts, denied = list(self._verdicts(scope).values()), self._polarity(cue)
            supported = [verdict != denied for verdict in verdicts]
            if verdicts and not _of_datasets(supported, scope):
                yield f"{said}, whose verdict for {self._known.primary} is {denied}"
            return
        for metric, dataset, pair, rose in self._movements(metrics, scope):
            if rose is self._recorded.upwards(cue.sense, metric) and self._recorded.apart(pair, metric, dataset):
                yield f"{said}, {self._went(metric, dataset, pair)}"
                return

    # What only the means show

    def _movements(
        self, metrics: frozenset[str], scope: Scope
    ) -> Iterator[tuple[str, str, tuple[int, int], bool | None]]:
        """Metric, dataset, reference and run, and whether the mean rose (None: it stayed)."""
        pairs = self._recorded.pairs(scope.run[:1], scope.references or ())
        known = sorted(metrics & self._known.goals.keys())
        for pair, metric, dataset in product(pairs, known, sorted(scope.datasets or self._recorded.datasets)):
            means = self._recorded.means(pair, metric, dataset)
            if means:
                yield metric, dataset, pair, None if means[0] == means[1] else means[1] > means[0]

    def _unmoved(self, cue: Cue, scope: Scope, metrics: frozenset[str]) -> Iterator[str]:
        """Whether any mean moved that way; one that is praised must be a mean of several values."""
        right: set[str] = set()
        wrong: dict[str, str] = {}
        for metric, dataset, pair, rose in self._movements(metrics, scope):
            if rose is not self._recorded.upwards(cue.sense, metric):
                wrong.setdefault(dataset, self._went(metric, dataset, pair))
            elif cue.strength == "judged" and self._recorded.is_single(pair, metric, dataset):
                wrong[dataset] = f"from one value of {metric} each: cannot tell"
            else:
                right.add(dataset)
        reasons = [reason for dataset, reason in wrong.items() if dataset not in right]
        if reasons and (scope.datasets or not right):
            yield f"{_claim(cue.word, scope)}, {reasons[0]}"

    def _went(self, metric: str, dataset: str, pair: tuple[int, int]) -> str:
        first, second = self._recorded.means(pair, metric, dataset) or (0.0, 0.0)
        return f"but {metric} on {dataset} went from {first:.4g} to {second:.4g} (run {pair[0]} to run {pair[1]})"


def _claim(word: str, scope: Scope) -> str:
    return f'"{word}" is said of run {scope.run[0]}'


def _of_datasets(each: Iterable[bool], scope: Scope) -> bool:
    """Whether it is so on every dataset that is named or, if none is, on any."""
    return all(each) if scope.datasets else any(each)


def _gives_size(text: str) -> bool:
    """Whether a clause says how far something moved, which is checked by itself."""
    return any(cues.factors(text)) or any(prose.is_difference(number, text) for number in prose.numbers(text))
