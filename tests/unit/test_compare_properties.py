"""What must hold of every comparison, whatever the numbers."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.records import Comparison, MetricSpec
from harness.results.compare import compare, confirmation, holm, screening, verdict

values = st.lists(st.floats(-1e3, 1e3).map(lambda x: round(x, 6)), min_size=2, max_size=8).map(tuple)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)
quick = settings(max_examples=60, deadline=None)


def compared(baseline: tuple[float, ...], run: tuple[float, ...], goal: str = "min", tried: int = 5) -> Comparison:
    return compare(
        dataset="d",
        metric="m",
        spec=MetricSpec(goal=goal, primary=True),
        baseline=baseline,
        values=run,
        tried=tried,
    )  # fmt: skip


def varied(*samples: tuple[float, ...]) -> None:
    """Leave out samples whose spread is rounding error; their p values are, too."""
    assume(all(max(s) - min(s) > 1e-3 for s in samples))


@quick
@given(values, values)
def test_p_value_and_interval_are_scipys(baseline: tuple[float, ...], run: tuple[float, ...]) -> None:
    varied(baseline, run)
    ours = compared(baseline, run)
    test = stats.ttest_ind(run, baseline, equal_var=False)
    interval = test.confidence_interval(0.95)
    assert ours.p == pytest.approx(test.pvalue)
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high))


@quick
@given(p_values)
def test_holms_values_are_those_of_the_definition(p: list[float]) -> None:
    """Adjusted p of the i-th smallest: the largest over j ≤ i of (m − j + 1) p_(j), at most 1."""
    order = sorted(p)
    expected = [max(min(1.0, (len(p) - j) * order[j]) for j in range(i + 1)) for i in range(len(p))]
    assert sorted(holm(p)) == pytest.approx(expected)
    assert all(a >= b for a, b in zip(holm(p), p, strict=True))


@quick
@given(p_values, st.randoms())
def test_the_order_of_runs_does_not_matter(p: list[float], random: Random) -> None:
    order = list(range(len(p)))
    random.shuffle(order)
    assert holm([p[i] for i in order]) == pytest.approx([holm(p)[i] for i in order])


@quick
@given(values, values, st.randoms())
def test_the_order_of_seeds_does_not_matter(
    baseline: tuple[float, ...], run: tuple[float, ...], random: Random
) -> None:
    varied(baseline, run)
    shuffled = list(run)
    random.shuffle(shuffled)
    again = compared(baseline, tuple(shuffled))
    assert again.p == pytest.approx(compared(baseline, run).p, rel=1e-6)


@quick
@given(values, values, st.sampled_from([1e-6, 0.5, 3.0, 1e6]))
def test_the_unit_of_a_metric_changes_no_verdict(
    baseline: tuple[float, ...], run: tuple[float, ...], unit: float
) -> None:
    varied(baseline, run)
    first = compared(baseline, run)
    other = compared(tuple(unit * v for v in baseline), tuple(unit * v for v in run))
    assert first.p is not None and first.detectable is not None
    assume(abs(first.p - 0.05) > 1e-6)
    assert other.p == pytest.approx(first.p, rel=1e-6)
    assert other.effect == pytest.approx(unit * first.effect, rel=1e-6, abs=unit * 1e-9)
    assert other.detectable == pytest.approx(unit * first.detectable, rel=1e-6)
    for rule in (verdict, screening, confirmation):
        assert rule(other, other.p) == rule(first, first.p)


@quick
@given(values, values)
def test_swapping_min_and_max_mirrors_the_verdict(baseline: tuple[float, ...], run: tuple[float, ...]) -> None:
    varied(baseline, run)
    low, high = compared(baseline, run, "min"), compared(baseline, run, "max")
    mirrored = {"better": "worse", "worse": "better"}
    assert verdict(high, high.p) == mirrored.get(verdict(low, low.p), verdict(low, low.p))
    negated = compared(tuple(-v for v in baseline), tuple(-v for v in run), "max")
    for rule in (verdict, screening, confirmation):
        assert rule(negated, negated.p) == rule(low, low.p)


@quick
@given(values, values, st.floats(0, 1))
def test_screening_alone_never_says_better_and_fresh_seeds_never_say_worse(
    baseline: tuple[float, ...], run: tuple[float, ...], p: float
) -> None:
    seen = compared(baseline, run)
    assert screening(seen, p) != "better"
    assert confirmation(seen, p) in ("better", "not confirmed")


@quick
@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.integers(2, 6))
def test_values_without_spread_are_compared_exactly(a: float, b: float, n: int) -> None:
    seen = compared((a,) * n, (b,) * n)
    assert seen.p == (1.0 if a == b else 0.0)
    assert seen.note.startswith("no spread")


@quick
@given(st.floats(-1e3, 1e3), values)
def test_one_value_never_gets_a_p_value(one: float, many: tuple[float, ...]) -> None:
    for seen in (compared((one,), many), compared(many, (one,)), compared((one,), (one,))):
        assert seen.p is None and seen.note == "cannot tell: one value"
        assert verdict(seen, None) == screening(seen, None) == "cannot tell"


@quick
@given(values, values, st.integers(1, 50))
def test_more_tries_never_make_a_smaller_effect_detectable(
    baseline: tuple[float, ...], run: tuple[float, ...], tried: int
) -> None:
    varied(baseline, run)
    detectable = compared(baseline, run, tried=tried).detectable
    after_one_more = compared(baseline, run, tried=tried + 1).detectable
    assert detectable is not None and after_one_more is not None
    assert after_one_more >= detectable
    assert math.isfinite(detectable)
