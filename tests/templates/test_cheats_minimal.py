"""Edits of `minimal` that want a better number than they earn: run for real, with evaluator and limits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pinned
import pytest

from harness.execution.executors.local import LocalExecutor
from harness.execution.jobs import Jobs
from harness.execution.launcher import Launcher, LaunchResult
from harness.template.folder import Template

from .cheats import admitted

NAME, DATASET = "minimal", "sparse_uniform"
TRAINED = "    w, b, losses = (np.array(each, np.float32) for each in zip(*trained, strict=True))\n"
SAVED = '    np.savez(out_dir / "training_curve.npz", loss=losses.T)\n'
REPORTED = "    write_final_info(out_dir, {DATASET: measure(w, b)})\n"
TEN_TIMES = ("N_STEPS = 2_000", "N_STEPS = 20_000")


def run(tmp_path: Path, *changes: tuple[str, str]) -> LaunchResult:
    """The shipped experiment with these changes."""
    template, code, pin = Template(pinned.folder(NAME)), tmp_path / "study", tmp_path / "template"
    template.lay_out(code)
    script = code / "experiment.py"
    text = script.read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    script.write_text(text)
    launcher = Launcher(Jobs(template, pin, template.pin(pin)), LocalExecutor())
    return launcher.run(code, tmp_path / "job", tmp_path / "run_1", lambda *_: None)


def after_training(code: str) -> tuple[str, str]:
    return TRAINED, f"{TRAINED}    {code}\n"


PERFECT = '{"loss": [0.0] * 5, "features_represented": [5.0] * 5, "steps": [1.0] * 5}'
ANOTHER_DATASET = f'    write_final_info(out_dir, {{DATASET: measure(w, b), "easy": {PERFECT}}})\n'
CHEATS: dict[str, tuple[tuple[tuple[str, str], ...], str]] = {
    "ten times the steps": ((TEN_TIMES,), "steps on sparse_uniform is 20000 for seed 0, above the limit of 2000"),
    "ten times the steps, and reports few": (
        (TEN_TIMES, (REPORTED, '    write_final_info(out_dir, {DATASET: {**measure(w, b), "steps": [1.0] * 5}})\n')),
        "steps on sparse_uniform is 20000 for seed 0",
    ),
    "no curve": (((SAVED, ""),), "training_curve.npz"),
    "an empty curve": (((SAVED, SAVED.replace("losses.T", "losses.T[:0]")),), "0 training steps were made"),
    "one seed's curve": (((SAVED, SAVED.replace("losses.T", "losses.T[:, :1]")),), "'loss' must have shape (any, 5)"),
    "one seed's weights for all": (
        (after_training("best = losses[:, -100:].mean(axis=1).argmin(); w[:], b[:] = w[best], b[best]"),),
        "the weights of seeds 0 and 1 are the same",
    ),
    "weights that are nearly zero": ((after_training("w *= 1e-9; b *= 1e-9"),), "above the limit of 0.033"),
    "weights so large that the loss overflows": ((after_training("w *= 1e30"),), "not a finite number"),
    "no numbers": ((after_training("w[0] = np.nan"),), "not a finite number"),
    "as many dimensions as features": (
        (after_training("w = np.stack([np.eye(5, dtype=np.float32) + 1e-3 * s for s in range(5)])"),),
        "'W' must have shape (5, 5, 2), found (5, 5, 5)",
    ),
    "a bias for every sample": (
        (after_training("wide = np.zeros((5, 20_000, 5), np.float32)"), ("W=w, b=b", "W=w, b=wide")),
        "'b' must have shape (5, 5)",
    ),
    "a second layer in another array": ((("W=w, b=b", "W=w, b=b, W2=w"),), "expected the keys 'W', 'b'"),
    "another dataset": (
        ((REPORTED, ANOTHER_DATASET),),
        "evaluate.py does not measure the dataset 'easy'",
    ),
    "only another dataset": (
        ((REPORTED, REPORTED.replace("DATASET:", '"easy":')),),
        "evaluate.py does not measure the dataset 'easy'",
    ),
}
"""What it does → how it is done, and why it does not count."""


@pytest.mark.parametrize("what", CHEATS)
def test_a_cheat_gets_no_result_and_is_told_why(tmp_path: Path, what: str) -> None:
    changes, told = CHEATS[what]
    trial = run(tmp_path, *changes)
    assert (trial.outcome, trial.scores) == ("no-metrics", {}), trial
    assert told in trial.message.splitlines()[-1]
    assert not (tmp_path / "run_1" / "verified.json").exists()


def test_a_run_that_writes_its_own_verified_values_gets_the_evaluators(tmp_path: Path) -> None:
    claim = (
        f"    write_final_info(out_dir, {{DATASET: {PERFECT}}})\n"
        '    (out_dir / "verified.json").write_bytes((out_dir / "final_info.json").read_bytes())\n'
    )
    trial = run(tmp_path, (REPORTED, claim))
    assert trial.outcome == "ok", trial.message
    with np.load(tmp_path / "run_1" / "weights.npz") as saved, pinned.imported(tmp_path / "template", "toy") as found:
        honest = found["toy"].measure(saved["W"], saved["b"])
    assert trial.scores[DATASET]["loss"] == pytest.approx(honest["loss"])
    assert trial.scores[DATASET]["steps"] == (2000.0,) * 5
    assert '"loss": 0.0,' not in (tmp_path / "run_1" / "verified.json").read_text()


@pytest.mark.parametrize("batch_size", [8, 128])
def test_every_batch_size_of_the_search_space_stays_within_the_limits(tmp_path: Path, batch_size: int) -> None:
    trial = run(tmp_path, ("BATCH_SIZE = 32", f"BATCH_SIZE = {batch_size}"))
    assert trial.outcome == "ok", trial.message


def test_a_curve_that_leaves_steps_out_is_not_noticed_and_the_readme_says_so(tmp_path: Path) -> None:
    trial = run(tmp_path, ("N_STEPS = 2_000", "N_STEPS = 4_000"), (SAVED, SAVED.replace("losses.T", "losses.T[::2]")))
    assert trial.outcome == "ok", trial.message
    assert "training_curve.npz" in admitted(NAME)
