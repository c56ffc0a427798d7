"""What an experiment gets of the data: samples, and nothing that says where they come from. Protected.

Each launch gets samples of its seeds in the folder HARNESS_DATA, which samples.py writes: vectors x = a V + noise of
features that form a tree. Only the evaluator has the answers: directions V, the tree, activations a.
"""

import os
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

TOY = "toy"
WIDTHS = {TOY: (20, 20), "simple": (256, 3), "exclusive": (128, 3)}
"""Tree → inputs d and features; an SAE has one latent per feature, so that architectures compare at equal numbers.
An SAE on another tree than TOY is the dataset "variant@simple" or "variant@exclusive"."""
TRUE_L0 = 1.12
"""Expected active features of a sample of TOY, exact: 3 * 0.15 * (1 + 3 * 0.2) + 8 * 0.05."""
Split = Literal["train", "validation"]


def samples(tree: str, split: Split, seeds: list[int]) -> Tensor:
    """Samples x [seeds, rows, d]; each seed has directions and samples of its own.

    Args:
        tree: a key of WIDTHS.
        split: what to train on, or what to measure oneself on.
        seeds: those in HARNESS_SEEDS; there are samples of no others.
    """
    folder = os.environ.get("HARNESS_DATA", "")
    if not folder:
        sys.exit("HARNESS_DATA is not set; `harness template checkout sae_hierarchy FOLDER` makes the data")
    x = torch.from_numpy(np.load(file_of(Path(folder), tree, split)))
    if len(x) != len(seeds):
        sys.exit(f"{folder} has samples of {len(x)} seeds, not of {len(seeds)}: they are those of HARNESS_SEEDS")
    return x


def file_of(folder: Path, tree: str, split: Split) -> Path:
    """Where the samples are: float32 [seeds, rows, d]."""
    return folder / f"{tree}_{split}.npy"


def variant_and_tree(dataset: str) -> tuple[str, str]:
    """What a dataset is called after: "matryoshka@simple" → matryoshka, simple; without a tree it is TOY.

    Raises:
        ValueError: there is no such tree.
    """
    variant, _, tree = dataset.partition("@")
    if (tree or TOY) not in WIDTHS:
        raise ValueError(f"{dataset}: no tree {tree!r}; there are {', '.join(WIDTHS)}")
    return variant, tree or TOY
