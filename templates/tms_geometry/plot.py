"""Draw the geometry of every run in a study from what the runs saved; nothing is trained here.

    python plot.py --out_dir=plots

Run it in the folder that holds run_0, run_1, ... It writes
  geometry_run_<i>.png  weight vectors and hidden activations of the run's best seed,
  loss_by_run.png       loss of every run, one dot per seed,
  training_curves.png   training loss of every run,
  geometry.html         the 3-D figures of all runs, to turn with the mouse; needs no network.
"""

from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from mpl_toolkits.mplot3d import Axes3D
from mpl_toolkits.mplot3d.axis3d import Axis
from plotly.subplots import make_subplots

from artifacts import Array, scores_of
from data import DATASET, N_FEATURES, N_HIDDEN, SPARSITY, k_active_features
from geometry import hidden, load_weights
from plotting import PALETTE, draw, draw_curve, label_of, legend, plot_seeds, run_lines, save, tidy

LABELS = {"run_0": "baseline"}
"""A short name for each run; a run that is not named here is shown by its folder."""

ACTIVE_COUNTS = (1, 2, 3)
N_POINTS = 3_000
CURVE_WINDOW = 200
"""Steps averaged into one point of a training curve."""


@dataclass(frozen=True)
class Run:
    """What one run_<i> folder holds."""

    name: str
    label: str
    losses: list[float]
    """Held-out loss per seed."""
    w: Array
    """Weights [n, d] of the seed with the lowest loss."""
    curve: Array | None
    """Training loss [steps, seeds]."""


def load_run(folder: Path) -> Run:
    """Read one run folder; raises OSError, KeyError, ValueError or ArtifactError when something is missing."""
    losses = scores_of(folder)[DATASET]["loss"]
    w, _ = load_weights(folder / "weights.npz", n_seeds=len(losses))
    curve_file = folder / "training_curve.npz"
    curve = np.load(curve_file)["loss"] if curve_file.exists() else None
    label = label_of(folder, LABELS)
    return Run(folder.name, label, losses, w[int(np.argmin(losses))], curve)


def blended_colours(x: Array) -> Array:
    """RGB [samples, 3]: the active features' colours mixed by magnitude, paler where the largest magnitude is small."""
    palette = np.array([to_rgb(colour) for colour in PALETTE])
    mixture = x @ palette / x.sum(axis=1, keepdims=True)
    strength = 0.15 + 0.85 * x.max(axis=1, keepdims=True)
    colours: Array = strength * mixture + (1 - strength) * 0.92
    return colours


def hidden_samples(w: Array) -> dict[int, tuple[Array, Array]]:
    """For 1, 2 and 3 active features, hidden activations [samples, d] and their colours [samples, 3]."""
    rng = np.random.default_rng(0)
    inputs = {k: k_active_features(rng, N_POINTS, k) for k in ACTIVE_COUNTS}
    return {k: (hidden(x, w), blended_colours(x)) for k, x in inputs.items()}


def plural(k: int) -> str:
    return f"{k} active feature" + ("s" if k > 1 else "")


def run_title(run: Run, formula: str) -> str:
    return f"{run.label}, best seed (loss {min(run.losses):.5f}): hidden space {formula}"


def draw_vectors(ax: Axes3D, w: Array, limit: float) -> None:
    """Each feature's direction W_i as a line from the origin to a numbered ball."""
    for i, (vector, colour) in enumerate(zip(w, PALETTE, strict=True)):
        ax.plot(*np.stack([np.zeros(N_HIDDEN), vector], axis=1), color=colour, linewidth=3)
        ax.scatter(*vector, color=colour, s=60, depthshade=False)
        ax.text(*(vector * (1 + 0.22 * limit / np.linalg.norm(vector))), str(i), ha="center", va="center", fontsize=15)
    ax.scatter(0, 0, 0, color="black", s=15)


def clearest_view(w: Array) -> tuple[float, float]:
    """Elevation and azimuth in degrees from which the origin and the tips of the weight vectors lie farthest apart.

    That is, the closest two of these n + 1 points are as far apart on the page as the allowed views permit.
    """
    points = np.vstack([w, np.zeros(N_HIDDEN)])

    def closest_pair(view: tuple[float, float]) -> float:
        elevation, azimuth = np.radians(view)
        right = [-np.sin(azimuth), np.cos(azimuth), 0]
        up = [-np.sin(elevation) * np.cos(azimuth), -np.sin(elevation) * np.sin(azimuth), np.cos(elevation)]
        seen = points @ np.array([right, up]).T
        gaps = np.linalg.norm(seen[:, None] - seen[None], axis=2)
        return float(gaps[np.triu_indices(len(points), 1)].min())

    # Oblique to every axis: seen along one, a cube looks flat.
    views = [(float(e), float(q + a)) for e in range(12, 41, 4) for q in (-180, -90, 0, 90) for a in range(20, 71, 3)]
    return max(views, key=closest_pair)


def finish_3d(ax: Axes3D, title: str, limit: float, view: tuple[float, float]) -> None:
    """A cube about the origin, seen from the same side in every panel of a run."""
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), zlim=(-limit, limit))
    for name, axis in zip("123", (ax.xaxis, ax.yaxis, ax.zaxis), strict=True):
        assert isinstance(axis, Axis)  # matplotlib's stubs take it for an axis of a flat plot
        axis.set_rotate_label(False)
        axis.labelpad = 8
        axis.set_label_text(f"$h_{name}$", fontsize=18, rotation=0)
    ticks = [-1, 0, 1]
    ax.set(xticks=ticks, yticks=ticks, zticks=ticks)
    ax.tick_params(labelsize=13)
    ax.set_title(title, fontsize=19, y=1.05)
    ax.set_box_aspect((1, 1, 1), zoom=1.08)
    ax.view_init(elev=view[0], azim=view[1])


def plot_geometry(run: Run, out_dir: Path) -> None:
    """Four panels: the weight vectors, then the hidden activations with 1, 2 and 3 active features."""
    figure = plt.figure(figsize=(13, 14))
    axes = [figure.add_subplot(2, 2, panel + 1, projection="3d") for panel in range(4)]
    view = clearest_view(run.w)
    limit = float(max(1.0, np.abs(run.w).max()))
    draw_vectors(axes[0], run.w, limit)
    finish_3d(axes[0], "weight vectors $W_i$", 1.1 * limit, view)
    for ax, (k, (h, colours)) in zip(axes[1:], hidden_samples(run.w).items(), strict=True):
        ax.scatter(*h.T, c=colours, s=9, linewidths=0, depthshade=False)
        finish_3d(ax, plural(k), 1.05 * float(max(limit, np.abs(h).max())), view)
    figure.suptitle(run_title(run, "$h = xW$"), fontsize=21, y=0.985)
    names = [Line2D([], [], color=c, marker="o", linewidth=3, label=str(i)) for i, c in enumerate(PALETTE)]
    figure.legend(
        handles=names, title="feature (a point mixes the colours of its active features by magnitude; pale = small)",
        ncols=N_FEATURES, loc="lower center", fontsize=17, title_fontsize=17, frameon=False,
    )  # fmt: skip
    figure.subplots_adjust(left=0.04, right=0.96, bottom=0.12, top=0.91, wspace=0.08, hspace=0.14)
    save(figure, out_dir / f"geometry_{run.name}.png")


def plot_geometries(runs: list[Run], out_dir: Path) -> None:
    for run in runs:
        plot_geometry(run, out_dir)


def plot_loss_by_run(runs: list[Run], out_dir: Path) -> None:
    panel = {"loss (mean squared error; lower is better)": [run.losses for run in runs]}
    plot_seeds(out_dir / "loss_by_run.png", "Loss by run", [run.label for run in runs], panel)


def plot_training_curves(runs: list[Run], out_dir: Path) -> None:
    """Training loss against the step: the whole training on a log scale, its second half on a linear one."""
    figure, (whole, end) = plt.subplots(1, 2, figsize=(14, 6), layout="constrained")
    for number, run in enumerate(runs):
        if run.curve is None:
            print(f"{run.name}: no training curve")
            continue
        draw_curve(whole, number, run.curve, CURVE_WINDOW)
        draw_curve(end, number, run.curve, CURVE_WINDOW, skip=0.5)
    nothing = whole.axhline((1 - SPARSITY) / 3, color="black", linestyle=":", label="model that outputs zero (p / 3)")
    whole.set_yscale("log")
    tidy(whole, "Training loss by run", "training step", f"loss, mean of {CURVE_WINDOW} steps (band: all seeds)")
    tidy(end, "Second half, linear scale", "training step")
    legend(figure, [*run_lines([run.label for run in runs]), nothing])
    save(figure, out_dir / "training_curves.png")


def vector_traces(w: Array) -> list[go.Scatter3d]:
    return [
        go.Scatter3d(
            x=[0, v[0]], y=[0, v[1]], z=[0, v[2]], mode="lines+markers+text", text=["", str(i)],
            line={"color": colour, "width": 7}, marker={"color": colour, "size": [0, 6]}, textfont={"size": 15},
            name=f"feature {i}", hovertemplate=f"feature {i}, norm {np.linalg.norm(v):.3f}<extra></extra>",
        )
        for i, (v, colour) in enumerate(zip(w.tolist(), PALETTE, strict=True))
    ]  # fmt: skip


def activation_trace(h: Array, colours: Array, k: int) -> go.Scatter3d:
    rgb = [f"rgb({r},{g},{b})" for r, g, b in (255 * colours).astype(int)]
    return go.Scatter3d(
        x=h[:, 0], y=h[:, 1], z=h[:, 2], mode="markers", marker={"size": 2, "color": rgb},
        name=plural(k), showlegend=False, hoverinfo="x+y+z",
    )  # fmt: skip


def write_html(runs: list[Run], out_dir: Path) -> None:
    """One page for all runs; a menu chooses the run."""
    panels = ["weight vectors W_i", *map(plural, ACTIVE_COUNTS)]
    figure = make_subplots(
        rows=2, cols=2, specs=[[{"type": "scene"}] * 2] * 2, subplot_titles=panels,
        horizontal_spacing=0.02, vertical_spacing=0.06,
    )  # fmt: skip
    owners: list[str] = []
    for run in runs:
        places = [(trace, 1, 1) for trace in vector_traces(run.w)]
        for k, (h, colours) in hidden_samples(run.w).items():
            places.append((activation_trace(h, colours, k), 1 + k // 2, 1 + k % 2))
        for trace, row, column in places:
            trace.visible = run is runs[0]
            figure.add_trace(trace, row=row, col=column)
        owners += [run.name] * len(places)
    buttons = [
        {
            "label": run.label,
            "method": "update",
            "args": [{"visible": [owner == run.name for owner in owners]}, {"title.text": run_title(run, "h = xW")}],
        }
        for run in runs
    ]
    scene = {"xaxis_title": "h1", "yaxis_title": "h2", "zaxis_title": "h3", "aspectmode": "cube"}
    figure.update_scenes(
        **scene, camera={"eye": {"x": 1.35, "y": -1.85, "z": 0.95}, "center": {"x": 0, "y": 0, "z": -0.1}}
    )
    figure.update_layout(
        title={"text": run_title(runs[0], "h = xW"), "x": 0.5, "y": 0.98},
        height=1000, margin={"t": 110, "l": 10, "r": 10, "b": 10},
        legend={"title": "click to hide a vector"},
        updatemenus=[{"buttons": buttons, "x": 0, "y": 1.03, "xanchor": "left", "yanchor": "bottom"}],
    )  # fmt: skip
    figure.write_html(out_dir / "geometry.html", include_plotlyjs=True)


if __name__ == "__main__":
    draw(__doc__, load_run, plot_geometries, plot_loss_by_run, plot_training_curves, write_html)
