"""Draw what only the answers show: the data, and what the runs' dictionaries have to do with the features. Protected.

    python figures.py --run_dir=<folder that holds run_0, run_1, ...> --out_dir=plots

It writes
  directions_run_<i>.png  cosines of encoder and decoder with the true directions,
and of the two small trees side by side, independent children and exclusive ones,
  data_samples.png        vectors and activations by level of the first samples,
  data_directions.png     the features' directions and the cosines between them,
  data.txt                size, moments and sparsity of the vectors, firing probabilities found and exact, directions.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from artifacts import Array, load_arrays, load_runs, requested_seeds, run_arguments
from data import WIDTHS, variant_and_tree
from generators import HierarchicalDataGenerator
from hierarchy import Hierarchy
from world import PARAMETERS, TREES, generator

CONFIGURATIONS = {"simple hierarchy": TREES / PARAMETERS["simple"], "exclusive groups": TREES / PARAMETERS["exclusive"]}
N_SAMPLES = 10_000
N_SHOWN = 50


@dataclass(frozen=True)
class Sampled:
    """Samples of one configuration."""

    title: str
    arguments: dict[str, Any]
    """Those of the generator."""
    generator: HierarchicalDataGenerator
    vectors: Tensor
    """x [samples, d_model]."""
    levels: list[Tensor]
    """Activations [samples, features of the level] per level."""

    @property
    def cosines(self) -> Tensor:
        """Of each direction with each other, [features, features]."""
        unit = torch.nn.functional.normalize(self.generator.directions, dim=1)
        return unit @ unit.T


def feature_names(hierarchy: Hierarchy) -> list[str]:
    """Names of the features in the order of their directions."""
    named = {f: name for level in hierarchy.levels for f, name in zip(*level[1:], strict=True)}
    return [named[feature] for feature in sorted(named)]


def sampled() -> list[Sampled]:
    """Both configurations, the same samples every time."""
    found = []
    for title, file in CONFIGURATIONS.items():
        generator = HierarchicalDataGenerator.from_file(file)
        vectors, levels = generator.create_dataset(N_SAMPLES)
        found.append(Sampled(title, json.loads(file.read_text()), generator, vectors, levels))
    return found


def heatmap(figure: Figure, ax: Axes, values: Tensor, cmap: str, limits: tuple[float, float], label: str) -> Colorbar:
    image = ax.imshow(values, aspect="auto", cmap=cmap, vmin=limits[0], vmax=limits[1], interpolation="nearest")
    bar = figure.colorbar(image, ax=ax, pad=0.02, fraction=0.05)
    bar.set_label(label, fontsize=14)
    bar.ax.tick_params(labelsize=12)
    ax.tick_params(labelsize=13)
    return bar


def name_rows(ax: Axes, names: list[str]) -> None:
    ax.set_yticks(range(len(names)), names)


def draw_samples(configurations: list[Sampled], out_dir: Path) -> None:
    """A column per configuration: vectors above, below them the activations of each level for the same samples."""
    n_levels = max(len(each.levels) for each in configurations)
    figure, axes = plt.subplots(
        1 + n_levels, len(configurations), figsize=(15, 8.5), sharex=True, layout="constrained",
        gridspec_kw={"height_ratios": [5, *[1 + 0.5 * k for k in range(n_levels)]]},
    )  # fmt: skip
    for each, column in zip(configurations, axes.T, strict=True):
        shown = each.vectors[:N_SHOWN].T
        limit = float(shown.abs().max())
        heatmap(figure, column[0], shown, "RdBu_r", (-limit, limit), "x")
        noise = each.generator.noise_level
        column[0].set_title(f"{each.title}: vectors, {f'noise {noise:g}' if noise else 'no noise'}", fontsize=17)
        column[0].set_ylabel("dimension of x", fontsize=14)
        for ax, level, activations in zip(column[1:], each.generator.hierarchy.levels, each.levels, strict=True):
            heatmap(figure, ax, activations[:N_SHOWN].T, "cividis", (0, 1), "active").set_ticks([0, 1])
            name_rows(ax, level.names)
            ax.set_ylabel(f"level {level.depth}", fontsize=14)
        column[-1].set_xlabel(f"sample (the first {N_SHOWN})", fontsize=14)
    figure.savefig(out_dir / "data_samples.png", dpi=150)
    plt.close(figure)


def draw_directions(configurations: list[Sampled], out_dir: Path) -> None:
    """A column per configuration: directions above, their cosines below."""
    figure, axes = plt.subplots(
        2, len(configurations), figsize=(15, 8.5), layout="constrained", gridspec_kw={"height_ratios": [2, 3]}
    )
    for each, (above, below) in zip(configurations, axes.T, strict=True):
        directions, names = each.generator.directions, feature_names(each.generator.hierarchy)
        limit = float(directions.abs().max())
        heatmap(figure, above, directions, "RdBu_r", (-limit, limit), "entry")
        name_rows(above, names)
        above.set_title(f"{each.title}: directions", fontsize=17)
        above.set_xlabel("dimension of x", fontsize=14)
        above.set_ylabel("feature", fontsize=14)
        heatmap(figure, below, each.cosines, "RdBu_r", (-1, 1), "cosine")
        name_rows(below, names)
        below.set_xticks(range(len(names)), names)
        below.set_title("cosines between directions", fontsize=17)
        below.set_xlabel("feature", fontsize=14)
        below.set_ylabel("feature", fontsize=14)
        below.set_aspect("equal")
        for (i, j), cosine in np.ndenumerate(each.cosines.numpy().round(2) + 0.0):  # +: no "-0.00"
            below.text(
                j, i, f"{cosine:.2f}", ha="center", va="center", color="white" if i == j else "black", fontsize=15
            )
    figure.savefig(out_dir / "data_directions.png", dpi=150)
    plt.close(figure)


def describe(each: Sampled) -> dict[str, str]:
    """What there is to say about one configuration, by what it says."""
    x, hierarchy, directions = each.vectors, each.generator.hierarchy, each.generator.directions
    norms, apart = directions.norm(dim=1), ~torch.eye(len(directions), dtype=torch.bool)
    rows = {key.replace("_", " "): str(value) for key, value in each.arguments.items() if key != "tree_config"}
    rows |= {
        "samples, dimensions": f"{len(x):,} × {x.shape[1]}",
        "mean of x": f"{x.mean():.5f}",
        "standard deviation of x": f"{x.std():.5f}",
        "smallest and largest x": f"{x.min():.3f}, {x.max():.3f}",
        "entries of x that are not 0": f"{100 * (x != 0).float().mean():.1f} %",
    }
    for level, activations in zip(hierarchy.levels, each.levels, strict=True):
        start = f"level {level.depth}"
        exact = float(hierarchy.probabilities[level.features].sum())
        rows[f"{start}: active per sample (exact)"] = f"{(activations > 0).sum(1).float().mean():.4f} ({exact:.4f})"
        rows[f"{start}: activations that are not 0"] = f"{100 * (activations > 0).float().mean():.1f} %"
        for feature, name, column in zip(level.features, level.names, activations.T, strict=True):
            found = (column > 0).float().mean()
            rows[f"P({name} active) (exact)"] = f"{found:.4f} ({hierarchy.probabilities[feature]:.4f})"
    rows["norms of the directions"] = ", ".join(f"{norm:.3f}" for norm in norms)
    rows["their mean ± standard deviation"] = f"{norms.mean():.3f} ± {norms.std():.3f}"
    rows["mean |dot product| of two"] = f"{(directions @ directions.T)[apart].abs().mean():.4f}"
    return rows


def tables(configurations: list[Sampled]) -> str:
    """One line per property, one column per configuration."""
    columns = [describe(each) for each in configurations]
    lines = [f"{'':34}" + "".join(f"{each.title:>24}" for each in configurations)]
    keys = dict.fromkeys(key for column in columns for key in column)
    lines += [f"{key:34}" + "".join(f"{column.get(key, '–'):>24}" for column in columns) for key in keys]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def draw(out_dir: Path) -> None:
    """Write the figures and the tables of the data."""
    configurations = sampled()
    draw_samples(configurations, out_dir)
    draw_directions(configurations, out_dir)
    (out_dir / "data.txt").write_text(tables(configurations))


@dataclass(frozen=True)
class Dictionaries:
    """The first seed's weights of one run."""

    run: str
    encoders: dict[str, Array]
    """Variant → W_enc^T [m, d]; variants without saved encoder weights are left out."""
    decoders: dict[str, Array]
    """Variant → W_dec [m, d]."""


def load_dictionaries(folder: Path) -> Dictionaries:
    """Read one run folder; raises ArtifactError or ValueError if something is missing."""
    n_seeds = len(requested_seeds())
    variants = sorted(path.parent.name for path in (folder / "saes").glob("*/decoder.npz"))
    sizes = {variant: WIDTHS[variant_and_tree(variant)[1]] for variant in variants}
    weights = load_arrays(folder / "weights.npz", {}, {v: (n_seeds, d, m) for v, (d, m) in sizes.items()})
    decoders = {}
    for variant, (d, m) in sizes.items():
        shapes = {"W_dec": (n_seeds, m, d), "b_dec": (n_seeds, 1, d)}
        decoders[variant] = load_arrays(folder / "saes" / variant / "decoder.npz", shapes)["W_dec"][0]
    return Dictionaries(folder.name, {v: w[0].T for v, w in weights.items()}, decoders)


def best_order(cosines: Array) -> Array:
    """Latents [m] in the order of the features that they match best, one to one; those without a feature come last.

    Args:
        cosines: of latents and features [m, n]; m and n may differ.
    """
    latents, features = linear_sum_assignment(-np.abs(cosines))
    matched = latents[np.argsort(features)]
    rest = np.setdiff1d(np.arange(len(cosines)), matched)
    order: Array = np.concatenate([matched, rest])
    return order


def cosines_with(directions: Array, weights: Array) -> Array:
    """Cosines of weights [m, d] with directions [n, d], [m, n]; 0 for a zero row."""
    lengths = np.linalg.norm(weights, axis=1, keepdims=True)
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    cosines: Array = weights / np.where(lengths > 0, lengths, 1) @ unit.T
    return cosines


def draw_dictionaries(run: Dictionaries, out_dir: Path) -> None:
    """Two panels per variant: cosines of encoder and decoder with the true directions, in the decoder's best order."""
    variants = list(run.decoders)
    rows = -(-len(variants) // 2)
    figure, axes = plt.subplots(rows, 4, figsize=(17, 4.35 * rows + 0.8), squeeze=False, layout="constrained")
    for ax in axes.flat:
        ax.set_axis_off()
    for v, variant in enumerate(variants):
        world = generator(requested_seeds()[0], tree=variant_and_tree(variant)[1])
        truth, names = world.directions.numpy(), feature_names(world.hierarchy)
        order = best_order(cosines_with(truth, run.decoders[variant]))
        for side, (what, weights) in enumerate((("encoder", run.encoders), ("decoder", run.decoders))):
            if variant not in weights:
                continue
            cosines = cosines_with(truth, weights[variant])
            ax = axes[v // 2, 2 * (v % 2) + side]
            ax.set_axis_on()
            image = ax.imshow(cosines[order], cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
            ax.set_title(f"{variant}: {what}", fontsize=14)
            ax.set_xticks(range(len(truth)), names, rotation=90, fontsize=12)
            ax.set_yticks(range(len(order)), order, fontsize=12)
            ax.set_ylabel("latent" if side == 0 else "", fontsize=16)
    bar = figure.colorbar(image, ax=axes, shrink=0.6, aspect=40)
    bar.set_label("cosine with the feature's direction", fontsize=17)
    bar.ax.tick_params(labelsize=14)
    figure.suptitle(f"{run.run}, first seed: latents in the order of the features they match", fontsize=20)
    figure.savefig(out_dir / f"directions_{run.run}.png", dpi=150)
    plt.close(figure)


def main() -> None:
    matplotlib.use("Agg")
    arguments = run_arguments(__doc__, "run_dir")
    draw(arguments.out_dir)
    for run in load_runs(load_dictionaries, arguments.run_dir):
        if run.decoders:
            draw_dictionaries(run, arguments.out_dir)


if __name__ == "__main__":
    main()
