"""Seeds in looks: the error rate holds over all of them, and the intervals with it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.results.sequential import chance, estimate, levels, seeds_needed

LOOKS = [(5, 10), (5, 10, 20), (5, 10, 20, 40)]
VALUES = st.lists(st.floats(-1e3, 1e3, allow_nan=False), min_size=5, max_size=5, unique=True)
STUDIES = 50_000


def test_one_look_is_an_ordinary_test() -> None:
    assert levels((5,), 0.05)[0] == pytest.approx(0.05)


def test_the_first_look_spends_its_share() -> None:
    assert levels((5, 10, 20, 40), 0.05)[0] == pytest.approx(0.05 / 8)


def test_critical_values_are_those_of_the_literature() -> None:
    """Two looks at equal distance, linear spending: 0.025 at the first, and then as Kim and DeMets' family has it."""
    z = [float(stats.norm.isf(level / 2)) for level in levels((10, 20), 0.05)]
    assert z[0] == pytest.approx(2.2414, abs=1e-3)
    joint = stats.multivariate_normal(cov=[[1, math.sqrt(0.5)], [math.sqrt(0.5), 1]])
    inside = joint.cdf([z[0], z[1]], lower_limit=[-z[0], -z[1]])
    assert 1 - inside == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize("looks", LOOKS)
def test_levels_grow_with_the_looks_and_never_reach_the_whole_rate(looks: tuple[int, ...]) -> None:
    found = levels(looks, 0.05)
    assert all(a < b for a, b in pairwise(found))
    assert found[-1] < 0.05
    assert all(a < b for a, b in zip(levels(looks, 0.01), found, strict=True))


def normal(rng: np.random.Generator, n: int) -> Any:
    return rng.normal(size=(STUDIES, n))


def heavy(rng: np.random.Generator, n: int) -> Any:
    return rng.standard_t(5, size=(STUDIES, n)) * math.sqrt(3 / 5)


def exceeds(differences: Any, looks: tuple[int, ...], level: float, truth: float = 0.0) -> float:
    """Share of studies in which the interval misses the truth at some look, paired."""
    missed = np.zeros(len(differences), bool)
    for n, nominal in zip(looks, levels(looks, level), strict=True):
        seen = differences[:, :n]
        error = seen.std(axis=1, ddof=1) / math.sqrt(n)
        missed |= np.abs(seen.mean(axis=1) - truth) > stats.t.isf(nominal / 2, n - 1) * error
    return float(missed.mean())


@pytest.mark.parametrize("looks", LOOKS)
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("noise", [normal, heavy])
def test_the_error_rate_holds_over_all_looks_paired(
    looks: tuple[int, ...], correlation: float, noise: Callable[[np.random.Generator, int], Any]
) -> None:
    rng = np.random.default_rng(looks[-1] + round(10 * correlation))
    shared = math.sqrt(correlation) * noise(rng, looks[-1])
    sides = [shared + math.sqrt(1 - correlation) * noise(rng, looks[-1]) for _ in range(2)]
    assert 0.040 <= exceeds(sides[0] - sides[1], looks, 0.05) <= 0.055


@pytest.mark.parametrize("looks", LOOKS)
def test_the_error_rate_holds_over_all_looks_unpaired(looks: tuple[int, ...]) -> None:
    rng = np.random.default_rng(looks[-1])
    a, b = rng.normal(size=(STUDIES, looks[-1])), 2 * rng.normal(size=(STUDIES, looks[-1]))
    missed = np.zeros(STUDIES, bool)
    for n, nominal in zip(looks, levels(looks, 0.05), strict=True):
        variances = [side[:, :n].var(axis=1, ddof=1) / n for side in (a, b)]
        total = variances[0] + variances[1]
        df = (n - 1) * total**2 / (variances[0] ** 2 + variances[1] ** 2)
        difference = a[:, :n].mean(axis=1) - b[:, :n].mean(axis=1)
        missed |= np.abs(difference) > stats.t.isf(nominal / 2, df) * np.sqrt(total)
    assert 0.040 <= missed.mean() <= 0.055


@given(VALUES, VALUES, st.booleans())
def test_the_estimate_does_not_depend_on_the_order_of_seeds_and_turns_with_the_sides(
    values: list[float], baseline: list[float], paired: bool
) -> None:
    found, other = estimate(values, baseline, paired), estimate(baseline, values, paired)
    assert found.effect == pytest.approx(-other.effect, abs=1e-9)
    assert found.error == pytest.approx(other.error, rel=1e-6, abs=1e-12)
    order = random.Random(0).sample(range(5), 5)
    again = estimate([values[i] for i in order], [baseline[i] for i in order], paired)
    assert again.effect == pytest.approx(found.effect, abs=1e-9)
    assert again.error == pytest.approx(found.error, rel=1e-6, abs=1e-9)


@given(VALUES, VALUES, st.floats(0.01, 100))
def test_the_estimate_scales_with_the_unit(values: list[float], baseline: list[float], unit: float) -> None:
    found = estimate(values, baseline, paired=True)
    scaled = estimate([v * unit for v in values], [v * unit for v in baseline], paired=True)
    assert scaled.effect == pytest.approx(found.effect * unit, rel=1e-6, abs=1e-6)
    assert scaled.error == pytest.approx(found.error * unit, rel=1e-6, abs=1e-6)


def test_the_estimates_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=8), rng.normal(size=8) + 1
    for paired, test in ((True, stats.ttest_rel(a, b)), (False, stats.ttest_ind(a, b, equal_var=False))):
        interval = test.confidence_interval(0.95)
        low, high = estimate(list(a), list(b), paired).interval(0.05)
        assert low == pytest.approx(interval.low)
        assert high == pytest.approx(interval.high)


def test_the_chance_of_a_gain_is_that_of_simulated_futures() -> None:
    """Ten seeds are measured; what the other thirty will show is drawn from what is believed of the effect now."""
    looks, level = (5, 10, 20, 40), 0.05
    rng = np.random.default_rng(1)
    known = rng.normal(size=10) + 0.3
    known = (known - known.mean()) / known.std(ddof=1) + 0.45
    found = estimate(list(known), [0.0] * 10, paired=True)
    truths = found.effect + found.error * rng.normal(size=20_000)
    futures = truths[:, None] + rng.normal(size=(20_000, 30))
    everything = np.concatenate([np.broadcast_to(known, (20_000, 10)), futures], axis=1)
    t = everything.mean(axis=1) / everything.std(axis=1, ddof=1) * math.sqrt(40)
    simulated = (t > stats.t.isf(levels(looks, level)[-1] / 2, 39)).mean()
    assert chance(found, 1.0, looks, level) == pytest.approx(simulated, abs=0.05)
    assert chance(found, -1.0, looks, level) < 0.01


def test_the_seeds_needed_are_about_those_at_which_the_interval_excludes_zero() -> None:
    rng = np.random.default_rng(2)
    draws = rng.normal(size=20) + 0.25
    found = estimate(list(draws), [0.0] * 20, paired=True)
    n = seeds_needed(found, 0.05)
    assert n is not None
    assert found.effect == pytest.approx(1.96 * found.error * math.sqrt(20 / n), rel=0.05)
    assert seeds_needed(estimate([1.0, 1.0], [1.0, 1.0], paired=True), 0.05) is None
