"""The same jobs done by sae-lens; run by the Python of an environment that has it."""

from __future__ import annotations

from typing import Any

import torch
from laws import (
    MAGNITUDE_MEAN,
    MAGNITUDE_STD,
    SAE_FEATURES,
    SAE_HELD_OUT,
    SAE_L1,
    SAE_LEARNING_RATE,
    SAE_P,
    SAE_STEPS_PER_REPETITION,
    correlated_probabilities,
    correlation_matrix,
    forest,
    forest_probabilities,
)
from numpy.typing import NDArray
from sae_lens import StandardTrainingSAE, StandardTrainingSAEConfig
from sae_lens.synthetic import (
    ActivationGenerator,
    FeatureDictionary,
    HierarchyNode,
    hierarchy_modifier,
    train_toy_sae,
)
from worker import Case, serve


def hierarchy(n_roots: int, batch: int, observed: int) -> Case:
    """Features and their exclusive hierarchy, as sae-lens samples them."""
    probabilities = torch.tensor(forest_probabilities(n_roots))
    generator = ActivationGenerator(
        num_features=len(probabilities),
        firing_probabilities=probabilities,
        std_firing_magnitudes=MAGNITUDE_STD,
        mean_firing_magnitudes=MAGNITUDE_MEAN,
        modify_activations=hierarchy_modifier([HierarchyNode.from_dict(root) for root in forest(n_roots)]),
    )
    return sampling(generator, batch, observed)


def correlated(n_features: int, batch: int, observed: int) -> Case:
    """Features whose firing is correlated by a full matrix."""
    generator = ActivationGenerator(
        num_features=n_features,
        firing_probabilities=torch.tensor(correlated_probabilities(n_features)),
        std_firing_magnitudes=MAGNITUDE_STD,
        mean_firing_magnitudes=MAGNITUDE_MEAN,
        correlation_matrix=torch.from_numpy(correlation_matrix(n_features)),
    )
    return sampling(generator, batch, observed)


def sampling(generator: ActivationGenerator, batch: int, observed: int) -> Case:
    torch.manual_seed(1)
    return Case(
        run=lambda: generator.sample(batch),
        observe=lambda: {
            "activations": torch.cat([generator.sample(batch) for _ in range(-(-observed // batch))]).numpy()
        },
    )


def sae_step(batch: int, observed_steps: int) -> Case:
    """ReLU-L1 on independent features in as many dimensions, by sae-lens's trainer for toy data."""
    torch.manual_seed(1)
    data = ActivationGenerator(num_features=SAE_FEATURES, firing_probabilities=SAE_P)
    dictionary = FeatureDictionary(num_features=SAE_FEATURES, hidden_dim=SAE_FEATURES)
    config = StandardTrainingSAEConfig(d_in=SAE_FEATURES, d_sae=SAE_FEATURES, l1_coefficient=SAE_L1)
    sae = StandardTrainingSAE(config)

    def train(steps: int) -> None:
        train_toy_sae(sae, dictionary, data, training_samples=steps * batch, batch_size=batch, lr=SAE_LEARNING_RATE)

    def observe() -> dict[str, NDArray[Any]]:
        train(observed_steps)
        with torch.no_grad():
            x = dictionary(data.sample(SAE_HELD_OUT))
            residual = x - sae.decode(sae.encode(x))
            return {"fvu": (residual.square().sum() / (x - x.mean(dim=0)).square().sum()).numpy()[None]}

    return Case(lambda: train(SAE_STEPS_PER_REPETITION), observe, units=SAE_STEPS_PER_REPETITION)


if __name__ == "__main__":
    serve({"hierarchy": hierarchy, "correlated": correlated, "sae_step": sae_step})
