"""Every metric of the sweep, in numpy, from the weights of all its models. Protected.

The models of one depth are a stack: W [seeds, instances, n_hiddens, h, n], b [seeds, instances, n_hiddens, n], where n
is the number of features and h the largest n_hidden of the depth. A model with fewer hidden units is zero in the rest.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from artifacts import ArtifactError, load_arrays
from data import DEPTHS, N_HIDDEN, Array, Doubles, cells, inputs, n_features

N_INSTANCES = 5
SOLVED = 1e-5
"""A model with a smaller loss has solved its cell."""
STUCK_MARGIN = 0.01
"""An instance is stuck when its FVU exceeds that of its cell's best instance by more than this."""

Stacks = Mapping[int, tuple[Array, Array]]
"""Depth → (W, b)."""


def n_hiddens(depth: int) -> list[int]:
    """The n_hidden of the models in a depth's stack, in order."""
    return [n_hidden for n_hidden in N_HIDDEN if n_hidden <= n_features(depth)]


def losses(w: Array, b: Array, x: Array, probability: Doubles) -> Doubles:
    """E mean_i (x_i - xhat_i)^2 with xhat = ReLU(W^T W x + b), of every model of a stack.

    Args:
        w, b: a stack, [..., h, n] and [..., n].
        x: the distinct inputs [k, n].
        probability: of each input [k].

    Returns:
        Losses [...].
    """
    result = np.empty(b.shape[:-1])
    for model in np.ndindex(result.shape):
        xhat = np.maximum(x @ w[model].T @ w[model] + b[model], 0)
        result[model] = probability @ np.mean((x - xhat) ** 2, axis=1, dtype=np.float64)
    return result


def variance(x: Array, probability: Doubles) -> float:
    """Mean over features of Var x_i: the loss of the best constant, by which FVU = loss / variance."""
    mean = probability @ x
    return float(np.mean(probability @ x**2 - mean**2))


def measure_law(law: str, stacks: Stacks, rng: Generator) -> tuple[list[Doubles], list[Doubles]]:
    """Loss and FVU of every instance, one array [seeds, instances] per cell of `data.cells(law)`, in its order."""
    loss: list[Doubles] = []
    fvu: list[Doubles] = []
    for depth in DEPTHS[law]:
        x, probability = inputs(law, depth, rng)
        with np.errstate(over="ignore", invalid="ignore"):
            of_depth = losses(*stacks[depth], x, probability)
        loss += list(np.moveaxis(of_depth, 2, 0))
        fvu += list(np.moveaxis(of_depth / variance(x, probability), 2, 0))
    return loss, fvu


def stuck(fvu: Doubles) -> Doubles:
    """Which instances [..., instances] are stuck, as 0 and 1."""
    return np.where(fvu > fvu.min(axis=-1, keepdims=True) + STUCK_MARGIN, 1.0, 0.0)


def metrics(loss: list[Doubles], fvu: list[Doubles]) -> dict[str, list[float]]:
    """Per seed: statistics over the seed's instances of a cell, averaged over cells (`cells_solved`: their number)."""
    cell_loss, cell_fvu = np.stack(loss), np.stack(fvu)
    per_seed = {
        "fvu_min": cell_fvu.min(axis=2).mean(axis=0),
        "fvu_median": np.median(cell_fvu, axis=2).mean(axis=0),
        "fvu_mean": cell_fvu.mean(axis=(0, 2)),
        "loss_min": cell_loss.min(axis=2).mean(axis=0),
        "loss_median": np.median(cell_loss, axis=2).mean(axis=0),
        "loss_mean": cell_loss.mean(axis=(0, 2)),
        "stuck_fraction": stuck(cell_fvu).mean(axis=(0, 2)),
        "cells_solved": (cell_loss.min(axis=2) < SOLVED).sum(axis=0),
    }
    return {metric: [float(value) for value in values] for metric, values in per_seed.items()}


def table(law: str, loss: list[Doubles], fvu: list[Doubles]) -> dict[str, Any]:
    """What cells.json holds of a law: statistics of every cell over all instances of all seeds, and min_n_hidden."""
    rows = [
        {
            "depth": depth,
            "n_hidden": n_hidden,
            "loss": summary(cell_loss),
            "fvu": summary(cell_fvu),
            "stuck_fraction": float(stuck(cell_fvu.ravel()).mean()),
        }
        for (depth, n_hidden), cell_loss, cell_fvu in zip(cells(law), loss, fvu, strict=True)
    ]
    return {"cells": rows, "min_n_hidden": min_n_hidden(law, loss)}


def summary(values: Doubles) -> dict[str, float]:
    return {"min": float(values.min()), "median": float(np.median(values)), "mean": float(values.mean())}


def min_n_hidden(law: str, loss: list[Doubles]) -> dict[str, int | None]:
    """Per depth the smallest n_hidden whose best instance, of all seeds, has solved its cell; None if there is none."""
    smallest: dict[str, int | None] = {str(depth): None for depth in DEPTHS[law]}
    for (depth, n_hidden), cell_loss in reversed(list(zip(cells(law), loss, strict=True))):
        if cell_loss.min() < SOLVED:
            smallest[str(depth)] = n_hidden
    return smallest


def weights_file(law: str) -> str:
    return f"weights_{law}.npz"


def save_stacks(folder: Path, law: str, stacks: Stacks) -> None:
    arrays = {
        f"{name}{depth}": array for depth, stack in stacks.items() for name, array in zip("Wb", stack, strict=True)
    }
    np.savez(folder / weights_file(law), **arrays)


def load_stacks(folder: Path, law: str, n_seeds: int) -> dict[int, tuple[Array, Array]]:
    """Read the weights of a law.

    Raises:
        ArtifactError: the file is not as README.md says, or a model uses more hidden dimensions than its cell has.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for depth in DEPTHS[law]:
        models = (n_seeds, N_INSTANCES, len(n_hiddens(depth)))
        shapes[f"W{depth}"] = (*models, max(n_hiddens(depth)), n_features(depth))
        shapes[f"b{depth}"] = (*models, n_features(depth))
    arrays = load_arrays(folder / weights_file(law), shapes)
    for depth in DEPTHS[law]:
        for place, n_hidden in enumerate(n_hiddens(depth)):
            if arrays[f"W{depth}"][:, :, place, n_hidden:].any():
                raise ArtifactError(
                    f"{weights_file(law)}: 'W{depth}'[:, :, {place}] has n_hidden = {n_hidden}, "
                    f"but is not zero in hidden dimensions {n_hidden} and above"
                )
    return {depth: (arrays[f"W{depth}"], arrays[f"b{depth}"]) for depth in DEPTHS[law]}
