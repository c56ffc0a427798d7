"""The answers: which directions and which tree the samples come from. No study is given this file or trees/.

Vectors x = a V of 20 binary features with orthonormal directions V in 20 dimensions: the toy tree of Nabeshima's
Matryoshka SAEs (https://github.com/noanabeshima/matryoshka-saes). Three parents fire with P = 0.15; an active parent
has exactly one of three children (0.2 each) or none (0.4); eight features of their own fire with P = 0.05.
"""

from pathlib import Path

import numpy as np
import torch

from data import TOY
from generators import HierarchicalDataGenerator

TREES = Path(__file__).parent / "trees"
PARAMETERS = {TOY: "toy_params.json", "simple": "simple_params.json", "exclusive": "exclusive_params.json"}
"""Tree → the arguments of its generator. Besides the toy tree there are two of three features, A and its children B and
C: independent children in 256 dimensions, and exclusive ones in 128 with noise and directions that are not orthogonal.
"""
WORLD = 730_194_265
"""Together with a run's seed it determines directions and samples, so that a seed alone gives neither away."""


def generator(seed: int, device: torch.device | str = "cpu", tree: str = TOY) -> HierarchicalDataGenerator:
    """The generator of one seed, which has directions V [features, d] and training samples of its own."""
    own = int(np.random.SeedSequence([WORLD, seed]).generate_state(1)[0])
    return HierarchicalDataGenerator.from_file(TREES / PARAMETERS[tree], random_seed=own, device=device)
