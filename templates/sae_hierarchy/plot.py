"""Draw every run of a study from what the runs saved; nothing is trained here.

    python plot.py --out_dir=plots

Run it in the folder that holds run_0, run_1, ... It writes
  scores.png              MCC, absorption and parent recall of every variant and run,
  l0_fvu.png              sparsity against reconstruction, with the front that no other variant beats,
  training_curves.png     squared error during training.
figures.py, which knows the answers, adds the data and the cosines of encoders and decoders with the true directions.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.patches import Patch

from artifacts import Array, scores_of
from data import TOY, TRUE_L0, variant_and_tree
from plotting import MARKERS, bar_of, colour, draw, draw_curve, label_of, legend, run_lines, save, tidy
from sae_metrics import pareto_front

LABELS = {"run_0": "baseline"}
"""A short name for each run; a run that is not named here is shown by its folder."""

PANELS = {
    "mcc": "MCC (recovery of the features)",
    "full_absorption": "full absorption",
    "absorption_fraction": "absorption fraction",
    "parent_recall": "parent recall",
}
SMALLEST_FVU = 1e-6
"""Where the axes of FVU and squared error end; an FVU below it is drawn there."""
CURVE_STEPS = 100
"""Training steps in one point of a saved curve."""


@dataclass(frozen=True)
class Run:
    """What one run_<i> folder holds."""

    label: str
    scores: dict[str, dict[str, list[float]]]
    """Variant → metric → value per seed; the evaluator's where there are such."""
    curves: dict[str, Array]
    """Variant → squared error [points, seeds]."""


def load_run(folder: Path) -> Run:
    """Read one run folder; raises OSError, KeyError or ValueError when something is missing."""
    curves = dict(np.load(folder / "training_curves.npz"))
    return Run(label_of(folder, LABELS), scores_of(folder), curves)


def all_variants(runs: list[Run]) -> list[str]:
    return list(dict.fromkeys(variant for run in runs for variant in run.scores))


def plot_scores(runs: list[Run], out_dir: Path) -> None:
    """One panel per metric; a bar per variant and run up to the mean over seeds, a dot per seed."""
    variants = all_variants(runs)
    figure, axes = plt.subplots(2, 2, figsize=(15, 10), sharex=True, layout="constrained")
    for ax, (metric, title) in zip(axes.flat, PANELS.items(), strict=True):
        for r, run in enumerate(runs):
            beside, width = bar_of(r, len(runs))
            for v, variant in enumerate(variants):
                values = run.scores.get(variant, {}).get(metric, [])
                if not values:
                    continue
                ax.bar(v + beside, np.mean(values), width, color=colour(r), alpha=0.75)
                spread = v + beside + np.linspace(-0.25, 0.25, len(values)) * width
                ax.scatter(spread, values, s=20, color="black", zorder=3, linewidths=0)
        ax.set_xticks(range(len(variants)), variants, rotation=25, ha="right")
        ax.set_ylim(0, 1.05)
        tidy(ax, title)
        ax.tick_params(axis="x", labelsize=15)
    handles = [Patch(color=colour(r), alpha=0.75, label=run.label) for r, run in enumerate(runs)]
    legend(figure, handles, side="upper")
    figure.supxlabel("variant (bar: mean over seeds; dot: one seed)", fontsize=15)
    save(figure, out_dir / "scores.png")


def plot_front(runs: list[Run], out_dir: Path) -> None:
    """FVU against L0 on the toy tree: a faint mark per seed, a full one for the mean, and each run's Pareto front."""
    figure, ax = plt.subplots(figsize=(11, 7.5), layout="constrained")
    variants = all_variants(runs)
    named: set[str] = set()
    for r, run in enumerate(runs):
        marker = MARKERS[r % len(MARKERS)]
        means = []
        for variant, scores in run.scores.items():
            if variant_and_tree(variant)[1] != TOY:
                continue  # whose L0 is another
            l0, fvu = np.array(scores["l0"]), np.maximum(scores["fvu"], SMALLEST_FVU)
            means.append((l0.mean(), fvu.mean()))
            style: dict[str, Any] = {"color": colour(variants.index(variant)), "marker": marker}
            ax.scatter(l0, fvu, s=35, alpha=0.35, linewidths=0, **style)
            label = None if variant in named else variant
            named.add(variant)
            ax.scatter(*means[-1], s=170, edgecolors="black", zorder=3, label=label, **style)
        if not means:
            continue
        front = np.array(sorted(np.array(means)[pareto_front(torch.tensor(means)).numpy()].tolist()))
        line: dict[str, Any] = {
            "linestyle": ("-", "--", ":", "-.")[r % 4],
            "marker": marker,
            "markersize": 9,
            "markerfacecolor": "none",
        }
        ax.plot(*front.T, color="#444444", linewidth=1.5, label=f"front of {run.label}", **line)
    ax.axvline(TRUE_L0, color="black", linewidth=1, label=f"L0 of the features, {TRUE_L0}")
    ax.set_yscale("log")
    tidy(ax, "", "L0: latents active per sample", "FVU: variance not explained")
    title = "large mark: mean over seeds\nsmall mark: one seed"
    ax.legend(title=title, title_fontsize=13, fontsize=13, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, out_dir / "l0_fvu.png")


def plot_curves(runs: list[Run], out_dir: Path) -> None:
    """A panel per variant: mean over seeds of each run, and the range over seeds."""
    variants = all_variants(runs)
    columns = 4
    rows = -(-len(variants) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(16, 3.9 * rows + 0.8), sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    for ax, variant in zip(axes.flat, variants, strict=False):
        for r, run in enumerate(runs):
            if variant in run.curves:
                draw_curve(ax, r, run.curves[variant], step=CURVE_STEPS)
        ax.set_yscale("log")
        ax.set_ylim(bottom=SMALLEST_FVU)
        tidy(ax, variant)
    for ax in axes.flat[len(variants) :]:
        ax.set_axis_off()
    legend(figure, run_lines([run.label for run in runs]), side="upper")
    figure.supxlabel("training step", fontsize=16)
    figure.supylabel(r"$\|x - \hat{x}\|^2$ per sample (band: all seeds)", fontsize=16)
    save(figure, out_dir / "training_curves.png")


if __name__ == "__main__":
    matplotlib.use("Agg")
    draw(__doc__, load_run, plot_scores, plot_front, plot_curves)
