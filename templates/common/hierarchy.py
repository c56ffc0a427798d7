"""Hierarchies of features: a feature fires only where its parent does, and siblings may exclude each other. Protected.

Two laws of mutual exclusion among the children of an active node:

    categorical  exactly one child is active, child i with its `active_prob`, so these sum to 1; a child that is not
                 read out stands for "none of the others"
                 (Nabeshima's toy model, https://github.com/noanabeshima/matryoshka-saes)
    keep_one     every child fires with its own `active_prob`; of those that fire one is kept, all equally likely
                 (sae_lens.synthetic, https://github.com/jbloomAus/SAELens)

In both laws organisational nodes, which are not read out, exclude and are excluded like the others.

How sampling works. Under either law at most one of the siblings is active, so a group is one uniform number u cut into
an interval per child; for keep_one the intervals have the lengths that its law gives. Where u is in the interval of a
node, its place within it is uniform again, and the node's own children cut the interval further. So a tree needs one
random number per branch and a comparison per node; only where a branch begins, a node also looks at its parent.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from feature_tree import HierarchyNode, Place, TreeError, places_of
from tree_sampling import Cut, IntervalSampler, KeepOne

Exclusion = Literal["categorical", "keep_one"]
Probabilities = NDArray[np.float64]

SUM_TOLERANCE = 1e-6
"""By how much exclusive probabilities may miss 1, as 0.4 and 0.6 do once they have been float32."""
NARROWEST = 2**-8
"""Children do not cut an interval narrower than this: a float32 uniform has steps of 2^-24."""


def keep_one_probabilities(p: Probabilities) -> Probabilities:
    """P(sibling i is the one kept) = p_i E[1 / (1 + number of others that fire)], exact to rounding.

    E[1 / (1 + K)] is the integral of E[t^K] over t from 0 to 1, and E[t^K] = Π_{j≠i} (1 - p_j + p_j t) is a polynomial
    of degree k - 1, which Gauss–Legendre quadrature with ⌈k/2⌉ points integrates exactly.

    Args:
        p: firing probabilities [k] of the siblings.
    """
    t, weight = np.polynomial.legendre.leggauss((len(p) + 1) // 2)
    factors = 1 - p[:, None] * (1 - t) / 2
    kept: Probabilities = p * ((factors.prod(axis=0) / factors) @ weight) / 2
    return kept


class Level(NamedTuple):
    """The features at one depth of a tree."""

    depth: int
    features: list[int]
    names: list[str]


CERTAIN = Cut(uniform=0, low=0.0, high=1.0, gate=None, probability=1.0)


class Hierarchy:
    """The law of a forest of features: its exact probabilities, and samples of it.

    Args:
        roots: the trees; `read_tree` reads one from JSON.
        exclusion: law of mutually exclusive children.
        firing_probabilities: [n] in place of the `active_prob` of features; a feature that is in no tree becomes a tree
            of its own. Without them the features in the trees must be 0 … n-1.
        device: where samples are drawn.

    Raises:
        TreeError: the trees are no forest of features, or their probabilities are impossible.
    """

    def __init__(
        self,
        roots: Sequence[HierarchyNode],
        exclusion: Exclusion = "categorical",
        firing_probabilities: Sequence[float] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        if exclusion not in ("categorical", "keep_one"):
            raise ValueError(f"exclusion must be 'categorical' or 'keep_one', got {exclusion!r}")
        self.exclusion = exclusion
        self.device = torch.device(device)
        self._places = places_of(roots)
        if firing_probabilities is not None:
            self._fire_with(torch.as_tensor(firing_probabilities, dtype=torch.float64).tolist())
        self._node_of = self._feature_nodes()
        self.n_features = len(self._node_of)
        self._graded = [f for f, i in enumerate(self._node_of) if not self._places[i].node.is_binary]
        self._cuts = self._cut()
        self._sampler = IntervalSampler(self._cuts, self._node_of, self.device)
        self._keep_one = KeepOne(self._places, self._node_of, self.device)

    def _fire_with(self, p: list[float]) -> None:
        if not all(0 <= probability <= 1 for probability in p):
            raise ValueError("firing probabilities must lie between 0 and 1")
        places = []
        for place in self._places:
            feature = place.node.feature_index
            if feature is not None and not 0 <= feature < len(p):
                raise TreeError(f"{place.path}: no firing probability is given for feature {feature}")
            node = place.node if feature is None else replace(place.node, active_prob=p[feature])
            places.append(replace(place, node=node))
        alone = set(range(len(p))) - {place.node.feature_index for place in places}
        loners = [HierarchyNode(feature, active_prob=p[feature]) for feature in sorted(alone)]
        self._places = places + [Place(node, f"feature {node.feature_index}", None, 0, False) for node in loners]

    def _feature_nodes(self) -> list[int]:
        """Number of the node that holds each feature."""
        node_of = {p.node.feature_index: i for i, p in enumerate(self._places) if p.node.feature_index is not None}
        if not node_of:
            raise TreeError("the tree has no node that is read out")
        for feature, i in node_of.items():
            if not 0 <= feature < len(node_of):
                last = len(node_of) - 1
                raise TreeError(f"{self._places[i].path}: the features must be numbered 0 to {last}, found {feature}")
        return [node_of[feature] for feature in range(len(node_of))]

    def _edges(self, p: Probabilities, path: str) -> Probabilities:
        """Where [0, 1] is cut for mutually exclusive children [k] of the node at `path`; shape [k + 1]."""
        if self.exclusion == "keep_one":
            return np.append(0.0, np.cumsum(keep_one_probabilities(p)))
        if abs(p.sum() - 1) > SUM_TOLERANCE:
            raise TreeError(
                f"{path}: active_prob of mutually exclusive children must sum to 1, these sum to {p.sum():.9g}; "
                "a child with is_read_out false can stand for none of them"
            )
        edges = np.append(0.0, np.cumsum(p))
        return np.asarray(edges / edges[-1])

    def _cut(self) -> list[Cut]:
        """Every node's cut. The first child, or all exclusive ones, cut their parent's interval; others a new one."""
        families: dict[int | None, list[int]] = {}
        for i, place in enumerate(self._places):
            families.setdefault(place.parent, []).append(i)
        cuts = [CERTAIN] * len(self._places)
        n_uniforms = 1
        for parent, siblings in families.items():
            above = CERTAIN if parent is None else cuts[parent]
            p = np.array([self._places[i].node.active_prob for i in siblings], dtype=np.float64)
            groups = [([i], np.array([0.0, q])) for i, q in zip(siblings, p, strict=True)]
            if parent is not None and self._places[parent].node.mutually_exclusive_children:
                groups = [(siblings, self._edges(p, self._places[parent].path))]
            for g, (group, edges) in enumerate(groups):
                piece = above
                if g or above.high - above.low < NARROWEST:
                    piece = CERTAIN._replace(uniform=n_uniforms, gate=parent if above.probability < 1 else None)
                    n_uniforms += 1
                for i, (start, end) in zip(group, pairwise(edges.tolist()), strict=True):
                    cuts[i] = piece._replace(
                        low=piece.low * (1 - start) + piece.high * start,
                        high=piece.low * (1 - end) + piece.high * end,
                        probability=above.probability * (end - start),
                    )
        return cuts

    @cached_property
    def probabilities(self) -> Probabilities:
        """P(feature is active), exact [n]."""
        return np.array([self._cuts[i].probability for i in self._node_of])

    @property
    def expected_l0(self) -> float:
        """Expected number of active features."""
        return float(self.probabilities.sum())

    @cached_property
    def joint_probabilities(self) -> Probabilities:
        """P(features i and j are both active), exact [n, n]; the diagonal is `probabilities`.

        Going through the nodes depth first: given its parent, a node is independent of every node before it, except for
        those beneath siblings that it excludes.
        """
        joint = np.zeros((len(self._places), len(self._places)))
        for i, (place, cut) in enumerate(zip(self._places, self._cuts, strict=True)):
            parent = place.parent
            if parent is None:
                before = cut.probability * joint.diagonal()[:i]
            else:
                above = self._cuts[parent].probability
                before = joint[parent, :i] * (cut.probability / above if above else 0.0)
                if place.has_rivals:
                    before[parent + 1 :] = 0
            joint[i, :i] = joint[:i, i] = before
            joint[i, i] = cut.probability
        return joint[np.ix_(self._node_of, self._node_of)]

    @cached_property
    def levels(self) -> list[Level]:
        """The features by their depth in the trees, from the top; depths without features are left out."""
        levels: dict[int, Level] = {}
        for feature, i in enumerate(self._node_of):
            place = self._places[i]
            level = levels.setdefault(place.depth, Level(place.depth, [], []))
            level.features.append(feature)
            level.names.append(place.node.id or f"feature {feature}")
        return [levels[depth] for depth in sorted(levels)]

    @cached_property
    def parent_child_pairs(self) -> list[tuple[int, int]]:
        """(parent, child) for every feature that has another feature above it; the parent is the nearest one."""
        above: list[int | None] = []  # of each node: the feature nearest above it
        for place in self._places:
            parent = place.parent
            feature = None if parent is None else self._places[parent].node.feature_index
            above.append(above[parent] if parent is not None and feature is None else feature)
        return [(parent, child) for child, i in enumerate(self._node_of) if (parent := above[i]) is not None]

    def fire(self, n: int, generator: Generator) -> Tensor:
        """Draw which features are active: float [n, n_features] of zeros and ones.

        One call for the rows of many training steps is far cheaper than a call per step.
        """
        return self._sampler.sample(n, generator)

    def sample(self, n: int, generator: Generator) -> Tensor:
        """Draw activations [n, n_features]: as `fire`, but U(0, 1) where a feature that is not binary is active."""
        activations = self.fire(n, generator)
        if self._graded:
            shape = (n, len(self._graded))
            activations[:, self._graded] *= torch.rand(shape, generator=generator, device=self.device)
        return activations

    def apply(self, activations: Tensor, generator: Generator) -> Tensor:
        """Impose the hierarchy on given activations by the keep_one law.

        A feature fires where it is above 0; an organisational node, which has no activation, with its `active_prob`.
        From the top down, a node is silenced where its parent is, and of mutually exclusive siblings that fire one is
        kept, all equally likely. `sample` has the law that this gives to independent features.

        Args:
            activations: [n, n_features]; they are left as they are.
            generator: chooses among siblings.

        Returns:
            The activations [n, n_features], zero where a feature was silenced.
        """
        if self.exclusion != "keep_one":
            raise ValueError("only the keep_one law says what becomes of given activations")
        return self._keep_one.impose(activations, generator)
