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

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from artifacts import Array, load_runs, run_arguments, scores_of
from data import DEPTHS, N_HIDDEN
from sweep import SOLVED

LABELS = {"run_0": "baseline"}
"""A short name for each run; a run that is not named here is shown by its folder."""

PALETTE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9"]
"""Okabe and Ito's colour-blind-safe set without its yellow and black."""
MARKERS = "osD^vP"
FLOOR = 1e-9
"""Losses are drawn as at least this: the best come down to rounding errors."""
LAWS = {law: law.replace("_", " ") for law in DEPTHS}
DPI = 150


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
    label = f"{folder.name}: {LABELS[folder.name]}" if folder.name in LABELS else folder.name
    return Run(
        folder.name,
        label,
        {law: tables[law] for law in LAWS},
        {law: official[law]["fvu_min"] for law in LAWS},
        curves,
    )


def drawn(losses: list[float]) -> Array:
    return np.maximum(losses, FLOOR).astype(np.float32)


def colour(depth: int) -> str:
    return PALETTE[depth - 1]


def tidy(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25)
    ax.tick_params(labelsize=13)


def panels(runs: list[Run], draw: Callable[[Axes, Run, str], None], title: str, y_label: str) -> tuple[Figure, Any]:
    """A figure with a row per run and a column per law, each panel filled by `draw`."""
    size = (16, 1.2 + 4.2 * len(runs))
    figure, axes = plt.subplots(len(runs), len(LAWS), figsize=size, squeeze=False, sharey=True, layout="constrained")
    for row, run in zip(axes, runs, strict=True):
        row[0].set_ylabel(f"{run.label}\n{y_label}", fontsize=14)
        for ax, law in zip(row, LAWS, strict=True):
            draw(ax, run, law)
            ax.set_title(LAWS[law], fontsize=16)
    figure.suptitle(title, fontsize=19)
    return figure, axes


def save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=DPI)
    plt.close(figure)


def plot_heatmap(runs: list[Run], out_dir: Path) -> None:
    """Colour and figure are the loss of the best instance."""
    norm = LogNorm(1e-6, 1e-1)
    colours = plt.get_cmap("cividis")

    def draw(ax: Axes, run: Run, law: str) -> None:
        for cell in run.tables[law]["cells"]:
            loss = cell["loss"]["min"]
            place = (cell["n_hidden"] - 0.5, cell["depth"] - 0.5)
            shade = colours(norm(np.clip(loss, norm.vmin, norm.vmax)))
            ax.add_patch(plt.Rectangle(place, 1, 1, facecolor=shade, edgecolor="white", linewidth=1.5))
            ink = "black" if norm(max(loss, norm.vmin)) > 0.55 else "white"
            text = "solved" if loss < SOLVED else f"{loss:.0e}".replace("e-0", "e-")
            ax.text(cell["n_hidden"], cell["depth"], text, ha="center", va="center", fontsize=9.5, color=ink)
        ax.set(xlim=(1.5, 10.5), ylim=(6.5, 0.5), xticks=N_HIDDEN, yticks=range(1, 7))
        ax.set_xlabel("n_hidden", fontsize=14)
        ax.tick_params(labelsize=13)
        ax.spines[:].set_visible(False)

    figure, axes = panels(runs, draw, "Loss of the best instance of every cell", "depth of the tree")
    bar = figure.colorbar(plt.cm.ScalarMappable(norm, colours), ax=axes, extend="min", pad=0.01, aspect=20 * len(runs))
    bar.set_label("loss (squared error per feature)", fontsize=14)
    bar.ax.tick_params(labelsize=13)
    save(figure, out_dir / "loss_heatmap.png")


def plot_lines(runs: list[Run], out_dir: Path) -> None:
    def draw(ax: Axes, run: Run, law: str) -> None:
        for depth in DEPTHS[law]:
            cells = run.cells(law, depth)
            loss = drawn([cell["loss"]["min"] for cell in cells])
            style = {"color": colour(depth), "marker": MARKERS[depth - 1]}
            ax.plot([cell["n_hidden"] for cell in cells], loss, linewidth=2, markersize=7, **style)
        ax.axhline(SOLVED, color="black", linestyle=":")
        ax.set_yscale("log")
        ax.set_xticks(N_HIDDEN)
        ax.set_xlabel("n_hidden", fontsize=14)
        tidy(ax)

    figure, _ = panels(runs, draw, "Loss of the best instance against n_hidden", f"loss (at least {FLOOR:g})")
    depth_legend(figure, Line2D([], [], color="black", linestyle=":", label=f"solved below {SOLVED:g}"))
    save(figure, out_dir / "loss_by_n_hidden.png")


def depth_legend(figure: Figure, *more: Line2D, line: bool = True) -> None:
    depths = [
        Line2D([], [], color=colour(d), marker=MARKERS[d - 1], linestyle="-" if line else "", label=f"depth {d}")
        for d in range(1, 7)
    ]
    figure.legend(handles=[*depths, *more], loc="outside lower center", ncols=8, fontsize=14, frameon=False)


def plot_min_n_hidden(runs: list[Run], out_dir: Path) -> None:
    """Grouped bars, one colour per run. Not reached is no number: a hatched bar out of the top of the axis."""
    top = max(N_HIDDEN) + 1.5
    width = 0.8 / len(runs)
    figure, axes = plt.subplots(1, len(LAWS), figsize=(16, 5.5), sharey=True, layout="constrained")
    for ax, law in zip(axes, LAWS, strict=True):
        for i, run in enumerate(runs):
            fill = PALETTE[i % len(PALETTE)]
            for depth in DEPTHS[law]:
                smallest = run.tables[law]["min_n_hidden"][str(depth)]
                x = depth + (i - (len(runs) - 1) / 2) * width
                if smallest is None:
                    ax.bar(x, top, 0.92 * width, facecolor="none", edgecolor=fill, hatch="//", linewidth=1.5)
                else:
                    ax.bar(x, smallest, 0.92 * width, color=fill)
                    ax.text(x, smallest + 0.1, str(smallest), ha="center", fontsize=14 if len(runs) < 3 else 10)
        ax.set_title(LAWS[law], fontsize=16)
        ax.set_xlabel("depth of the tree", fontsize=14)
        ax.set(xticks=range(1, 7), xlim=(0.5, 6.5), ylim=(0, top), yticks=range(0, 11, 2))
        tidy(ax)
    axes[0].set_ylabel("smallest n_hidden", fontsize=14)
    names = [Patch(color=PALETTE[i % len(PALETTE)], label=run.label) for i, run in enumerate(runs)]
    missed = Patch(
        facecolor="none", edgecolor="black", hatch="//", label=f"not reached with n_hidden ≤ {max(N_HIDDEN)}"
    )
    figure.legend(handles=[*names, missed], loc="outside lower center", ncols=4, fontsize=14, frameon=False)
    figure.suptitle(f"Smallest n_hidden whose best instance has a loss below {SOLVED:g}", fontsize=19)
    save(figure, out_dir / "min_n_hidden.png")


def plot_min_and_mean(runs: list[Run], out_dir: Path) -> None:
    """A point above the diagonal is a cell whose instances disagree: some are stuck."""

    def draw(ax: Axes, run: Run, law: str) -> None:
        ends = (FLOOR / 2, 0.3)
        ax.plot(ends, ends, color="black", linewidth=1, linestyle="--")
        for depth in DEPTHS[law]:
            cells = run.cells(law, depth)
            best, mean = (drawn([cell["loss"][which] for cell in cells]) for which in ("min", "mean"))
            ax.scatter(best, mean, s=55, color=colour(depth), marker=MARKERS[depth - 1], alpha=0.85, zorder=3)
        ax.axvline(SOLVED, color="black", linestyle=":")
        ax.axhline(SOLVED, color="black", linestyle=":")
        ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
        ax.set_xlabel("loss of the best instance", fontsize=14)
        tidy(ax)

    figure, _ = panels(runs, draw, "Best instance against the mean over instances", "mean loss over instances")
    diagonal = Line2D([], [], color="black", linestyle="--", linewidth=1, label="all instances equal")
    solved = Line2D([], [], color="black", linestyle=":", label=f"solved below {SOLVED:g}")
    depth_legend(figure, diagonal, solved, line=False)
    save(figure, out_dir / "min_and_mean.png")


def plot_fvu_by_run(runs: list[Run], out_dir: Path) -> None:
    """One row per run: a dot per seed, the mean and its standard error; the first run's mean as a guide line."""
    size = (16, 2.4 + 0.7 * len(runs))
    figure, axes = plt.subplots(1, len(LAWS), figsize=size, sharey=True, layout="constrained")
    for ax, law in zip(axes, LAWS, strict=True):
        for row, run in enumerate(runs):
            values = np.array(run.fvu_min[law])
            error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else None
            ax.scatter(values, row + np.linspace(-0.2, 0.2, len(values)), color="#56B4E9", s=45)
            ax.errorbar(values.mean(), row, xerr=error, color="black", marker="|", markersize=18, capsize=5)
        ax.axvline(float(np.mean(runs[0].fvu_min[law])), color="#D55E00", linestyle="--")
        ax.set_title(LAWS[law], fontsize=16)
        ax.set_xlabel("fvu_min", fontsize=14)
        ax.ticklabel_format(axis="x", useOffset=False)
        ax.locator_params(axis="x", nbins=4)
        tidy(ax)
    axes[0].set_yticks(range(len(runs)), [run.label for run in runs])
    axes[0].set_ylim(len(runs) - 0.5, -0.5)
    names = [
        Line2D([], [], color="#56B4E9", marker="o", linestyle="", label="one seed"),
        Line2D([], [], color="black", marker="|", markersize=14, label="mean ± standard error"),
        Line2D([], [], color="#D55E00", linestyle="--", label=f"mean of {runs[0].name}"),
    ]
    figure.legend(handles=names, loc="outside lower center", ncols=3, fontsize=14, frameon=False)
    figure.suptitle("FVU of the best of five instances, mean over cells (lower is better)", fontsize=19)
    save(figure, out_dir / "fvu_by_run.png")


def plot_training_curves(runs: list[Run], out_dir: Path) -> None:
    figure, axes = plt.subplots(1, len(LAWS), figsize=(16, 5.5), sharey=True, layout="constrained")
    for ax, law in zip(axes, LAWS, strict=True):
        for i, run in enumerate(runs):
            loss = run.curves[law].mean(axis=1)
            share = 100 * np.arange(1, len(loss) + 1) / len(loss)
            style = {"color": PALETTE[i % len(PALETTE)], "linestyle": "-" if i < len(PALETTE) else "--"}
            ax.plot(share, loss, linewidth=2, label=run.label if law == next(iter(LAWS)) else None, **style)
        ax.set_yscale("log")
        ax.set_title(LAWS[law], fontsize=16)
        ax.set_xlabel("share of the training steps (%)", fontsize=14)
        tidy(ax)
    axes[0].set_ylabel("minibatch loss / loss of the zero model", fontsize=14)
    figure.legend(loc="outside lower center", ncols=4, fontsize=14, frameon=False)
    figure.suptitle("Training loss, mean over all cells, instances and seeds", fontsize=19)
    save(figure, out_dir / "training_curves.png")


def main() -> None:
    out_dir = run_arguments(__doc__).out_dir
    matplotlib.use("Agg")
    runs = load_runs(load_run)
    if not runs:
        print("no readable run here: nothing to plot")
        return
    for plot in (plot_heatmap, plot_lines, plot_min_n_hidden, plot_min_and_mean, plot_fvu_by_run, plot_training_curves):
        plot(runs, out_dir)


if __name__ == "__main__":
    main()
