"""`harness template checkout`: what it lays out runs with the lines that it prints."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from lab import Project

from .conftest import refused


def printed(out: str, start: str) -> str:
    """The one printed command that starts so."""
    (line,) = (line.strip() for line in out.splitlines() if line.startswith(f"  {start}"))
    return line


def in_a_shell(*lines: str) -> None:
    """Run lines as somebody would who pastes them, with nothing of ours in the environment."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    done = subprocess.run(" && ".join(lines), shell=True, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def losses(folder: Path) -> list[float]:
    (dataset,) = json.loads((folder / "final_info.json").read_text()).values()
    found: list[float] = dataset["final_info_dict"]["loss"]
    return found


def test_the_printed_lines_run_the_script_as_a_study_would_and_tiny(project: Project, tmp_path: Path) -> None:
    shared = project.root / "templates" / "common" / "shared"
    shared.mkdir(parents=True)
    (shared / "target.py").write_text("TARGET = 3.0\n")
    project.change_template("template.toml", "[run]", 'include = ["../common/shared"]\n\n[run]')
    there = tmp_path / "a folder" / "to work in"
    said = project.harness("template", "checkout", "tiny", str(there))
    assert said.code == 0, said.err
    laid_out = {path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file()}
    assert laid_out == {
        *("experiment.py", "plot.py", "notes.md", "data.py", "evaluate.py", "shared/target.py"),
    }
    assert "may be changed: experiment.py" in said.out
    assert "protected: evaluate.py, data.py, shared/target.py" in said.out
    assert "It needs" not in said.out
    in_a_shell(printed(said.out, "cd "), printed(said.out, "HARNESS_SEEDS="))
    in_a_shell(printed(said.out, "cd "), printed(said.out, "HARNESS_SMOKE=1 "))
    stored = losses(project.root / "baselines" / "tiny" / "run_0")
    assert losses(there / "run_1") == stored
    assert len(losses(there / "smoke")) == len(stored)


def test_a_template_with_an_environment_of_its_own_says_what_it_needs_and_where_it_will_be(
    project: Project, tmp_path: Path
) -> None:
    folder = project.root / "templates" / "tiny"
    (folder / "requirements.txt").write_text("")
    (folder / "prepare.py").write_text("print('nothing to fetch')\n")
    manifest = folder / "template.toml"
    text = manifest.read_text().replace('"data.py"]', '"data.py", "requirements.txt", "prepare.py"]')
    prepare = '["python", "prepare.py", "{assets}", "{held_out}"]'
    manifest.write_text(text.replace("[run]", f'[run]\npython = "requirements.txt"\nprepare = {prepare}'))
    said = project.harness("template", "checkout", "tiny", str(tmp_path / "new"))
    assert said.code == 0, said.err
    assert "needs the packages in requirements.txt and what its prepare command downloads" in said.out
    assert "harness template check tiny" in said.out
    assert "left out: answers and held-out files" in said.out
    command = printed(said.out, "HARNESS_SEEDS=")
    environments = project.root / "runs" / "environments"
    assert f"HARNESS_ASSETS={environments}/tiny-" in command
    assert project.harness("baseline", "tiny", "--refresh").code == 0
    again = project.harness("template", "checkout", "tiny", str(tmp_path / "newer"))
    assert "It needs" not in again.out
    assert printed(again.out, "HARNESS_SEEDS=") == command
    in_a_shell(printed(again.out, "cd "), command)


def test_nothing_is_laid_out_over_what_is_there(project: Project, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    assert project.harness("template", "checkout", "tiny", str(there)).code == 0, "an empty folder will do"
    assert "exists and is not empty" in refused(project, "template", "checkout", "tiny", str(there))
    assert "exists and is not empty" in refused(project, "template", "checkout", "tiny", str(there / "notes.md"))
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert "exists and is not empty" in refused(project, "template", "checkout", "tiny", str(tmp_path / "link"))
    assert "no template named" in refused(project, "template", "checkout", "tinny", str(tmp_path / "new"))
    assert not (tmp_path / "new").exists()
