"""Train the toy model h = x W, xhat = ReLU(h W^T) on sparse features, all seeds in one batched loop.

    python experiment.py --out_dir=run_0

Writes weights.npz, training_curve.npz and final_info.json into the output folder.
"""

import os
import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from artifacts import Array, is_smoke, requested_seeds, run_arguments, write_final_info
from data import DATASET, N_FEATURES, N_HIDDEN, sparse_features
from geometry import measure
from quick_start import without_compiler

N_STEPS = 10_000
BATCH_SIZE = 32
LEARNING_RATE = 0.01
INIT_SCALE = 1.0
"""Standard deviation of the initial weights."""

SMOKE_STEPS = 200
HELD_OUT_SEED = 1_000_003
CHUNK_STEPS = 500
"""Steps whose batches are generated together: one call per chunk is far cheaper than one per step."""


def initial_weights(generators: list[np.random.Generator]) -> Array:
    """Gaussian weights W [seeds, n, d]; each seed draws from its own generator."""
    weights = [INIT_SCALE * rng.standard_normal((N_FEATURES, N_HIDDEN)) for rng in generators]
    return np.stack(weights, dtype=np.float32, casting="same_kind")


def batches(generators: list[np.random.Generator], n_steps: int, device: torch.device) -> Iterator[Tensor]:
    """Yield one batch x [seeds, batch, n] per step; each seed draws from its own generator."""
    for start in range(0, n_steps, CHUNK_STEPS):
        shape = (min(CHUNK_STEPS, n_steps - start), BATCH_SIZE)
        chunk = np.stack([sparse_features(rng, shape) for rng in generators], axis=1)
        yield from torch.from_numpy(chunk).to(device).unbind()


def reconstruct(x: Tensor, w: Tensor) -> Tensor:
    """xhat = ReLU(x W W^T), [seeds, batch, n]."""
    return torch.relu(x @ w @ w.mT)


def train(seeds: list[int], n_steps: int, device: torch.device) -> tuple[Array, Array]:
    """Train every seed for `n_steps`.

    A seed owns its random generator, and the losses of the seeds are summed, so that no seed's gradient or data
    depends on which others run beside it.

    Returns:
        Final weights [seeds, n, d] and the training loss at each step [n_steps, seeds].
    """
    generators = [np.random.default_rng(seed) for seed in seeds]
    w = torch.tensor(initial_weights(generators), device=device, requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=LEARNING_RATE, fused=True)
    curve = torch.empty(n_steps, len(seeds), device=device)
    report_every = max(1, n_steps // 10)
    for step, x in enumerate(batches(generators, n_steps, device)):
        loss = (reconstruct(x, w) - x).square().mean(dim=(1, 2))
        w.grad = None
        loss.sum().backward()
        optimizer.step()
        curve[step] = loss.detach()
        if (step + 1) % report_every == 0:
            recent = curve[step + 1 - report_every : step + 1].mean().item()
            print(f"step {step + 1}/{n_steps}  mean loss {recent:.6f}", flush=True)
    return w.detach().cpu().numpy(), curve.cpu().numpy()


def main() -> None:
    out_dir = run_arguments(__doc__).out_dir
    without_compiler()
    seeds = requested_seeds()
    device = torch.device(os.environ.get("HARNESS_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu"))

    started = time.perf_counter()
    w, curve = train(seeds, SMOKE_STEPS if is_smoke() else N_STEPS, device)
    seconds_per_seed = (time.perf_counter() - started) / len(seeds)

    no_bias = np.zeros(w.shape[:2], dtype=np.float32)
    metrics = measure(w, no_bias, np.random.default_rng(HELD_OUT_SEED))
    metrics["train_seconds"] = [seconds_per_seed] * len(seeds)
    np.savez(out_dir / "weights.npz", W=w)
    np.savez(out_dir / "training_curve.npz", loss=curve)
    write_final_info(out_dir, {DATASET: metrics})


if __name__ == "__main__":
    main()
