"""A comparison in looks: seeds are added until it is decided, and the error rate holds over all looks together.

The two-sided error rate is spent in proportion to the seeds measured: after a share t of all seeds, `level * t` of it
may be spent (Lan and DeMets 1983, Biometrika 70; Kim and DeMets 1987, Biometrika 74, power family with rho = 1). The
critical values are those of normal means, found by recursive numerical integration (Armitage, McPherson and Rowe 1969,
J. R. Stat. Soc. A 132), and are applied to t statistics as significance levels (Jennison and Turnbull 2000, Group
Sequential Methods, section 3.8). Intervals are repeated confidence intervals (Jennison and Turnbull 1989, J. R. Stat.
Soc. B 51): they hold at every look, whatever the reason to stop. numpy and scipy are imported only when they are used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

MOST_SEEDS = 10_000
"""More are not said to be needed: nobody would measure them."""
GRID = 801
"""Points of the numerical integration."""


@dataclass(frozen=True)
class Estimate:
    """A difference of means and how well it is known."""

    effect: float
    """Mean of the run minus mean of the baseline, in the metric's unit."""
    error: float
    """Its standard error."""
    df: float
    """Degrees of freedom of the standard error."""
    n: int
    """Seeds on the side that has fewer."""

    @property
    def p(self) -> float:
        """Two-sided p value of no difference."""
        from scipy import special

        if not self.error:
            return float(self.effect == 0)
        return 2 * float(special.stdtr(self.df, -abs(self.effect / self.error)))

    def interval(self, level: float) -> tuple[float, float]:
        """Two-sided interval that misses the true difference with probability `level`."""
        from scipy import special

        half = -float(special.stdtrit(self.df, level / 2)) * self.error
        return self.effect - half, self.effect + half


def estimate(values: Sequence[float], baseline: Sequence[float], paired: bool) -> Estimate:
    """The difference between a run and the baseline.

    Args:
        values, baseline: one value per seed, at least two; in the same order if they are paired.
        paired: whether to test the differences seed by seed (one-sample t) or the two means (Welch 1947).
    """
    if paired:
        differences = [value - other for value, other in zip(values, baseline, strict=True)]
        n, effect, variance = len(differences), *_mean_and_variance(differences)
        return Estimate(effect, math.sqrt(variance / n), n - 1, n)
    sides = [(len(side), *_mean_and_variance(side)) for side in (values, baseline)]
    parts = [variance / n for n, _, variance in sides]
    squares = sum(part**2 / (n - 1) for part, (n, _, _) in zip(parts, sides, strict=True))
    df = sum(parts) ** 2 / squares if squares else sum(n - 1 for n, _, _ in sides)
    return Estimate(sides[0][1] - sides[1][1], math.sqrt(sum(parts)), df, min(n for n, _, _ in sides))


def with_spread_of(found: Estimate, sides: Sequence[Sequence[float]]) -> Estimate:
    """The same difference, with the standard error that follows from the spread of other values.

    Args:
        sides: values of the run and of the baseline, at least two each.
    """
    variance = sum(_mean_and_variance(side)[1] for side in sides)
    return replace(found, error=math.sqrt(variance / found.n), df=min(map(len, sides)) - 1)


def _mean_and_variance(values: Sequence[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    return mean, math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


@cache
def levels(looks: tuple[int, ...], level: float) -> tuple[float, ...]:
    """The two-sided significance level at each look, so that all looks together have the error rate `level`.

    Args:
        looks: seeds per side at each look, increasing.
    """
    import numpy as np
    from scipy import special

    times = np.array(looks) / looks[-1]
    spend = np.diff(np.concatenate([[0.0], level * times]))
    critical = -float(special.ndtri(spend[0] / 2))
    found, at = [critical], _grid(critical, times[0])
    density = _normal_density(at, math.sqrt(times[0]))
    for k in range(1, len(looks)):
        step = math.sqrt(times[k] - times[k - 1])
        mass = density * _weights(at)
        critical = _critical(at, mass, step, math.sqrt(times[k]), float(spend[k]))
        found.append(critical)
        new = _grid(critical, times[k])
        density = _normal_density(new[:, None] - at[None, :], step) @ mass
        at = new
    return tuple(float(2 * special.ndtr(-c)) for c in found)


def _critical(at: Any, mass: Any, step: float, scale: float, spend: float) -> float:
    """The z value that paths which have not stopped yet cross at this look with probability `spend`."""
    from scipy import optimize, special

    def excess(z: float) -> float:
        beyond = special.ndtr((at - z * scale) / step) + special.ndtr((-z * scale - at) / step)
        return float(mass @ beyond) - spend

    return float(optimize.brentq(excess, 0.0, 12.0))


def _normal_density(x: Any, scale: float) -> Any:
    import numpy as np

    return np.exp(-0.5 * (x / scale) ** 2) / (scale * math.sqrt(2 * math.pi))


def _grid(critical: float, time: float) -> Any:
    import numpy as np

    edge = critical * math.sqrt(time)
    return np.linspace(-edge, edge, GRID)


def _weights(at: Any) -> Any:
    """Of Simpson's rule."""
    import numpy as np

    weights = np.where(np.arange(GRID) % 2, 4.0, 2.0)
    weights[[0, -1]] = 1.0
    return weights * (at[1] - at[0]) / 3


def chance(found: Estimate, gain: float, looks: tuple[int, ...], level: float, margin: float = 0.0) -> float:
    """The probability that the last look shows a gain, given what is known now (predictive power, flat prior).

    Args:
        gain: 1 if a larger value is better, otherwise -1.
        looks, level: the design.
        margin: how much worse it may be; what is to be shown is that it is not worse than that.
    """
    from scipy import special

    better = gain * found.effect + margin
    if not found.error:
        return float(better > 0)
    left = looks[-1] - found.n
    if left <= 0:
        return 0.0
    t = min(max(better / found.error, -30.0), 30.0)
    z = -float(special.ndtri(special.stdtr(found.df, -t)))
    needed = -float(special.ndtri(levels(looks, level)[-1] / 2))
    return float(special.ndtr((z * math.sqrt(looks[-1]) - needed * math.sqrt(found.n)) / math.sqrt(left)))


def hopeless_below(n: int, df: Any, looks: tuple[int, ...], level: float, least: float) -> Any:
    """The t value of a gain below which `chance` is less than `least`: its inverse.

    Args:
        n, df: seeds so far and degrees of freedom; an array of the latter gives an array.
        looks, level: the design.
    """
    from scipy import special

    needed = -float(special.ndtri(levels(looks, level)[-1] / 2))
    z = needed * math.sqrt(n) + float(special.ndtri(least)) * math.sqrt(looks[-1] - n)
    return special.stdtrit(df, special.ndtr(z / math.sqrt(looks[-1])))


def seeds_needed(found: Estimate, level: float) -> int | None:
    """About how many seeds per side would tell the difference from zero, if it and its spread are as they look now."""
    from scipy import special

    ratio = abs(found.effect) / found.error if found.error else 0.0
    needed = -float(special.ndtri(level / 2))
    if ratio * math.sqrt(MOST_SEEDS / max(1, found.n)) < needed:
        return None
    return math.ceil(found.n * (needed / ratio) ** 2)
