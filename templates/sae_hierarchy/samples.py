"""Write the samples of the seeds in HARNESS_SEEDS, for one launch. Protected; it runs where the answers are.

    python samples.py --out_dir=data

Writes <tree>_train.npy and <tree>_validation.npy for each tree, float32 [seeds, rows, d].
"""

import numpy as np

from artifacts import is_smoke, requested_seeds, run_arguments
from data import TOY, WIDTHS, Split, file_of
from world import generator

ROWS: dict[Split, int] = {"train": 200_000, "validation": 20_000}
WIDE_ROWS: dict[Split, int] = {"train": 20_000, "validation": 5_000}
"""The same for the trees of three features, whose vectors are longer."""
SMOKE_ROWS = 2_000


def main() -> None:
    out_dir = run_arguments(__doc__).out_dir
    for tree in WIDTHS:
        worlds = [generator(seed, tree=tree) for seed in requested_seeds()]
        for split, rows in (ROWS if tree == TOY else WIDE_ROWS).items():
            n = min(rows, SMOKE_ROWS) if is_smoke() else rows
            np.save(file_of(out_dir, tree, split), np.stack([world.sample(n)[0].numpy() for world in worlds]))


if __name__ == "__main__":
    main()
