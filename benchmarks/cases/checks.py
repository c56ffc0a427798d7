"""Compares two sides' distributions: `python checks.py OURS.npz THEIRS.npz` prints {"same": bool, "found": text}.

activations  [samples, n]  every marginal and co-firing rate within LARGEST_SCORE standard errors of the other side;
                           Kolmogorov–Smirnov on one random projection of the rows
losses …     [samples]     Kolmogorov–Smirnov, Bonferroni-corrected if there are several such arrays
fvu          [runs]        ours is at most 10 % worse than theirs
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

Arrays = Mapping[str, NDArray[Any]]

SMALLEST_P = 0.01
LARGEST_SCORE = 6.0
"""Among a million pairs of features, the largest standard normal score is about 5."""


def compare(ours: Arrays, theirs: Arrays) -> tuple[bool, str]:
    """Whether the distributions may be the same, and the numbers."""
    if "fvu" in ours:
        mine, other = np.median(ours["fvu"]), np.median(theirs["fvu"])
        return mine <= 1.1 * other, f"FVU {mine:.4f} | {other:.4f}"
    if "activations" in ours:
        return same_activations(ours["activations"], theirs["activations"])
    p = {key: ks_2samp(ours[key], theirs[key]).pvalue for key in ours}
    found = ", ".join(f"{value:.2g} ({key})" for key, value in p.items())
    return min(p.values()) > SMALLEST_P / len(p), f"KS p {found}"


def same_activations(ours: NDArray[Any], theirs: NDArray[Any]) -> tuple[bool, str]:
    direction = np.random.default_rng(0).normal(size=ours.shape[1])
    p = ks_2samp(ours @ direction, theirs @ direction).pvalue
    sizes = len(ours), len(theirs)
    joint, other = cofiring(ours), cofiring(theirs)
    worst = largest_score(joint, other, sizes)
    marginals = np.abs(joint - other).diagonal().max()
    pairs = np.abs(np.triu(joint - other, 1)).max()
    return (
        p > SMALLEST_P and worst < LARGEST_SCORE,
        f"KS p {p:.2g}, marginals ±{marginals:.4f}, co-firing ±{pairs:.4f} ({worst:.1f} s.e.)",
    )


def cofiring(activations: NDArray[Any]) -> NDArray[np.float64]:
    """P(i and j active) [n, n]; the diagonal is P(i active)."""
    fires = (activations != 0).astype(np.float32)
    joint: NDArray[np.float64] = (fires.T @ fires).astype(np.float64) / len(fires)
    return joint


def largest_score(p: NDArray[np.float64], q: NDArray[np.float64], sizes: tuple[int, int]) -> float:
    """Largest difference of two tables of frequencies in standard errors; one count is added where all are zero."""
    pooled = (p * sizes[0] + q * sizes[1]) / sum(sizes)
    variance = pooled * (1 - pooled) + 1 / sum(sizes)
    return float((np.abs(p - q) / np.sqrt(variance * (1 / sizes[0] + 1 / sizes[1]))).max())


if __name__ == "__main__":
    with np.load(sys.argv[1]) as ours, np.load(sys.argv[2]) as theirs:
        same, found = compare(ours, theirs)
    print(json.dumps({"same": bool(same), "found": found}))
