"""A finished study is performed again, whatever became of its template since; an unfinished one is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lab import Project, notes, scale

TUNED = ("run", "tiny", "--agent", "tuner", "--max-runs", "1", "--name", "s")


def entries(root: Path) -> dict[str, bytes]:
    """Every file of a project with its bytes, and its folders."""
    found = {}
    for folder, _, names in os.walk(root):
        found[folder] = b""
        found |= {str(path): path.read_bytes() for path in (Path(folder) / name for name in names) if path.is_file()}
    return found


@pytest.mark.parametrize(("included", "module"), [("shared.py", "shared.py"), ("shared", "shared/__init__.py")])
def test_a_study_whose_template_includes_shared_modules_is_performed_again(
    project: Project, included: str, module: str
) -> None:
    shared = project.root / "templates" / "common" / module
    shared.parent.mkdir(parents=True)
    shared.write_text("TARGET = 3.0\n")
    data = project.root / "templates" / "tiny" / "data.py"
    data.write_text(data.read_text().replace("\nTARGET = 3.0", "\nfrom shared import TARGET"))
    project.change_template("template.toml", "[run]", f'include = ["../common/{included}"]\n\n[run]')
    assert project.harness(*TUNED).code == 0
    shared.unlink()  # the study has a copy of its own
    said = project.harness("replay", "s")

    assert (said.code, said.err) == (0, "")
    assert said.out.endswith("0 differences in edits and metrics between s and s-replay\n")
    assert project.study("s-replay").file(module) == "TARGET = 3.0\n"
    assert project.study("s-replay").outcomes == [(1, 1, "ok")]


def test_a_study_is_replayed_with_its_own_baseline_after_the_templates_was_refreshed(project: Project) -> None:
    study = project.run([scale(2.0), notes()], "--max-runs", "1")
    project.change_template("data.py", "TARGET = 3.0", "TARGET = 4.0")
    said = project.harness("replay", "s")
    again = project.study("s-replay")

    assert said.code == 0, said
    assert "0 differences" in said.out
    assert again.history.begun.baseline == study.history.begun.baseline
    assert again.history.begun.pinned == study.history.begun.pinned
    assert again.history.runs[1].comparisons == study.history.runs[1].comparisons
    assert again.git("show", "s-replay:run_0/final_info.json") == study.git("show", "s:run_0/final_info.json")
    assert "differs" not in said.out, "not even a prompt does"


def test_a_difference_is_told_and_is_no_success(project: Project) -> None:
    study = project.run([scale(2.0), notes()], "--max-runs", "1")
    recording = study.paths.recording
    text = recording.read_text()
    assert text.count("SCALE = 2.0") >= 1
    recording.write_text(text.replace("SCALE = 2.0", "SCALE = 2.25"))
    said = project.harness("replay", "s")

    assert said.code == 1
    assert "difference: turn 1 led to different code" in said.out
    assert "difference: run 1 executed different code" in said.out


@pytest.mark.parametrize(("lost", "status"), [(1, "running"), (4, "running")])
def test_a_study_that_is_not_over_is_not_performed_again(project: Project, lost: int, status: str) -> None:
    assert project.harness(*TUNED).code == 0
    journal = project.study().paths.journal
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-lost]))
    before = entries(project.root)
    said = project.harness("replay", "s")

    assert (said.code, said.out) == (2, "")
    assert said.err == f"harness: s has not ended ({status}); finish it with: harness resume s\n"
    assert entries(project.root) == before
