"""Streams of minibatches, one per training step, for all depths at once. Protected.

Every stream yields {depth: (x, weight)}. The loss of a minibatch is the weighted sum of its rows' losses:

    counted    x [k, n_features], the distinct inputs, the same at every step; weight [groups, k], their frequencies in
               the batch. Loss and gradient have exactly the law of a batch of samples, for far fewer rows
    sampled    x [groups, batch, n_features], one row per sample, whatever the law; weight [groups, batch], all equal
    merged     x [groups, k, n_features], the sampled batches with equal rows made one; weight [groups, k]

A group is one instance of one seed; all its models, of every depth and n_hidden, see the same batches, cut off at their
depth. A seed draws from its own generator, so its batches do not depend on the other seeds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from data import (
    DEPTHS,
    GOING_ON,
    Integers,
    distinct,
    n_features,
    path_probabilities,
    paths,
    sample_codes,
    sample_counts,
    sample_nodes,
    shallower,
    unpack,
)

CHUNK_STEPS = 100
"""Steps drawn in one call: far cheaper than one call per step."""

Minibatch = dict[int, tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Plan:
    """What a stream draws."""

    law: str
    depths: tuple[int, ...]
    seeds: tuple[int, ...]
    n_instances: int
    batch_size: int
    n_steps: int
    device: torch.device

    def generators(self) -> list[np.random.Generator]:
        return [np.random.default_rng([seed, list(DEPTHS).index(self.law)]) for seed in self.seeds]

    def chunks(self) -> Iterator[int]:
        """Number of steps in each chunk."""
        for start in range(0, self.n_steps, CHUNK_STEPS):
            yield min(CHUNK_STEPS, self.n_steps - start)


def by_group(per_seed: list[Integers]) -> Integers:
    """Draws [steps, instances, ...] of each seed as [steps, groups, ...]."""
    return np.concatenate(per_seed, axis=1)


def counted(plan: Plan) -> Iterator[Minibatch]:
    """Multinomial counts over the distinct inputs, for laws whose inputs are paths."""
    deepest = max(plan.depths)
    generators = plan.generators()
    possible = {d: path_probabilities(plan.law, d) > 0 for d in plan.depths}
    x = {d: torch.from_numpy(paths(d)[possible[d]]).to(plan.device) for d in plan.depths}
    fold = {d: torch.from_numpy(shallower(deepest, d)[:, possible[d]]).to(plan.device) for d in plan.depths}
    for n in plan.chunks():
        shape = (n, plan.n_instances)
        counts = by_group([sample_counts(rng, plan.law, deepest, plan.batch_size, shape) for rng in generators])
        frequencies = torch.from_numpy(np.float32(counts / plan.batch_size)).to(plan.device)
        weight = {d: frequencies @ fold[d] for d in plan.depths}
        for step in range(n):
            yield {d: (x[d], weight[d][step]) for d in plan.depths}


def sampled(plan: Plan) -> Iterator[Minibatch]:
    """Plain batches of samples."""
    deepest = max(plan.depths)
    weight = torch.full((len(plan.seeds) * plan.n_instances, plan.batch_size), 1 / plan.batch_size, device=plan.device)
    generators = plan.generators()
    rows = torch.from_numpy(paths(deepest)).to(plan.device)
    for n in plan.chunks():
        shape = (n, plan.n_instances, plan.batch_size)
        if plan.law in GOING_ON:
            nodes = by_group([sample_nodes(rng, plan.law, deepest, shape) for rng in generators])
            chunk = (rows[step] for step in torch.from_numpy(nodes).to(plan.device))
        else:
            codes = by_group([sample_codes(rng, deepest, shape) for rng in generators])
            chunk = (torch.from_numpy(unpack(step, n_features(deepest))).to(plan.device) for step in codes)
        for x in chunk:
            yield {d: (x[..., : n_features(d)], weight) for d in plan.depths}


def merged(plan: Plan) -> Iterator[Minibatch]:
    """Batches of independent features, equal rows made one: of 1,024 samples about 100 differ."""
    deepest = max(plan.depths)
    generators = plan.generators()
    for n in plan.chunks():
        shape = (n, plan.n_instances, plan.batch_size)
        codes = np.sort(by_group([sample_codes(rng, deepest, shape) for rng in generators]), axis=-1)
        values, counts = distinct(codes)
        chunk = {}
        for d in plan.depths:
            dropped = n_features(deepest) - n_features(d)
            rows, weights = distinct(values >> np.uint32(dropped), counts)
            x = torch.from_numpy(unpack(rows, n_features(d))).to(plan.device)
            chunk[d] = x, torch.from_numpy(np.float32(weights / plan.batch_size)).to(plan.device)
        for step in range(n):
            yield {d: (x[step], weight[step]) for d, (x, weight) in chunk.items()}


STREAMS: dict[str, Callable[[Plan], Iterator[Minibatch]]] = {"counted": counted, "sampled": sampled, "merged": merged}
CHEAPEST = {law: "counted" if law in GOING_ON else "merged" for law in DEPTHS}
"""Law → the name of its cheapest stream."""
