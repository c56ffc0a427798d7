"""Forged run folders of tms_geometry and tms_tree before the real evaluators and limits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pinned
import pytest

from .cheats import admitted, evaluated, scores_of, stored

GEOMETRY, TREE = "tms_geometry", "tms_tree"
SEEDS = {GEOMETRY: (0, 1, 2, 3, 4), TREE: (0, 1, 2)}
LAWS = ("early_stopping", "full_depth", "independent")
Arrays = dict[str, np.ndarray]
Forgery = Callable[[Path], None]


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: pinned.pin(name, tmp_path_factory.mktemp(name) / "template") for name in (GEOMETRY, TREE)}


def change(name: str, how: Callable[[Arrays], Arrays]) -> Forgery:
    """Replace the arrays of a saved file."""

    def forge(run: Path) -> None:
        with np.load(run / name) as saved:
            arrays = {key: saved[key] for key in saved.files}
        np.savez(run / name, **how(arrays))

    return forge


def each(how: Callable[[np.ndarray], np.ndarray]) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {key: how(array).astype(np.float32) for key, array in arrays.items()}


def every_law(how: Callable[[Arrays], Arrays]) -> Forgery:
    def forge(run: Path) -> None:
        for law in LAWS:
            change(f"weights_{law}.npz", how)(run)

    return forge


def settings(**changed: object) -> Forgery:
    """Change all entries of config.json."""

    def forge(run: Path) -> None:
        path = run / "config.json"
        path.write_text(json.dumps([{**config, **changed} for config in json.loads(path.read_text())]))

    return forge


def remove(name: str) -> Forgery:
    return lambda run: (run / name).unlink()


def first_seed(array: np.ndarray) -> np.ndarray:
    return np.repeat(array[:1], len(array), axis=0)


def widened(arrays: Arrays) -> Arrays:
    """The unused dimension of a model with two hidden dimensions is put to use."""
    arrays["W3"][:, :, 0, 2] = 0.5
    return arrays


WEIGHTS, CURVE, CURVES = "weights.npz", "training_curve.npz", "curves.npz"
CHEATS: dict[str, tuple[str, Forgery, str]] = {
    "geometry: ten times the steps": (
        GEOMETRY,
        change(CURVE, each(lambda loss: np.tile(loss, (10, 1)))),
        "steps on sparse_uniform is 100000 for seed 0, above the limit of 10000",
    ),
    "geometry: one step more": (
        GEOMETRY,
        change(CURVE, each(lambda loss: np.concatenate([loss, loss[-1:]]))),
        "steps on sparse_uniform is 10001 for seed 0",
    ),
    "geometry: no curve": (GEOMETRY, remove(CURVE), CURVE),
    "geometry: a curve of no steps": (GEOMETRY, change(CURVE, each(lambda a: a[:0])), "0 training steps were made"),
    "geometry: one seed's curve": (
        GEOMETRY,
        change(CURVE, each(lambda a: a[:, :1])),
        "'loss' must have shape (any, 5)",
    ),
    "geometry: a curve without numbers": (GEOMETRY, change(CURVE, each(lambda a: a * np.nan)), "not finite"),
    "geometry: weights that are nearly zero": (
        GEOMETRY,
        change(WEIGHTS, each(lambda w: 1e-9 * w)),
        "above the limit of 0.0166",
    ),
    "geometry: huge weights": (GEOMETRY, change(WEIGHTS, each(lambda w: 1e30 * w)), "not finite"),
    "geometry: weights without numbers": (GEOMETRY, change(WEIGHTS, each(lambda w: w * np.nan)), "not finite"),
    "geometry: one seed's weights for all": (
        GEOMETRY,
        change(WEIGHTS, each(first_seed)),
        "the weights of seeds 0 and 1 are the same",
    ),
    "geometry: eight hidden dimensions": (
        GEOMETRY,
        change(WEIGHTS, each(lambda w: np.stack([np.eye(8)] * len(w)))),
        "'W' must have shape (5, 8, 3), found (5, 8, 8)",
    ),
    "geometry: a decoder of its own": (
        GEOMETRY,
        change(WEIGHTS, lambda arrays: {**arrays, "W_dec": -arrays["W"]}),
        "expected the keys 'W'",
    ),
    "geometry: a bias for every sample": (
        GEOMETRY,
        change(WEIGHTS, lambda arrays: {**arrays, "b": np.zeros((5, 100, 8), np.float32)}),
        "'b' must have shape (5, 8)",
    ),
    "tree: ten times the steps": (
        TREE,
        change(CURVES, each(lambda loss: np.tile(loss, (10, 1)))),
        "steps on early_stopping is 100000 for seed 0, above the limit of 10000",
    ),
    "tree: ten times the steps, logged a tenth as often": (
        TREE,
        settings(n_steps=100_000),
        "steps on early_stopping is 100000 for seed 0",
    ),
    "tree: no curves": (TREE, remove(CURVES), CURVES),
    "tree: no settings": (TREE, remove("config.json"), "config.json"),
    "tree: a number of steps that is none": (TREE, settings(n_steps="few"), "n_steps is 'few'"),
    "tree: a negative number of steps": (TREE, settings(n_steps=-1), "n_steps is -1"),
    "tree: true for a number of steps": (TREE, settings(n_steps=True), "n_steps is True"),
    "tree: settings of no known law": (TREE, settings(law="other"), "config.json"),
    "tree: weights that are nearly zero": (
        TREE,
        every_law(each(lambda w: 1e-9 * w)),
        "fvu_min on early_stopping is 1.",
    ),
    "tree: one seed's weights for all": (
        TREE,
        every_law(each(first_seed)),
        "the weights of seeds 0 and 1 are the same",
    ),
    "tree: hidden dimensions that a cell does not have": (
        TREE,
        change("weights_full_depth.npz", widened),
        "is not zero in hidden dimensions 2 and above",
    ),
    "tree: weights without numbers": (TREE, every_law(each(lambda w: w * np.nan)), "not finite"),
    "tree: the law that is hard left out": (TREE, remove("weights_independent.npz"), "weights_independent.npz"),
}
"""What it does → the template, the forgery, and why the run does not count."""


def forged(name: str, tmp_path: Path, forge: Forgery) -> Path:
    run = shutil.copytree(pinned.baseline_run(name), tmp_path / "run")
    forge(run)
    return run


@pytest.mark.parametrize("what", CHEATS)
def test_a_cheat_gets_no_result_and_is_told_why_in_one_line(where: dict[str, Path], tmp_path: Path, what: str) -> None:
    name, forge, told = CHEATS[what]
    run = forged(name, tmp_path, forge)
    found = evaluated(name, where[name], run, tmp_path / "out", SEEDS[name])
    assert isinstance(found, str), f"it counts: {found}"
    assert told in found


def backwards(array: np.ndarray) -> np.ndarray:
    return array[::-1]


@pytest.mark.parametrize("name", [GEOMETRY, TREE])
def test_the_order_of_the_seeds_changes_no_mean(where: dict[str, Path], tmp_path: Path, name: str) -> None:
    forge = change(WEIGHTS, each(backwards)) if name == GEOMETRY else every_law(each(backwards))
    primary = "loss" if name == GEOMETRY else "fvu_min"
    found = scores_of(evaluated(name, where[name], forged(name, tmp_path, forge), tmp_path / "out", SEEDS[name]))
    for dataset, values in stored(name).items():
        assert found[dataset][primary] == pytest.approx(values[primary][::-1], rel=1e-4)


@pytest.mark.parametrize("name", [GEOMETRY, TREE])
def test_negated_weights_are_the_same_model(where: dict[str, Path], tmp_path: Path, name: str) -> None:
    def negate(arrays: Arrays) -> Arrays:
        return {key: -array if key.startswith("W") else array for key, array in arrays.items()}

    forge = change(WEIGHTS, negate) if name == GEOMETRY else every_law(negate)
    primary = "loss" if name == GEOMETRY else "fvu_min"
    found = scores_of(evaluated(name, where[name], forged(name, tmp_path, forge), tmp_path / "out", SEEDS[name]))
    for dataset, values in stored(name).items():
        assert found[dataset][primary] == pytest.approx(values[primary], rel=1e-4)


def test_verified_values_that_a_run_brings_along_are_not_read(where: dict[str, Path], tmp_path: Path) -> None:
    def claim(run: Path) -> None:
        (run / "verified.json").write_text('{"sparse_uniform": {"final_info_dict": {"loss": [0, 0, 0, 0, 0]}}}')

    run = forged(GEOMETRY, tmp_path, claim)
    found = scores_of(evaluated(GEOMETRY, where[GEOMETRY], run, tmp_path / "out", SEEDS[GEOMETRY]))
    assert found["sparse_uniform"]["loss"] == pytest.approx(stored(GEOMETRY)["sparse_uniform"]["loss"], rel=1e-5)


@pytest.mark.parametrize("name", [GEOMETRY, TREE])
def test_steps_that_are_told_of_nowhere_are_not_noticed_and_the_readme_says_so(
    where: dict[str, Path], tmp_path: Path, name: str
) -> None:
    """As if ten times as many had been made."""
    shorter = change(CURVE if name == GEOMETRY else CURVES, each(lambda loss: loss[::10]))
    found = scores_of(evaluated(name, where[name], forged(name, tmp_path, shorter), tmp_path / "out", SEEDS[name]))
    assert all(max(values["steps"]) <= 10_000 for values in found.values())
    assert "curve" in admitted(name)


@pytest.mark.parametrize("name", [GEOMETRY, TREE])
def test_a_smoke_run_can_be_evaluated(where: dict[str, Path], tmp_path: Path, name: str) -> None:
    tiny = {"HARNESS_SMOKE": "1", "HARNESS_SEEDS": "0,1"}
    assert pinned.script(where[name], "experiment.py", f"--out_dir={tmp_path / 'run'}", **tiny).returncode == 0
    places = (f"--run_dir={tmp_path / 'run'}", f"--out_dir={tmp_path / 'out'}")
    done = pinned.script(where[name], "evaluate.py", *places, **tiny)
    assert (done.returncode, done.stderr) == (0, "")
    info = json.loads((tmp_path / "out" / "final_info.json").read_text())
    assert {tuple(body["final_info_dict"]["steps"]) for body in info.values()} == {
        (200.0, 200.0) if name == GEOMETRY else (60.0, 60.0)
    }
