"""Draw every run in a study from what the runs saved; nothing is trained here.

    python plot.py --out_dir=plots

Run it in the folder that holds run_0, run_1, ... One column per data law; one row per run, or one colour:
  loss_heatmap.png     loss of the best instance of every cell, depth against n_hidden,
  loss_by_n_hidden.png the same as lines, one per depth, with the loss below which a cell counts as solved,
  min_n_hidden.png     smallest n_hidden that solves a depth, hatched where none does,
  min_and_mean.png     best instance against the mean over instances, one point per cell,
  fvu_by_run.png       the primary metric of every run, one dot per seed,
  training_curves.png  loss during training.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from artifacts import Array, scores_of
from data import DEPTHS, N_HIDDEN
from plotting import MARKERS, bar_of, colour, draw, draw_curve, label_of, legend, plot_seeds, run_lines, save, tidy
from sweep import SOLVED

LABELS = {"run_0": "baseline"}
"""A short name for each run; a run that is not named here is shown by its folder."""

FLOOR = 1e-9
"""Losses are drawn as at least this: the best come down to rounding errors."""
LAWS = {law: law.replace("_", " ") for law in DEPTHS}


@dataclass(frozen=True)
class Run:
    """What one run_<i> folder holds."""

    name: str
    label: str
    tables: dict[str, Any]
    """Law → its part of cells.json."""
    fvu_min: dict[str, list[float]]
    """Law → primary metric per seed."""
    curves: dict[str, Array]
    """Law → relative training loss [logs, seeds], logged at equal intervals."""

    def cells(self, law: str, depth: int) -> list[dict[str, Any]]:
        return [cell for cell in self.tables[law]["cells"] if cell["depth"] == depth]


def load_run(folder: Path) -> Run:
    """Read one run folder; raises OSError, KeyError or ValueError when something is missing."""
    official = scores_of(folder)
    tables = json.loads((folder / "cells.json").read_text())
    with np.load(folder / "curves.npz") as saved:
        curves = {law: saved[law] for law in LAWS}
    return Run(
        folder.name,
        label_of(folder, LABELS),
        {law: tables[law] for law in LAWS},
        {law: official[law]["fvu_min"] for law in LAWS},
        curves,
    )


def drawn(losses: list[float]) -> Array:
    return np.maximum(losses, FLOOR).astype(np.float32)


def panels(runs: list[Run], panel: Callable[[Axes, Run, str], None], title: str, y_label: str) -> tuple[Figure, Any]:
    """A figure with a row per run and a column per law, each filled by `panel`."""
    size = (16, 1.2 + 4.2 * len(runs))
    figure, axes = plt.subplots(len(runs), len(LAWS), figsize=size, squeeze=False, sharey=True, layout="constrained")
    for row, run in zip(axes, runs, strict=True):
        for ax, law in zip(row, LAWS, strict=True):
            panel(ax, run, law)
        row[0].set_ylabel(f"{run.label}\n{y_label}", fontsize=14)
    figure.suptitle(title, fontsize=19)
    return figure, axes


def plot_heatmap(runs: list[Run], out_dir: Path) -> None:
    """Colour and figure are the loss of the best instance."""
    lowest, highest = 1e-6, 1e-1
    norm = LogNorm(lowest, highest)
    colours = plt.get_cmap("cividis")

    def panel(ax: Axes, run: Run, law: str) -> None:
        for cell in run.tables[law]["cells"]:
            loss = cell["loss"]["min"]
            place = (cell["n_hidden"] - 0.5, cell["depth"] - 0.5)
            shade = colours(norm(np.clip(loss, lowest, highest)))
            ax.add_patch(plt.Rectangle(place, 1, 1, facecolor=shade, edgecolor="white", linewidth=1.5))
            ink = "black" if norm(max(loss, lowest)) > 0.55 else "white"
            text = "solved" if loss < SOLVED else f"{loss:.0e}".replace("e-0", "e-")
            ax.text(cell["n_hidden"], cell["depth"], text, ha="center", va="center", fontsize=9.5, color=ink)
        ax.set(xlim=(1.5, 10.5), ylim=(6.5, 0.5), xticks=N_HIDDEN, yticks=range(1, 7))
        tidy(ax, LAWS[law], "n_hidden")
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)

    figure, axes = panels(runs, panel, "Loss of the best instance of every cell", "depth of the tree")
    bar = figure.colorbar(plt.cm.ScalarMappable(norm, colours), ax=axes, extend="min", pad=0.01, aspect=20 * len(runs))
    bar.set_label("loss (squared error per feature)", fontsize=14)
    bar.ax.tick_params(labelsize=13)
    save(figure, out_dir / "loss_heatmap.png")


def plot_lines(runs: list[Run], out_dir: Path) -> None:
    def panel(ax: Axes, run: Run, law: str) -> None:
        for depth in DEPTHS[law]:
            cells = run.cells(law, depth)
            loss = drawn([cell["loss"]["min"] for cell in cells])
            style: dict[str, Any] = {"color": colour(depth - 1), "marker": MARKERS[depth - 1]}
            ax.plot([cell["n_hidden"] for cell in cells], loss, linewidth=2, markersize=7, **style)
        ax.axhline(SOLVED, color="black", linestyle=":")
        ax.set_yscale("log")
        ax.set_xticks(N_HIDDEN)
        tidy(ax, LAWS[law], "n_hidden")

    figure, _ = panels(runs, panel, "Loss of the best instance against n_hidden", f"loss (at least {FLOOR:g})")
    depth_legend(figure, Line2D([], [], color="black", linestyle=":", label=f"solved below {SOLVED:g}"))
    save(figure, out_dir / "loss_by_n_hidden.png")


def depth_legend(figure: Figure, *more: Line2D, line: bool = True) -> None:
    depths = [
        Line2D([], [], color=colour(d - 1), marker=MARKERS[d - 1], linestyle="-" if line else "", label=f"depth {d}")
        for d in range(1, 7)
    ]
    legend(figure, [*depths, *more], ncols=8)


def plot_min_n_hidden(runs: list[Run], out_dir: Path) -> None:
    """Grouped bars, one colour per run. Not reached is no number: a hatched bar out of the top of the axis."""
    top = max(N_HIDDEN) + 1.5
    figure, axes = plt.subplots(1, len(LAWS), figsize=(16, 5.5), sharey=True, layout="constrained")
    for ax, law in zip(axes, LAWS, strict=True):
        for i, run in enumerate(runs):
            middle, width = bar_of(i, len(runs))
            for depth in DEPTHS[law]:
                smallest = run.tables[law]["min_n_hidden"][str(depth)]
                x = depth + middle
                if smallest is None:
                    ax.bar(x, top, width, facecolor="none", edgecolor=colour(i), hatch="//", linewidth=1.5)
                else:
                    ax.bar(x, smallest, width, color=colour(i))
                    ax.text(x, smallest + 0.1, str(smallest), ha="center", fontsize=14 if len(runs) < 3 else 10)
        ax.set(xticks=range(1, 7), xlim=(0.5, 6.5), ylim=(0, top), yticks=range(0, 11, 2))
        tidy(ax, LAWS[law], "depth of the tree")
    axes[0].set_ylabel("smallest n_hidden", fontsize=14)
    names = [Patch(color=colour(i), label=run.label) for i, run in enumerate(runs)]
    missed = Patch(
        facecolor="none", edgecolor="black", hatch="//", label=f"not reached with n_hidden ≤ {max(N_HIDDEN)}"
    )
    legend(figure, [*names, missed])
    figure.suptitle(f"Smallest n_hidden whose best instance has a loss below {SOLVED:g}", fontsize=19)
    save(figure, out_dir / "min_n_hidden.png")


def plot_min_and_mean(runs: list[Run], out_dir: Path) -> None:
    """A point above the diagonal is a cell whose instances disagree: some are stuck."""

    def panel(ax: Axes, run: Run, law: str) -> None:
        ends = (FLOOR / 2, 0.3)
        ax.plot(ends, ends, color="black", linewidth=1, linestyle="--")
        for depth in DEPTHS[law]:
            cells = run.cells(law, depth)
            best, mean = (drawn([cell["loss"][which] for cell in cells]) for which in ("min", "mean"))
            ax.scatter(best, mean, s=55, color=colour(depth - 1), marker=MARKERS[depth - 1], alpha=0.85, zorder=3)
        ax.axvline(SOLVED, color="black", linestyle=":")
        ax.axhline(SOLVED, color="black", linestyle=":")
        ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
        tidy(ax, LAWS[law], "loss of the best instance")

    figure, _ = panels(runs, panel, "Best instance against the mean over instances", "mean loss over instances")
    diagonal = Line2D([], [], color="black", linestyle="--", linewidth=1, label="all instances equal")
    solved = Line2D([], [], color="black", linestyle=":", label=f"solved below {SOLVED:g}")
    depth_legend(figure, diagonal, solved, line=False)
    save(figure, out_dir / "min_and_mean.png")


def plot_fvu_by_run(runs: list[Run], out_dir: Path) -> None:
    found = {f"fvu_min, {name}": [run.fvu_min[law] for run in runs] for law, name in LAWS.items()}
    title = "FVU of the best of five instances, mean over cells (lower is better)"
    plot_seeds(out_dir / "fvu_by_run.png", title, [run.label for run in runs], found)


def plot_training_curves(runs: list[Run], out_dir: Path) -> None:
    figure, axes = plt.subplots(1, len(LAWS), figsize=(16, 5.5), sharey=True, layout="constrained")
    for ax, law in zip(axes, LAWS, strict=True):
        for number, run in enumerate(runs):
            draw_curve(ax, number, run.curves[law], step=100 / len(run.curves[law]))
        ax.set_yscale("log")
        tidy(ax, LAWS[law], "share of the training steps (%)")
    axes[0].set_ylabel("minibatch loss / loss of the zero model", fontsize=14)
    legend(figure, run_lines([run.label for run in runs]))
    figure.suptitle("Training loss, mean over all cells and instances (band: all seeds)", fontsize=19)
    save(figure, out_dir / "training_curves.png")


PLOTS = (plot_heatmap, plot_lines, plot_min_n_hidden, plot_min_and_mean, plot_fvu_by_run, plot_training_curves)

if __name__ == "__main__":
    draw(__doc__, load_run, *PLOTS)
