"""Draw every run in a study from what the runs saved; nothing is trained here.

    python plot.py --out_dir=plots

Run it in the folder that holds run_0, run_1, ... It writes
  metrics_by_run.png   loss and features represented of every run, one dot per seed,
  training_curves.png  training loss of every run,
  directions.png       the directions W_i of every run's best seed.
"""

from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from artifacts import Array, scores_of
from plotting import colour, draw, draw_curve, label_of, legend, plot_seeds, run_lines, save, tidy
from toy import DATASET

LABELS = {"run_0": "baseline"}
"""A short name for each run; a run that is not named here is shown by its folder."""
CURVE_WINDOW = 100
"""Steps averaged into one point of a training curve."""


@dataclass(frozen=True)
class Run:
    """What one run_<i> folder holds."""

    label: str
    scores: dict[str, list[float]]
    """Metric → value per seed."""
    w: Array
    """Weights [n, 2] of the seed with the lowest loss."""
    curve: Array
    """Training loss [steps, seeds]."""


def load_run(folder: Path) -> Run:
    scores = scores_of(folder)[DATASET]
    w = np.load(folder / "weights.npz")["W"][np.argmin(scores["loss"])]
    return Run(label_of(folder, LABELS), scores, w, np.load(folder / "training_curve.npz")["loss"])


def plot_metrics(runs: list[Run], out_dir: Path) -> None:
    shown = {"loss": "loss (lower is better)", "features_represented": "features represented"}
    panels = {name: [run.scores[metric] for run in runs] for metric, name in shown.items()}
    plot_seeds(out_dir / "metrics_by_run.png", "Metrics by run", [run.label for run in runs], panels)


def plot_curves(runs: list[Run], out_dir: Path) -> None:
    figure, ax = plt.subplots(figsize=(9, 6), layout="constrained")
    for number, run in enumerate(runs):
        draw_curve(ax, number, run.curve, CURVE_WINDOW)
    ax.set_yscale("log")
    tidy(ax, "Training loss", "training step", f"loss, mean of {CURVE_WINDOW} steps (band: all seeds)")
    legend(figure, run_lines([run.label for run in runs]))
    save(figure, out_dir / "training_curves.png")


def plot_directions(runs: list[Run], out_dir: Path) -> None:
    size = (4.2 * len(runs), 4.6)
    figure, axes = plt.subplots(
        1, len(runs), figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    for ax, run in zip(axes[0], runs, strict=True):
        for number, (x, y) in enumerate(run.w):
            ax.plot([0, x], [0, y], color=colour(number), marker="o", markevery=[1], linewidth=3)
        ax.set_aspect("equal")
        tidy(ax, run.label, "$h_1$", "$h_2$")
    figure.suptitle("Directions $W_i$ of the best seed", fontsize=18)
    save(figure, out_dir / "directions.png")


if __name__ == "__main__":
    draw(__doc__, load_run, plot_metrics, plot_curves, plot_directions)
