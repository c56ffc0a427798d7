"""What the tests of synthetic data share: the modules, as fixtures, and a generator of its own for each draw."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pinned
import pytest
from torch import Generator


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
