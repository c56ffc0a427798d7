"""What was recorded, and the look-ups that claims are checked with. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations, product

from harness.claims.cues import Factor, Sense
from harness.claims.prose import Number
from harness.records import Goal, Scores
from harness.results.final_info import deviation, mean, standard_error

NAMES, PAIRED, SEEDS = 60, 20, 100
"""Maximum number of metrics and of datasets, of runs compared with each other, and of values per seed."""
AVERAGE = ""
"""Stands for a dataset: the average over all of them."""
ROUGHLY = 0.1
"""Relative tolerance of "doubled" and of factors without decimals."""

Pairs = Sequence[tuple[int, int]]
"""Pairs of a reference and a run."""


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
    of_runs: Mapping[int, Mapping[str, frozenset[float]]] = field(default_factory=dict)
    """run → metric → further means and spreads, such as those on fresh seeds."""


def collect(numbers: Iterable[tuple[str, float | None]]) -> dict[str, frozenset[float]]:
    """Metric → its numbers."""
    found: dict[str, set[float]] = {}
    for metric, value in numbers:
        found.setdefault(metric, set()).update(() if value is None else (value,))
    return {metric: frozenset(values) for metric, values in found.items()}


class Recorded:
    """Recorded values and what can be derived from them."""

    def __init__(self, known: Known) -> None:
        self._known = known
        scores = [(dataset, metrics) for of_run in known.scores.values() for dataset, metrics in of_run.items()]
        self.datasets = list(dict.fromkeys(dataset for dataset, _ in scores))[:NAMES]
        self.metrics = list(dict.fromkeys(metric for _, metrics in scores for metric in metrics))[:NAMES]
        self.runs = sorted(known.scores)
        self._sorted: dict[tuple[str, str, bool, int | None], list[float]] = {}
        self._means: dict[tuple[int, str, str], float | None] = {}

    def include(
        self, number: Number, metrics: Collection[str], datasets: Collection[str], runs: Collection[int] = ()
    ) -> bool:
        """Whether a number belongs to one of the metrics, datasets and runs (none: to any of them)."""
        return any(
            any(number.is_print_of(value) for value in self._near(number, (metric, dataset, number.percent, run)))
            for metric, dataset, run in product(metrics, datasets or (*self.datasets, AVERAGE), runs or (None,))
        )

    def _near(self, number: Number, key: tuple[str, str, bool, int | None]) -> list[float]:
        low, high = number.value - 1.01 * number.unit, number.value + 1.01 * number.unit
        if key not in self._sorted:
            self._sorted[key] = sorted(self._of(*key))
        return self._sorted[key][bisect_left(self._sorted[key], low) : bisect_right(self._sorted[key], high)]

    def _of(self, metric: str, dataset: str, percent: bool, run: int | None) -> Iterator[float]:
        runs = self.runs if run is None else [run]
        found = [*self._known.others.get(metric, ())]
        for each in runs:
            values = self._values(each, metric, dataset)
            found += self._known.of_runs.get(each, {}).get(metric, ())
            if values:
                found += [mean(values), deviation(values) or 0.0, standard_error(values) or 0.0, *values[:SEEDS]]
        changes = []
        if run is None:
            means = [mean(values) for each in runs[:PAIRED] if (values := self._values(each, metric, dataset))]
            pairs = list(permutations(means, 2))
            found += [a - b for a, b in pairs]
            changes = [sign * 100 * (a - b) / b for a, b in pairs if b for sign in (1, -1)]
        yield from found
        if percent:
            yield from (100 * value for value in found if abs(value) <= 1)
            yield from changes

    def _values(self, run: int, metric: str, dataset: str) -> tuple[float, ...]:
        """A run's values; for the average over datasets, its mean on each of them."""
        of_run = self._known.scores.get(run, {})
        if dataset == AVERAGE:
            return tuple(mean(m[metric]) for m in of_run.values() if m.get(metric))
        return of_run.get(dataset, {}).get(metric, ())

    # What moved between two runs

    def pairs(self, runs: Collection[int], references: Collection[int]) -> Pairs:
        """Reference and run; any two if nothing is said about them."""
        runs, references = runs or self.runs[:PAIRED], references or self.runs[:PAIRED]
        return [(a, b) for a, b in product(references, runs) if a != b and a in self.runs and b in self.runs]

    def means(self, pair: tuple[int, int], metric: str, dataset: str) -> tuple[float, float] | None:
        first, second = (self._mean(run, metric, dataset) for run in pair)
        return None if first is None or second is None else (first, second)

    def _mean(self, run: int, metric: str, dataset: str) -> float | None:
        key = (run, metric, dataset)
        if key not in self._means:
            values = self._values(*key)
            self._means[key] = mean(values) if values else None
        return self._means[key]

    def moved(
        self,
        amount: Number | Factor,
        sense: Sense | None,
        pairs: Pairs,
        metrics: Collection[str],
        datasets: Collection[str],
    ) -> bool | None:
        """Whether a metric moved by this amount and that way; None if there are no two values to tell."""
        known = False
        for pair, metric, dataset in product(pairs, metrics, datasets or (*self.datasets, AVERAGE)):
            means = self.means(pair, metric, dataset)
            if means is None:
                continue
            known = True
            upwards = self.upwards(sense, metric)
            if isinstance(amount, Factor):
                if _by_factor(amount, *means, upwards):
                    return True
            elif _by_number(amount, *means, upwards, self._known.others.get(metric, ())):
                return True
        return False if known else None

    def upwards(self, sense: Sense | None, metric: str) -> bool | None:
        """Whether a word means that the metric's values rise; None if that is not known."""
        goal = self._known.goals.get(metric)
        if sense in ("better", "worse"):
            return (goal == "max") == (sense == "better") if goal else None
        return sense == "up" if sense else None

    def apart(self, pair: tuple[int, int], metric: str, dataset: str) -> bool:
        """Whether all values of one run lie on one side of all values of the other."""
        first, second = (self._values(run, metric, dataset) for run in pair)
        return len(first) > 1 and len(second) > 1 and (max(first) < min(second) or max(second) < min(first))

    def is_single(self, pair: tuple[int, int], metric: str, dataset: str) -> bool:
        return any(len(self._values(run, metric, dataset)) == 1 for run in pair)


def _by_number(number: Number, before: float, after: float, upwards: bool | None, effects: Collection[float]) -> bool:
    difference = after - before
    if upwards is not None and difference * (1 if upwards else -1) <= 0:
        return False
    small = max(abs(before), abs(after)) <= 1
    sizes = [difference]
    if number.percent or number.points:
        sizes = [100 * difference] if small else [difference]
    if number.percent and before:
        sizes.append(100 * difference / before)
    if not number.percent and not number.points:
        sizes += effects
    size = abs(number.value)
    below = number.unit * (1 if number.hedged or number.unit < 1 else 0.5)
    return any(-below <= (abs(each) - size) / (1 + 1e-9) <= number.unit for each in sizes)


def _by_factor(factor: Factor, before: float, after: float, upwards: bool | None) -> bool:
    if not before or not after:
        return False
    ratio = after / before
    wanted = (
        [factor.ratio] if upwards else [1 / factor.ratio] if upwards is not None else [factor.ratio, 1 / factor.ratio]
    )
    if factor.ratio < 1:
        wanted = [factor.ratio, 1 / factor.ratio]
    if factor.at_least and (ratio > wanted[0] > 1 or ratio < wanted[0] < 1):
        return True
    slack = (0.06 / factor.ratio if factor.exact else ROUGHLY) * (2 if factor.hedged else 1)
    return any(abs(ratio / each - 1) <= slack for each in wanted)
