"""What tests of templates share: modules of synthetic data as fixtures, a generator of its own for each draw, SAEs."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pinned
import pytest
from torch import Generator

HYPERPARAMETERS: dict[str, dict[str, Any]] = {
    "relu_l1": {"l1": 0.1},
    "topk": {"k": 2},
    "batch_topk": {"k": 1.5},
    "jump_relu": {"target_l0": 1.5, "l0_penalty": 0.1, "bandwidth": 0.5},
    "gated": {"l1": 0.1},
    "matryoshka": {"k": 1.5, "prefixes": 3},
    "hier_sae": {"k": 1.5, "n_coarse": 2},
}
"""What every architecture is made with, for two or three latents that fire."""


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def modules() -> Iterator[dict[str, ModuleType]]:
    with pinned.imported(pinned.COMMON, "hierarchy", "features", "generators", "feature_tree") as found:
        yield found


@pytest.fixture
def hierarchy(modules: dict[str, ModuleType]) -> ModuleType:
    return modules["hierarchy"]


@pytest.fixture
def features(modules: dict[str, ModuleType]) -> ModuleType:
    return modules["features"]


@pytest.fixture
def generators(modules: dict[str, ModuleType]) -> ModuleType:
    return modules["generators"]


@pytest.fixture
def tree(modules: dict[str, ModuleType]) -> ModuleType:
    return modules["feature_tree"]
