"""A run against the baseline on the same fresh seeds: what a look shows, and when to stop. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.records import Comparison, MetricSpec, Scores
from harness.results.compare import ALPHA, Verdict
from harness.results.final_info import deviation, mean
from harness.results.sequential import Estimate, chance, estimate, levels, seeds_needed

FUTILITY = 0.15
"""With a smaller chance than this that the last look shows a gain, no more seeds are measured."""


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


def compare_on_fresh_seeds(
    design: Design, scores: Scores, baseline: Scores, metrics: Mapping[str, MetricSpec], same_machine: bool
) -> tuple[Comparison, ...]:
    """Every metric on every dataset. Those that decide have the interval of the design, the others a plain 95 % one."""
    return tuple(
        _compare(design, dataset, name, spec, scores[dataset][name], baseline[dataset][name], same_machine)
        for dataset in baseline
        for name, spec in metrics.items()
        if same_machine or not spec.machine_bound or spec.primary or spec.guard is not None
    )


def _compare(
    design: Design,
    dataset: str,
    metric: str,
    spec: MetricSpec,
    values: tuple[float, ...],
    baseline: tuple[float, ...],
    same_machine: bool,
) -> Comparison:
    decides = dataset in design.datasets and (spec.primary or spec.guard is not None)
    look = design.look(len(values)) if decides else 0
    level = levels(design.looks, design.level if spec.primary else ALPHA)[look - 1] if look else ALPHA
    found = estimate(values, baseline, design.paired)
    constant = len({*values}) == len({*baseline}) == 1
    facts: dict[str, Any] = {}
    if spec.machine_bound and not same_machine:
        facts["note"] = "cannot tell: it depends on the machine, and these launches ran on several kinds"
    elif constant and not same_machine:
        facts["note"] = "cannot tell: no spread, and the baseline is from another kind of machine"
    elif constant:
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
        exact=same_machine,
        look=look,
        worth=spec.amount(spec.worth, mean(baseline)),
        margin=None if spec.guard is None else spec.amount(spec.guard, mean(baseline)),
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


def why_stop(design: Design, comparisons: tuple[Comparison, ...], scores: Scores, baseline: Scores) -> str | None:
    """Why no more seeds are needed after this look, or None if it is worth to go on."""
    found = words(comparisons)
    open_guards = [c for c in comparisons if c.margin is not None and c.look and not _holds(c) and not _is_broken(c)]
    waiting = {c.dataset for c in open_guards} & {d for d, word in found.items() if word == "guard not held"}
    undecided = [d for d, word in found.items() if word == "inconclusive"]
    if not waiting and not undecided:
        return "decided"
    primary = {c.dataset: c for c in comparisons if c.primary}
    if primary[design.datasets[0]].n >= design.looks[-1]:
        return "all seeds are used"
    if waiting:
        return None
    hopes = [_hope(design, primary[d], scores, baseline) for d in undecided]
    return "a gain is unlikely to show with more seeds" if max(hopes) < FUTILITY else None


def _hope(design: Design, c: Comparison, scores: Scores, baseline: Scores) -> float:
    found: Estimate = estimate(scores[c.dataset][c.metric], baseline[c.dataset][c.metric], design.paired)
    return chance(found, 1.0 if c.goal == "max" else -1.0, design.looks, design.level)
