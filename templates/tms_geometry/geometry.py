"""Every metric of the model h = x W, xhat = ReLU(h W^T + b), in numpy. Protected.

Shapes: W [n, d] holds the direction of feature i in row i, b [n], x [samples, n].
"""

from math import comb
from pathlib import Path

import numpy as np
from numpy.random import Generator

from artifacts import Array, load_arrays
from data import N_FEATURES, N_HIDDEN, SPARSITY, k_active_features

REPRESENTED_NORM = 0.5
"""A feature counts as represented when ||W_i|| exceeds this."""

SAMPLES = {2: 400_000, 3: 100_000}
RARE_SAMPLES = 5_000
"""Samples per number of active features; more than three occur in fewer than 1 of 2,000 inputs."""
GRID_POINTS = 2_000
"""Magnitudes per feature when a single one is active."""


def load_weights(path: Path, n_seeds: int | None = None) -> tuple[Array, Array]:
    """Read weights.npz, which README.md describes.

    Returns:
        W [seeds, n, d] and b [seeds, n], zeros when the file has no bias.

    Raises:
        ArtifactError: the file is not as it must be, or has another number of seeds than `n_seeds`.
    """
    required, optional = {"W": (n_seeds, N_FEATURES, N_HIDDEN)}, {"b": (n_seeds, N_FEATURES)}
    arrays = load_arrays(path, required, optional)
    w = arrays["W"]
    return w, arrays.get("b", np.zeros(w.shape[:2], dtype=np.float32))


def hidden(x: Array, w: Array) -> Array:
    """Hidden activations h = x W, shape [samples, d]."""
    return x @ w


def reconstruction(x: Array, w: Array, b: Array) -> Array:
    """xhat = ReLU(x W W^T + b), shape [samples, n]."""
    return np.maximum(hidden(x, w) @ w.T + b, 0)


def mean_squared_error(x: Array, w: Array, b: Array) -> float:
    """Squared error, averaged over samples and over the n features."""
    return float(np.mean((reconstruction(x, w, b) - x) ** 2, dtype=np.float64))


def expected_loss(loss_by_count: list[float], p: float) -> float:
    """Loss on U(0, 1) * Bernoulli(p) features from the losses at exactly k = 0..n active features.

    The law of total expectation: sum_k Binomial(k; n, p) * loss_k. Far less noisy than as many plain draws, of which
    two thirds are all-zero inputs.
    """
    n = len(loss_by_count) - 1
    return sum(comb(n, k) * p**k * (1 - p) ** (n - k) * loss for k, loss in enumerate(loss_by_count))


def dimensionality(w: Array) -> Array:
    """Dimensions per feature, D_i = ||W_i||^2 / sum_j (What_i . W_j)^2 with What_i = W_i / ||W_i||, shape [n].

    Source: Elhage et al. 2022, Toy Models of Superposition. 1 for a feature with a dimension to itself, 1/2 for each
    of an antipodal pair, 0 for a feature that is not represented (W_i = 0).
    """
    squared_norms: Array = np.sum(w**2, axis=1)
    # Both sides multiplied by ||W_i||^2, so that only the quotient has to look out for W_i = 0.
    overlap: Array = np.sum((w @ w.T) ** 2, axis=1)
    quotient: Array = np.divide(squared_norms**2, overlap, out=np.zeros_like(overlap), where=overlap > 0)
    return quotient


def held_out_features(rng: Generator, k: int) -> Array:
    """Held-out samples [samples, n] with exactly `k` active features.

    A single active feature leaves one magnitude to average over, so the midpoints of a fine grid are exact where
    random draws would be the largest source of noise in the loss.
    """
    if k != 1:
        return k_active_features(rng, SAMPLES.get(k, RARE_SAMPLES), k)
    magnitudes = (np.arange(GRID_POINTS, dtype=np.float32) + 0.5) / GRID_POINTS
    return np.kron(magnitudes[:, None], np.eye(N_FEATURES, dtype=np.float32))


def measure(w: Array, b: Array, rng: Generator, p: float = 1 - SPARSITY) -> dict[str, list[float]]:
    """Every metric but the training time, for each seed.

    All seeds are measured on the same held-out samples, so their differences are not sampling noise.

    Args:
        w: weights, [seeds, n, d].
        b: biases, [seeds, n].
        rng: draws the held-out samples.
        p: probability that a feature is active, for `loss`.

    Returns:
        {metric: [value per seed]}
    """
    # One count at a time: holding all nine sample sets at once is slower than the cache allows.
    loss_by_count = []
    for k in range(N_FEATURES + 1):
        x = held_out_features(rng, k)
        loss_by_count.append([mean_squared_error(x, *parameters) for parameters in zip(w, b, strict=True)])
    losses = [expected_loss(list(seed_losses), p) for seed_losses in zip(*loss_by_count, strict=True)]
    represented = np.linalg.norm(w, axis=2) > REPRESENTED_NORM
    return {
        "loss": losses,
        "loss_1_active": loss_by_count[1],
        "loss_2_active": loss_by_count[2],
        "loss_3_active": loss_by_count[3],
        "features_represented": represented.sum(axis=1).astype(float).tolist(),
        "mean_dimensionality": [float(np.mean(dimensionality(seed_w))) for seed_w in w],
    }
