"""Generators of synthetic data: vectors of a tree's features, and bare activations. Protected."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from feature_tree import HierarchyNode, read_tree
from features import CorrelatedFiring, feature_directions, magnitudes
from hierarchy import Exclusion, Hierarchy


class Dataset(NamedTuple):
    """Samples of a HierarchicalDataGenerator; unpacks as `vectors, levels`."""

    vectors: Tensor
    """x [n, d_model]."""
    levels: list[Tensor]
    """Activations [n, features at that level] per level of the tree, in the order of `Hierarchy.levels`."""


class HierarchicalDataGenerator:
    """Vectors x = a V + noise of features that form a tree.

    Args:
        tree_config: a tree file, what such a file holds, or a tree of nodes; see `read_tree`.
        d_model: dimension of the vectors.
        feature_correlation: how far the directions are mixed with each other; see `feature_directions`.
        noise_level: standard deviation per dimension of the Gaussian noise in x.
        orthogonal_features: directions from a QR decomposition; Gaussian ones otherwise.
        feature_scale_variation: a direction's norm is 1 + N(0, this).
        random_seed: of directions and samples; the global generators are left alone.
        exclusion: "categorical" or "keep_one".
        device: where samples are drawn.

    Raises:
        TreeError: the tree is broken; the message names the node.
        ValueError: another argument is impossible.
    """

    def __init__(
        self,
        tree_config: Mapping[str, Any] | str | Path | HierarchyNode,
        d_model: int,
        feature_correlation: float = 0.0,
        noise_level: float = 0.0,
        orthogonal_features: bool = True,
        feature_scale_variation: float = 0.0,
        random_seed: int = 0,
        *,
        exclusion: Exclusion = "categorical",
        device: torch.device | str = "cpu",
    ) -> None:
        spreads = {
            "feature_correlation": feature_correlation,
            "noise_level": noise_level,
            "feature_scale_variation": feature_scale_variation,
        }
        for name, value in spreads.items():
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must be a number from 0, got {value}")
        if d_model < 1:
            raise ValueError(f"d_model must be at least 1, got {d_model}")
        root = tree_config if isinstance(tree_config, HierarchyNode) else read_tree(tree_config)
        self.hierarchy = Hierarchy([root], exclusion, device=device)
        self.noise_level = noise_level
        self.device = torch.device(device)
        # Directions and samples have streams of their own, and the directions are the same on every device.
        for_directions, for_samples = map(int, np.random.SeedSequence(random_seed).generate_state(2))
        self.generator = Generator(self.device).manual_seed(for_samples)
        self.directions = feature_directions(
            self.n_features,
            d_model,
            Generator().manual_seed(for_directions),
            orthogonal=orthogonal_features,
            correlation=feature_correlation,
            scale_variation=feature_scale_variation,
        ).to(self.device)
        """V [n_features, d_model]."""

    @classmethod
    def from_file(cls, path: str | Path, **changes: Any) -> "HierarchicalDataGenerator":
        """The generator whose arguments are in a JSON file; its `tree_config` is relative to that file."""
        path = Path(path)
        arguments = json.loads(path.read_text())
        return cls(**{**arguments, "tree_config": path.parent / arguments["tree_config"], **changes})

    @property
    def n_features(self) -> int:
        return self.hierarchy.n_features

    def sample(self, n: int, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n samples; from a generator other than the own one if given.

        Returns:
            x [n, d_model] and the activations a [n, n_features].
        """
        generator = generator or self.generator
        activations = self.hierarchy.sample(n, generator)
        x = activations @ self.directions
        if self.noise_level:
            x += self.noise_level * torch.randn(x.shape, generator=generator, device=self.device)
        return x, activations

    def create_dataset(self, n_samples: int = 1_000) -> Dataset:
        """Draw vectors and their activations by level: `vectors, levels = generator.create_dataset()`."""
        x, activations = self.sample(n_samples)
        return Dataset(x, [activations[:, level.features] for level in self.hierarchy.levels])


class ActivationGenerator:
    """Activations of features that fire with given probabilities, may be correlated, and may obey a hierarchy.

    Features first fire, independently or correlated by a Gaussian copula. The hierarchy then silences children where
    their parent is silent, and keeps one of the exclusive siblings that fire (the keep_one law of hierarchy.py).

    Args:
        firing_probabilities: [n_features].
        correlation: correlation matrix [n_features, n_features] of the copula; independent when None.
        hierarchy: trees of the features, whose own `active_prob` and `is_binary` play no part; a feature in no tree is
            free.
        magnitude_mean, magnitude_std: of active features, numbers or [n_features]; see `magnitudes`.
        seed: of the activations; the global generators are left alone.
        device: where activations are drawn.
    """

    def __init__(
        self,
        firing_probabilities: Sequence[float],
        *,
        correlation: Tensor | None = None,
        hierarchy: Sequence[HierarchyNode] = (),
        magnitude_mean: float | Tensor = 1.0,
        magnitude_std: float | Tensor = 0.0,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.hierarchy = Hierarchy(hierarchy, "keep_one", firing_probabilities, device)
        self.generator = Generator(device).manual_seed(seed)
        self._free = not hierarchy
        self._correlated = None
        if correlation is not None:
            self._correlated = CorrelatedFiring(firing_probabilities, correlation, device)
        n_features = self.hierarchy.n_features
        self._mean = torch.as_tensor(magnitude_mean, dtype=torch.float32, device=device).expand(n_features)
        self._std = torch.as_tensor(magnitude_std, dtype=torch.float32, device=device).expand(n_features)
        self._all_are_1 = bool((self._mean == 1).all() and (self._std == 0).all())

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        """Draw activations [n, n_features]; from a generator other than the own one if given."""
        generator = generator or self.generator
        if self._correlated is None:
            activations = self.hierarchy.fire(n, generator)
        else:
            activations = self._correlated.sample(n, generator)
            if not self._free:
                activations = self.hierarchy.apply(activations, generator)
        if not self._all_are_1:
            flat = activations.view(-1)
            fired = flat.nonzero()[:, 0]  # few: a magnitude for each entry would cost more than all the rest
            feature = fired % self.hierarchy.n_features
            flat[fired] = magnitudes(fired.shape, self._mean[feature], self._std[feature], generator)
        return activations
