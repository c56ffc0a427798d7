"""A slow sampler of feature trees that is plainly right: one sample at a time, one node at a time, from the root down.

It shares no code with the sampler under test but the nodes themselves, which it only reads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray


def reference_samples(root: Any, n: int, rng: Generator, exclusion: str = "categorical") -> NDArray[np.float32]:
    """Activations [n, features] of the tree below `root`, whose features are numbered from 0."""
    rows = []
    for _ in range(n):
        row: dict[int, float] = {}
        visit(root, bool(rng.random() < root.active_prob), row, rng, exclusion)
        rows.append([row[feature] for feature in range(len(row))])
    return np.array(rows, dtype=np.float32)


def visit(node: Any, active: bool, row: dict[int, float], rng: Generator, exclusion: str) -> None:
    """Write down the activations of a node and of all beneath it, given whether the node is active."""
    if node.feature_index is not None:
        row[node.feature_index] = float(active) * (1.0 if node.is_binary else rng.random())
    if not active:
        chosen = [False] * len(node.children)
    elif not node.mutually_exclusive_children or not node.children:
        chosen = [bool(rng.random() < child.active_prob) for child in node.children]
    elif exclusion == "categorical":
        p = np.array([child.active_prob for child in node.children], dtype=np.float64)
        winner = rng.choice(len(p), p=p / p.sum())
        chosen = [i == winner for i in range(len(p))]
    else:
        firing = [i for i, child in enumerate(node.children) if rng.random() < child.active_prob]
        winner = rng.choice(firing) if firing else -1
        chosen = [i == winner for i in range(len(node.children))]
    for child, is_active in zip(node.children, chosen, strict=True):
        visit(child, is_active, row, rng, exclusion)
