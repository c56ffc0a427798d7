"""Do the seeds have any effect? Compares the values that the same code gave on different seeds. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from harness.records import MetricSpec, Scores

Seeding = Literal["varies", "deterministic", "fixed", "unknown"]
"""What other seeds change in a template's results: the values; nothing, and there is no spread; nothing, although there
is spread, so that the script has seeds of its own; or it is not known (a baseline of an older version)."""
Values = tuple[float, ...]


def seeding(own: Scores, other: Scores, metrics: Mapping[str, MetricSpec]) -> Seeding:
    """What seeds change, from the values on the template's own seeds and on as many other ones."""
    if _equal(own, other, metrics):
        return "fixed" if len(set(_per_seed(own, _primary(metrics)))) > 1 else "deterministic"
    return "varies"


def repeats(fresh: Scores, earlier: Sequence[Scores], baseline: Scores, metrics: Mapping[str, MetricSpec]) -> bool:
    """Whether values on fresh seeds repeat values of the same code on other seeds, while the baseline's vary.

    Fresh seeds then were no new samples. If every seed gives the baseline another value of the primary metric, all
    fresh values must have been there before, in any order. Otherwise equal values may be chance: then all metrics
    count, and the fresh values must be the earlier ones over again, in their order.
    """
    known, names = _per_seed(baseline, _primary(metrics)), _bound_to_seeds(metrics)
    if len(set(known)) < 2:
        return False
    if len(set(known)) == len(known):
        seen = {values for scores in earlier for values in _per_seed(scores, _primary(metrics))}
        return set(_per_seed(fresh, _primary(metrics))) <= seen
    return any(_goes_on(_rows(fresh, names), _rows(scores, names)) for scores in earlier)


def _goes_on(fresh: list[Values], earlier: list[Values]) -> bool:
    """Whether values are earlier ones over and over; two different ones could do that by chance."""
    return len(set(earlier)) > 2 and all(row == earlier[i % len(earlier)] for i, row in enumerate(fresh))


def repeats_within(values: Scores, baseline: Scores, metrics: Mapping[str, MetricSpec]) -> bool:
    """Whether a run has at most a quarter as many different values as fresh seeds, and the baseline more than twice as
    many as the run."""
    run, other = (set(_per_seed(scores, _primary(metrics))) for scores in (values, baseline))
    seeds = len(_per_seed(values, _primary(metrics)))
    return len(run) <= max(1, seeds // 4) and len(other) > 2 * len(run)


def _bound_to_seeds(metrics: Mapping[str, MetricSpec]) -> list[str]:
    return [name for name, spec in metrics.items() if not spec.machine_bound]


def _rows(scores: Scores, names: Sequence[str]) -> list[Values]:
    """The values of several metrics on all datasets, seed by seed."""
    return [sum(row, ()) for row in zip(*(_per_seed(scores, name) for name in names), strict=True)]


def _equal(a: Scores, b: Scores, metrics: Mapping[str, MetricSpec]) -> bool:
    """Whether all values are equal, in the same order, apart from metrics that depend on the machine."""
    names = _bound_to_seeds(metrics)
    if len(set(first := _per_seed(a, _primary(metrics)))) == len(first):
        names = [_primary(metrics)]  # enough, and a metric that measures time cannot hide that the others are equal
    return all(_per_seed(a, name) == _per_seed(b, name) for name in names)


def _per_seed(scores: Scores, metric: str) -> list[Values]:
    """The values of a metric on all datasets, seed by seed."""
    return list(zip(*(scores[dataset][metric] for dataset in sorted(scores)), strict=False))


def _primary(metrics: Mapping[str, MetricSpec]) -> str:
    return next(name for name, spec in metrics.items() if spec.primary)
