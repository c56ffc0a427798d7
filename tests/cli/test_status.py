"""Commands in bad company: a corrupt journal among good ones, a narrow terminal, orders that contradict themselves."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from lab import Project

from .conftest import refused


@pytest.fixture
def mixed(worked_once: Path, tmp_path: Path) -> Project:
    """The project with the finished study, and two more whose journals have a line that is none."""
    project = Project(shutil.copytree(worked_once, tmp_path / "mixed"))
    whole = (project.root / "runs" / "tuned" / ".harness" / "journal.jsonl").read_text().splitlines(keepends=True)
    for name in ("abroken", "zbroken"):
        journal = corrupt_journal(project, name)
        journal.parent.mkdir(parents=True)
        journal.write_text("".join([*whole[:2], "what?\n", *whole[3:]]))
    return project


def corrupt_journal(project: Project, name: str) -> Path:
    return project.root / "runs" / name / ".harness" / "journal.jsonl"


def test_a_corrupt_journal_hides_no_other_study_and_is_named_with_file_and_line(mixed: Project) -> None:
    before = corrupt_journal(mixed, "abroken").read_bytes()
    said = mixed.harness("status")
    assert said.code == 2
    assert [line.split()[:5] for line in said.out.splitlines()[1:]] == [["tuned", "tiny", "tuner", "done", "2/2"]]
    assert said.err.startswith("harness: ") and said.err.count("\n") == 1
    for name in ("abroken", "zbroken"):
        assert f"{corrupt_journal(mixed, name)}, line 3: not an event" in said.err
    assert corrupt_journal(mixed, "abroken").read_bytes() == before


def test_a_corrupt_journal_spoils_no_json(mixed: Project) -> None:
    said = mixed.harness("status", "--json")
    assert said.code == 2
    assert [row["study"] for row in json.loads(said.out)] == ["tuned"]


def test_with_only_a_corrupt_journal_status_does_not_say_that_there_is_no_study(mixed: Project) -> None:
    for name in ("tuned", "zbroken"):
        shutil.rmtree(mixed.root / "runs" / name)
    assert "line 3" in refused(mixed, "status")


def on_terminal(project: Project, columns: int, *arguments: str) -> list[str]:
    """The lines that a command shows on a terminal so many columns wide, without their colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    child = subprocess.Popen(
        [sys.executable, "-m", "harness", "-C", str(project.root), *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "COLUMNS": str(columns), "TERM": "xterm"},
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    finally:
        os.close(ours)
    assert child.wait(timeout=60) == 0, shown
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).replace("\r", "").splitlines()


@pytest.mark.parametrize("columns", [80, 40, 160])
def test_compare_cuts_no_number_and_no_verdict_however_narrow_the_terminal(worked: Project, columns: int) -> None:
    lines = on_terminal(worked, columns, "compare", "tuned", "--all")
    (study,) = json.loads(worked.harness("compare", "tuned", "--json").out)
    verdicts = [word["verdict"] for run in study["runs"] for word in run["verdicts"].values()]
    assert sorted(verdicts) == ["better", "promising, unconfirmed"]
    assert not any("…" in line for line in lines)
    words = " ".join(lines)
    screened = ["promising, unconfirmed"] * 2 + ["exploratory"] * 2
    for word in ("better", "promising, unconfirmed", "exploratory"):
        assert words.count(word) == [*screened, "better", "exploratory"].count(word)
    for run in study["runs"]:
        for c in run["comparisons"]:
            effect = re.escape(format(c["effect"], "+.3g"))
            interval = rf"{effect} \[[-0-9.e]+, [-0-9.e]+\]"
            assert any(re.search(interval, line) for line in lines), (interval, lines)


def test_status_shows_every_study_whole_on_a_narrow_terminal(worked: Project) -> None:
    head, line = on_terminal(worked, 80, "status")
    assert head.split()[0] == "study"
    assert line.split()[:5] == ["tuned", "tiny", "tuner", "done", "2/2"]


def test_the_tuner_with_a_model_is_refused(project: Project) -> None:
    message = refused(project, "run", "tiny", "--agent", "tuner", "--model", "manual")
    assert "the tuner uses no model" in message
    assert "--model manual" in message


def test_the_tuner_on_a_template_without_a_search_space_is_refused(project: Project) -> None:
    path = project.root / "templates" / "tiny" / "template.toml"
    path.write_text(path.read_text().split("[search_space")[0])
    message = refused(project, "run", "tiny", "--agent", "tuner")
    assert "[search_space]" in message
    assert not (project.root / "runs").exists()


def test_a_search_space_for_a_constant_that_is_not_there_is_refused(project: Project) -> None:
    path = project.root / "templates" / "tiny" / "template.toml"
    path.write_text(path.read_text().replace("[search_space.SCALE]", "[search_space.SCAL]"))
    assert "SCAL" in refused(project, "run", "tiny", "--agent", "tuner")


@pytest.mark.parametrize("command", [("run", "tiny", "--agent", "tuner"), ("baseline", "tiny", "--refresh")])
def test_a_seed_that_is_named_twice_is_refused(project: Project, command: tuple[str, ...]) -> None:
    path = project.root / "templates" / "tiny" / "template.toml"
    path.write_text(path.read_text().replace("seeds = [0, 1, 2]", "seeds = [0, 1, 1]"))
    message = refused(project, *command)
    assert "run.seeds: a seed is listed twice" in message


def test_one_word_that_names_no_idea_is_refused_with_those_that_there_are(project: Project) -> None:
    message = refused(project, "run", "tiny", "--model", "manual", "--idea", "curriculum")
    assert message == (
        "harness: 'curriculum' is one word, so it is read as the name of an idea; tiny ships nearer. "
        "Describe the idea in several words\n"
    )


@pytest.mark.parametrize("misspelt", ["nearr", "neaer", "Nearer"])
def test_a_misspelt_idea_is_refused_with_the_one_that_was_meant(project: Project, misspelt: str) -> None:
    message = refused(project, "run", "tiny", "--model", "manual", "--idea", misspelt)
    assert f"no idea named {misspelt!r}; did you mean nearer?" in message
