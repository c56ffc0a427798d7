"""What seeds change, told from values alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import MetricSpec, Scores
from harness.results.seeds import repeats, repeats_within, seeding

METRICS = {
    "loss": MetricSpec(goal="min", primary=True),
    "depth": MetricSpec(goal="max"),
    "seconds": MetricSpec(goal="min", machine_bound=True),
}
DISTINCT = st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=6, max_size=6, unique=True)


def scores(*loss: float, depth: tuple[float, ...] | None = None, seconds: float = 1.0) -> Scores:
    n = len(loss)
    return {"d": {"loss": loss, "depth": depth or (1.0,) * n, "seconds": (seconds,) * n}}


BASELINE = scores(0.1, 0.2, 0.3)


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (scores(0.4, 0.5, 0.6), "varies"),
        (scores(0.1, 0.2, 0.4), "varies"),
        (scores(0.1, 0.2, 0.3, seconds=9.0), "fixed"),
        (scores(0.1, 0.2, 0.3, depth=(3.0, 4.0, 5.0)), "fixed"),  # such as a metric that measures time
        (scores(0.3, 0.1, 0.2), "varies"),
    ],
)
def test_what_other_seeds_change(other: Scores, found: str) -> None:
    assert seeding(BASELINE, other, METRICS) == found


def test_without_spread_other_seeds_tell_whether_there_ever_is_one() -> None:
    assert seeding(scores(1.0, 1.0), scores(1.0, 1.0), METRICS) == "deterministic"
    assert seeding(scores(1.0, 1.0), scores(1.0, 2.0), METRICS) == "varies"


def test_coarse_values_that_are_equal_by_chance_are_not_taken_for_fixed_seeds() -> None:
    own = scores(0.9, 0.9, 0.8, depth=(1.0, 2.0, 3.0))
    assert seeding(own, scores(0.9, 0.9, 0.8, depth=(4.0, 2.0, 3.0)), METRICS) == "varies"
    assert seeding(own, own, METRICS) == "fixed"


@pytest.mark.parametrize(
    ("fresh", "found"),
    [
        (scores(0.5, 0.6, 0.7), False),
        (scores(0.01, 0.6, 0.7), False),  # one value may be chance
        (scores(0.01, 0.02, 0.7), False),  # so may two, if values are coarse
        (scores(0.02, 0.03, 0.01), True),
        (scores(0.01, 0.01, 0.01), True),
    ],
)
def test_values_that_were_there_before_are_no_new_samples(fresh: Scores, found: bool) -> None:
    assert repeats(fresh, [scores(0.01, 0.02, 0.03)], BASELINE, METRICS) is found


def test_a_baseline_without_spread_or_with_coarse_values_asks_for_more() -> None:
    earlier, fresh = scores(0.9, 0.9, 0.8), scores(0.9, 0.9, 0.8)
    assert not repeats(fresh, [earlier], scores(1.0, 1.0, 1.0), METRICS)
    coarse = scores(0.7, 0.7, 0.8)
    assert not repeats(fresh, [earlier], coarse, METRICS), "two different values may be chance"
    three = scores(0.90, 0.91, 0.92)
    assert repeats(scores(0.90, 0.91, 0.92, 0.90, 0.91), [three], coarse, METRICS)
    assert not repeats(scores(0.91, 0.90, 0.92, 0.90, 0.91), [three], coarse, METRICS)
    assert not repeats(scores(0.9, 0.9, 0.8, depth=(1.0, 2.0, 3.0)), [earlier], coarse, METRICS)


@given(DISTINCT, DISTINCT)
def test_no_permutation_of_repeated_values_goes_unseen(values: list[float], base: list[float]) -> None:
    earlier, fresh = scores(*values), scores(*values[::-1])
    assert repeats(fresh, [earlier], scores(*base), METRICS)
    assert seeding(earlier, earlier, METRICS) == "fixed"


@pytest.mark.parametrize(
    ("run", "base", "found"),
    [
        ((0.5,) * 5, (1.0, 1.1, 1.2, 1.3, 1.4), True),
        ((0.5,) * 5, (1.0,) * 5, False),
        ((0.5, 0.6) * 5, tuple(float(n) for n in range(10)), True),
        ((0.5, 0.6, 0.7, 0.5, 0.6), (1.0, 1.1, 1.2, 1.3, 1.4), False),
    ],
)
def test_a_few_values_over_and_over_are_no_samples_where_the_baselines_vary(
    run: tuple[float, ...], base: tuple[float, ...], found: bool
) -> None:
    assert repeats_within(scores(*run), scores(*base), METRICS) is found
