"""What a correct build must score, checked on one run. Protected.

python known.py --run_dir=<run folder> --out_dir=<folder>
"""

from pathlib import Path

import numpy as np

from artifacts import Claim, check_known, verified
from data import TRUE_L0
from generators import HierarchicalDataGenerator
from world import TREES, generator

N_SAMPLES = 100_000
PUBLISHED_TREES = {"simple_params.json": (0.2, 0.16, 0.12), "exclusive_params.json": (0.3, 0.12, 0.18)}
"""Firing probabilities of the two configurations of the data notebook, worked out by hand."""
RANGES = {
    "relu_l1": {
        "fvu": (0, 1e-3),
        "l0": (0.84, 0.86),
        "mcc": (0.86, 0.88),
        "full_absorption": (0.95, 1),
        "parent_recall": (0.39, 0.41),
    },
    "matryoshka": {"l0": (1.05, 1.15), "mcc": (0.92, 1), "full_absorption": (0, 0.1), "parent_recall": (0.95, 1)},
}
"""Means over seeds. In one seed of five Matryoshka may lose a feature.

The absorbed optimum of an L1 penalty has, in closed form, L0 = 0.85, parent recall = 0.4 (a
parent's own latent fires only where it has no child) and MCC = (11 + 9 / sqrt 2) / 20 = 0.868."""


def of_the_data() -> list[Claim]:
    """Firing probabilities, in the exact law and among samples."""
    claims = [Claim.near("20-feature tree, exact L0", TRUE_L0, generator(0).hierarchy.expected_l0, tolerance=1e-9)]
    for file, expected in PUBLISHED_TREES.items():
        world = HierarchicalDataGenerator.from_file(TREES / file)
        exact = np.array(world.hierarchy.probabilities)
        sampled = (world.sample(N_SAMPLES)[1] != 0).double().mean(dim=0).numpy()
        text = ", ".join(f"{p:g}" for p in expected)
        for kind, found, tolerance in (("exact", exact, 1e-9), (f"of {N_SAMPLES} samples", sampled, 5e-3)):
            shown = ", ".join(f"{p:.4g}" for p in found)
            close = np.abs(found - expected).max() <= tolerance
            claims.append(Claim(f"{file}, P(feature fires), {kind}", f"{text} ± {tolerance:g}", shown, bool(close)))
    return claims


def claims(run_dir: Path) -> list[Claim]:
    """The data law, and what ReLU-L1 and Matryoshka SAEs make of it."""
    scores = verified(run_dir)
    return of_the_data() + [
        Claim.within(f"{variant}: {metric}, mean over seeds", low, high, float(np.mean(scores[variant][metric])))
        for variant, ranges in RANGES.items()
        for metric, (low, high) in ranges.items()
    ]


if __name__ == "__main__":
    check_known(__doc__, claims)
