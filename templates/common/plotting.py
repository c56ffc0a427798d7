"""What the plot.py files share: how runs are named and coloured, tidy axes, seeds by run, training curves. Protected.

It draws only. No experiment may import it: its content counts neither for a baseline nor for what a run executed.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from artifacts import Array, load_runs, run_arguments

Run = TypeVar("Run")

PALETTE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C7A00", "#444444"]
"""Okabe and Ito's colour-blind-safe set, its yellow and black made readable as thin lines."""
MARKERS = "osD^vP*X"
DPI = 150


def draw(doc: str | None, load: Callable[[Path], Run], *plots: Callable[[list[Run], Path], None]) -> None:
    """The main function of a plot.py: read every run_* folder here, and have each of `plots` draw them.

    Args:
        doc: the script's docstring, for --help.
        load: reads one run folder; what it cannot read is named and skipped.
        plots: each is given the runs and the folder of the pictures.
    """
    out_dir = run_arguments(doc or "").out_dir
    matplotlib.use("Agg")
    runs = load_runs(load)
    if not runs:
        print("no readable run_* folder here: no run is drawn")
        return
    for plot in plots:
        plot(runs, out_dir)


def label_of(folder: Path, labels: Mapping[str, str]) -> str:
    """A run's folder and, where it has one, its short name."""
    return f"{folder.name}: {labels[folder.name]}" if folder.name in labels else folder.name


def colour(number: int) -> str:
    return PALETTE[number % len(PALETTE)]


def style(number: int) -> dict[str, Any]:
    """Colour and line of a run, no two alike among the first 32."""
    return {"color": colour(number), "linestyle": ("-", "--", ":", "-.")[number // len(PALETTE) % 4], "linewidth": 2}


def bar_of(number: int, n_runs: int) -> tuple[float, float]:
    """Middle and width of a run's bar in a group of bars around 0, one per run."""
    width = 0.8 / n_runs
    return (number - (n_runs - 1) / 2) * width, 0.92 * width


def tidy(ax: Axes, title: str = "", xlabel: str = "", ylabel: str = "") -> None:
    ax.set_title(title, fontsize=16)
    ax.set_xlabel(xlabel, fontsize=14)
    ax.set_ylabel(ylabel, fontsize=14)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25)
    ax.tick_params(labelsize=13)


def legend(
    figure: Figure, handles: Sequence[Artist], ncols: int = 4, side: Literal["lower", "upper"] = "lower"
) -> None:
    """A legend below the axes of a figure with constrained layout, or above them ("upper"), in columns that fit."""
    longest = max(len(str(handle.get_label())) for handle in handles)
    fitting = max(1, int(72 * figure.get_figwidth() / (8 * longest + 50)))  # points; a letter has about 8
    place = "outside upper center" if side == "upper" else "outside lower center"
    figure.legend(handles=handles, loc=place, ncols=min(ncols, fitting), fontsize=14, frameon=False)


def run_lines(labels: Sequence[str]) -> list[Line2D]:
    """For a legend: each run's line."""
    return [Line2D([], [], label=label, **style(number)) for number, label in enumerate(labels)]


def save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=DPI)
    plt.close(figure)


def draw_curve(ax: Axes, number: int, curve: Array, window: int = 1, step: float = 1.0, skip: float = 0.0) -> None:
    """A run's training curve: a line through the mean over seeds, and a band from the lowest to the highest seed.

    Args:
        ax: where to draw.
        number: of the run, for its colour.
        curve: [points, seeds], logged at equal intervals.
        window: points that are averaged into one, as far as there are whole windows.
        step: what lies between two points of the curve: training steps, or per cent of them.
        skip: share of the windows at the beginning that is left out.
    """
    window = max(1, min(window, len(curve)))
    n_windows = len(curve) // window
    means = curve[: n_windows * window].reshape(n_windows, window, -1).mean(axis=1)
    where = step * (window * (np.arange(n_windows) + 0.5) + 0.5)
    kept = slice(int(skip * n_windows), None)
    low, high = means.min(axis=1), means.max(axis=1)
    ax.fill_between(where[kept], low[kept], high[kept], color=colour(number), alpha=0.2, linewidth=0)
    ax.plot(where[kept], means.mean(axis=1)[kept], **style(number))


def plot_seeds(path: Path, title: str, labels: Sequence[str], panels: Mapping[str, Sequence[Sequence[float]]]) -> None:
    """A panel per metric or dataset, a row per run: a dot per seed, the mean and its standard error.

    Args:
        path: of the picture.
        title: above all panels.
        labels: of the runs.
        panels: label of the x axis → values per seed of each run.
    """
    size = (16 if len(panels) > 1 else 10, 2.2 + 0.7 * len(labels))
    figure, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False, layout="constrained")
    for ax, (xlabel, per_run) in zip(axes[0], panels.items(), strict=True):
        for row, values in enumerate(per_run):
            error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else None
            ax.scatter(values, row + np.linspace(-0.2, 0.2, len(values)), color="#56B4E9", s=45)
            ax.errorbar(np.mean(values), row, xerr=error, color="black", marker="|", markersize=18, capsize=5, lw=2)
        ax.axvline(float(np.mean(per_run[0])), color="#D55E00", linestyle="--")
        tidy(ax, xlabel=xlabel)
        ax.ticklabel_format(axis="x", useOffset=False)
        ax.locator_params(axis="x", nbins=4 if len(panels) > 3 else 5)
        if np.ptp(np.concatenate(per_run)) == 0:  # else the axis would show rounding errors
            ax.set_xlim(np.add(ax.get_xlim(), (-0.01, 0.01)))
    axes[0, 0].set_yticks(range(len(labels)), labels)
    axes[0, 0].set_ylim(len(labels) - 0.5, -0.5)
    names = [
        Line2D([], [], color="#56B4E9", marker="o", linestyle="", label="one seed"),
        Line2D([], [], color="black", marker="|", markersize=14, label="mean ± standard error"),
        Line2D([], [], color="#D55E00", linestyle="--", label="mean of the first run"),
    ]
    legend(figure, names)
    figure.suptitle(title, fontsize=18)
    save(figure, path)
