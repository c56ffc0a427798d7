"""The official metrics of a run, from its saved SAEs and text that no split of the training shares. Protected.

    HARNESS_ASSETS=<assets> HARNESS_HELD_OUT=<held_out> python evaluate.py --run_dir=<run folder> --out_dir=<folder>

Writes <out_dir>/final_info.json, or prints one line saying which saved file is at fault and exits with status 3; any
other failure is the evaluator's own.
"""

from pathlib import Path

import torch

from activations import Prepared
from artifacts import ArtifactError, evaluate, load_arrays, requested_seeds
from lm_metrics import N_LATENTS, load_parents, measure
from sae_files import load_sae


def measure_run(run_dir: Path) -> dict[str, dict[str, list[float]]]:
    """Dataset → metric → value per seed."""
    prepared = Prepared.from_environment()
    n_seeds = len(requested_seeds())
    measured = {}
    for dataset, layer in prepared.datasets.items():
        folder = run_dir / dataset
        refuse_untrained(folder, n_seeds)
        sae = load_sae(folder, n_seeds, prepared.d_model, N_LATENTS)
        parents = load_parents(folder / "parents.npz", n_seeds)
        try:
            measured[dataset] = measure(prepared, layer, "evaluation", sae, parents)
        except ArtifactError as error:
            raise ArtifactError(f"{dataset}: {error}") from error
    return measured


def refuse_untrained(folder: Path, n_seeds: int) -> None:
    """Raise ArtifactError unless training_curve.npz tells of at least one step, with finite losses."""
    try:
        steps = len(load_arrays(folder / "training_curve.npz", {"loss": (None, n_seeds)})["loss"])
    except ArtifactError as error:
        raise ArtifactError(f"{folder.name}/{error}") from error
    if steps == 0:
        raise ArtifactError(f"{folder.name}/training_curve.npz: 0 training steps were made")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    evaluate(__doc__, measure_run)
