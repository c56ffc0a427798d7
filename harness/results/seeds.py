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

    Fresh seeds then were no new samples. If every seed gives the baseline another value of the primary metric, it
    suffices that half of the fresh values, exactly the same, were there before. Otherwise equal values may be chance,
    and only all values of all metrics count.
    """
    known = _per_seed(baseline, _primary(metrics))
    if len(set(known)) < 2:
        return False
    if len(set(known)) < len(known):
        return any(_equal(scores, fresh, metrics) for scores in earlier)
    seen = {values for scores in earlier for values in _per_seed(scores, _primary(metrics))}
    values = _per_seed(fresh, _primary(metrics))
    return 2 * sum(value in seen for value in values) >= len(values)


def repeats_within(values: Scores, baseline: Scores, metrics: Mapping[str, MetricSpec]) -> bool:
    """Whether at least half of a run's values on fresh seeds repeat others of them, while the baseline's do not."""
    names = [_primary(metrics)]
    if len(set(known := _per_seed(baseline, names[0]))) < len(known):
        names = [name for name, spec in metrics.items() if not spec.machine_bound]
    return _half_repeat(values, names) and not _half_repeat(baseline, names)


def _half_repeat(scores: Scores, names: Sequence[str]) -> bool:
    seeds = list(zip(*(_per_seed(scores, name) for name in names), strict=True))
    return 2 * len(set(seeds)) <= len(seeds)


def _equal(a: Scores, b: Scores, metrics: Mapping[str, MetricSpec]) -> bool:
    """Whether all values are equal, in the same order, apart from metrics that depend on the machine."""
    names = [name for name, spec in metrics.items() if not spec.machine_bound]
    if len(set(first := _per_seed(a, _primary(metrics)))) == len(first):
        names = [_primary(metrics)]  # enough, and a metric that measures time cannot hide that the others are equal
    return all(_per_seed(a, name) == _per_seed(b, name) for name in names)


def _per_seed(scores: Scores, metric: str) -> list[Values]:
    """The values of a metric on all datasets, seed by seed."""
    return list(zip(*(scores[dataset][metric] for dataset in sorted(scores)), strict=False))


def _primary(metrics: Mapping[str, MetricSpec]) -> str:
    return next(name for name, spec in metrics.items() if spec.primary)
