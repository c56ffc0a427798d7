"""A run against the baseline on the same fresh seeds: what a look shows, and when to stop. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.records import Comparison, MetricSpec, Scores
from harness.results.compare import ALPHA, Verdict
from harness.results.final_info import deviation, mean
from harness.results.sequential import Estimate, chance, estimate, levels, seeds_needed, with_spread_of

FUTILITY = 0.15
"""With a smaller chance that the last look shows a gain, or that a guard holds, no more seeds are measured."""
ROUNDING = 1e-12
"""A standard error below this share of the values is that of equal differences."""
BY_CHANCE = 0.001
"""Equal differences less probable than this are taken for exact."""


@dataclass(frozen=True)
class Design:
    """How a run is confirmed; fixed before the first fresh seed is measured."""

    looks: tuple[int, ...]
    """Seeds per side after which the values are looked at."""
    level: float
    """Two-sided error rate of each dataset, over all looks."""
    datasets: tuple[str, ...]
    """Those that the verdict is about."""
    paired: bool

    def look(self, n: int) -> int:
        """Number of the look that `n` seeds complete, 1 for the first; 0 if they complete none."""
        return self.looks.index(n) + 1 if n in self.looks else 0


@dataclass(frozen=True)
class Measured:
    """A run and the baseline on the same fresh seeds; and what is known of how much their values vary."""

    run: Scores
    baseline: Scores
    screened: tuple[Scores, Scores] = ({}, {})
    """Values of the run and of the baseline on other seeds. The baseline's mean is what percentages refer to, so that a
    margin is fixed before the first fresh seed. Only the spread counts otherwise, and only where the fresh values have
    none by chance."""

    def estimate(self, dataset: str, metric: str, paired: bool) -> tuple[Estimate, bool]:
        """The difference between the two, and whether the fresh seeds themselves show how well it is known.

        Differences that are all equal are exact if no seed ever changed a value, or if that cannot be chance, given how
        often two seeds give the baseline the same value. Otherwise the metric is coarse (a count, an accuracy on few
        examples): then the spread of all values that are known stands in for the missing one.
        """
        values, baseline = self.run[dataset][metric], self.baseline[dataset][metric]
        found = estimate(values, baseline, paired)
        if found.error > ROUNDING * max(map(abs, (*values, *baseline))):
            return found, True
        of_run, of_baseline = (scores.get(dataset, {}).get(metric, ()) for scores in self.screened)
        all_of_run, all_of_baseline = (*of_run, *values), (*of_baseline, *baseline)
        constant = len({*all_of_run}) == len({*all_of_baseline}) == 1
        if constant or _ties(all_of_baseline) ** (len(values) - 1) < BY_CHANCE:
            return found, True
        return with_spread_of(found, (all_of_run, all_of_baseline)), False


def _ties(values: tuple[float, ...]) -> float:
    """The share of pairs of seeds that gave the same value."""
    pairs = len(values) * (len(values) - 1)
    return sum(n * (n - 1) for n in Counter(values).values()) / pairs


def compare_on_fresh_seeds(
    design: Design, measured: Measured, metrics: Mapping[str, MetricSpec], same_machine: bool
) -> tuple[Comparison, ...]:
    """Every metric on every dataset. Those that decide have the interval of the design, the others a plain 95 % one."""
    return tuple(
        _compare(design, measured, dataset, name, spec, same_machine)
        for dataset in measured.baseline
        for name, spec in metrics.items()
        if same_machine or not spec.machine_bound or spec.primary or spec.guard is not None
    )


def _compare(
    design: Design, measured: Measured, dataset: str, metric: str, spec: MetricSpec, same_machine: bool
) -> Comparison:
    values, baseline = measured.run[dataset][metric], measured.baseline[dataset][metric]
    decides = dataset in design.datasets and (spec.primary or spec.guard is not None)
    look = design.look(len(values)) if decides else 0
    rate = design.level if look and spec.primary else ALPHA
    level = levels(design.looks, rate)[look - 1] if look else ALPHA
    found, own_spread = measured.estimate(dataset, metric, design.paired)
    constant = len({*values}) == len({*baseline}) == 1
    unit = mean(measured.screened[1].get(dataset, {}).get(metric) or baseline)
    facts: dict[str, Any] = {}
    if spec.machine_bound and not same_machine:
        facts["note"] = "cannot tell: it depends on the machine, and these launches ran on several kinds"
    elif constant and not same_machine:
        facts["note"] = "cannot tell: no spread, and the baseline is from another kind of machine"
    elif constant and own_spread:
        facts |= {"low": found.effect, "high": found.effect, "note": "no spread: the values are compared exactly"}
    else:
        facts["low"], facts["high"] = found.interval(level)
    return Comparison(
        dataset=dataset,
        metric=metric,
        goal=spec.goal,
        primary=spec.primary,
        baseline_mean=mean(baseline),
        baseline_sd=deviation(baseline),
        baseline_n=len(baseline),
        mean=mean(values),
        sd=deviation(values),
        n=len(values),
        effect=found.effect,
        level=rate,
        exact=same_machine and own_spread,
        look=look,
        worth=spec.amount(spec.worth, unit),
        margin=None if spec.guard is None else spec.amount(spec.guard, unit),
        needed=seeds_needed(found, level),
        **facts,
    )


def words(comparisons: tuple[Comparison, ...]) -> dict[str, Verdict]:
    """Dataset that the verdict is about → what its fresh seeds show."""
    primary = {c.dataset: c for c in comparisons if c.primary and c.look}
    guards = [c for c in comparisons if c.margin is not None and c.look]
    found: dict[str, Verdict] = {}
    for dataset, c in primary.items():
        word, mine = _word(c), [g for g in guards if g.dataset == dataset]
        if word.startswith("better") and not all(map(_holds, mine)):
            word = "cannot tell" if any(g.low is None for g in mine) else "guard not held"
        found[dataset] = word
    return found


def _word(c: Comparison) -> Verdict:
    if c.low is None or c.high is None:
        return "cannot tell"
    if c.unchanged:
        return "unchanged"
    low, high = (c.low, c.high) if c.goal == "max" else (-c.high, -c.low)
    if low > 0:
        return "better, but less than is worth it" if high < c.worth else "better"
    if high < 0:
        return "worse"
    return "no difference worth it" if -c.worth < low and high < c.worth else "inconclusive"


def _holds(guard: Comparison) -> bool:
    """Whether a guard metric is shown to be not worse than by its margin."""
    if guard.low is None or guard.high is None or guard.margin is None:
        return False
    low = guard.low if guard.goal == "max" else -guard.high
    return low >= -guard.margin


def _is_broken(guard: Comparison) -> bool:
    """Whether a guard metric is shown to be worse than by its margin."""
    if guard.low is None or guard.high is None or guard.margin is None:
        return False
    high = guard.high if guard.goal == "max" else -guard.low
    return high < -guard.margin


def why_stop(design: Design, comparisons: tuple[Comparison, ...], measured: Measured) -> str | None:
    """Why no more seeds are needed after this look, or None if it is worth to go on."""
    found = words(comparisons)
    guards = [c for c in comparisons if c.margin is not None and c.look]
    broken = {c.dataset for c in guards if _is_broken(c)}
    unsettled = [c for c in guards if not _holds(c) and not _is_broken(c)]
    waiting = {c.dataset for c in unsettled if found.get(c.dataset) == "guard not held"} - broken
    undecided = [d for d, word in found.items() if word == "inconclusive"]
    if not waiting and not undecided:
        return "decided"
    primary = {c.dataset: c for c in comparisons if c.primary}
    if primary[design.datasets[0]].n >= design.looks[-1]:
        return "all seeds are used"
    gains = {d: 0.0 if d in broken else _hope(design, primary[d], measured) for d in undecided}
    held = {d: min((_hope(design, c, measured) for c in unsettled if c.dataset == d), default=1.0) for d in found}
    if max((min(held[d], gains.get(d, 1.0)) for d in (*undecided, *waiting)), default=0.0) >= FUTILITY:
        return None
    if max(gains.values(), default=0.0) < FUTILITY and not waiting:
        return "a gain is unlikely to show with more seeds"
    return "a guard is unlikely to be shown to hold with more seeds"


def _hope(design: Design, c: Comparison, measured: Measured) -> float:
    """The chance that the last look shows a gain or, for a guard metric, that it is at most its margin worse."""
    found, _ = measured.estimate(c.dataset, c.metric, design.paired)
    gain = 1.0 if c.goal == "max" else -1.0
    if c.margin is None:
        return chance(found, gain, design.looks, design.level)
    return chance(found, gain, design.looks, ALPHA, c.margin)
