"""Every metric of a trained SAE: those that samples alone tell, and those that need the answers. Protected."""

from typing import Protocol

import torch
from torch import Tensor

import sae_metrics
from hierarchy import Hierarchy


class Coder(Protocol):
    """S SAEs, trained or read from files: W_dec [S, m, d], x [S, N, d] → z [S, N, m] → xhat [S, N, d]."""

    W_dec: Tensor

    def encode(self, x: Tensor) -> Tensor: ...

    def decode(self, z: Tensor) -> Tensor: ...


class World(Protocol):
    """Where the samples of a seed come from."""

    directions: Tensor
    hierarchy: Hierarchy


def measure_on_samples(sae: Coder, x: Tensor) -> dict[str, list[float]]:
    """Metric → value per seed, those that samples x [S, N, d] alone tell; what experiment.py reports."""
    xhat, z = _coded(sae, x)
    return _by_metric([_without_answers(*of_seed) for of_seed in zip(x, xhat, z, strict=True)])


def measure(sae: Coder, x: Tensor, a: Tensor, worlds: list[World]) -> dict[str, list[float]]:
    """Metric → value per seed; formulas and sources are in sae_metrics.py.

    Args:
        sae: one autoencoder per seed.
        x: held-out samples [S, N, d].
        a: the activations of the features in them, [S, N, features].
        worlds: where each seed's samples come from.
    """
    xhat, z = _coded(sae, x)
    dictionaries = sae.W_dec.detach().cpu()
    return _by_metric(
        [
            _without_answers(x[s], xhat[s], z[s]) | _with_answers(x[s], z[s], a[s], dictionaries[s], world)
            for s, world in enumerate(worlds)
        ]
    )


@torch.no_grad()
def _coded(sae: Coder, x: Tensor) -> tuple[Tensor, Tensor]:
    """xhat [S, N, d] and z [S, N, m] of x [S, N, d]."""
    z = sae.encode(x.to(sae.W_dec.device))
    return sae.decode(z).cpu(), z.cpu()


def _by_metric(per_seed: list[dict[str, float]]) -> dict[str, list[float]]:
    return {metric: [scores[metric] for scores in per_seed] for metric in per_seed[0]}


def _without_answers(x: Tensor, xhat: Tensor, z: Tensor) -> dict[str, float]:
    shrinkage = sae_metrics.shrinkage(x, xhat)
    return {
        "fvu": sae_metrics.fvu(x, xhat),
        "l0": sae_metrics.l0(z),
        "dead_fraction": sae_metrics.dead_fraction(z),
        "shrinkage": shrinkage,
        "shrinkage_error": abs(shrinkage - 1),
    }


def _with_answers(x: Tensor, z: Tensor, a: Tensor, dictionary: Tensor, world: World) -> dict[str, float]:
    directions, hierarchy = world.directions, world.hierarchy
    pairs = hierarchy.parent_child_pairs
    cosines = sae_metrics.absolute_cosines(dictionary, directions)
    latents = sae_metrics.best_latents(cosines)
    detectors = sae_metrics.classification(z, a, cosines)
    absorption = sae_metrics.absorption(x, z, a, dictionary, directions, latents, pairs)
    mi, nmi = _shared_by_parent_and_child(z[:, latents], pairs)
    true_mi, true_nmi = _shared_by_parent_and_child(a, pairs)
    return {
        "mcc": sae_metrics.mcc(cosines),
        "mmcs": sae_metrics.mmcs(cosines),
        "uniqueness": sae_metrics.uniqueness(cosines),
        "l0_error": abs(sae_metrics.l0(z) - hierarchy.expected_l0),
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
