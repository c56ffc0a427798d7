"""A template's own packages and prepared files are available in each of its runs, and only there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest
from lab import Project, notes, scale

from harness.execution import sandbox

PREPARE = """\
import argparse
from pathlib import Path

import onlyhere

parser = argparse.ArgumentParser()
parser.add_argument("--out_dir", type=Path)
parser.add_argument("--held_out", type=Path)
arguments = parser.parse_args()
out_dir = arguments.out_dir
(arguments.held_out / "answers.txt").write_text("42")
with (out_dir / "times.txt").open("a") as file:
    file.write("x")
print("fetching", onlyhere.ANSWER)
"""
USE = """\
import os
import onlyhere
import numpy
from pathlib import Path
assert Path(os.environ["HARNESS_ASSETS"], "times.txt").read_text().startswith("x")
assert onlyhere.ANSWER == 42
try:
    Path(os.environ["HARNESS_ASSETS"], "times.txt").open("a").write(" spoilt")
except OSError:
    pass
"""
JUDGE = """\
assert Path(os.environ["HARNESS_HELD_OUT"], "answers.txt").read_text() == "42"
"""
UNSEEN = f"""\
assert not [name for name in os.environ if "HELD" in name]
unseen = Path(os.environ["HARNESS_ASSETS"]).with_name("held_out")
assert not unseen.exists() or {sandbox.name() == "none"}
"""


def wheel(folder: Path) -> Path:
    """A package that is nowhere else, as pip installs it."""
    path = folder / "onlyhere-1.0-py3-none-any.whl"
    about = "onlyhere-1.0.dist-info"
    with ZipFile(path, "w") as archive:
        archive.writestr("onlyhere.py", "ANSWER = 42\n")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: onlyhere\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return path


@pytest.fixture
def needy(project: Project, tmp_path: Path) -> Callable[[str, str], None]:
    """Makes the tiny template one that needs the wheel; takes requirements and prepare.py."""

    def make(requirements: str = f"onlyhere @ file://{wheel(tmp_path)}\n", prepare: str = PREPARE) -> None:
        folder = project.root / "templates" / "tiny"
        (folder / "requirements.txt").write_text(requirements)
        (folder / "prepare.py").write_text(prepare)
        manifest = (folder / "template.toml").read_text()
        manifest = manifest.replace('"data.py"]', '"data.py", "requirements.txt", "prepare.py"]')
        prepare_command = '["python", "prepare.py", "--out_dir={assets}", "--held_out={held_out}"]'
        command = f'python = "requirements.txt"\nprepare = {prepare_command}'
        (folder / "template.toml").write_text(manifest.replace("[run]", f"[run]\n{command}"))
        for script in ("experiment.py", "evaluate.py", "plot.py"):
            text = (folder / script).read_text()
            body = text.index("import ")
            use = USE + (JUDGE if script == "evaluate.py" else UNSEEN)
            (folder / script).write_text(text[:body] + use + text[body:])

    return make


def test_runs_evaluations_and_plots_get_the_packages_and_the_assets_and_both_are_made_once(
    project: Project, needy: Callable[[], None]
) -> None:
    needy()
    assert project.harness("baseline", "tiny", "--refresh").code == 0
    (environment,) = (project.root / "runs" / "environments").iterdir()
    assert "fetching 42" in (environment / "build.log").read_text()
    study = project.run([scale(2.0), notes()], "--max-runs", "1")
    assert study.said.code == 0, study.said
    assert study.verdicts == {1: "better"}
    found = (environment / "assets" / "times.txt").read_text()
    assert found.count("x") == 1, "prepare ran once"
    assert "spoilt" not in found or sandbox.name() == "none", "runs may only read"
    assert (study.paths.root / "plots").is_dir()
    with pytest.raises(ImportError):
        __import__("onlyhere")


def test_held_out_data_that_changed_since_a_study_began_stops_it(project: Project, needy: Callable[[], None]) -> None:
    needy()
    assert project.harness("baseline", "tiny", "--refresh").code == 0
    assert project.run(["I think first."], "--max-runs", "1").ending.status == "paused", "there is no second reply"
    (environment,) = (project.root / "runs" / "environments").iterdir()
    (environment / "held_out" / "answers.txt").write_text("43")
    project.recording(["I think first.", scale(2.0)])
    ending = project.resume().ending
    assert ending.status == "failed"
    assert "held_out has changed since the study began" in ending.reason


def test_a_requirement_that_cannot_be_had_stops_before_there_is_a_study(
    project: Project, needy: Callable[..., None]
) -> None:
    needy(requirements="./no-such-folder/nowhere.whl\n")
    said = project.harness("baseline", "tiny", "--refresh")
    assert said.code == 2
    assert "nowhere.whl" in said.err and "build.log" in said.err
    assert "Traceback" not in said.err


def test_a_prepare_that_fails_says_so_with_its_last_words_and_is_tried_again(
    project: Project, needy: Callable[..., None]
) -> None:
    needy(prepare="raise SystemExit('no such model on this earth')\n")
    for _ in range(2):
        said = project.harness("baseline", "tiny", "--refresh")
        assert said.code == 2
        assert "no such model on this earth" in said.err


@pytest.mark.parametrize(
    ("run", "complaint"),
    [
        ('python = "requirements.txt"', "requirements.txt, which must be one of the protected files"),
        ('prepare = ["python", "prepare.py"]', "prepare runs in a built environment"),
    ],
)
def test_half_a_specification_is_refused(project: Project, run: str, complaint: str) -> None:
    path = project.root / "templates" / "tiny" / "template.toml"
    path.write_text(path.read_text().replace("[run]", f"[run]\n{run}"))
    said = project.harness("baseline", "tiny", "--check")
    assert said.code == 2
    assert complaint in said.err
