"""The official metrics of a run: its saved weights, on data that the experiment never sees, and its steps. Protected.

    python evaluate.py --run_dir=<run folder> --out_dir=<folder>

Writes <out_dir>/final_info.json, or prints one line saying what is wrong with a saved file and exits with status 3,
which tells the harness that the run is at fault; any other failure is the evaluator's own.
"""

from pathlib import Path

import numpy as np

from artifacts import PerSeed, evaluate, refuse_copies, requested_seeds, training_steps
from data import DATASET
from geometry import load_weights, measure
from held_out import EVALUATION_SEED


def official(run_dir: Path) -> dict[str, PerSeed]:
    """Every metric per seed; weights so large that a metric overflows are refused like any other broken file."""
    n_seeds = len(requested_seeds())
    w, b = load_weights(run_dir / "weights.npz", n_seeds)
    refuse_copies("weights.npz", w, b)
    steps = training_steps(run_dir / "training_curve.npz", n_seeds)
    with np.errstate(over="ignore", invalid="ignore"):
        return {DATASET: {**measure(w, b, np.random.default_rng(EVALUATION_SEED)), "steps": steps}}


if __name__ == "__main__":
    evaluate(__doc__, official)
