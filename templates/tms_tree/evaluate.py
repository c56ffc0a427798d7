"""The official metrics of a run: its saved weights, on exact expectations or samples never trained on, and its steps.

    python evaluate.py --run_dir=<run folder> --out_dir=<folder>

Writes <out_dir>/final_info.json, or prints one line saying what is wrong with a saved file and exits with status 3,
which tells the harness that the run is at fault; any other failure is the evaluator's own. Protected.
"""

from pathlib import Path

import numpy as np

from artifacts import ArtifactError, blamed_on, evaluate, load_arrays, load_json, refuse_copies, requested_seeds
from data import DEPTHS
from held_out import EVALUATION_SEED
from sweep import load_stacks, measure_law, metrics, weights_file


LOG_EVERY = 100
"""Training steps from one loss in curves.npz to the next."""


def measure(run_dir: Path) -> dict[str, dict[str, list[float]]]:
    """Every metric per seed on every law."""
    n_seeds = len(requested_seeds())
    datasets = {}
    steps = training_steps(run_dir, n_seeds)
    for law in DEPTHS:
        stacks = load_stacks(run_dir, law, n_seeds)
        refuse_copies(weights_file(law), *(array for stack in stacks.values() for array in stack))
        measured = metrics(*measure_law(law, stacks, np.random.default_rng(EVALUATION_SEED)))
        datasets[law] = {**measured, "steps": [float(steps[law])] * n_seeds}
    return datasets


def training_steps(run_dir: Path, n_seeds: int) -> dict[str, int]:
    """Law → training steps: the larger of what config.json and curves.npz tell, because both can be wrong.

    The curve has one loss every LOG_EVERY steps, so that it tells nothing of a smoke run's few.
    """
    curves = load_arrays(run_dir / "curves.npz", dict.fromkeys(DEPTHS, (None, n_seeds)))
    configs = load_json(run_dir / "config.json")
    with blamed_on("config.json", "must list the settings of each training"):
        return {
            law: max(len(curves[law]) * LOG_EVERY, *(_n_steps(c) for c in configs if c["law"] == law)) for law in DEPTHS
        }


def _n_steps(config: dict[str, object]) -> int:
    n_steps = config["n_steps"]
    if type(n_steps) is not int or n_steps < 1:
        raise ArtifactError(f"n_steps is {n_steps!r:.40}, but must be a positive whole number")
    return n_steps


if __name__ == "__main__":
    evaluate(__doc__, measure)
