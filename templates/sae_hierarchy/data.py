"""The data law, shared by training and evaluation. Protected: an experiment imports it and never changes it.

Vectors x = a V of 20 binary features with orthonormal directions V in 20 dimensions: the toy tree of Nabeshima's
Matryoshka SAEs (https://github.com/noanabeshima/matryoshka-saes). Three parents fire with P = 0.15; an active parent
has exactly one of three children (0.2 each) or none (0.4); eight features of their own fire with P = 0.05.
"""

from pathlib import Path

import torch
from torch import Generator

from generators import HierarchicalDataGenerator

TREES = Path(__file__).parent / "trees"
TOY = "toy"
PARAMETERS = {TOY: "toy_params.json", "simple": "simple_params.json", "exclusive": "exclusive_params.json"}
"""Tree → the arguments of its generator. Besides the toy tree there are two of three features, A and its children B and
C: independent children in 256 dimensions, and exclusive ones in 128 with noise and directions that are not orthogonal.
An SAE on one of them is the dataset "variant@simple" or "variant@exclusive".
"""
TRUE_L0 = 1.12
"""Expected active features of a sample, exact: 3 * 0.15 * (1 + 3 * 0.2) + 8 * 0.05."""
VALIDATION_SEED = 1_000_003
"""What experiment.py measures itself on; its own estimate, beside the evaluator's."""


def generator(seed: int, device: torch.device | str = "cpu", tree: str = TOY) -> HierarchicalDataGenerator:
    """The generator of one seed, which has directions V [features, d] and training samples of its own."""
    return HierarchicalDataGenerator.from_file(TREES / PARAMETERS[tree], random_seed=seed, device=device)


def widths(tree: str) -> tuple[int, int]:
    """Inputs d and latents m of an SAE on a tree: one latent per feature, so that architectures compare at equal m."""
    n_features, d_model = generator(0, tree=tree).directions.shape
    return d_model, n_features


def variant_and_tree(dataset: str) -> tuple[str, str]:
    """What a dataset is called after: "matryoshka@simple" → matryoshka, simple; without a tree it is TOY.

    Raises:
        ValueError: there is no such tree.
    """
    variant, _, tree = dataset.partition("@")
    if (tree or TOY) not in PARAMETERS:
        raise ValueError(f"{dataset}: no tree {tree!r}; there are {', '.join(PARAMETERS)}")
    return variant, tree or TOY


def fresh_numbers(purpose: int, seed: int) -> Generator:
    """The random numbers of a seed's samples for VALIDATION_SEED or the evaluator's; no training draws them."""
    return Generator().manual_seed(purpose + seed)
