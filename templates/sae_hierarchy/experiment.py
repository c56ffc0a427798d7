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
from data import TOY, TRUE_L0, VALIDATION_SEED, generator, variant_and_tree, widths
from quick_start import without_compiler
from sae import ARCHITECTURES, SAE, refuse_dead_start
from sae_files import save_sae
from scores import measure

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
SMOKE_ROWS = 2_000
VALIDATION_ROWS = 20_000
CURVE_STEPS = 100
"""Steps averaged into one point of a training curve."""
CHUNK_STEPS = 200
"""Steps whose batches are drawn together: one call per chunk is far cheaper than one per step."""


def batches(seeds: list[int], n_steps: int, device: torch.device, tree: str = TOY) -> Iterator[Tensor]:
    """Yield one batch x [seeds, batch, d] per step; each seed draws from its own generator, alike for all variants."""
    worlds = [generator(seed, device, tree) for seed in seeds]
    for start in range(0, n_steps, CHUNK_STEPS):
        steps = min(CHUNK_STEPS, n_steps - start)
        samples = [world.sample(steps * BATCH_SIZE)[0].unflatten(0, (steps, BATCH_SIZE)) for world in worlds]
        yield from torch.stack(samples, dim=1).unbind()


def learning_rate(step: int, n_steps: int) -> float:
    """Constant, then a straight line to zero over the last share DECAY of the steps."""
    return LEARNING_RATE * min(1.0, (n_steps - step) / (DECAY * n_steps))


def train(sae: SAE, seeds: list[int], n_steps: int, device: torch.device, tree: str = TOY) -> Tensor:
    """Train every seed of `sae` for n_steps; the losses of the seeds are summed, so that no gradient crosses over.

    Returns:
        The squared error ||x - xhat||^2 per training sample, [points, seeds], a mean of CURVE_STEPS steps each.
    """
    refuse_dead_start(sae, next(batches(seeds, 1, device, tree)))
    optimizer = torch.optim.Adam(sae.parameters(), lr=LEARNING_RATE, fused=True)
    curve = torch.zeros(-(-n_steps // CURVE_STEPS), len(seeds), device=device)
    for step, x in enumerate(batches(seeds, n_steps, device, tree)):
        optimizer.param_groups[0]["lr"] = learning_rate(step, n_steps)
        losses = sae.loss(x)
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
    n_steps, n_rows = (SMOKE_STEPS, SMOKE_ROWS) if is_smoke() else (N_STEPS, VALIDATION_ROWS)

    saes, scores, curves, weights = {}, {}, {}, {}
    for name, hyperparameters in VARIANTS.items():
        started = time.perf_counter()
        architecture, tree = variant_and_tree(name)
        sae = saes[name] = ARCHITECTURES[architecture](seeds, *widths(tree), **hyperparameters).to(device)
        curves[name] = train(sae, seeds, n_steps, device, tree).cpu().numpy()
        seconds = time.perf_counter() - started
        weights[name] = sae.W_enc.detach().cpu().numpy()
        weights[f"directions@{tree}"] = np.stack([generator(seed, tree=tree).directions.numpy() for seed in seeds])
        save_sae(out_dir / "saes" / name, sae)
        scores[name] = measure(sae, seeds, VALIDATION_SEED, n_rows, tree)
        scores[name]["train_seconds"] = [seconds / len(seeds)] * len(seeds)
        found = "  ".join(f"{m} {np.mean(scores[name][m]):.4f}" for m in ("mcc", "fvu", "l0", "full_absorption"))
        print(f"{name}: {found}  ({seconds:.1f} s)", flush=True)
    np.savez(out_dir / "weights.npz", **weights)
    np.savez(out_dir / "training_curves.npz", **curves)
    config = recorded(saes, seeds, n_steps, device)
    (out_dir / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    write_final_info(out_dir, scores)


if __name__ == "__main__":
    main()
