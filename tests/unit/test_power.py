"""What can be seen is what the real comparisons see: power, minimum detectable effects and seeds."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from scipy import stats

from harness.errors import UserError
from harness.planning.power import Outlook, outlook, why_nothing_to_plan
from harness.records import Budget, MetricSpec, Scores
from harness.report.power import beforehand, warnings
from harness.results.compare import ALPHA, compare
from harness.results.confirmation import FUTILITY, Design, Measured, compare_on_fresh_seeds, why_stop, words
from harness.results.power import seeds_for, simulate, spread_bounds
from harness.results.seeds import Seeding
from harness.results.sequential import Estimate, chance, hopeless_below
from harness.template.manifest import Manifest

STUDIES = 600
MINIMIZED = {"m": MetricSpec(goal="min", primary=True)}
VALUES = (0.9, 1.0, 1.1)


def confirmed(gain: float, looks: tuple[int, ...], paired: bool) -> tuple[float, float]:
    """Share of confirmations that call a gain better, and their mean seeds, by the functions that judge real ones."""
    rng = random.Random(f"{looks} {paired}")
    design, better, seeds = Design(looks, ALPHA, ("d",), paired), 0, 0
    for _ in range(STUDIES):
        run = tuple(rng.gauss(-gain, 1.0) for _ in range(looks[-1]))
        baseline = tuple(rng.gauss(0.0, 1.0) for _ in range(looks[-1]))
        for n in looks:
            measured = Measured({"d": {"m": run[:n]}}, {"d": {"m": baseline[:n]}})
            found = compare_on_fresh_seeds(design, measured, MINIMIZED, same_machine=True)
            if why_stop(design, found, measured) is not None:
                break
        better += words(found)["d"] == "better"
        seeds += n
    return better / STUDIES, seeds / STUDIES


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("looks", [(5,), (5, 10), (3, 6, 12), (5, 10, 20, 40)])
def test_real_confirmations_show_the_minimum_detectable_effect_four_times_in_five(
    looks: tuple[int, ...], paired: bool
) -> None:
    found = simulate(looks, ALPHA, paired)
    power, seeds = confirmed(found.detectable, looks, paired)
    assert 0.75 < power < 0.85
    assert seeds == pytest.approx(found.expected_seeds(found.detectable), rel=0.08)


@pytest.mark.parametrize("gain", [0.3, 1.0])
def test_the_power_for_an_effect_is_that_of_real_confirmations(gain: float) -> None:
    looks = (5, 10, 20, 40)
    power, seeds = confirmed(gain, looks, paired=True)
    found = simulate(looks, ALPHA, paired=True)
    assert found.power(gain) == pytest.approx(power, abs=0.05)
    assert found.expected_seeds(gain) == pytest.approx(seeds, rel=0.08)


@pytest.mark.parametrize("n", [3, 5, 20])
def test_the_power_of_a_single_look_is_that_of_the_noncentral_t_distribution(n: int) -> None:
    gain = simulate((n,), ALPHA, paired=True).detectable
    exact = stats.nct.sf(stats.t.isf(ALPHA / 2, n - 1), n - 1, gain * math.sqrt(n / 2))
    assert exact == pytest.approx(0.8, abs=0.015)


@pytest.mark.parametrize("gain", [1.0, 0.5, 0.4])
def test_the_seeds_that_are_named_show_the_effect(gain: float) -> None:
    looks = (5, 10)
    needed = seeds_for(gain, looks, ALPHA, paired=True)
    assert needed is not None and needed.most > looks[-1]
    power, seeds = confirmed(gain, (needed.first, needed.most), paired=True)
    assert 0.75 < power < 0.87
    assert seeds == pytest.approx(needed.expected, rel=0.1)


def test_a_design_that_is_large_enough_is_not_enlarged_and_one_that_nobody_would_measure_is_not_named() -> None:
    looks = (5, 10, 20)
    large, usual = seeds_for(5.0, looks, ALPHA, paired=True), seeds_for(2.0, looks, ALPHA, paired=True)
    assert large is not None and (large.first, large.most) == (5, 5)
    assert usual is not None and usual.most == 10 and usual.expected < 10
    assert seeds_for(0.01, looks, ALPHA, paired=True) is None


@pytest.mark.parametrize("n", [5, 10, 20])
def test_the_threshold_of_futility_is_where_the_chance_is_least(n: int) -> None:
    looks = (5, 10, 20, 40)
    t = float(hopeless_below(n, n - 1, looks, ALPHA, FUTILITY))
    assert chance(Estimate(t, 1.0, n - 1, n), 1.0, looks, ALPHA) == pytest.approx(FUTILITY)


def test_the_spread_of_few_seeds_is_hardly_known() -> None:
    """Chi-square quantiles from a table: 7.378 and 0.0506 with two degrees of freedom."""
    assert spread_bounds(3) == pytest.approx((math.sqrt(2 / 7.378), math.sqrt(2 / 0.0506)), rel=1e-3)


def manifest(most: int = 10, **metric: Any) -> Manifest:
    return Manifest.model_validate(
        {
            "template": {"name": "toy", "summary": "A toy", "editable": ["experiment.py"]},
            "run": {"confirm": {"first": 5, "most": most}},
            "metrics": {"loss": {"goal": "min", "primary": True, **metric}},
        }
    )


def planned(effect: float | str | None = None, budget: Budget | None = None, **metric: Any) -> Outlook:
    return outlook(manifest(**metric), {"toy": {"loss": VALUES}}, 30.0, budget, effect)


def test_the_effect_of_screening_is_that_of_the_comparison_of_a_run() -> None:
    as_compared = compare(dataset="d", metric="m", spec=MINIMIZED["m"], baseline=VALUES, values=VALUES).detectable
    (row,) = planned().datasets
    assert row.screening == as_compared


def test_effects_are_in_the_metrics_unit_and_confirmations_that_share_the_rate_show_less() -> None:
    (row,) = planned().datasets
    assert row.confirmation == pytest.approx(0.1 * simulate((5, 10), ALPHA, paired=True).detectable)
    (shared,) = planned(budget=Budget(confirm=2)).datasets
    (fewer,) = planned(budget=Budget(confirm_seeds=5)).datasets
    assert row.confirmation is not None
    assert shared.confirmation is not None and shared.confirmation > row.confirmation
    assert fewer.confirmation is not None and fewer.confirmation > shared.confirmation


def test_a_wanted_effect_costs_all_runs_and_both_sides_of_its_confirmation() -> None:
    """The baseline took 10 s a seed: five runs of three seeds, then the expected seeds twice."""
    found = planned("10 %")
    assert (found.screening_seconds, found.confirmation_seconds) == (150.0, 200.0)
    wanted = found.datasets[0].wanted
    assert wanted is not None and wanted.expected_seeds is not None
    assert wanted.effect == pytest.approx(0.1)
    assert wanted.seconds == pytest.approx(150 + 2 * 10 * wanted.expected_seeds)


def test_without_a_confirmation_only_the_screening_is_planned() -> None:
    found = outlook(manifest(most=0), {"toy": {"loss": VALUES}}, effect=0.1)
    assert (found.looks, found.datasets[0].confirmation, found.confirmation_seconds) == ((), None, None)


def test_what_is_left_to_gain_ends_at_the_best_value() -> None:
    assert planned(best=0.25).datasets[0].left == pytest.approx(0.75)
    assert planned(goal="max", best=1.5).datasets[0].left == pytest.approx(0.5)
    assert planned(best=2.0).datasets[0].left == 0.0
    assert planned().datasets[0].left is None


@pytest.mark.parametrize(
    ("metric", "warned"),
    [
        ({}, ""),
        ({"best": 0.0}, ""),
        ({"best": 0.9}, "a confirmation often misses gains below 0.15, but only 0.1 is left to gain"),
        ({"worth": 0.1}, "a confirmation often misses gains below 0.15, but 0.1 is worth it"),
        ({"best": 0.75}, "a run on 3 seeds often misses gains below 0.36, but only 0.25 is left to gain"),
    ],
)
def test_what_cannot_be_seen_is_warned_of(metric: dict[str, Any], warned: str) -> None:
    found = warnings(planned(**metric))
    assert bool(found) == bool(warned)
    assert all(said.startswith(f"warning: {warned}") for said in found)


def test_several_datasets_are_told_by_the_least_and_the_largest_effect() -> None:
    scores: Scores = {
        name: {"loss": tuple(1 + (v - 1) * k for v in VALUES)} for name, k in (("a", 1), ("b", 3), ("c", 2))
    }
    (line,) = beforehand(manifest(), scores, "varies", 30.0)
    assert "0.36 (36 %) on a to 1.1 (107 %) on b" in line
    flat: Scores = {**scores, "flat": {"loss": (1.0, 1.0, 1.0)}}
    assert beforehand(manifest(), flat, "varies", 30.0) == [line], "a dataset without spread has no such effect"


@pytest.mark.parametrize(
    ("values", "seeding", "why"),
    [
        ((1.0,), "varies", "one seed"),
        ((1.0, 1.0), "deterministic", "every difference is seen"),
        ((1.0, 1.0), "unknown", "every difference is seen"),
        (VALUES, "fixed", "no run can be confirmed"),
        (VALUES, "varies", None),
    ],
)
def test_there_is_nothing_to_plan_without_noise_or_fresh_seeds(
    values: tuple[float, ...], seeding: Seeding, why: str | None
) -> None:
    found = why_nothing_to_plan(manifest(), {"toy": {"loss": values}}, seeding)
    assert found == why or (why and found and why in found)


def test_a_percentage_of_zero_is_refused() -> None:
    with pytest.raises(UserError, match="the baseline is 0 on toy, so give --effect in the unit of loss"):
        outlook(manifest(), {"toy": {"loss": (-1.0, 0.0, 1.0)}}, effect="1%")
