"""Official metrics of a run, from the weights that it saved. Protected.

python evaluate.py --run_dir=<run folder> --out_dir=<folder>
"""

from pathlib import Path

from artifacts import evaluate, load_arrays
from toy import DATASET, N_FEATURES, N_HIDDEN, measure


def official(run_dir: Path) -> dict[str, dict[str, list[float]]]:
    shapes = {"W": (None, N_FEATURES, N_HIDDEN), "b": (None, N_FEATURES)}
    saved = load_arrays(run_dir / "weights.npz", shapes)
    return {DATASET: measure(saved["W"], saved["b"])}


if __name__ == "__main__":
    evaluate(__doc__, official)
