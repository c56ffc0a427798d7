"""The benchmark cases with the templates' own modules; the template's folder and templates/common are on the path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from laws import (
    COMPARED_CELLS,
    COMPARED_SEEDS,
    MAGNITUDE_MEAN,
    MAGNITUDE_STD,
    SAE_FEATURES,
    SAE_HELD_OUT,
    SAE_L1,
    SAE_LEARNING_RATE,
    SAE_P,
    correlated_probabilities,
    correlation_matrix,
    forest,
    forest_probabilities,
    tree_cells,
    tree_losses,
)
from numpy.typing import NDArray
from torch import Tensor
from worker import Case, serve

SAE_CHUNK_STEPS = 20
"""Steps whose batches are drawn together; few enough to fit in the cache."""


def tree_sampling(batch: int, tree: str, observed: int) -> Case:
    from feature_tree import read_tree
    from hierarchy import Hierarchy

    hierarchy = Hierarchy([read_tree(tree)], "categorical")
    generator = torch.Generator().manual_seed(0)
    return sampling(lambda n: hierarchy.sample(n, generator), batch, observed)


def hierarchy(n_roots: int, batch: int, observed: int) -> Case:
    from generators import ActivationGenerator

    generator = ActivationGenerator(
        forest_probabilities(n_roots),
        hierarchy=[node(root) for root in forest(n_roots)],
        magnitude_mean=MAGNITUDE_MEAN,
        magnitude_std=MAGNITUDE_STD,
    )
    return sampling(generator.sample, batch, observed)


def node(described: dict[str, Any]) -> object:
    from feature_tree import HierarchyNode

    children = tuple(node(child) for child in described.get("children", []))
    return HierarchyNode(**{**described, "children": children})


def correlated(n_features: int, batch: int, observed: int) -> Case:
    from generators import ActivationGenerator

    generator = ActivationGenerator(
        correlated_probabilities(n_features),
        correlation=torch.from_numpy(correlation_matrix(n_features)),
        magnitude_mean=MAGNITUDE_MEAN,
        magnitude_std=MAGNITUDE_STD,
    )
    return sampling(generator.sample, batch, observed)


def sampling(sample: Callable[[int], Tensor], batch: int, observed: int) -> Case:
    return Case(lambda: sample(batch), lambda: {"activations": sample(observed).numpy()})


def k_active(rows: int, k: int, n_features: int, observed: int) -> Case:
    from data import N_FEATURES, k_active_features

    assert n_features == N_FEATURES
    rng = np.random.default_rng(0)
    return Case(
        run=lambda: k_active_features(rng, rows, k),
        observe=lambda: {"activations": k_active_features(rng, observed, k)},
    )


def tms_tree(minibatches: str, steps: int, observed_steps: int, observed_instances: int) -> Case:
    """The whole sweep in one loop, with a new initialization in each repetition."""
    from experiment import Config, train

    law, cpu = "early_stopping", torch.device("cpu")

    def sweep() -> object:
        return train(Config(law, tuple(tree_cells()), minibatches, n_steps=steps), [0], cpu)

    def observe() -> dict[str, NDArray[Any]]:
        config = Config(law, COMPARED_CELLS, minibatches, n_instances=observed_instances, n_steps=observed_steps)
        stacks = train(config, COMPARED_SEEDS, cpu)[0]
        losses = {}
        for depth, n_hidden in COMPARED_CELLS:
            w, b = (parameter[:, :, 0].reshape(-1, *parameter.shape[3:]) for parameter in stacks[depth])
            losses[f"losses {depth}, {n_hidden}"] = tree_losses(depth, w, b)
        return losses

    return Case(sweep, observe, units=steps / 10_000)


def sae_step(batch: int, n_seeds: int, observed_steps: int) -> Case:
    """ReLU-L1 on independent features in as many dimensions: fresh batches and a step on each, seeds side by side."""
    from features import feature_directions
    from generators import ActivationGenerator
    from sae import ARCHITECTURES
    from sae_metrics import fvu

    data = ActivationGenerator(SAE_FEATURES * [SAE_P])
    directions = feature_directions(SAE_FEATURES, SAE_FEATURES, torch.Generator().manual_seed(0))
    sae = ARCHITECTURES["relu_l1"](range(n_seeds), d_in=SAE_FEATURES, n_latents=SAE_FEATURES, l1=SAE_L1)
    optimizer = torch.optim.Adam(sae.parameters(), lr=SAE_LEARNING_RATE, fused=True)

    def train(steps: int) -> None:
        x = (data.sample(steps * n_seeds * batch) @ directions).view(steps, n_seeds, batch, SAE_FEATURES)
        for step in range(steps):
            sae.loss(x[step])["total"].sum().backward()
            optimizer.step()
            optimizer.zero_grad()
            sae.after_step()

    def observe() -> dict[str, NDArray[Any]]:
        for _ in range(observed_steps // SAE_CHUNK_STEPS):
            train(SAE_CHUNK_STEPS)
        x = data.sample(SAE_HELD_OUT) @ directions
        with torch.no_grad():
            xhat = sae.decode(sae.encode(x.expand(n_seeds, -1, -1)))
        return {"fvu": np.array([fvu(x, of_seed) for of_seed in xhat])}

    return Case(lambda: train(SAE_CHUNK_STEPS), observe, units=SAE_CHUNK_STEPS * n_seeds)


if __name__ == "__main__":
    serve(
        {
            "tree_sampling": tree_sampling,
            "hierarchy": hierarchy,
            "correlated": correlated,
            "k_active": k_active,
            "tms_tree": tms_tree,
            "sae_step": sae_step,
        }
    )
