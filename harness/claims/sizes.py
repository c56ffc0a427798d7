"""Whether the numbers that a clause gives were recorded. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.claims import cues, prose
from harness.claims.context import Clause, Scope
from harness.claims.cues import Factor, Sense
from harness.claims.names import Vocabulary
from harness.claims.prose import Number
from harness.claims.recorded import Recorded

KNOWN_BY_ITSELF = 4
"""A number with this many significant digits counts as a result even if no metric is named near it."""


class Sizes:
    """Checks values, changes and factors."""

    def __init__(self, recorded: Recorded, words: Vocabulary) -> None:
        self._recorded = recorded
        self._words = words

    def clause(self, clause: Clause) -> Iterator[tuple[int, str]]:
        """Offset and message for each number that was not recorded."""
        text, scope = clause.text, clause.scope
        levels = prose.thresholds(text)
        for level, count, unit in prose.reached(text):
            levels.append(level)
            of = frozenset(metric for metric in self._recorded.metrics if unit in metric.lower())
            if of:
                about = replace(scope, metrics=of, named=True, alone=True)
                yield from (
                    (level[0], message) for number in prose.numbers(count) for message in self.value(number, about)
                )
        for factor in cues.factors(text):
            if prose.is_about(factor.start, factor.end, text, scope.mentions):
                about = replace(scope, metrics=self._words.meant(scope.metrics, speed=cues.is_rate(text, factor)))
                sense = factor.sense or cues.sense_at(clause.cues, factor.end)
                yield from ((factor.start, message) for message in self.change(factor, sense, about))
        for number in prose.numbers(text):
            if not any(start <= number.start < end for start, end in levels):
                yield from ((number.start, message) for message in self._number(number, clause))

    def _number(self, number: Number, clause: Clause) -> Iterator[str]:
        text, scope = clause.text, clause.scope
        if not prose.is_value(number, text, scope.mentions):
            return
        if prose.is_difference(number, text):
            sense = cues.of_sign(number.sign) or cues.sense_at(clause.cues, number.end) or scope.sense
            yield from self.change(number, sense, scope)
        elif not prose.is_bound(number, text):
            yield from self.value(number, scope)

    def value(self, number: Number, scope: Scope) -> Iterator[str]:
        recorded, runs = self._recorded, scope.run if scope.alone else ()
        of = scope.metrics or frozenset(recorded.metrics if number.digits >= KNOWN_BY_ITSELF else ())
        if not of or recorded.include(number, of, scope.datasets, runs):
            return
        if not scope.named and recorded.include(number, recorded.metrics, ()):
            return  # the paragraph's topic is a guess
        change = " or change of it between two runs" if number.percent else ""
        elsewhere = f" in run {runs[0]}" if runs and recorded.include(number, of, ()) else ""
        yield f"{number.text} is not a recorded {_value_of(of)}{change}{elsewhere}"

    def change(self, amount: Number | Factor, sense: Sense | None, scope: Scope) -> Iterator[str]:
        pairs = self._recorded.pairs(scope.run, scope.references or ())
        if scope.metrics and self._recorded.moved(amount, sense, pairs, scope.metrics, scope.datasets) is False:
            between = f"from run {pairs[0][0]} to run {pairs[0][1]}" if len(pairs) == 1 else "between two runs"
            text = f'"{amount.text}"' if isinstance(amount, Factor) else amount.text
            yield f"{text} is not a recorded {_value_of(scope.metrics)} or change of it {between}"


def _value_of(metrics: frozenset[str]) -> str:
    return f"value of {', '.join(sorted(metrics))}" if len(metrics) <= 3 else "value of any metric"
