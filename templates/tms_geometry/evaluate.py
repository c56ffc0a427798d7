"""The official metrics of a run, computed from its saved weights on data that the experiment never sees. Protected.

    python evaluate.py --run_dir=<run folder> --out_dir=<folder>

Writes <out_dir>/final_info.json, or prints one line saying what is wrong with weights.npz and exits with status 3,
which tells the harness that the run is at fault; any other failure is the evaluator's own.
"""

from pathlib import Path

import numpy as np

from artifacts import PerSeed, evaluate, requested_seeds
from data import DATASET
from geometry import load_weights, measure
from held_out import EVALUATION_SEED


def official(run_dir: Path) -> dict[str, PerSeed]:
    """Every metric per seed; weights so large that a metric overflows are refused like any other broken file."""
    w, b = load_weights(run_dir / "weights.npz", n_seeds=len(requested_seeds()))
    with np.errstate(over="ignore", invalid="ignore"):
        return {DATASET: measure(w, b, np.random.default_rng(EVALUATION_SEED))}


if __name__ == "__main__":
    evaluate(__doc__, official)
