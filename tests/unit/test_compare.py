"""Welch, Holm and the words for what came out."""

from __future__ import annotations

import math
import random
import warnings

import numpy as np
import pytest
from scipy import stats

from harness.records import Comparison, MetricSpec
from harness.results.compare import compare, holm, verdict
from harness.results.final_info import LARGEST


def compared(
    baseline: tuple[float, ...], values: tuple[float, ...], goal: str = "min", tried: int = 1, primary: bool = True
) -> Comparison:
    return compare(
        dataset="toy",
        metric="loss",
        spec=MetricSpec(goal=goal, primary=primary),
        baseline=baseline,
        values=values,
        tried=tried,
    )


@pytest.mark.parametrize("seed", range(8))
def test_interval_and_p_value_are_those_of_welch(seed: int) -> None:
    rng = random.Random(seed)
    baseline = tuple(rng.gauss(1.0, 0.1) for _ in range(rng.randint(2, 7)))
    values = tuple(rng.gauss(0.9, 0.3) for _ in range(rng.randint(2, 7)))
    expected = stats.ttest_ind(values, baseline, equal_var=False)
    interval = expected.confidence_interval(0.95)
    ours = compared(baseline, values)
    assert ours.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert ours.low == pytest.approx(interval.low, rel=1e-9)
    assert ours.high == pytest.approx(interval.high, rel=1e-9)
    assert ours.effect == pytest.approx(sum(values) / len(values) - sum(baseline) / len(baseline), rel=1e-12)
    assert (ours.baseline_n, ours.n) == (len(baseline), len(values))


def test_the_interval_is_the_one_computed_by_hand() -> None:
    """Equal sizes and spreads make Welch's degrees of freedom 2n - 2 = 4: t(0.975; 4) = 2.7764451."""
    ours = compared((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    half = 2.7764451 * (1 / 3 + 1 / 3) ** 0.5
    assert ours.effect == 3.0
    assert (ours.low, ours.high) == pytest.approx((3 - half, 3 + half), rel=1e-6)


def test_an_effect_of_the_detectable_size_is_seen_four_times_in_five() -> None:
    """Simulated: 20,000 studies of 3 and of 5 seeds, corrected for 1 and for 5 comparisons."""
    rng = np.random.default_rng(0)
    for seeds, tried in ((3, 1), (5, 1), (5, 5)):
        values = tuple(float(v) for v in range(seeds))
        ours = compared(values, values, tried=tried)
        assert ours.detectable is not None
        per_error = ours.detectable / (2 * np.var(values, ddof=1) / seeds) ** 0.5
        a = rng.standard_normal((20_000, seeds))
        b = rng.standard_normal((20_000, seeds)) + per_error * (2 / seeds) ** 0.5
        seen = stats.ttest_ind(b, a, axis=1, equal_var=False).pvalue < 0.05 / tried
        assert 0.74 < seen.mean() < 0.83, (seeds, tried)


def test_without_any_spread_values_are_compared_exactly() -> None:
    same, other = compared((1.0, 1.0, 1.0), (1.0, 1.0)), compared((1.0, 1.0, 1.0), (0.5, 0.5))
    assert (same.effect, same.p, verdict(same, same.p)) == (0.0, 1.0, "inconclusive")
    assert (other.effect, other.p, verdict(other, other.p)) == (-0.5, 0.0, "better")
    assert "no spread" in other.note


def test_one_side_without_spread_is_compared_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = compared((8.0, 8.0, 8.0), (8.0, 7.0, 8.0))
    assert ours.p is not None and 0 < ours.p < 1


@pytest.mark.parametrize(("baseline", "values"), [((1.0,), (0.5, 0.6)), ((1.0, 1.1), (0.5,)), ((1.0,), (0.5,))])
def test_one_value_cannot_tell(baseline: tuple[float, ...], values: tuple[float, ...]) -> None:
    ours = compared(baseline, values)
    assert (ours.p, ours.low, ours.high, ours.detectable) == (None, None, None, None)
    assert "one value" in ours.note
    assert verdict(ours, ours.p) == "cannot tell"


def test_maximising_mirrors_minimising() -> None:
    low, high = (1.0, 1.1, 0.9, 1.0), (3.0, 3.1, 2.9, 3.0)
    down, up = compared(high, low), compared(low, high)
    assert down.p == pytest.approx(up.p, rel=1e-12)
    assert up.low is not None and up.high is not None
    assert (down.low, down.high) == pytest.approx((-up.high, -up.low))
    assert verdict(down, down.p) == "better"
    assert verdict(up, up.p) == "worse"
    assert verdict(compared(high, low, goal="max"), 0.001) == "worse"
    assert verdict(compared(low, high, goal="max"), 0.001) == "better"


@pytest.mark.parametrize(
    ("p", "word"), [(0.0499, "better"), (0.05, "inconclusive"), (1.0, "inconclusive"), (None, "cannot tell")]
)
def test_the_verdict_follows_the_corrected_p_value(p: float | None, word: str) -> None:
    assert verdict(compared((2.0, 2.1, 1.9), (1.0, 1.1, 0.9)), p) == word


def test_a_p_value_that_is_no_number_cannot_tell() -> None:
    assert verdict(compared((2.0, 2.1, 1.9), (1.0, 1.1, 0.9)), float("nan")) == "cannot tell"


def test_holm_is_the_step_down_of_a_hand_computed_example() -> None:
    # sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1 = 0.04, 0.06, 0.06, 0.04, made monotone
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.5]) == pytest.approx([1.0, 1.0])
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


def test_holm_never_promises_more_than_the_plain_p_value() -> None:
    rng = random.Random(1)
    plain = [rng.random() ** 3 for _ in range(20)]
    adjusted = holm(plain)
    assert all(p <= a <= 1 for p, a in zip(plain, adjusted, strict=True))
    order = sorted(range(20), key=plain.__getitem__)
    assert [adjusted[i] for i in order] == sorted(adjusted)


def test_the_detectable_effect_shrinks_with_seeds_and_grows_with_the_number_of_tries() -> None:
    spread = (0.9, 1.1, 1.0)
    few, many = compared(spread, spread), compared(spread * 4, spread * 4)
    assert few.detectable is not None
    assert many.detectable is not None
    assert many.detectable < few.detectable
    tenth = compared(spread, spread, tried=10).detectable
    assert tenth is not None
    assert tenth > few.detectable


@pytest.mark.parametrize(("few", "many"), [(5, 8), (3, 9), (5, 15), (1, 2)])
def test_the_same_constant_measured_more_often_is_no_effect(few: int, many: int) -> None:
    """The mean of 0.235 five times is 0.235 and eight times 0.23499999999999996."""
    for thousandths in range(1, 1000):
        constant = thousandths / 1000
        ours = compared((constant,) * many, (constant,) * few)
        assert ours.effect == 0
        assert ours.p in (1.0, None)


def test_the_largest_values_that_are_read_are_compared_without_overflow() -> None:
    wide = (-0.99 * LARGEST, 0.0, 0.99 * LARGEST)
    ours = compared(wide, wide)
    assert ours.p == 1.0
    assert ours.detectable is not None and math.isfinite(ours.detectable)
