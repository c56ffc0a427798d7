"""The smallest template: its gradient, its model's law, and whole studies of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pinned
import pytest
from lab import Project

from harness.state.verdicts import judge
from harness.template import baseline
from harness.template.folder import Template
from harness.template.ideas import read_idea

NAME, DATASET = "minimal", "sparse_uniform"
P, N, D = 0.1, 5, 2
PENTAGON = np.stack([[np.cos(a), np.sin(a)] for a in 2 * np.pi * np.arange(N) / N])
"""Unit vectors [n, d] at equal angles."""


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pinned.pin(NAME, tmp_path_factory.mktemp("pinned") / "template")


@pytest.fixture(scope="module")
def modules(where: Path) -> Iterator[dict[str, ModuleType]]:
    with pinned.imported(where, "toy", "experiment") as found:
        yield found


@pytest.fixture
def toy(modules: dict[str, ModuleType]) -> ModuleType:
    return modules["toy"]


@pytest.fixture
def experiment(modules: dict[str, ModuleType]) -> ModuleType:
    return modules["experiment"]


@pytest.fixture
def shipped(tmp_path: Path) -> Project:
    """A project with the template as it is shipped."""
    for folder in ("templates/minimal", "templates/common", "baselines/minimal"):
        shutil.copytree(pinned.ROOT / folder, tmp_path / "project" / folder)
    return Project(tmp_path / "project")


def test_the_stored_baseline_is_fresh_and_what_its_weights_score(toy: ModuleType) -> None:
    template = Template(pinned.folder(NAME))
    stored = baseline.load(pinned.ROOT / "baselines", template).scores[DATASET]
    assert len(set(stored["loss"])) == len(template.manifest.run.seeds) == 5, "seeds differ"
    with np.load(pinned.baseline_run(NAME) / "weights.npz") as saved:
        again = toy.measure(saved["W"], saved["b"])
    assert again["loss"] == pytest.approx(list(stored["loss"]), rel=1e-5)
    assert again["features_represented"] == list(stored["features_represented"])
    assert max(again["loss"]) < P / 3, "better than the model that outputs zero"


def test_the_gradient_is_that_of_finite_differences(experiment: ModuleType, toy: ModuleType) -> None:
    rng = np.random.default_rng(0)
    x = toy.sparse_features(rng, 64).astype(np.float64)
    w, b = 0.7 * rng.standard_normal((N, D)), 0.1 * rng.standard_normal(N)
    loss, by_w, by_b = experiment.gradient(x, w, b)
    assert loss == pytest.approx(np.square(toy.reconstruct(x, w, b) - x).mean())
    for parameter, found in ((w, by_w), (b, by_b)):
        for place in np.ndindex(parameter.shape):
            kept, losses = parameter[place], []
            for parameter[place] in (kept + 1e-6, kept - 1e-6):
                losses.append(experiment.gradient(x, w, b)[0])
            parameter[place] = kept
            assert found[place] == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-4, abs=1e-9)


def test_features_are_active_as_often_and_as_large_as_the_law_says(toy: ModuleType) -> None:
    x = toy.sparse_features(np.random.default_rng(1), 200_000)
    assert (x.shape, x.dtype) == ((200_000, N), np.float32)
    assert (x > 0).mean(axis=0) == pytest.approx(P, abs=0.004)
    assert x[x > 0].mean() == pytest.approx(0.5, abs=0.005)
    assert np.corrcoef(x.T)[np.triu_indices(N, 1)] == pytest.approx(0, abs=0.01)


def test_the_zero_model_and_the_pentagon_score_what_they_must(toy: ModuleType) -> None:
    w = np.stack([0 * PENTAGON, PENTAGON])
    found = toy.measure(w, np.zeros((2, N)))
    assert found["features_represented"] == [0, N]
    assert found["loss"][0] == pytest.approx(P / 3, rel=0.03)
    active = np.zeros((1, N))
    active[0, 0] = 0.8
    expected = 0.8 * np.maximum(np.cos(2 * np.pi * np.arange(N) / N), 0)
    assert toy.reconstruct(active, PENTAGON, np.zeros(N))[0] == pytest.approx(expected, abs=1e-12)


def test_a_seeds_weights_do_not_depend_on_the_other_seeds_and_are_officially_scored(
    where: Path, tmp_path: Path
) -> None:
    for seeds in ("0,1", "1"):
        done = pinned.script(where, "experiment.py", f"--out_dir={tmp_path / seeds}", HARNESS_SEEDS=seeds)
        assert done.returncode == 0, done.stderr
    both, alone = (np.load(tmp_path / seeds / "weights.npz") for seeds in ("0,1", "1"))
    assert np.array_equal(both["W"][1], alone["W"][0]) and np.array_equal(both["b"][1], alone["b"][0])
    assert pinned.evaluate(where, tmp_path / "0,1", tmp_path / "official").returncode == 0
    reported, official = (json.loads((tmp_path / f / "final_info.json").read_text()) for f in ("0,1", "official"))
    values = official[DATASET]["final_info_dict"]
    assert values.pop("steps") == [2000.0, 2000.0]
    assert values == reported[DATASET]["final_info_dict"]


def test_a_smoke_run_is_tiny_and_weights_of_another_shape_are_refused(where: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = pinned.script(where, "experiment.py", f"--out_dir={run}", HARNESS_SEEDS="0,1", HARNESS_SMOKE="1")
    assert done.returncode == 0, done.stderr
    assert len(np.load(run / "training_curve.npz")["loss"]) == 50
    np.savez(run / "weights.npz", W=np.zeros((2, N, 3), np.float32), b=np.zeros((2, N), np.float32))
    refused = pinned.evaluate(where, run, tmp_path / "official")
    assert (refused.returncode, refused.stderr.count("\n")) == (3, 1)


def test_the_tuner_finds_a_gain_that_holds_on_fresh_seeds(shipped: Project) -> None:
    said = shipped.harness("run", NAME, "--agent", "tuner", "--max-runs", "3", "--name", "s")
    study = shipped.study("s", said)
    assert said.code == 0, said
    assert [outcome for *_, outcome in study.outcomes] == ["ok"] * 3
    assert "better" in [words[DATASET][0] for words in judge(study.history).values()]
    plots = {path.name for path in study.paths.plots.iterdir()}
    assert plots == {"metrics_by_run.png", "training_curves.png", "directions.png"}


def test_the_recorded_study_ends_with_a_confirmed_gain_and_notes_that_are_supported(shipped: Project) -> None:
    recording = pinned.folder(NAME) / "recordings" / "by_hand.jsonl"
    order = ("--idea", "momentum", "--model", f"replay:{recording}", "--max-runs", "3", "--name", "s")
    said = shipped.harness("run", NAME, *order)
    study = shipped.study("s", said)
    assert said.code == 0, said
    assert "not launched, lint" in said.out
    assert study.outcomes == [(1, 1, "ok"), (2, 1, "ok")]
    assert judge(study.history)[2][DATASET][0] == "better"
    assert "momentum 0.9" in study.file("notes.md")
    assert "not supported" not in shipped.harness("show", "s").out


def test_a_copy_under_another_name_is_a_template(shipped: Project) -> None:
    mine = shutil.copytree(shipped.root / "templates" / NAME, shipped.root / "templates" / "mine")
    manifest = mine / "template.toml"
    manifest.write_text(manifest.read_text().replace('name = "minimal" ', 'name = "mine"', 1))
    said = shipped.harness("template", "check", "mine")
    assert said.code == 0, said.err
    assert "smoke run passed" in said.out
    assert "no baseline yet" in said.out


def test_every_idea_is_sound() -> None:
    template = Template(pinned.folder(NAME))
    ideas = [read_idea(template, name) for name in template.ideas()]
    assert {idea.title for idea in ideas} == {"Momentum", "All five features in every seed"}
    assert all(idea.hypotheses and template.manifest.primary in idea.metrics for idea in ideas)
