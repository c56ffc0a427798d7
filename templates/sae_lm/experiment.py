"""Train sparse autoencoders (SAEs) on the residual stream of a language model, all seeds side by side.

    HARNESS_ASSETS=assets python experiment.py --out_dir=run_0

Writes final_info.json and, for every dataset (a layer of the model that `prepare.py` got), a folder with the saved SAEs
(encoder.json, encoder.npz, decoder.npz), training_curve.npz, density.npz, latents.json and, for a dictionary on two
levels, parents.npz; and config.json, the settings as they were used.
"""

import json
import os
import sys
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from activations import Prepared
from artifacts import Array, is_smoke, requested_seeds, run_arguments, write_final_info
from latents import describe
from lm_metrics import N_LATENTS, NO_PARENT, measure
from quick_start import without_compiler
from sae import ARCHITECTURES, SAE, HierSAE, refuse_dead_start
from sae_files import load_sae, save_sae

ARCHITECTURE = "topk"
K = 32
"""Latents that fire per token; evaluate.py refuses more than 5 % above 32."""
OPTIONS = {
    "topk": {"k": K},
    "batch_topk": {"k": K},
    "matryoshka": {"k": K, "prefixes": (72, 288)},
    "hier_sae": {"k": K, "n_coarse": 128},
}
"""What each architecture is made with besides seeds, d_in and n_latents; L0 must come out at K."""
N_STEPS = 800
BATCH_SIZE = 512
LEARNING_RATE = 3e-3
DECAY_FROM = 0.8
"""Part of the run after which the learning rate falls linearly to zero."""

SMOKE_STEPS = 4


def train(sae: SAE, x: Tensor, n_steps: int) -> Array:
    """Train on random rows of x [rows, d]; each seed draws from its own generator.

    Returns:
        The training loss at each step, [n_steps, S].
    """
    generators = sae.generators
    optimizer = torch.optim.Adam(sae.parameters(), lr=LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (1 - step / n_steps) / (1 - DECAY_FROM))
    )
    curve = torch.empty(n_steps, len(generators))
    report_every = max(1, n_steps // 10)
    for step in range(n_steps):
        rows = torch.stack([torch.randint(len(x), (BATCH_SIZE,), generator=generator) for generator in generators])
        batch = x[rows.to(x.device)]
        if step == 0:
            sae.b_dec.data.copy_(batch.mean(dim=1, keepdim=True))
            refuse_dead_start(sae, batch)
        loss = sae.loss(batch)["total"]
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
        schedule.step()
        sae.after_step()
        curve[step] = loss.detach()
        if (step + 1) % report_every == 0:
            print(f"step {step + 1}/{n_steps}  loss {curve[step].mean().item():.2f}", flush=True)
    return curve.numpy()


def parents(sae: SAE) -> Tensor | None:
    """The parent of each latent [S, m], NO_PARENT for coarse ones; None for a flat dictionary."""
    if not isinstance(sae, HierSAE):
        return None
    of_each = torch.cat([torch.full((sae.n_coarse,), NO_PARENT), sae.parent.cpu()])
    return of_each.expand(len(sae.generators), -1)


def refuse_settings() -> None:
    """End the program with one line where the settings above describe no training."""
    if ARCHITECTURE not in OPTIONS:
        sys.exit(f"ARCHITECTURE = {ARCHITECTURE!r}: OPTIONS has nothing for it, only for {', '.join(OPTIONS)}")
    if N_STEPS < 1:
        sys.exit(f"N_STEPS = {N_STEPS}: at least one step must be trained")


def recorded(datasets: dict[str, int], seeds: list[int], n_steps: int, device: torch.device) -> dict[str, Any]:
    """The settings as they were used, for config.json."""
    return {
        "datasets": datasets,
        "seeds": seeds,
        "device": str(device),
        "architecture": ARCHITECTURE,
        "options": OPTIONS[ARCHITECTURE],
        "n_latents": N_LATENTS,
        "n_steps": n_steps,
        "batch_size": BATCH_SIZE,
        "learning_rate": LEARNING_RATE,
        "decay_from": DECAY_FROM,
    }


def main() -> None:
    out_dir = run_arguments(__doc__).out_dir
    without_compiler()
    refuse_settings()
    seeds = requested_seeds()
    n_steps = SMOKE_STEPS if is_smoke() else N_STEPS
    device = torch.device(os.environ.get("HARNESS_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu"))
    prepared = Prepared.from_environment()
    results = {}
    for dataset, layer in prepared.datasets.items():
        x = prepared.activations("train", layer)
        sae = ARCHITECTURES[ARCHITECTURE](seeds, prepared.d_model, N_LATENTS, **OPTIONS[ARCHITECTURE]).to(device)
        started = time.perf_counter()
        curve = train(sae, x.flatten(0, 1).to(device), n_steps)
        seconds_per_seed = (time.perf_counter() - started) / len(seeds)

        save_sae(out_dir / dataset, sae)
        np.savez(out_dir / dataset / "training_curve.npz", loss=curve)
        describe(out_dir / dataset, sae, x, prepared.tokens("train"), prepared.vocabulary, parents(sae))
        saved = load_sae(out_dir / dataset, len(seeds), prepared.d_model, N_LATENTS)
        results[dataset] = measure(prepared, layer, "validation", saved, parents(sae))
        results[dataset]["train_seconds"] = [seconds_per_seed] * len(seeds)
    config = recorded(prepared.datasets, seeds, n_steps, device)
    (out_dir / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    write_final_info(out_dir, results)


if __name__ == "__main__":
    main()
