"""Train sparse autoencoders of several architectures on features that form a tree, all seeds in one batched loop.

    python experiment.py --out_dir=run_0

Writes saes/<variant>/ for every variant, weights.npz, training_curves.npz, config.json and final_info.json into the
output folder.
"""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from artifacts import is_smoke, requested_seeds, run_arguments, write_final_info
from data import TRUE_L0, WIDTHS, samples, variant_and_tree
from quick_start import without_compiler
from sae import ARCHITECTURES, SAE, refuse_dead_start
from sae_files import save_sae
from scores import measure_on_samples

N_STEPS = 15_000
BATCH_SIZE = 200
LEARNING_RATE = 3e-3
DECAY = 0.5
"""Share of the steps, the last ones, in which the learning rate falls to zero in a straight line."""

L1 = 0.05
GATED_L1 = 0.8
TOPK = 1
K_START = 6.0
K_STEPS = 5_000
"""BatchTopK and its kin begin with K_START latents per sample and come down to the tree's L0 over K_STEPS."""
RESAMPLE_STEPS = 500
"""They give dead latents a new direction after every so many steps."""
N_PREFIXES = 10
N_COARSE = 10
L0_PENALTY = 1.0
BANDWIDTH = 0.5

BATCH_TOPK = {"k": TRUE_L0, "k_start": K_START, "k_steps": K_STEPS, "resample_steps": RESAMPLE_STEPS}
VARIANTS: dict[str, dict[str, Any]] = {
    "relu_l1": {"l1": L1},
    "topk": {"k": TOPK},
    "batch_topk": BATCH_TOPK,
    "jump_relu": {"target_l0": TRUE_L0, "l0_penalty": L0_PENALTY, "bandwidth": BANDWIDTH},
    "gated": {"l1": GATED_L1},
    "matryoshka": {**BATCH_TOPK, "prefixes": N_PREFIXES},
    "hier_sae": {**BATCH_TOPK, "n_coarse": N_COARSE},
}
"""Architecture → its hyperparameters. Each is a dataset of its own in final_info.json.

All have 20 latents. The tree's L0, 1.12, is the target wherever an architecture has one; TopK has the nearest
whole number. ReLU-L1's penalty is so weak that it chooses between exact solutions only, Gated's brings L0 near 1.12.
A new architecture is a subclass of SAE: ARCHITECTURES["name"] = Class, and its name here. "name@simple" and
"name@exclusive" train it on the trees of three features, which need hyperparameters of their own (see data.py).
"""

SMOKE_STEPS = 50
CURVE_STEPS = 100
"""Steps averaged into one point of a training curve; evaluate.py counts the steps by its points."""
CHUNK_STEPS = 200
"""Steps whose batches are drawn together: one call per chunk is far cheaper than one per step."""
SHUFFLE_SEED = 1_000_003
"""Added to a seed for the order of its samples; its initial weights have other random numbers."""


def batches(x: Tensor, seeds: list[int], n_steps: int) -> Iterator[Tensor]:
    """Yield one batch [seeds, batch, d] per step, random rows of the samples x [seeds, rows, d].

    Each seed draws from its own generator, alike for all variants.
    """
    generators = [torch.Generator().manual_seed(SHUFFLE_SEED + seed) for seed in seeds]
    for start in range(0, n_steps, CHUNK_STEPS):
        shape = (min(CHUNK_STEPS, n_steps - start), BATCH_SIZE)
        rows = [torch.randint(x.shape[1], shape, generator=generator).to(x.device) for generator in generators]
        yield from torch.stack([x[s][chosen] for s, chosen in enumerate(rows)], dim=1).unbind()


def learning_rate(step: int, n_steps: int) -> float:
    """Constant, then a straight line to zero over the last share DECAY of the steps."""
    return LEARNING_RATE * min(1.0, (n_steps - step) / (DECAY * n_steps))


def train(sae: SAE, x: Tensor, seeds: list[int], n_steps: int) -> Tensor:
    """Train every seed of `sae` for n_steps on samples x [seeds, rows, d].

    The losses of the seeds are summed, so that no gradient crosses over.

    Returns:
        The squared error ||x - xhat||^2 per training sample, [points, seeds], a mean of CURVE_STEPS steps each.
    """
    refuse_dead_start(sae, next(batches(x, seeds, 1)))
    optimizer = torch.optim.Adam(sae.parameters(), lr=LEARNING_RATE, fused=True)
    curve = torch.zeros(-(-n_steps // CURVE_STEPS), len(seeds), device=x.device)
    for step, batch in enumerate(batches(x, seeds, n_steps)):
        optimizer.param_groups[0]["lr"] = learning_rate(step, n_steps)
        losses = sae.loss(batch)
        losses["total"].sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        sae.after_step()
        curve[step // CURVE_STEPS] += losses["mse"].detach()
    return curve / min(CURVE_STEPS, n_steps)


def recorded(saes: dict[str, SAE], seeds: list[int], n_steps: int, device: torch.device) -> dict[str, Any]:
    """The settings as they were used, for config.json."""
    return {
        "seeds": seeds,
        "device": str(device),
        "n_steps": n_steps,
        "batch_size": BATCH_SIZE,
        "learning_rate": LEARNING_RATE,
        "decay": DECAY,
        "variants": {name: {"class": type(sae).__name__, **VARIANTS[name]} for name, sae in saes.items()},
    }


def main() -> None:
    out_dir = run_arguments(__doc__).out_dir
    without_compiler()
    seeds = requested_seeds()
    device = torch.device(os.environ.get("HARNESS_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu"))
    torch.set_num_threads(1)  # matrices this small lose more by a second thread than they gain
    n_steps = SMOKE_STEPS if is_smoke() else N_STEPS

    saes, scores, curves, weights = {}, {}, {}, {}
    trees = {name: variant_and_tree(name)[1] for name in VARIANTS}
    training_samples = {tree: samples(tree, "train", seeds).to(device) for tree in set(trees.values())}
    for name, hyperparameters in VARIANTS.items():
        started = time.perf_counter()
        architecture, tree = variant_and_tree(name)
        sae = saes[name] = ARCHITECTURES[architecture](seeds, *WIDTHS[tree], **hyperparameters).to(device)
        curves[name] = train(sae, training_samples[tree], seeds, n_steps).cpu().numpy()
        seconds = time.perf_counter() - started
        weights[name] = sae.W_enc.detach().cpu().numpy()
        save_sae(out_dir / "saes" / name, sae)
        scores[name] = measure_on_samples(sae, samples(tree, "validation", seeds))
        scores[name]["train_seconds"] = [seconds / len(seeds)] * len(seeds)
        found = "  ".join(f"{m} {np.mean(scores[name][m]):.4f}" for m in ("fvu", "l0", "dead_fraction"))
        print(f"{name}: {found}  ({seconds:.1f} s)", flush=True)
    np.savez(out_dir / "weights.npz", **weights)
    np.savez(out_dir / "training_curves.npz", **curves)
    config = recorded(saes, seeds, n_steps, device)
    (out_dir / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    write_final_info(out_dir, scores)


if __name__ == "__main__":
    main()
