"""The official metrics of a run, from its saved SAEs and text that no split of the training shares. Protected.

    HARNESS_ASSETS=<assets> HARNESS_HELD_OUT=<held_out> python evaluate.py --run_dir=<run folder> --out_dir=<folder>

Writes <out_dir>/final_info.json, or prints one line saying which saved file is at fault and exits with status 3; any
other failure is the evaluator's own.
"""

from pathlib import Path

import torch

from activations import Prepared
from artifacts import ArtifactError, blamed_on, evaluate, load_json, refuse_copies, requested_seeds, training_steps
from lm_metrics import N_LATENTS, load_parents, measure
from sae_files import load_sae


def measure_run(run_dir: Path) -> dict[str, dict[str, list[float]]]:
    """Dataset → metric → value per seed."""
    prepared = Prepared.from_environment()
    n_seeds = len(requested_seeds())
    measured = {}
    for dataset, layer in prepared.datasets.items():
        folder = run_dir / dataset
        training = spent(run_dir, dataset, n_seeds)
        sae = load_sae(folder, n_seeds, prepared.d_model, N_LATENTS)
        parents = load_parents(folder / "parents.npz", n_seeds)
        try:
            measured[dataset] = measure(prepared, layer, "evaluation", sae, parents) | training
        except ArtifactError as error:
            raise ArtifactError(f"{dataset}: {error}") from error
        refuse_copies(f"{dataset}/decoder.npz", sae.W_dec.numpy(), sae.b_dec.numpy())
    return measured


def spent(run_dir: Path, dataset: str, n_seeds: int) -> dict[str, list[float]]:
    """Training steps, and the activations trained on: steps times the batch size in config.json.

    Raises:
        ArtifactError: the curve tells of no step, a loss is not finite, or there is no batch size.
    """
    with blamed_on(dataset, "the training curve cannot be read"):
        steps = training_steps(run_dir / dataset / "training_curve.npz", n_seeds)
    return {"steps": steps, "samples": [batch_size(run_dir) * n for n in steps]}


def batch_size(run_dir: Path) -> int:
    config = load_json(run_dir / "config.json")
    size = config.get("batch_size") if isinstance(config, dict) else None
    if type(size) is not int or size < 1:
        raise ArtifactError("config.json: batch_size must be a positive whole number")
    return size


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    evaluate(__doc__, measure_run)
