"""Whether the first seeds of a run leave any hope for all of them. Pure; scipy is imported only when it is used.

The chance is a predictive one with a flat prior: given the first k of n seeds, the mean over all n differs from the
mean so far by an error of variance s² (1/k - 1/n). The variance s² is pooled over the run and the baseline, so that
few seeds can say something. To stop a run here costs a chance to find a gain, and never calls anything a gain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, variance

from harness.records import Goal
from harness.results.compare import ALPHA

HOPELESS = 0.1
"""With a smaller chance to become promising or the best run, the other seeds of a run are not launched."""


def first_of(seeds: int) -> int:
    """How many of a run's seeds are launched first."""
    return min(seeds, max(2, math.ceil(seeds / 2)))


def chance(values: Sequence[float], baseline: Sequence[float], goal: Goal, seeds: int, lead: float) -> float:
    """The chance that a run would be promising, or ahead of the best run so far, if all its seeds were measured.

    Args:
        values: of the run's first seeds, at least two.
        baseline: its values on all seeds, at least two.
        seeds: how many the run would have.
        lead: the gain of the best run so far, in the metric's unit; 0 if there is none.
    """
    from scipy import special

    k, m = len(values), len(baseline)
    gain = (fmean(values) - fmean(baseline)) * (1 if goal == "max" else -1)
    df = k + m - 2
    spread = math.sqrt(((k - 1) * variance(values) + (m - 1) * variance(baseline)) / df)
    promising = float(special.stdtrit(seeds + m - 2, 1 - ALPHA / 2)) * spread * math.sqrt(1 / seeds + 1 / m)
    ahead = gain - min(lead, promising)
    error = spread * math.sqrt(1 / k - 1 / seeds)
    return float(special.stdtr(df, ahead / error)) if error else float(ahead > 0)
