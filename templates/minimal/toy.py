"""The data, the model and what is measured of it. Protected."""

import numpy as np

from artifacts import Array

DATASET = "sparse_uniform"
N_FEATURES, N_HIDDEN = 5, 2
DENSITY = 0.1
"""Chance of a feature to be active."""
N_HELD_OUT, HELD_OUT_SEED = 20_000, 1_000_003
LONG_ENOUGH = 0.5
"""A feature whose W_i is shorter is not represented."""


def sparse_features(rng: np.random.Generator, n_samples: int) -> Array:
    """Samples x [n_samples, n] of independent features, x_i = U(0, 1) · Bernoulli(DENSITY)."""
    size = rng.random((n_samples, N_FEATURES), np.float32)
    return size * (rng.random((n_samples, N_FEATURES), np.float32) < DENSITY)


def reconstruct(x: Array, w: Array, b: Array) -> Array:
    """xhat = ReLU(x W W^T + b) [samples, n], for W [n, d] and b [n]."""
    return np.maximum(x @ w @ w.T + b, 0)


def measure(w: Array, b: Array) -> dict[str, list[float]]:
    """Metric → value per seed, of W [seeds, n, d] and b [seeds, n], on samples that no training sees."""
    x = sparse_features(np.random.default_rng(HELD_OUT_SEED), N_HELD_OUT)
    return {
        "loss": [float(np.square(reconstruct(x, *model) - x).mean()) for model in zip(w, b, strict=True)],
        "features_represented": (np.linalg.norm(w, axis=2) > LONG_ENOUGH).sum(axis=1).astype(float).tolist(),
    }
