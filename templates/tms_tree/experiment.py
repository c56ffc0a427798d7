"""Train toy models of superposition on binary trees of features: every depth and n_hidden, all in one batched loop.

    python experiment.py --out_dir=run_0

Writes weights_<law>.npz for each law of data.py, restarts.npz, curves.npz, config.json, cells.json and final_info.json.
"""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from artifacts import is_smoke, requested_seeds, run_arguments, write_final_info
from data import DEPTHS, Array, cells, n_features
from minibatches import CHEAPEST, STREAMS, Minibatch, Plan
from quick_start import without_compiler
from sweep import N_INSTANCES, measure_law, metrics, save_stacks, table

N_STEPS = 10_000
BATCH_SIZE = 1024
LEARNING_RATE = 1e-3
BETA_2 = 0.999
"""Decay of Adam's second moment."""
INIT_SCALE = 1.0
"""Factor on the standard deviation of the initial weights, `Config.init_std`."""

SMOKE_STEPS = 60
STACKED = 5
"""Models in one weight tensor of the notebook that this follows; its initial scale depended on their number."""
HELD_OUT_SEED = 1_000_003
LOG_EVERY = 100
REPORT_EVERY = 1000
RESTARTS = 100
"""Instances per seed of the smallest cell with superposition, to count those that end in its local minimum."""


@dataclass(frozen=True)
class Config:
    """One call of `train`; it is what config.json records."""

    law: str
    cells: tuple[tuple[int, int], ...]
    """(depth, n_hidden) of every model, sorted."""
    minibatches: str
    """Which of STREAMS draws them."""
    n_instances: int = N_INSTANCES
    n_steps: int = N_STEPS
    batch_size: int = BATCH_SIZE
    learning_rate: float = LEARNING_RATE
    beta_2: float = BETA_2
    init_scale: float = INIT_SCALE

    @property
    def stacks(self) -> dict[int, list[int]]:
        """Depth → the n_hidden of its models."""
        return {depth: [h for d, h in self.cells if d == depth] for depth in sorted({d for d, _ in self.cells})}

    def init_std(self, depth: int, n_hidden: int) -> float:
        """Standard deviation of a model's initial weights, which does not depend on how many models are trained.

        PyTorch's xavier_normal_ takes a tensor [m, n_hidden, n] of m models for a convolution's and gives it
        sqrt(2 / ((n_hidden + m) n)). We keep what that is for m = STACKED.
        """
        return self.init_scale * (2 / ((n_hidden + STACKED) * n_features(depth))) ** 0.5


def initial_weights(config: Config, seeds: list[int], depth: int) -> Array:
    """W [groups, n_hiddens, h, n], zero beyond a model's n_hidden; each seed draws from its own generator."""
    hiddens = config.stacks[depth]
    shape = (config.n_instances, len(hiddens), max(hiddens), n_features(depth))
    w = np.concatenate([np.random.default_rng([seed, 1000 + depth]).standard_normal(shape) for seed in seeds])
    for place, n_hidden in enumerate(hiddens):
        w[:, place] *= config.init_std(depth, n_hidden)
        w[:, place, n_hidden:] = 0
    return w.astype(np.float32)


def reconstruct(x: Tensor, w: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The model: h = W x and xhat = ReLU(W^T h + b).

    Args:
        x: inputs, the same for all groups [k, n] or not [groups, k, n]; a group is one instance of one seed.
        w: weights [groups, models, h, n].
        b: biases [groups, models, n].

    Returns:
        h [groups, models, h, k] and xhat [groups, models, k, n].
    """
    groups, models, d_hidden, n = w.shape
    hidden = (w.flatten(1, 2) @ x.mT).view(groups * models, d_hidden, -1)
    xhat = torch.baddbmm(b.view(-1, 1, n), hidden.mT, w.view(-1, d_hidden, n)).relu_()
    return hidden.view(groups, models, d_hidden, -1), xhat.view(groups, models, -1, n)


def losses(x: Tensor, weight: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """Every model's loss, sum_k weight_k mean_i (x_ki - xhat_ki)^2: [groups, models], given weight [groups, k]."""
    error = x.unsqueeze(-3) - reconstruct(x, w, b)[1]
    return (error.square().mean(dim=-1) * weight[:, None]).sum(dim=-1)


def gradient(x: Tensor, weight: Tensor, w: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """What torch.autograd.grad(losses(x, weight, w, b).sum(), (w, b)) gives, two to three times as fast.

    With e = dloss/d(W^T h + b), zero where the ReLU is off: dloss/dW = h e^T + (W e) x^T and dloss/db = e, summed over
    the inputs. A model or a loss that is changed needs this changed too, or the line above in its place.
    """
    if x.ndim == 3 and len(x) > 1 and x.device.type == "cpu":
        # Group by group, so that temporaries stay in the processor's cache: twice as fast, and bit for bit the same.
        parts = [gradient(*group) for group in zip(x.split(1), weight.split(1), w.split(1), b.split(1), strict=True)]
        return torch.cat([dw for dw, _ in parts]), torch.cat([db for _, db in parts])
    hidden, xhat = reconstruct(x, w, b)
    n = x.shape[-1]
    # sign(xhat) is 1 where the ReLU is on and 0 where it is off, as xhat is already.
    error = xhat.addcmul_(x.unsqueeze(-3), xhat.sign(), value=-1).mul_((2 / n * weight)[:, None, :, None])
    through_hidden = (w @ error.mT).flatten(1, 2) @ x
    return (hidden @ error).add_(through_hidden.view_as(w)), error.sum(dim=-2)


def train(config: Config, seeds: list[int], device: torch.device) -> tuple[dict[int, tuple[Array, Array]], Array]:
    """Train every cell, instance and seed; no model's gradient or data depends on which others train beside it.

    Returns:
        Depth → (W [seeds, instances, n_hiddens, h, n], b [seeds, instances, n_hiddens, n]), and the minibatch loss over
        the depth's zero-model loss every LOG_EVERY steps, averaged over the models of a seed [logs, seeds].
    """
    ws = [torch.tensor(initial_weights(config, seeds, depth), device=device) for depth in config.stacks]
    bs = [w.new_zeros((*w.shape[:2], w.shape[-1])) for w in ws]
    optimizer = torch.optim.Adam([*ws, *bs], lr=config.learning_rate, betas=(0.9, config.beta_2), fused=True)
    seen = (tuple(config.stacks), tuple(seeds), config.n_instances, config.batch_size, config.n_steps, device)
    curve = []
    for step, minibatch in enumerate(STREAMS[config.minibatches](Plan(config.law, *seen)), start=1):
        for (x, weight), w, b in zip(minibatch.values(), ws, bs, strict=True):
            w.grad, b.grad = gradient(x, weight, w, b)
        optimizer.step()
        if step % LOG_EVERY == 0:
            curve.append(relative_loss(minibatch, ws, bs, len(seeds)))
        if step % REPORT_EVERY == 0:
            print(f"{config.law}: step {step}/{config.n_steps}  relative loss {curve[-1].mean():.5f}", flush=True)

    def by_seed(parameter: Tensor) -> Array:
        return parameter.view(len(seeds), config.n_instances, *parameter.shape[1:]).cpu().numpy()

    stacks = {depth: (by_seed(w), by_seed(b)) for depth, w, b in zip(config.stacks, ws, bs, strict=True)}
    return stacks, np.array(curve, dtype=np.float32).reshape(-1, len(seeds))


def relative_loss(minibatch: Minibatch, ws: list[Tensor], bs: list[Tensor], n_seeds: int) -> Array:
    """Mean over the models of each seed of loss / (loss of the model that outputs zero), on one minibatch: [seeds]."""
    relative = [
        losses(x, weight, w, b) / losses(x, weight, torch.zeros_like(w), torch.zeros_like(b))
        for (x, weight), w, b in zip(minibatch.values(), ws, bs, strict=True)
    ]
    return torch.cat(relative, dim=1).view(n_seeds, -1).mean(dim=1).cpu().numpy()


def recorded(config: Config, seeds: list[int], device: torch.device) -> dict[str, Any]:
    """All arguments of `train`, and what follows from them: the standard deviation of each cell's initial weights."""
    init_std = [config.init_std(depth, n_hidden) for depth, n_hidden in config.cells]
    return asdict(config) | {"init_std": init_std, "seeds": seeds, "device": str(device)}


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")


def main() -> None:
    out_dir = run_arguments(__doc__).out_dir
    without_compiler()
    seeds = requested_seeds()
    device = torch.device(os.environ.get("HARNESS_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu"))
    n_steps = SMOKE_STEPS if is_smoke() else N_STEPS

    final_info, cell_tables, curves, configs = {}, {}, {}, []
    for law in DEPTHS:
        config = Config(law, tuple(cells(law)), CHEAPEST[law], n_steps=n_steps)
        started = time.perf_counter()
        stacks, curves[law] = train(config, seeds, device)
        seconds_per_seed = (time.perf_counter() - started) / len(seeds)
        loss, fvu = measure_law(law, stacks, np.random.default_rng(HELD_OUT_SEED))
        final_info[law] = metrics(loss, fvu) | {"train_seconds": [seconds_per_seed] * len(seeds)}
        cell_tables[law] = table(law, loss, fvu)
        save_stacks(out_dir, law, stacks)
        configs.append(config)

    restarts = Config("early_stopping", ((2, 2),), "counted", n_instances=RESTARTS, n_steps=n_steps)
    w, b = train(restarts, seeds, device)[0][2]
    np.savez(out_dir / "restarts.npz", W=w, b=b)
    np.savez(out_dir / "curves.npz", **curves)
    write_json(out_dir / "config.json", [recorded(config, seeds, device) for config in (*configs, restarts)])
    write_json(out_dir / "cells.json", cell_tables)
    write_final_info(out_dir, final_info)


if __name__ == "__main__":
    main()
