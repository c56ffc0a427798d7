"""The data law, shared by training and evaluation. Protected: an experiment imports it and never changes it."""

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

    Each sample ranks one random key per feature; the `k` smallest keys are the active features.

    Returns:
        Array of shape (n_samples, N_FEATURES).
    """
    if not 0 <= k <= N_FEATURES:
        raise ValueError(f"k must be between 0 and {N_FEATURES}, got {k}")
    magnitudes = rng.random((n_samples, N_FEATURES), dtype=np.float32)
    if k == 0:
        return np.zeros_like(magnitudes)
    # Double precision: float32 keys tie once in some 10^6 samples, and a tie would activate k + 1 features.
    keys = rng.random((n_samples, N_FEATURES))
    kth_smallest = np.partition(keys, k - 1, axis=1)[:, k - 1, None]
    return magnitudes * (keys <= kth_smallest)
