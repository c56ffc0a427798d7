"""The three data laws and every way to draw from them, in numpy. Protected: an experiment imports it, never changes it.

A complete binary tree of a given depth, nodes in heap order; the root is always active and no feature. Feature i is
node i + 1, so the features of a tree are the first ones of every deeper tree, and so are the entries of an input.

    early_stopping  from an active node to its left child, to its right child (each with probability 1/4) or no further
    full_depth      from an active node to its left or its right child (each 1/2), down to the leaves
    independent     every feature for itself, with the marginals of early_stopping

Under the first two laws an input is a path from the root, hence one of few; its last node names it.
"""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.integer]

DEPTHS = {"early_stopping": (1, 2, 3, 4, 5, 6), "full_depth": (1, 2, 3, 4, 5, 6), "independent": (2, 3, 4)}
"""Law → the depths that are trained on it."""
GOING_ON = {"early_stopping": 0.5, "full_depth": 1.0}
"""Probability that an active node above the last level has an active child."""
N_HIDDEN = range(2, 11)
DEEPEST_INDEPENDENT = 4
"""Samples of independent features are packed into 32 bits; depth 5 would need 62."""
ENUMERABLE = 14
"""Independent features up to this many are evaluated on all 2^n inputs, more on a held-out sample."""
HELD_OUT_SAMPLES = 2**19


def n_features(depth: int) -> int:
    """Nodes below the root: 2^(depth + 1) - 2."""
    return 2 ** (depth + 1) - 2


def cells(law: str) -> list[tuple[int, int]]:
    """Every (depth, n_hidden) that is trained on a law: n_hidden 2 to 10, and at most one per feature."""
    return [(depth, n_hidden) for depth in DEPTHS[law] for n_hidden in N_HIDDEN if n_hidden <= n_features(depth)]


def level_of(depth: int) -> Integers:
    """Level of every feature, [n_features], from 1 below the root to `depth`."""
    return np.floor(np.log2(np.arange(2, n_features(depth) + 2))).astype(int)


def paths(depth: int) -> Array:
    """The input that each node names: a one for every feature from the root to it, [nodes, n_features]."""
    nodes = np.arange(n_features(depth) + 1)
    member = np.zeros((len(nodes), len(nodes)), dtype=np.float32)
    ancestors = nodes
    for _ in range(depth + 1):
        member[nodes, ancestors] = 1
        ancestors = np.maximum((ancestors - 1) // 2, 0)
    return member[:, 1:]


def path_probabilities(law: str, depth: int) -> Doubles:
    """Probability that a node is the last one of the path, [nodes]."""
    q = GOING_ON[law]
    level = np.concatenate([[0], level_of(depth)])
    return (q / 2) ** level * np.where(level < depth, 1 - q, 1.0)


def inputs(law: str, depth: int, rng: Generator) -> tuple[Array, Doubles]:
    """The distinct inputs [k, n_features] and their probabilities [k], for exact expectations.

    Independent features of depth 4 have 2^30 inputs: there it is the distinct rows of HELD_OUT_SAMPLES draws of `rng`
    and their relative frequencies.
    """
    if law in GOING_ON:
        rows, probabilities = paths(depth), path_probabilities(law, depth)
        return rows[probabilities > 0], probabilities[probabilities > 0]
    n = n_features(depth)
    if n > ENUMERABLE:
        codes, counts = distinct(np.sort(sample_codes(rng, depth, (HELD_OUT_SAMPLES,))))
        return unpack(codes, n), counts / counts.sum()
    rows = unpack(np.arange(2**n), n)
    marginals = 0.25 ** level_of(depth)
    return rows, np.where(rows == 1, marginals, 1 - marginals).prod(axis=1)


def sample_counts(rng: Generator, law: str, depth: int, batch_size: int, shape: tuple[int, ...]) -> Integers:
    """How often each node ends the path in batches of `batch_size` draws: multinomial counts [*shape, nodes]."""
    return rng.multinomial(batch_size, path_probabilities(law, depth), size=shape)


def shallower(depth: int, shallow: int) -> Array:
    """0/1 matrix M [nodes, nodes of the shallow tree]: counts @ M are the counts of the tree cut off there."""
    nodes = np.arange(n_features(depth) + 1)
    last = nodes
    while last.max() > n_features(shallow):
        last = np.where(last > n_features(shallow), (last - 1) // 2, last)
    fold = np.zeros((len(nodes), n_features(shallow) + 1), dtype=np.float32)
    fold[nodes, last] = 1
    return fold


def sample_nodes(rng: Generator, law: str, depth: int, shape: tuple[int, ...]) -> Integers:
    """The last node of random paths, one per sample, walked down level by level."""
    q = GOING_ON[law]
    node = np.zeros(shape, dtype=np.int64)
    going_on = np.ones(shape, dtype=bool)
    for _ in range(depth):
        u = rng.random(shape, dtype=np.float32)
        going_on &= u < q
        node = np.where(going_on, 2 * node + 1 + (u < q / 2), node)
    return node


def sample_codes(rng: Generator, depth: int, shape: tuple[int, ...]) -> Integers:
    """Independent features packed into one integer per sample; `unpack` says how.

    A feature of level l is active if 2l random bits are all one, hence with probability 4^-l. Every feature has a bit
    of its own in the random words, and features of one level and of deeper ones take the same words.

    Raises:
        ValueError: the tree is deeper than DEEPEST_INDEPENDENT.
    """
    if depth > DEEPEST_INDEPENDENT:
        raise ValueError(f"independent features: depth {depth} does not fit into 32 bits, {DEEPEST_INDEPENDENT} does")
    n = n_features(depth)
    level = level_of(depth)
    active = np.full(shape, 2**32 - 1, dtype=np.uint32)
    code = np.zeros(shape, dtype=np.uint32)
    for reached in range(1, depth + 1):
        for _ in range(2):
            active &= rng.integers(2**32, size=shape, dtype=np.uint32)
        code |= active & np.uint32((1 << (n - 1 - np.flatnonzero(level == reached))).sum())
    return code


def unpack(codes: Integers, n: int) -> Array:
    """Features [..., n] of codes [...]: feature i is bit n - 1 - i, so `codes >> k` drops the last k features."""
    shifts = np.arange(n - 1, -1, -1, dtype=codes.dtype)
    return ((codes[..., None] >> shifts) & 1).astype(np.float32)


def distinct(codes: Integers, counts: Integers | None = None) -> tuple[Integers, Integers]:
    """The distinct values of each row of codes [..., n] and how often each occurs. Equal codes must stand together.

    Args:
        codes: packed samples.
        counts: how often each code occurs [..., n]; once if it is not given.

    Returns:
        Values and counts, both [..., k], where k is the largest number of distinct values in a row; rows with fewer
        are filled up with zeros, of which none counts.
    """
    if counts is None:
        counts = np.ones(codes.shape)
    place = np.zeros(codes.shape, dtype=np.int64)
    np.cumsum(codes[..., 1:] != codes[..., :-1], axis=-1, out=place[..., 1:])
    k = int(place.max()) + 1
    place += k * np.arange(place.size // place.shape[-1]).reshape(*place.shape[:-1], 1)
    values = np.zeros((*codes.shape[:-1], k), dtype=codes.dtype)
    values.ravel()[place.ravel()] = codes.ravel()
    return values, np.bincount(place.ravel(), counts.ravel(), minlength=values.size).reshape(values.shape)
