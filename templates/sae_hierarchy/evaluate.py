"""The official metrics of a run, computed from its saved SAEs on samples that the experiment never sees. Protected.

    python evaluate.py --run_dir=<run folder> --out_dir=<folder>

Writes <out_dir>/final_info.json, or prints one line saying which file is at fault and how, and exits with status 3.
"""

import re
from pathlib import Path

import torch
from torch import Generator

from artifacts import ArtifactError, PerSeed, evaluate, is_smoke, load_arrays, load_json, requested_seeds
from data import TOY, WIDTHS, variant_and_tree
from held_out import EVALUATION_SEED
from sae_files import load_sae
from scores import measure
from world import generator

N_ROWS = 2_000 if is_smoke() else 100_000
"""Held-out samples per seed."""
N_WIDE_ROWS = min(N_ROWS, 20_000)
"""The same for the trees of three features, whose vectors are longer."""
MOST_DATASETS = 24
CURVE_STEPS = 100
"""Training steps in one point of training_curves.npz."""


def datasets(run_dir: Path) -> dict[str, str]:
    """The datasets that the run reports on, each with its tree; an SAE must be saved under its name.

    Raises:
        ArtifactError: final_info.json cannot be read, or a name is no name of a folder.
    """
    path = run_dir / "final_info.json"
    reported = load_json(path)
    if not isinstance(reported, dict) or not 1 <= len(reported) <= MOST_DATASETS:
        raise ArtifactError(f"{path.name} must name 1 to {MOST_DATASETS} datasets")
    for name in reported:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}(@[a-z]{1,20})?", name):
            raise ArtifactError(
                f"{path.name}: a dataset's name is a variant's (letters, digits, _ and -), or variant@tree, "
                f"found {name[:60]!r}"
            )
    try:
        return {name: variant_and_tree(name)[1] for name in reported}
    except ValueError as error:
        raise ArtifactError(f"{path.name}: {error}") from error


def official(run_dir: Path) -> dict[str, PerSeed]:
    """Every metric per seed of every dataset."""
    seeds, trees = requested_seeds(), datasets(run_dir)
    curves = load_arrays(run_dir / "training_curves.npz", {name: (None, len(seeds)) for name in trees})
    return {name: of_variant(run_dir, name, tree, seeds, len(curves[name])) for name, tree in trees.items()}


def of_variant(run_dir: Path, name: str, tree: str, seeds: list[int], n_points: int) -> PerSeed:
    """The same of one dataset; `n_points` is the length of its training curve."""
    sae = load_sae(run_dir / "saes" / name, len(seeds), *WIDTHS[tree])
    worlds = [generator(seed, tree=tree) for seed in seeds]
    n_rows = N_ROWS if tree == TOY else N_WIDE_ROWS
    samples = [
        world.sample(n_rows, Generator().manual_seed(EVALUATION_SEED + seed))
        for world, seed in zip(worlds, seeds, strict=True)
    ]
    x, a = map(torch.stack, zip(*samples, strict=True))
    return {"steps": [float(n_points * CURVE_STEPS)] * len(seeds), **measure(sae, x, a, worlds)}


if __name__ == "__main__":
    evaluate(__doc__, official)
