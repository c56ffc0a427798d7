"""A true effect exactly at the edge of a margin is rarely called less than that, whatever look ends the confirmation.

`pytest -n 0 -s tests/unit/test_margins.py` prints the rates that `docs/verdicts.md` gives.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from harness.records import MetricSpec
from harness.results.confirmation import Design, Measured, compare_on_fresh_seeds, words
from harness.results.sequential import levels

LOOKS = [(5, 10), (5, 10, 20), (5, 10, 20, 40)]
STUDIES = 40_000
EDGE = 1.0
"""The margin, in standard deviations between seeds."""


def draw(rng: np.random.Generator, noise: str, shape: tuple[int, int]) -> Any:
    """Noise with a standard deviation of one; "heavy" is Student's t with three degrees of freedom."""
    return rng.normal(size=shape) if noise == "normal" else rng.standard_t(3, size=shape) / math.sqrt(3)


def sides(seed: int, noise: str, correlation: float, studies: int, n: int) -> tuple[Any, Any]:
    """Values of a run whose true effect is EDGE, and of the baseline."""
    rng = np.random.default_rng(seed)
    shared = math.sqrt(correlation) * draw(rng, noise, (studies, n)) if correlation else 0.0
    own = [math.sqrt(1 - correlation) * draw(rng, noise, (studies, n)) for _ in range(2)]
    return shared + own[0] + EDGE, shared + own[1]


def intervals(run: Any, baseline: Any, looks: tuple[int, ...], paired: bool) -> list[tuple[Any, Any]]:
    """Lower and upper ends at each look, of all studies."""
    found = []
    for n, nominal in zip(looks, levels(looks, 0.05), strict=True):
        effect = run[:, :n].mean(axis=1) - baseline[:, :n].mean(axis=1)
        if paired:
            error, df = (run - baseline)[:, :n].std(axis=1, ddof=1) / math.sqrt(n), n - 1
        else:
            parts = [side[:, :n].var(axis=1, ddof=1) / n for side in (run, baseline)]
            error = np.sqrt(parts[0] + parts[1])
            df = (n - 1) * (parts[0] + parts[1]) ** 2 / (parts[0] ** 2 + parts[1] ** 2)
        half = stats.t.isf(nominal / 2, df) * error
        found.append((effect - half, effect + half))
    return found


@pytest.mark.parametrize("looks", LOOKS)
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("noise", ["normal", "heavy"])
@pytest.mark.parametrize("paired", [True, False])
def test_an_effect_at_the_edge_of_a_margin_is_rarely_called_less(
    looks: tuple[int, ...], correlation: float, noise: str, paired: bool
) -> None:
    """A loss whose true effect is the guard's margin, or the same effect on a primary metric with that `worth`."""
    run, baseline = sides(looks[-1], noise, correlation, STUDIES, looks[-1])
    held, within = np.zeros(STUDIES, bool), np.zeros(STUDIES, bool)
    for low, high in intervals(run, baseline, looks, paired):
        held |= high <= EDGE
        within |= (high < EDGE) & (low > -EDGE)
    print(
        f"\n{noise} noise, r = {correlation:g}, {'paired' if paired else 'not paired'}, up to {looks[-1]} seeds: "
        f"guard held {held.mean():.2%}, no difference worth it {within.mean():.2%}",
        end="",
    )
    assert held.mean() <= 0.030
    assert within.mean() <= 0.055


@pytest.mark.parametrize("paired", [True, False])
def test_the_simulated_rule_is_the_one_that_studies_are_judged_by(paired: bool) -> None:
    looks = LOOKS[-1]
    run, baseline = sides(1, "normal", 0.5, 60, looks[-1])
    primary = {"m": MetricSpec(goal="min", primary=True, worth=EDGE)}
    guarded = {"m": MetricSpec(goal="min", primary=True), "g": MetricSpec(goal="min", guard=EDGE)}
    for n, (low, high) in zip(looks, intervals(run, baseline, looks, paired), strict=True):
        for i in range(len(run)):
            values, others = tuple(map(float, run[i, :n])), tuple(map(float, baseline[i, :n]))
            of_primary = compare_on_fresh_seeds(
                Design(looks, 0.05, ("d",), paired), Measured({"d": {"m": values}}, {"d": {"m": others}}), primary, True
            )
            within = bool(high[i] < EDGE and low[i] > -EDGE and low[i] < 0 < high[i])
            assert (words(of_primary)["d"] == "no difference worth it") is within
            gain = tuple(v - 100 - 0.001 * k for k, v in enumerate(others))
            both = Measured({"d": {"m": gain, "g": values}}, {"d": {"m": others, "g": others}})
            word = words(compare_on_fresh_seeds(Design(looks, 0.05, ("d",), paired), both, guarded, True))["d"]
            assert word == ("better" if high[i] <= EDGE else "guard not held")
