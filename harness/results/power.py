"""What a confirmation will be able to show, before it is made: power, minimum detectable effect and seeds. Pure.

Simulated with a fixed seed for normal values, in units of their standard deviation between seeds. Both sides have the
same spread and are independent. In a paired comparison of correlated seeds the differences spread less, so it shows
smaller effects than it says here; how much less is not known before both sides are measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from harness.results.compare import POWER
from harness.results.confirmation import FUTILITY
from harness.results.sequential import MOST_SEEDS, hopeless_below, levels

DRAWS = 10_000


@dataclass(frozen=True)
class Look:
    """What one look would show of true gains, in each simulated confirmation."""

    seeds: int
    shows: Any
    """The smallest gain that is shown here [draws]."""
    goes_on: Any
    """The smallest gain with which more seeds are measured: neither hopeless nor worse [draws]."""


@dataclass(frozen=True)
class Simulation:
    """Many confirmations of one design. Gains are in standard deviations between seeds."""

    looks: tuple[Look, ...]

    @cached_property
    def _smallest(self) -> Any:
        """The smallest gain that each confirmation shows at any look [draws].

        A larger gain raises every t value, so a confirmation that shows a gain shows every larger one too: a gain is
        shown at a look if it passes there and was not given up before.
        """
        import numpy as np

        found, kept = np.inf, -np.inf
        for look in self.looks:
            found = np.minimum(found, np.maximum(kept, look.shows))
            kept = np.maximum(kept, look.goes_on)
        return np.sort(found)

    @property
    def detectable(self) -> float:
        """The minimum detectable effect with POWER."""
        return float(self._smallest[math.ceil(POWER * DRAWS) - 1])

    def power(self, gain: float) -> float:
        """The probability that a gain is shown."""
        return float((self._smallest <= gain).mean())

    def stops(self, gain: float) -> list[tuple[int, float, float]]:
        """For each look: its seeds, the probability of stopping there, and that of stopping there with a gain shown."""
        import numpy as np

        found, going = [], np.ones(DRAWS, bool)
        for look in self.looks:
            shown = going & (look.shows <= gain)
            going &= ~shown
            over = going & (look.goes_on > gain) if look is not self.looks[-1] else going
            going = going & ~over
            found.append((look.seeds, float((shown | over).mean()), float(shown.mean())))
        return found

    def expected_seeds(self, gain: float) -> float:
        """Seeds per side, on average over all ways to stop."""
        return sum(seeds * share for seeds, share, _ in self.stops(gain))

    def usual_seeds(self, gain: float) -> int | None:
        """Seeds of the look by which the gain is shown with POWER; None if none is."""
        total = 0.0
        for seeds, _, shown in self.stops(gain):
            total += shown
            if total >= POWER:
                return seeds
        return None


@cache
def simulate(looks: tuple[int, ...], level: float, paired: bool) -> Simulation:
    """Confirmations of a design.

    Args:
        looks: seeds per side at each look.
        level: two-sided error rate over all looks.
    """
    import numpy as np
    from scipy import special

    rng = np.random.default_rng(0)
    sides = [_Side(rng, 2.0)] if paired else [_Side(rng, 1.0), _Side(rng, 1.0)]
    found = []
    for n, nominal in zip(looks, levels(looks, level), strict=True):
        parts = [side.after(n) / (n - 1) / n for side in sides]
        error = np.sqrt(sum(parts))
        df = n - 1 if paired else (n - 1) * sum(parts) ** 2 / sum(part**2 for part in parts)
        difference = sides[0].mean - (0.0 if paired else sides[1].mean)
        critical = -special.stdtrit(df, nominal / 2)
        hope = hopeless_below(n, df, looks, level, FUTILITY) if n < looks[-1] else critical
        found.append(Look(n, critical * error - difference, np.maximum(hope, -critical) * error - difference))
    return Simulation(tuple(found))


class _Side:
    """Means and sums of squares of normal values, in DRAWS samples that grow."""

    def __init__(self, rng: Any, variance: float) -> None:
        self.rng, self.variance = rng, variance
        self.n, self.mean, self.squares = 0, 0.0, 0.0

    def after(self, n: int) -> Any:
        """Add values up to `n` per sample; return the sums of squared deviations from the mean [draws].

        Samples are joined as by Chan, Golub and LeVeque (1983, Am. Stat. 37).
        """
        new = n - self.n
        mean = self.rng.normal(0.0, math.sqrt(self.variance / new), DRAWS)
        squares = self.variance * self.rng.chisquare(new - 1, DRAWS) if new > 1 else 0.0
        apart = mean - self.mean
        self.squares = self.squares + squares + apart**2 * self.n * new / n
        self.mean, self.n = self.mean + apart * new / n, n
        return self.squares


@dataclass(frozen=True)
class Seeds:
    """Seeds per side that show a gain with POWER."""

    first: int
    """At the first look."""
    most: int
    expected: float
    """On average, with early stopping."""


def seeds_for(gain: float, looks: tuple[int, ...], level: float, paired: bool) -> Seeds | None:
    """The seeds that show a gain, in standard deviations; None if more than MOST_SEEDS are needed.

    If the design has them, those of its look by which the gain is usually shown. Otherwise about as many as a larger
    design of the same shape needs: that with the looks multiplied by a power of two which shows the gain, and from
    there down with the square of the effect.
    """
    design = simulate(looks, level, paired)
    usual = design.usual_seeds(gain)
    if usual is not None:
        return Seeds(looks[0], usual, design.expected_seeds(gain))
    times = 2
    while times * looks[-1] <= 2 * MOST_SEEDS:
        larger = simulate(tuple(n * times for n in looks), level, paired)
        if larger.detectable <= gain:
            factor = times * (larger.detectable / gain) ** 2
            first, most = math.ceil(looks[0] * factor), max(looks[-1] + 1, math.ceil(looks[-1] * factor))
            expected = larger.expected_seeds(larger.detectable) * factor / times
            return Seeds(first, most, expected) if most <= MOST_SEEDS else None
        times *= 2
    return None


def spread_bounds(n: int) -> tuple[float, float]:
    """How many times as large as the standard deviation of `n` normal values the true one may be (95 % interval)."""
    from scipy import special

    low, high = (float(special.chdtri(n - 1, p)) for p in (0.025, 0.975))
    return math.sqrt((n - 1) / low), math.sqrt((n - 1) / high)
