"""The harness works in any place and for any user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lab import UNCONFIRMED, Project, make_project, notes, scale

NOWHERE = "/proc/nonexistent"
"""A home that does not exist and cannot be made, not even by root."""


def test_a_study_needs_no_git_user_and_no_home_to_write_to(tmp_path: Path, made_once: Path) -> None:
    project = Project(shutil.copytree(made_once, tmp_path / "project"))
    bare = {"PATH": os.environ["PATH"], "HOME": NOWHERE, "GIT_CONFIG_NOSYSTEM": "1"}

    def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "harness", "-C", str(project.root), *arguments]
        return subprocess.run(command, cwd=project.root, env=bare, capture_output=True, text=True)

    done = harness(*project.order([scale(2.0), notes()], "--max-runs", "1"))
    study = project.study()

    assert done.returncode == 0, done
    assert study.ending.status == "done" and study.verdicts == {1: "better"}
    assert study.git("log", "-1", "--format=%an", "s").strip() == "harness"
    assert "Traceback" not in done.stderr and NOWHERE not in done.stderr
    refreshed = harness("baseline", "tiny", "--refresh")
    assert refreshed.returncode == 0, refreshed


def test_no_git_configuration_changes_what_a_study_does(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "post-commit", "reference-transaction", "post-checkout"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\nexit 1\n")
        (hooks / name).chmod(0o755)
    config = (
        f"[core]\n\thooksPath = {hooks}\n\tautocrlf = true\n[commit]\n\tgpgSign = true\n[user]\n\tname = Somebody\n"
    )
    (tmp_path / ".gitconfig").write_text(config)
    monkeypatch.setenv("HOME", str(tmp_path))
    study = project.run([scale(2.0), notes()], "--max-runs", "1")

    assert study.said.code == 0, study.said
    assert not (tmp_path / "hooked").exists()
    assert "Somebody" not in study.git("log", "--format=%an %cn", "s")


@pytest.mark.parametrize("name", ["à côté, étude n° 1", "with 'quotes' & $HOME"])
def test_a_project_may_lie_in_a_path_with_spaces_and_accents(tmp_path: Path, name: str) -> None:
    project = make_project(tmp_path / name / "my project")
    study = project.run([scale(2.0), scale(2.5, 2.0), notes("Voilà.")], "--max-runs", "2")

    assert study.said.code == 0, study.said
    assert study.verdicts == {1: UNCONFIRMED, 2: "better"}
    assert study.tags == ["run_1", "run_2"]
    assert (study.paths.plots / "losses.txt").read_text().count("run_") == 3
    assert "Voilà." in study.git("show", "s:notes.md")
    assert "+SCALE = 2.5" in project.harness("diff", "s", "1", "2").out
    assert "better" in project.harness("compare", "s").out
    assert project.harness("status").code == 0
