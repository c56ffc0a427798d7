"""The data law, shared by training and evaluation. Protected: an experiment imports it and never changes it."""

from functools import cache
from itertools import combinations

import numpy as np
from numpy.random import Generator

from artifacts import Array

DATASET = "sparse_uniform"
N_FEATURES = 8
N_HIDDEN = 3
SPARSITY = 0.95
"""Probability that a feature is zero; a feature is active with p = 1 - SPARSITY."""


def sparse_features(rng: Generator, shape: tuple[int, ...], p: float = 1 - SPARSITY) -> Array:
    """Features U(0, 1) * Bernoulli(p), independent of each other.

    Args:
        rng: source of all randomness.
        shape: leading shape, for example (steps, batch).
        p: probability that a feature is active.

    Returns:
        Array of shape (*shape, N_FEATURES).
    """
    active = rng.random((*shape, N_FEATURES), dtype=np.float32) < p
    return rng.random((*shape, N_FEATURES), dtype=np.float32) * active


def k_active_features(rng: Generator, n_samples: int, k: int) -> Array:
    """Exactly `k` features active per sample, every subset equally likely, magnitudes U(0, 1).

    Returns:
        Array of shape (n_samples, N_FEATURES).
    """
    if not 0 <= k <= N_FEATURES:
        raise ValueError(f"k must be between 0 and {N_FEATURES}, got {k}")
    subsets = _subsets(k)
    x = subsets.take(rng.integers(len(subsets), size=n_samples), axis=0)
    x *= rng.random((n_samples, N_FEATURES), dtype=np.float32)
    return x


@cache
def _subsets(k: int) -> Array:
    """Every set of `k` features as a row of zeros and ones, [N_FEATURES choose k, N_FEATURES]."""
    members = [[feature in chosen for feature in range(N_FEATURES)] for chosen in combinations(range(N_FEATURES), k)]
    return np.array(members, dtype=np.float32)
