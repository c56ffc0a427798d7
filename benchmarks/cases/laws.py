"""The distributions that both sides sample from, described without any library's classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CHILDREN = 4
P_CHILD = 0.2
"""P(child fires | parent active)."""
MAGNITUDE_MEAN, MAGNITUDE_STD = 1.0, 0.1
"""Magnitude of a feature that fires, before truncation at 0."""
CORRELATED_RANK = 25

DEPTHS = range(1, 7)
N_HIDDEN = range(2, 11)
N_INSTANCES = 5
TREE_BATCH = 1024
TREE_LEARNING_RATE = 1e-3
COMPARED_CELLS = ((2, 2), (3, 4))
COMPARED_SEEDS = [0, 1, 2, 3]
"""Our side trains all instances for each of these, because this is cheap."""

SAE_FEATURES = 20
SAE_P = 0.1
SAE_L1 = 0.1
SAE_LEARNING_RATE = 1e-3
SAE_STEPS_PER_REPETITION = 200
SAE_HELD_OUT = 50_000


def forest(n_roots: int) -> list[dict[str, Any]]:
    """Roots with CHILDREN mutually exclusive children each, numbered depth first, in sae-lens's format for nodes."""
    step = CHILDREN + 1
    return [
        {
            "feature_index": root * step,
            "mutually_exclusive_children": True,
            "children": [{"feature_index": root * step + 1 + child} for child in range(CHILDREN)],
        }
        for root in range(n_roots)
    ]


def forest_probabilities(n_roots: int) -> list[float]:
    """P(fires) of every feature of the forest; with many roots, each is rarer, so that L0 stays small."""
    p_root = 0.15 if n_roots < 100 else 0.05
    return n_roots * [p_root, *CHILDREN * [P_CHILD]]


def correlated_probabilities(n: int) -> list[float]:
    """P(fires) of n features, from .01 to .1."""
    return [float(p) for p in np.linspace(0.01, 0.1, n)]


def correlation_matrix(n: int) -> NDArray[np.float32]:
    """Correlations [n, n] of rank CORRELATED_RANK plus a diagonal: dense, positive definite, both signs."""
    factor = np.random.default_rng(0).normal(size=(n, CORRELATED_RANK))
    covariance = factor @ factor.T + CORRELATED_RANK * np.eye(n)
    scale = np.sqrt(np.diag(covariance))
    correlation: NDArray[np.float32] = (covariance / np.outer(scale, scale)).astype(np.float32)
    return correlation


def tree_cells() -> list[tuple[int, int]]:
    """(depth, n_hidden) of the sweep over binary trees: 42 of them."""
    return [(depth, n_hidden) for depth in DEPTHS for n_hidden in N_HIDDEN if n_hidden <= n_tree_features(depth)]


def n_tree_features(depth: int) -> int:
    """Nodes below the root."""
    return (2 << depth) - 2


def tree_losses(depth: int, w: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Expected loss [instances] of xhat = ReLU(W^T W x + b), W [instances, h, f], with early stopping.

    Every node is the end of one path: reached with probability 1/4 per level, and left with 1/2 where it has children.
    """
    x, probability = [], []
    for node in range(n_tree_features(depth) + 1):
        path, level, ancestor = np.zeros(n_tree_features(depth)), 0, node
        while ancestor:
            path[ancestor - 1], level, ancestor = 1, level + 1, (ancestor - 1) // 2
        x.append(path)
        probability.append(0.25**level * (0.5 if level < depth else 1))
    out = np.maximum(np.array(x) @ w.transpose(0, 2, 1) @ w + b[:, None], 0)
    losses: NDArray[np.float64] = ((np.array(x) - out) ** 2).mean(axis=2) @ probability
    return losses
