"""The key in the parent's environment is the parent's alone."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lab import Project, in_real_runs, notes, scale, undo

from harness.execution import sandbox

KEYS = {"ANTHROPIC_API_KEY": "sk-ant-SECRET-0001", "MY_TOKEN": "tok-SECRET-0002", "AWS_SECRET": "aws-SECRET-0003"}
SPY = """\
found = [f"{name}={value}" for name, value in os.environ.items()]
for file in Path("/proc").glob("[0-9]*/environ"):
    try:
        found.append(file.read_text(errors="replace"))
    except OSError as error:
        found.append(str(error))
(out_dir / "spied.txt").write_text("\\n".join(found))
print("\\n".join(found))
raise RuntimeError("\\n".join(found))"""
NO_SANDBOX = sandbox.name() == "none"
PR_CAPBSET_DROP = 24


def holding_a_key(folder: Path) -> list[str]:
    """Files under a folder that contain one of the keys."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            found += [f"{path}: {name}" for name, key in KEYS.items() if key.encode() in content]
    return found


def spying() -> list[str]:
    return [in_real_runs(SPY), undo(in_real_runs(SPY)) + scale(2.0), notes()]


@pytest.mark.skipif(NO_SANDBOX, reason="bubblewrap is missing or does not work here")
def test_in_the_sandbox_the_experiment_finds_no_key_anywhere(project: Project) -> None:
    said = project.process(*project.order(spying(), "--max-runs", "1"), **KEYS).wait()
    study = project.study()

    assert said.code == 0, said
    assert study.outcomes == [(1, 1, "crashed"), (1, 2, "ok")]
    [spied] = study.paths.private.glob("jobs/run_1-attempt_1/out/spied.txt")
    assert "HARNESS_SEEDS=" in spied.read_text(), "it did look"
    assert "HARNESS_SEEDS=" in study.prompt(2), "and what it found reached the prompt"
    assert holding_a_key(project.root) == []
    assert not any(key in said.out + said.err for key in KEYS.values())


def without_privileges() -> None:
    """Make the program that is started now, if it is root's, root without capabilities: as good as anybody."""
    libc = ctypes.CDLL(None)
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def test_without_a_sandbox_the_experiment_of_an_ordinary_user_finds_no_key_either(project: Project) -> None:
    command = [sys.executable, "-m", "harness", "-C", str(project.root)]
    command += project.order(spying(), "--max-runs", "1", "--no-sandbox")
    done = subprocess.run(
        command,
        cwd=project.root,
        env={**os.environ, **KEYS},
        capture_output=True,
        text=True,
        preexec_fn=without_privileges,
    )
    study = project.study()

    assert done.returncode == 0, done
    assert study.outcomes == [(1, 1, "crashed"), (1, 2, "ok")]
    assert "HARNESS_SEEDS=" in (study.paths.job("run_1-attempt_1") / "out" / "spied.txt").read_text()
    assert holding_a_key(project.root) == []
    assert not any(key in done.stdout + done.stderr for key in KEYS.values())


def test_a_key_that_an_experiment_prints_or_an_idea_holds_never_reaches_a_prompt(project: Project) -> None:
    """The experiment may have got it from anywhere: a file, a neighbour's memory."""
    key = KEYS["ANTHROPIC_API_KEY"]
    half = len(key) // 2
    leak = in_real_runs(f"raise RuntimeError({key[:half]!r} + {key[half:]!r})")
    model = project.recording([leak, undo(leak) + scale(2.0), notes()])
    options = ("--name", "s", "--max-runs", "1")
    said = project.process("run", "tiny", "--idea", f"Use {key} well.", "--model", model, *options, **KEYS).wait()
    study = project.study()

    assert said.code == 0, said
    assert key in (study.paths.job("run_1-attempt_1") / "log.txt").read_text()
    assert "Use [redacted] well." in study.prompt(1)
    assert "RuntimeError: [redacted]" in study.prompt(2)
    assert not any(key in study.prompt(turn.turn) for turn in study.turns)
    assert not any(key in study.sent(call) for call in range(1, study.history.calls + 1))
