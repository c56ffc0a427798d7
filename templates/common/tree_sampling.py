"""How a hierarchy is sampled, and imposed on given activations, without a loop over samples or nodes. Protected.

In the tables here a row is a node and a column a sample: what a node takes over from another one is a copy of a row.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from feature_tree import Place

CHUNK = {"cpu": 2**18, "cuda": 2**26}
"""Table entries made at a time: what stays in a processor's cache, and what keeps a GPU busy."""


def samples_at_a_time(n_rows: int, device: torch.device) -> int:
    return max(1, CHUNK.get(device.type, CHUNK["cuda"]) // n_rows)


class Cut(NamedTuple):
    """A node is active where low <= u < high, u being its uniform number, and its gate, if any, is active too."""

    uniform: int
    low: float
    high: float
    gate: int | None
    """Number of the node that must be active as well."""
    probability: float
    """P(active)."""


class IntervalSampler:
    """Draws which nodes are active.

    Args:
        cuts: of all nodes.
        wanted: numbers of the nodes to draw.
        device: where they are drawn.
    """

    def __init__(self, cuts: Sequence[Cut], wanted: Sequence[int], device: torch.device) -> None:
        gates_above: dict[int, int] = {}
        for node in wanted:
            _count_gates(node, cuts, gates_above)
        nodes = sorted(gates_above, key=lambda node: (gates_above[node], node))
        row_of = {node: row for row, node in enumerate(nodes)}
        used, uniform = np.unique([cuts[node].uniform for node in nodes], return_inverse=True)
        self._device = device
        self._n_uniforms = len(used)
        self._uniform = _Rows(uniform.tolist(), len(used), device)
        self._low = torch.tensor([cuts[node].low for node in nodes], device=device)[:, None]
        self._high = torch.tensor([cuts[node].high for node in nodes], device=device)[:, None]
        self._gated = []
        for n_gates in range(1, max(gates_above.values()) + 1):
            members = [node for node in nodes if gates_above[node] == n_gates]
            gates = [row_of[gate] for node in members if (gate := cuts[node].gate) is not None]
            rows = slice(row_of[members[0]], row_of[members[-1]] + 1)
            self._gated.append((rows, torch.tensor(gates, device=device)))
        self._wanted = _Rows([row_of[node] for node in wanted], len(nodes), device)
        self._n_wanted = len(wanted)
        self._at_a_time = samples_at_a_time(len(nodes), device)

    def sample(self, n: int, generator: Generator) -> Tensor:
        """Float [n, nodes wanted] of zeros and ones."""
        activations = torch.empty(n, self._n_wanted, device=self._device)
        for chunk in activations.split(self._at_a_time):
            chunk.copy_(self._active(len(chunk), generator).T)
        return activations

    def _active(self, n: int, generator: Generator) -> Tensor:
        u = self._uniform.of(torch.rand(self._n_uniforms, n, generator=generator, device=self._device))
        active = (u >= self._low).logical_and_(u < self._high)
        for rows, gates in self._gated:
            active[rows].logical_and_(active.index_select(0, gates))
        return self._wanted.of(active)


def _count_gates(node: int, cuts: Sequence[Cut], gates_above: dict[int, int]) -> int:
    """Note for a node, and for the gates it needs, how many gates are above."""
    gate = cuts[node].gate
    gates_above[node] = 0 if gate is None else _count_gates(gate, cuts, gates_above) + 1
    return gates_above[node]


class _Rows:
    """Picks rows of a table; nothing is copied when they are all its rows in order."""

    def __init__(self, rows: list[int], n_rows: int, device: torch.device) -> None:
        self._rows = None if rows == list(range(n_rows)) else torch.tensor(rows, device=device)

    def of(self, table: Tensor) -> Tensor:
        return table if self._rows is None else table.index_select(0, self._rows)


class _Tier(NamedTuple):
    """The nodes at one depth."""

    rows: slice
    parents: Tensor
    """Row of each node's parent; none for roots."""
    rivals: Tensor
    """Rows of the nodes that have rivals."""
    group: Tensor
    """Number of each rival's group."""
    n_groups: int


class KeepOne:
    """Imposes the keep_one law on given activations.

    Args:
        places: of all nodes.
        feature_nodes: number of the node that holds each feature.
        device: that of the activations.
    """

    def __init__(self, places: Sequence[Place], feature_nodes: Sequence[int], device: torch.device) -> None:
        def tensor(values: list[int]) -> Tensor:
            return torch.tensor(values, dtype=torch.long, device=device)

        nodes = sorted(range(len(places)), key=lambda node: places[node].depth)
        row_of = {node: row for row, node in enumerate(nodes)}
        unread = [node for node in nodes if places[node].node.feature_index is None]
        self._n_rows = len(nodes)
        self._features = tensor([row_of[node] for node in feature_nodes])
        self._unread = tensor([row_of[node] for node in unread])
        self._unread_prob = torch.tensor([float(places[i].node.active_prob) for i in unread], device=device)[:, None]
        self._tiers = []
        for depth in range(places[nodes[-1]].depth + 1):
            members = [node for node in nodes if places[node].depth == depth]
            rivals = [node for node in members if places[node].has_rivals]
            families, group = np.unique([places[node].parent for node in rivals], return_inverse=True)
            tier = _Tier(
                rows=slice(row_of[members[0]], row_of[members[-1]] + 1),
                parents=tensor([row_of[parent] for i in members if (parent := places[i].parent) is not None]),
                rivals=tensor([row_of[node] for node in rivals]),
                group=tensor(group.tolist()),
                n_groups=len(families),
            )
            self._tiers.append(tier)

    def impose(self, activations: Tensor, generator: Generator) -> Tensor:
        """The activations [n, n_features], zero where the law silences them."""
        kept = torch.empty_like(activations)
        at_a_time = samples_at_a_time(self._n_rows, activations.device)
        for given, chunk in zip(activations.split(at_a_time), kept.split(at_a_time), strict=True):
            torch.mul(given, self._survivors(given > 0, generator), out=chunk)
        return kept

    def _survivors(self, fires: Tensor, generator: Generator) -> Tensor:
        """Which of the features that fire, bool [n, n_features], are left; same shape."""
        n, device = len(fires), fires.device
        active = torch.empty(self._n_rows, n, dtype=torch.bool, device=device)
        active.index_copy_(0, self._features, fires.T)
        draws = torch.rand(len(self._unread), n, generator=generator, device=device)
        active.index_copy_(0, self._unread, draws < self._unread_prob)
        for tier in self._tiers:
            if len(tier.parents):
                active[tier.rows].logical_and_(active.index_select(0, tier.parents))
            if tier.n_groups:
                _keep_one_of_each(active, tier, generator)
        return active.index_select(0, self._features).T


def _keep_one_of_each(active: Tensor, tier: _Tier, generator: Generator) -> None:
    """Where several of a group are active, leave the one that draws the largest random key."""
    n, device = active.shape[1], active.device
    rivals = active.index_select(0, tier.rivals)
    count = torch.zeros(tier.n_groups, n, dtype=torch.int16, device=device)
    count.index_add_(0, tier.group, rivals.to(torch.int16))
    rivals &= (count > 1).index_select(0, tier.group)
    rival, sample = rivals.nonzero(as_tuple=True)
    contest = tier.group[rival] * n + sample
    # Double precision: float32 keys tie once in some 10^7 contests, and a tie would leave two.
    keys = torch.rand(len(rival), generator=generator, device=device, dtype=torch.float64)
    best = torch.zeros(tier.n_groups * n, dtype=torch.float64, device=device)
    best.scatter_reduce_(0, contest, keys, "amax")
    lost = keys < best[contest]
    active[tier.rivals[rival[lost]], sample[lost]] = False
