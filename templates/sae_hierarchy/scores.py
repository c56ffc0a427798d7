"""Every metric of a trained SAE on held-out samples, for experiment.py and evaluate.py alike. Protected."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

import sae_metrics
from data import TRUE_L0, fresh_numbers, generator


class Coder(Protocol):
    """S SAEs, trained or read from files: W_dec [S, m, d], x [S, N, d] → z [S, N, m] → xhat [S, N, d]."""

    W_dec: Tensor

    def encode(self, x: Tensor) -> Tensor: ...

    def decode(self, z: Tensor) -> Tensor: ...


@torch.no_grad()
def measure(sae: Coder, seeds: Sequence[int], purpose: int, n_rows: int) -> dict[str, list[float]]:
    """Metric → value per seed, on n_rows held-out samples of each; formulas and sources are in sae_metrics.py.

    Args:
        sae: one autoencoder per seed.
        seeds: whose directions and samples these are.
        purpose: VALIDATION_SEED, or the evaluator's.
        n_rows: samples per seed.
    """
    worlds = [generator(seed) for seed in seeds]
    samples = [world.sample(n_rows, fresh_numbers(purpose, seed)) for world, seed in zip(worlds, seeds, strict=True)]
    x = torch.stack([vectors for vectors, _ in samples])
    device = sae.W_dec.device
    z = sae.encode(x.to(device))
    xhat, z = sae.decode(z).cpu(), z.cpu()
    dictionaries = sae.W_dec.detach().cpu()
    per_seed = [
        _of_one_seed(
            x[s], xhat[s], z[s], samples[s][1], dictionaries[s], world.directions, world.hierarchy.parent_child_pairs
        )
        for s, world in enumerate(worlds)
    ]
    return {metric: [scores[metric] for scores in per_seed] for metric in per_seed[0]}


def _of_one_seed(
    x: Tensor,
    xhat: Tensor,
    z: Tensor,
    a: Tensor,
    dictionary: Tensor,
    directions: Tensor,
    pairs: list[tuple[int, int]],
) -> dict[str, float]:
    cosines = sae_metrics.absolute_cosines(dictionary, directions)
    latents = sae_metrics.best_latents(cosines)
    detectors = sae_metrics.classification(z, a, cosines)
    absorption = sae_metrics.absorption(x, z, a, dictionary, directions, latents, pairs)
    by_feature = z[:, latents]
    parents, children = zip(*pairs, strict=True)
    shared = sae_metrics.mutual_information(by_feature, by_feature)[parents, children]
    shared_of_child = sae_metrics.normalized_mutual_information(by_feature, by_feature)[parents, children]
    l0 = sae_metrics.l0(z)
    return {
        "mcc": sae_metrics.mcc(cosines),
        "mmcs": sae_metrics.mmcs(cosines),
        "uniqueness": sae_metrics.uniqueness(cosines),
        "fvu": sae_metrics.fvu(x, xhat),
        "l0": l0,
        "l0_error": abs(l0 - TRUE_L0),
        "dead_fraction": sae_metrics.dead_fraction(z),
        "shrinkage": sae_metrics.shrinkage(x, xhat),
        "precision": detectors.precision,
        "recall": detectors.recall,
        "f1": detectors.f1,
        "full_absorption": absorption.full,
        "absorption_fraction": absorption.fraction,
        "parent_recall": sae_metrics.parent_recall(z, a, latents, pairs),
        "hierarchy_violation": sae_metrics.hierarchy_violation(z, latents, pairs),
        "parent_child_mi": float(shared.mean()),
        "parent_child_nmi": float(shared_of_child.mean()),
    }
