"""Draw what every run in a study found, from what the runs saved; nothing is trained and no model is loaded here.

    python plot.py --out_dir=plots

Run it in the folder that holds run_0, run_1, ... For every dataset it writes
  metrics_by_run_<dataset>.png      FVU, loss recovered, dead latents and parent-child information, one dot per seed,
  training_curves_<dataset>.png     training loss of every run,
  density_<dataset>.png             how often latents fire, every run,
  top_tokens_<run>_<dataset>.png    the tokens that latents fire on most, and the same as .txt,
  tree_<run>_<dataset>.png          coarse latents and their fine ones, for dictionaries on two levels.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import ScalarFormatter

from artifacts import Array, load_arrays, scores_of
from plotting import colour, draw, draw_curve, label_of, legend, plot_seeds, run_lines, save, style, tidy

LABELS = {"run_0": "baseline"}
"""A short name for each run; a run that is not named here is shown by its folder."""

SHOWN = {
    "fvu": "FVU (lower: better)",
    "loss_recovered": "loss recovered (higher: better)",
    "dead": "dead latents, share",
    "parent_child_mi": "parent–child information, nats",
}
CURVE_WINDOW = 20
"""Steps averaged into one point of a training curve."""
N_TABLE = 12
"""Latents in the figure; the text file has them all."""
BEFORE = 40
"""Characters shown before a token."""


@dataclass(frozen=True)
class Run:
    """What one run_<i> folder holds of one dataset."""

    name: str
    label: str
    metrics: dict[str, list[float]]
    """Official values per seed where there are, else the run's own."""
    curve: Array
    """Training loss [steps, S]."""
    density: Array
    """Share of tokens on which each latent fires, [S, m]."""
    latents: list[dict[str, Any]]
    """Latents of the first seed, with the tokens they fire on most."""


def load_run(folder: Path) -> dict[str, Run]:
    """Dataset → what the run folder holds of it; raises OSError, KeyError, ValueError or ArtifactError."""
    return {dataset: load_dataset(folder, dataset, metrics) for dataset, metrics in scores_of(folder).items()}


def load_dataset(folder: Path, dataset: str, metrics: dict[str, list[float]]) -> Run:
    saved = folder / dataset
    n_seeds = len(metrics["fvu"])
    return Run(
        name=folder.name,
        label=label_of(folder, LABELS),
        metrics=metrics,
        curve=load_arrays(saved / "training_curve.npz", {"loss": (None, n_seeds)})["loss"],
        density=load_arrays(saved / "density.npz", {"density": (n_seeds, None)})["density"],
        latents=json.loads((saved / "latents.json").read_text()),
    )


def plot_metrics(runs: list[Run], path: Path, dataset: str) -> None:
    panels = {name: [run.metrics[metric] for run in runs] for metric, name in SHOWN.items()}
    plot_seeds(path, dataset, [run.label for run in runs], panels)


def plot_curves(runs: list[Run], path: Path, dataset: str) -> None:
    figure, ax = plt.subplots(figsize=(9, 6), layout="constrained")
    for number, run in enumerate(runs):
        draw_curve(ax, number, run.curve, CURVE_WINDOW)
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(ScalarFormatter())
    ax.yaxis.set_minor_formatter(ScalarFormatter())
    tidy(ax, f"{dataset}: training loss", "training step", f"loss, mean of {CURVE_WINDOW} steps (band: all seeds)")
    ax.tick_params(labelsize=12, which="both")
    legend(figure, run_lines([run.label for run in runs]))
    save(figure, path)


def plot_density(runs: list[Run], path: Path, dataset: str) -> None:
    """Histogram of log10 density over the latents of all seeds; those that never fire are counted in the legend."""
    figure, ax = plt.subplots(figsize=(9, 5.5), layout="constrained")
    rarest = min(float(run.density[run.density > 0].min(initial=1)) for run in runs)
    bins = np.linspace(np.floor(np.log10(rarest)), 0, 41)
    for number, run in enumerate(runs):
        fires = run.density[run.density > 0]
        silent = (run.density == 0).sum() / len(run.density)
        weights = np.full(len(fires), 1 / len(run.density))
        label = f"{run.label} ({silent:.0f} of {run.density.shape[1]} silent)"
        ax.hist(np.log10(fires), bins, weights=weights, histtype="step", label=label, **style(number))
    tidy(
        ax,
        f"{dataset}: how often latents fire",
        "log10 of the share of training tokens",
        "latents per bin, mean of seeds",
    )
    ax.legend(fontsize=12, frameon=False, loc="upper left")
    save(figure, path)


def visible(text: str) -> str:
    """Text of a token or around it, on one line: line breaks and runs of spaces as signs."""
    return re.sub(" {2,}", "␣", text).replace("\n", "↵").replace("\t", "→")


def token_of(context: dict[str, Any]) -> str:
    return "␣" if context["token"].isspace() and "\n" not in context["token"] else visible(context["token"])


def write_top_tokens(run: Run, path: Path) -> None:
    """Every described latent with the tokens it fires on most: activation, and the token in brackets."""
    lines = [f"{run.label}, first seed. Each line: activation, then the text around the [token] the latent fires on."]
    for latent in run.latents:
        family = "" if latent["parent"] is None else f", child of {latent['parent']}"
        lines += ["", f"latent {latent['latent']}{family}, fires on {latent['density']:.3%} of tokens"]
        lines += [
            f"  {c['activation']:8.2f}  {visible(c['before'])}[{token_of(c)}]{visible(c['after'])}"
            for c in latent["contexts"]
        ]
    path.write_text("\n".join(lines) + "\n")


def plot_top_tokens(run: Run, path: Path, dataset: str) -> None:
    """A table: a latent, how often it fires, and its three strongest tokens in their text."""
    picked = np.linspace(0, len(run.latents) - 1, min(N_TABLE, len(run.latents))).round().astype(int)
    rows = [run.latents[i] for i in picked]
    figure, ax = plt.subplots(figsize=(11, 1.6 + 0.92 * len(rows)), layout="constrained")
    ax.axis("off")
    ax.set(xlim=(0, 1), ylim=(len(rows), -0.8))
    ax.text(0.0, -0.35, "latent", fontsize=13, weight="bold")
    ax.text(0.09, -0.35, "fires on", fontsize=13, weight="bold")
    ax.text(0.2, -0.35, "strongest tokens (bold) in their text", fontsize=13, weight="bold")
    for row, latent in enumerate(rows):
        ax.axhline(row - 0.1, color="#BBBBBB", linewidth=0.8)
        ax.text(0.0, row + 0.4, str(latent["latent"]), fontsize=13, va="center")
        ax.text(0.09, row + 0.4, f"{latent['density']:.2%}", fontsize=13, va="center")
        for line, context in enumerate(latent["contexts"][:3]):
            before, token = visible(context["before"])[-BEFORE:].rjust(BEFORE), token_of(context)
            font: dict[str, Any] = {"fontsize": 12, "va": "center", "family": "DejaVu Sans Mono", "parse_math": False}
            y = row + 0.14 + 0.27 * line
            ax.text(0.2, y, before + " " * len(token) + visible(context["after"]), **font)
            ax.text(0.2, y, " " * BEFORE + token, weight="bold", color=colour(5), **font)
    figure.suptitle(f"{run.label}, {dataset}: what latents fire on (first seed)", fontsize=15)
    save(figure, path)


def favourite_tokens(latent: dict[str, Any]) -> str:
    """The different tokens among a latent's strongest, commonest first."""
    tokens = [token_of(context).strip() for context in latent["contexts"]]
    return ", ".join(sorted(set(tokens), key=lambda token: (-tokens.count(token), tokens.index(token)))[:4])


def plot_tree(run: Run, path: Path, dataset: str) -> None:
    """Coarse latents on the left, their fine latents on the right, each with the tokens it fires on most."""
    children = [latent for latent in run.latents if latent["parent"] is not None]
    coarse = [latent for latent in run.latents if latent["parent"] is None]
    figure, ax = plt.subplots(figsize=(13, 1.5 + 0.42 * max(len(children), len(coarse))), layout="constrained")
    ax.axis("off")
    row = 0.0
    for number, parent in enumerate(coarse):
        own = [child for child in children if child["parent"] == parent["latent"]]
        middle = row + max(0, len(own) - 1) / 2
        for place, child in enumerate(own):
            ax.plot([0.44, 0.5], [middle, row + place], color=colour(number), linewidth=2)
            text = f"{child['latent']} ({child['density']:.1%}): {favourite_tokens(child)}"
            ax.text(0.505, row + place, text, fontsize=12, va="center")
        text = f"{parent['latent']} ({parent['density']:.1%}): {favourite_tokens(parent)}"
        ax.text(0.435, middle, text, fontsize=13, va="center", ha="right", color=colour(number), weight="bold")
        row += max(1, len(own)) + 0.6
    ax.set(xlim=(0, 1), ylim=(row - 0.5, -0.8))
    figure.suptitle(
        f"{run.label}, {dataset}: coarse latents and their fine ones (share of tokens): strongest tokens", fontsize=14
    )
    save(figure, path)


def plot_all(found: list[dict[str, Run]], out_dir: Path) -> None:
    for dataset in dict.fromkeys(name for run in found for name in run):
        runs = [run[dataset] for run in found if dataset in run]
        plot_metrics(runs, out_dir / f"metrics_by_run_{dataset}.png", dataset)
        plot_curves(runs, out_dir / f"training_curves_{dataset}.png", dataset)
        plot_density(runs, out_dir / f"density_{dataset}.png", dataset)
        for run in runs:
            write_top_tokens(run, out_dir / f"top_tokens_{run.name}_{dataset}.txt")
            plot_top_tokens(run, out_dir / f"top_tokens_{run.name}_{dataset}.png", dataset)
            if any(latent["parent"] is not None for latent in run.latents):
                plot_tree(run, out_dir / f"tree_{run.name}_{dataset}.png", dataset)


if __name__ == "__main__":
    draw(__doc__, load_run, plot_all)
