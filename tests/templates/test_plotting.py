"""plotting.py, which all templates' plots share."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pinned
import pytest
from matplotlib.figure import Figure

from harness.template.folder import Template
from harness.template.manifest import executed

CURVE = np.array([[1, 3], [3, 5], [5, 7], [7, 9], [100, 100]], np.float32)
"""[points, seeds]"""


@pytest.fixture(scope="module")
def plotting() -> Iterator[ModuleType]:
    with pinned.imported(pinned.COMMON, "plotting") as found:
        yield found["plotting"]


@pytest.mark.parametrize(
    ("given", "x", "mean", "low"),
    [
        ({}, [1, 2, 3, 4, 5], [2, 4, 6, 8, 100], [1, 3, 5, 7, 100]),
        ({"window": 2}, [1.5, 3.5], [3, 7], [2, 6]),
        ({"window": 2, "step": 10}, [15, 35], [3, 7], [2, 6]),
        ({"window": 2, "skip": 0.5}, [3.5], [7], [6]),
        ({"window": 200}, [3], [24], [23.2]),
    ],
)
def test_a_curve_is_the_mean_over_seeds_of_whole_windows_with_all_seeds_as_a_band(
    plotting: ModuleType, given: dict[str, float], x: list[float], mean: list[float], low: list[float]
) -> None:
    ax = Figure().add_subplot()
    plotting.draw_curve(ax, 0, CURVE, **given)
    (line,), (band,) = ax.lines, ax.collections
    assert np.asarray(line.get_xydata()).tolist() == [[a, pytest.approx(b)] for a, b in zip(x, mean, strict=True)]
    edge = np.asarray(band.get_paths()[0].vertices)[:, 1]
    assert edge.min() == pytest.approx(min(low))


def test_bars_of_runs_stand_side_by_side_in_their_group(plotting: ModuleType) -> None:
    bars = [plotting.bar_of(number, 3) for number in range(3)]
    assert [middle for middle, _ in bars] == pytest.approx([-0.8 / 3, 0, 0.8 / 3])
    for (left, width), (right, _) in itertools.pairwise(bars):
        assert left + width / 2 < right - width / 2
    assert bars[-1][0] + bars[-1][1] / 2 < 0.5


def test_runs_are_told_apart_by_colour_then_by_line(plotting: ModuleType) -> None:
    styles = [(s["color"], s["linestyle"]) for s in map(plotting.style, range(32))]
    assert len(set(styles)) == 32
    assert {line for _, line in styles[:8]} == {"-"}


def test_seeds_of_one_run_and_of_equal_values_can_be_drawn(plotting: ModuleType, tmp_path: Path) -> None:
    panels = {"loss": [[1.0, 2.0], [3.0]], "represented": [[5.0, 5.0], [5.0]]}
    plotting.plot_seeds(tmp_path / "seeds.png", "Seeds", ["run_0: baseline", "run_1"], panels)
    assert (tmp_path / "seeds.png").stat().st_size > 10_000


def test_every_template_that_draws_has_plotting_protected_and_no_other_script_imports_it() -> None:
    for folder in sorted(p.parent for p in (pinned.ROOT / "templates").glob("*/template.toml")):
        template = Template(folder)
        assert template.protects("plotting.py"), template.name
        for name, path in template.files.items():
            if executed(name) and name.endswith(".py"):
                assert "plotting" not in path.read_text(), f"{name} of {template.name} takes part in runs"
