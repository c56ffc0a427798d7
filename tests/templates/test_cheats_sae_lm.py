"""Forged runs of sae_lm before the real evaluator and limits, on the tiny character-level model."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pinned
import pytest
import torch

from harness.records import Scores

from . import test_sae_lm as small
from .cheats import admitted, judged, scores_of

NAME, DATASET = "sae_lm", small.DATASET
where, modules, assets, smoke, judge = small.where, small.modules, small.assets, small.smoke, small.judge
STEPS = 160
Arrays = dict[str, np.ndarray]
Forgery = Callable[[Path], None]
Judge = Callable[[Path], Scores | str]


def change(name: str, how: Callable[[Arrays], Arrays]) -> Forgery:
    """Replace the arrays of a file of the dataset."""

    def forge(run: Path) -> None:
        with np.load(run / DATASET / name) as saved:
            arrays = {key: saved[key] for key in saved.files}
        np.savez(run / DATASET / name, **{k: a.astype(np.float32) for k, a in how(arrays).items()})

    return forge


def settings(text: Callable[[dict[str, object]], object]) -> Forgery:
    def forge(run: Path) -> None:
        path = run / "config.json"
        path.write_text(json.dumps(text(json.loads(path.read_text()))))

    return forge


def batch_size(size: object) -> Forgery:
    return settings(lambda config: {**config, "batch_size": size})


def decoder(factor: float) -> Forgery:
    return change("decoder.npz", lambda saved: {**saved, "W_dec": factor * saved["W_dec"]})


def longer(times: int) -> Forgery:
    return change("training_curve.npz", lambda saved: {"loss": np.tile(saved["loss"], (times, 1))})


def both(first: Forgery, second: Forgery) -> Forgery:
    def forge(run: Path) -> None:
        first(run)
        second(run)

    return forge


def first_seed(arrays: Arrays) -> Arrays:
    return {key: np.repeat(array[:1], len(array), axis=0) for key, array in arrays.items()}


def latents(count: int) -> Forgery:
    """The encoder lets that many latents fire."""

    def forge(run: Path) -> None:
        path = run / DATASET / "encoder.json"
        graph = json.loads(path.read_text())
        (top,) = (node for node in graph["nodes"] if "topk" in node["op"])
        assert top["args"][1] == 32
        top["args"][1] = count
        path.write_text(json.dumps(graph))

    return forge


CHEATS: dict[str, tuple[Forgery, str]] = {
    "ten times the steps": (longer(50), "samples on char_layer1 is 4096000 for seed 0, above the limit of 409600"),
    "larger batches": (both(longer(5), batch_size(1024)), "samples on char_layer1 is 819200 for seed 0"),
    "no settings": (lambda run: (run / "config.json").unlink(), "config.json"),
    "settings that are no object": (settings(lambda _: [512]), "batch_size must be a positive whole number"),
    "no batch size": (settings(lambda _: {}), "batch_size must be a positive whole number"),
    "batches of nothing": (batch_size(0), "batch_size must be a positive whole number"),
    "batches of less than a row": (batch_size(0.001), "batch_size must be a positive whole number"),
    "batches of true": (batch_size(True), "batch_size must be a positive whole number"),
    "one seed's curve": (
        change("training_curve.npz", lambda saved: {"loss": saved["loss"][:, :1]}),
        "'loss' must have shape (any, 2)",
    ),
    "a negated decoder": (decoder(-1), "fvu on char_layer1 is "),
    "a huge decoder": (decoder(100), "fvu on char_layer1 is "),
    "a decoder that is nearly zero": (
        change("decoder.npz", lambda saved: {key: 1e-9 * array for key, array in saved.items()}),
        "fvu on char_layer1 is 1.",
    ),
    "a zero decoder": (decoder(0), "reconstructs nothing"),
    "one seed's SAE for all": (
        both(change("decoder.npz", first_seed), change("encoder.npz", first_seed)),
        "the weights of seeds 0 and 1 are the same",
    ),
    "a second decoder in another array": (
        change("decoder.npz", lambda saved: {**saved, "W_more": saved["W_dec"]}),
        "expected the keys 'W_dec', 'b_dec'",
    ),
    "a decoder bias for every token": (
        change("decoder.npz", lambda saved: {**saved, "b_dec": np.repeat(saved["b_dec"], 50, axis=1)}),
        "'b_dec' must have shape",
    ),
}
"""What it does → how, and why it does not count."""


@pytest.fixture(scope="module")
def run(where: Path, smoke: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run saves that trains long enough to be of some use."""
    study = shutil.copytree(where, tmp_path_factory.mktemp("longer") / "study")
    script = (study / "experiment.py").read_text()
    assert script.count("SMOKE_STEPS = 4\n") == 1
    (study / "experiment.py").write_text(script.replace("SMOKE_STEPS = 4\n", f"SMOKE_STEPS = {STEPS}\n"))
    done = pinned.script(study, "experiment.py", "--out_dir=run_0", **smoke)
    assert done.returncode == 0, done.stderr
    return study / "run_0"


@pytest.fixture
def verdict(
    modules: dict[str, ModuleType],
    judge: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Judge:
    """The evaluator of the template, run in this process because torch takes long to start."""
    for name, value in judge.items():
        monkeypatch.setenv(name, value)

    def of(forged: Path) -> Scores | str:
        out = tmp_path / "out"
        monkeypatch.setattr(sys, "argv", ["evaluate.py", f"--run_dir={forged}", f"--out_dir={out}"])
        code = 0
        try:
            with torch.no_grad():
                modules["artifacts"].evaluate("Evaluate.", modules["evaluate"].measure_run)
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        return judged(NAME, out, code, capsys.readouterr().err, (0, 1))

    return of


def forged(run: Path, tmp_path: Path, forge: Forgery = lambda _: None) -> Path:
    made = shutil.copytree(run, tmp_path / "run")
    forge(made)
    return made


def test_an_honest_run_counts_with_what_it_was_trained_on(verdict: Judge, run: Path) -> None:
    found = scores_of(verdict(run))[DATASET]
    assert (found["steps"], found["samples"]) == ((160.0, 160.0), (81920.0, 81920.0))


@pytest.mark.parametrize("what", CHEATS)
def test_a_cheat_gets_no_result_and_is_told_why_in_one_line(
    verdict: Judge, run: Path, tmp_path: Path, what: str
) -> None:
    forge, told = CHEATS[what]
    found = verdict(forged(run, tmp_path, forge))
    assert isinstance(found, str), f"it counts: {found}"
    assert told in found


def test_more_latents_per_token_are_refused(
    verdict: Judge, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_SMOKE", "0")
    assert "L0 is 64.0, above the 33.6" in verdict(forged(run, tmp_path, latents(64)))


@pytest.mark.parametrize("size", [256, 512])
def test_every_batch_size_of_the_search_space_stays_within_the_limits(
    verdict: Judge, run: Path, tmp_path: Path, size: int
) -> None:
    found = scores_of(verdict(forged(run, tmp_path, both(longer(5), batch_size(size)))))
    assert found[DATASET]["samples"] == (800.0 * size,) * 2


def test_declared_parents_move_only_what_never_decides(verdict: Judge, run: Path, tmp_path: Path) -> None:
    def declare(made: Path) -> None:
        parents = np.zeros((2, 1152), np.float32)
        parents[:, 0] = -1
        np.savez(made / DATASET / "parents.npz", parent=parents)

    honest = scores_of(verdict(run))[DATASET]
    found = scores_of(verdict(forged(run, tmp_path, declare)))[DATASET]
    assert {metric for metric, values in found.items() if values != honest[metric]} <= {"parent_child_mi"}
    assert "parents.npz" in admitted(NAME)


def test_steps_that_are_told_of_nowhere_are_not_noticed_and_the_readme_says_so(
    verdict: Judge, run: Path, tmp_path: Path
) -> None:
    shorter = change("training_curve.npz", lambda saved: {"loss": saved["loss"][::2]})
    found = scores_of(verdict(forged(run, tmp_path, both(shorter, batch_size(1)))))
    assert found[DATASET]["samples"] == (80.0, 80.0)
    assert "curve" in admitted(NAME) and "batch_size" in admitted(NAME)
