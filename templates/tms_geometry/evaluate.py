"""The official metrics of a run, computed from its saved weights on data that the experiment never sees. Protected.

    python evaluate.py --run_dir=<run folder> --out_dir=<folder>

Writes <out_dir>/final_info.json, or prints one line saying what is wrong with weights.npz and exits with status 3,
which tells the harness that the run is at fault; any other failure is the evaluator's own.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from artifacts import ArtifactError, load_weights, requested_seeds, write_final_info
from data import Array
from geometry import measure

EVALUATION_SEED = 20_220_914
UNACCEPTABLE = 3


def finite_metrics(w: Array, b: Array) -> dict[str, list[float]]:
    """Every metric per seed; weights so large that a metric overflows are refused like any other broken file."""
    with np.errstate(over="ignore", invalid="ignore"):
        metrics = measure(w, b, np.random.default_rng(EVALUATION_SEED))
    for metric, values in metrics.items():
        if not np.isfinite(values).all():
            raise ArtifactError(f"weights.npz: {metric} is not finite ({values}); the training diverged")
    return metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run_dir", type=Path, required=True)
    parser.add_argument("--out_dir", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        w, b = load_weights(arguments.run_dir / "weights.npz", n_seeds=len(requested_seeds()))
        metrics = finite_metrics(w, b)
    except ArtifactError as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        sys.exit(UNACCEPTABLE)
    arguments.out_dir.mkdir(parents=True, exist_ok=True)
    write_final_info(arguments.out_dir, metrics)


if __name__ == "__main__":
    main()
