"""The data law, shared by training and evaluation. Protected: an experiment imports it and never changes it.

Vectors x = a V of 20 binary features with orthonormal directions V in 20 dimensions: the toy tree of Nabeshima's
Matryoshka SAEs (https://github.com/noanabeshima/matryoshka-saes). Three parents fire with P = 0.15; an active parent
has exactly one of three children (0.2 each) or none (0.4); eight features of their own fire with P = 0.05.
"""

from pathlib import Path

import torch
from torch import Generator

from generators import HierarchicalDataGenerator

TREE = Path(__file__).parent / "trees" / "matryoshka_toy.json"
N_FEATURES = 20
D_MODEL = 20
N_LATENTS = 20
"""Latents of every architecture: their scores are compared at equal width."""
TRUE_L0 = 1.12
"""Expected active features of a sample, exact: 3 * 0.15 * (1 + 3 * 0.2) + 8 * 0.05."""
VALIDATION_SEED = 1_000_003
"""What experiment.py measures itself on; its own estimate, beside the evaluator's."""


def generator(seed: int, device: torch.device | str = "cpu") -> HierarchicalDataGenerator:
    """The generator of one seed, which has directions V [20, 20] and training samples of its own."""
    return HierarchicalDataGenerator(TREE, D_MODEL, random_seed=seed, device=device)


def fresh_numbers(purpose: int, seed: int) -> Generator:
    """The random numbers of a seed's samples for VALIDATION_SEED or the evaluator's; no training draws them."""
    return Generator().manual_seed(purpose + seed)
