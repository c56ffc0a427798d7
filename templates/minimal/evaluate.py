"""Official metrics of a run, from the weights and the training curve that it saved. Protected.

python evaluate.py --run_dir=<run folder> --out_dir=<folder>
"""

from pathlib import Path

from artifacts import evaluate, load_arrays, refuse_copies, requested_seeds, training_steps
from toy import DATASET, N_FEATURES, N_HIDDEN, measure


def official(run_dir: Path) -> dict[str, dict[str, list[float]]]:
    n_seeds = len(requested_seeds())
    shapes = {"W": (n_seeds, N_FEATURES, N_HIDDEN), "b": (n_seeds, N_FEATURES)}
    saved = load_arrays(run_dir / "weights.npz", shapes)
    refuse_copies("weights.npz", saved["W"], saved["b"])
    steps = training_steps(run_dir / "training_curve.npz", n_seeds)
    return {DATASET: {**measure(saved["W"], saved["b"]), "steps": steps}}


if __name__ == "__main__":
    evaluate(__doc__, official)
