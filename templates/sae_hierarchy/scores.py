"""Every metric of a trained SAE on held-out samples, for experiment.py and evaluate.py alike. Protected."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

import sae_metrics
from data import TOY, fresh_numbers, generator
from hierarchy import Hierarchy


class Coder(Protocol):
    """S SAEs, trained or read from files: W_dec [S, m, d], x [S, N, d] → z [S, N, m] → xhat [S, N, d]."""

    W_dec: Tensor

    def encode(self, x: Tensor) -> Tensor: ...

    def decode(self, z: Tensor) -> Tensor: ...


@torch.no_grad()
def measure(sae: Coder, seeds: Sequence[int], purpose: int, n_rows: int, tree: str = TOY) -> dict[str, list[float]]:
    """Metric → value per seed, on n_rows held-out samples of each; formulas and sources are in sae_metrics.py.

    Args:
        sae: one autoencoder per seed.
        seeds: whose directions and samples these are.
        purpose: VALIDATION_SEED, or the evaluator's.
        n_rows: samples per seed.
        tree: which tree they are samples of.
    """
    worlds = [generator(seed, tree=tree) for seed in seeds]
    samples = [world.sample(n_rows, fresh_numbers(purpose, seed)) for world, seed in zip(worlds, seeds, strict=True)]
    x = torch.stack([vectors for vectors, _ in samples])
    device = sae.W_dec.device
    z = sae.encode(x.to(device))
    xhat, z = sae.decode(z).cpu(), z.cpu()
    dictionaries = sae.W_dec.detach().cpu()
    per_seed = [
        _of_one_seed(x[s], xhat[s], z[s], samples[s][1], dictionaries[s], world.directions, world.hierarchy)
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
    hierarchy: Hierarchy,
) -> dict[str, float]:
    pairs = hierarchy.parent_child_pairs
    cosines = sae_metrics.absolute_cosines(dictionary, directions)
    latents = sae_metrics.best_latents(cosines)
    detectors = sae_metrics.classification(z, a, cosines)
    absorption = sae_metrics.absorption(x, z, a, dictionary, directions, latents, pairs)
    mi, nmi = _shared_by_parent_and_child(z[:, latents], pairs)
    true_mi, true_nmi = _shared_by_parent_and_child(a, pairs)
    l0, shrinkage = sae_metrics.l0(z), sae_metrics.shrinkage(x, xhat)
    return {
        "mcc": sae_metrics.mcc(cosines),
        "mmcs": sae_metrics.mmcs(cosines),
        "uniqueness": sae_metrics.uniqueness(cosines),
        "fvu": sae_metrics.fvu(x, xhat),
        "l0": l0,
        "l0_error": abs(l0 - hierarchy.expected_l0),
        "dead_fraction": sae_metrics.dead_fraction(z),
        "shrinkage": shrinkage,
        "shrinkage_error": abs(shrinkage - 1),
        "precision": detectors.precision,
        "recall": detectors.recall,
        "f1": detectors.f1,
        "full_absorption": absorption.full,
        "absorption_fraction": absorption.fraction,
        "parent_recall": sae_metrics.parent_recall(z, a, latents, pairs),
        "hierarchy_violation": sae_metrics.hierarchy_violation(z, latents, pairs),
        "parent_child_mi": float(mi.mean()),
        "parent_child_mi_error": float((mi - true_mi).abs().mean()),
        "parent_child_nmi": float(nmi.mean()),
        "parent_child_nmi_error": float((nmi - true_nmi).abs().mean()),
    }


def _shared_by_parent_and_child(units: Tensor, pairs: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """MI and NMI of the firing of parent and child, [pairs] each; units [N, features], whatever is not zero fires."""
    parents, children = zip(*pairs, strict=True)
    mi = sae_metrics.mutual_information(units, units)
    nmi = sae_metrics.normalized_mutual_information(units, units)
    return mi[parents, children], nmi[parents, children]
