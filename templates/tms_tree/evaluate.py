"""The official metrics of a run, computed from its saved weights: exact expectations, or samples never trained on.

    python evaluate.py --run_dir=<run folder> --out_dir=<folder>

Writes <out_dir>/final_info.json, or prints one line saying what is wrong with the weights and exits with status 3,
which tells the harness that the run is at fault; any other failure is the evaluator's own. Protected.
"""

from pathlib import Path

import numpy as np

from artifacts import evaluate, requested_seeds
from data import DEPTHS
from held_out import EVALUATION_SEED
from sweep import load_stacks, measure_law, metrics


def measure(run_dir: Path) -> dict[str, dict[str, list[float]]]:
    """Every metric per seed on every law."""
    n_seeds = len(requested_seeds())
    datasets = {}
    for law in DEPTHS:
        stacks = load_stacks(run_dir, law, n_seeds)
        datasets[law] = metrics(*measure_law(law, stacks, np.random.default_rng(EVALUATION_SEED)))
    return datasets


if __name__ == "__main__":
    evaluate(__doc__, measure)
