"""Straightforward loops, as in published code, which the templates' vectorised samplers replace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from laws import (
    COMPARED_CELLS,
    N_INSTANCES,
    TREE_BATCH,
    TREE_LEARNING_RATE,
    n_tree_features,
    tree_cells,
    tree_losses,
)
from numpy.typing import NDArray
from torch import Tensor, nn
from worker import Case, serve

Node = dict[str, Any]


def tree_sampling(batch: int, tree: str, observed: int) -> Case:
    """One sample after the other by recursion: a torch draw per node, np.random.choice per exclusive group.

    The Matryoshka toy model was published like this (karlkumbier/matryoshka-saes, tree.py): every node is visited,
    whether or not its parent is active. A minimal recursion, with Python's own random numbers and no visits
    below an inactive node, takes about a fifteenth of the time.
    """
    root = json.loads(Path(tree).read_text())
    number_of = {id(node): number for number, node in enumerate(read_out(root))}

    def sample(n: int) -> Tensor:
        rows = []
        for _ in range(n):
            row = [0.0] * len(number_of)
            visit(root, row, parent_active=True)
            rows.append(row)
        return torch.tensor(rows)

    def visit(node: Node, row: list[float], parent_active: bool, chosen: bool | None = None) -> None:
        fires = bool(torch.rand(1) < node["active_prob"]) if chosen is None else chosen
        active = parent_active and fires
        if id(node) in number_of:
            row[number_of[id(node)]] = float(active)
        children = node.get("children", [])
        if active and node.get("mutually_exclusive_children"):
            winner = np.random.choice(len(children), p=[child["active_prob"] for child in children])
            for i, child in enumerate(children):
                visit(child, row, active, chosen=i == winner)
        else:
            for child in children:
                visit(child, row, active)

    seed_everything()
    return Case(lambda: sample(batch), lambda: {"activations": sample(observed).numpy()})


def read_out(node: Node) -> Iterator[Node]:
    """The nodes that are features, depth first."""
    if node.get("is_read_out", True):
        yield node
    for child in node.get("children", []):
        yield from read_out(child)


def k_active(rows: int, k: int, n_features: int, observed: int) -> Case:
    """Exactly k active features: np.random.choice without replacement, row by row."""

    def sample(n: int) -> NDArray[np.float64]:
        x = np.zeros((n, n_features))
        for i in range(n):
            active = np.random.choice(n_features, k, replace=False)
            x[i, active] = np.random.rand(k)
        return x

    seed_everything()
    return Case(lambda: sample(rows), lambda: {"activations": sample(observed)})


def tms_tree(steps: int, observed_steps: int, observed_instances: int) -> Case:
    """One model of N_INSTANCES instances at a time: a fresh batch, autograd, Adam, as a notebook trains them.

    Batches are drawn level by level, all nodes of a level at once, which is up to twice as fast as the notebook's loop
    over nodes. The models are kept from one repetition to the next.
    """
    seed_everything()
    models = [TreeModel(depth, n_hidden, N_INSTANCES) for depth, n_hidden in tree_cells()]

    def train_each(n: int) -> None:
        for model in models:
            model.train_for(n)

    def observe() -> dict[str, NDArray[Any]]:
        losses = {}
        for depth, n_hidden in COMPARED_CELLS:
            model = TreeModel(depth, n_hidden, observed_instances)
            model.train_for(observed_steps)
            w, b = model.W.detach().numpy(), model.b.detach().numpy()
            losses[f"losses {depth}, {n_hidden}"] = tree_losses(depth, w, b)
        return losses

    return Case(
        run=lambda: train_each(steps),
        observe=observe,
        units=steps / 10_000,
        run_short=lambda: train_each(2),
    )


class TreeModel(nn.Module):
    """xhat = ReLU(W^T W x + b) for binary trees with early stopping, W [instances, h, f]."""

    def __init__(self, depth: int, n_hidden: int, n_instances: int) -> None:
        super().__init__()
        f = n_tree_features(depth)
        self.depth = depth
        # What xavier_normal_ makes of a tensor of N_INSTANCES models; the same for more, so that all start alike.
        self.W = nn.Parameter(torch.randn(n_instances, n_hidden, f) * (2 / ((n_hidden + N_INSTANCES) * f)) ** 0.5)
        self.b = nn.Parameter(torch.zeros(n_instances, f))
        self.optimizer = torch.optim.Adam(self.parameters(), lr=TREE_LEARNING_RATE)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.einsum("bif,ihf->bih", x, self.W)
        return torch.relu(torch.einsum("bih,ihf->bif", hidden, self.W) + self.b)

    def batch(self) -> Tensor:
        """x [TREE_BATCH, instances, f]: from an active node on to one child (1/4), the other (1/4) or none."""
        shape = (TREE_BATCH, len(self.W))
        active = torch.ones(*shape, 1)
        levels = []
        for _ in range(self.depth):
            first, second = torch.rand(2, *active.shape) > 0.5
            children = torch.stack([first & ~second, second & ~first], dim=-1)
            active = (active[..., None] * children).flatten(2)
            levels.append(active)
        return torch.cat(levels, dim=2)

    def train_for(self, steps: int) -> None:
        for _ in range(steps):
            self.optimizer.zero_grad()
            x = self.batch()
            loss = (x - self(x)).square().mean(dim=(0, 2)).sum()
            loss.backward()
            self.optimizer.step()


def seed_everything() -> None:
    torch.manual_seed(1)
    np.random.seed(1)


if __name__ == "__main__":
    serve({"tree_sampling": tree_sampling, "k_active": k_active, "tms_tree": tms_tree})
