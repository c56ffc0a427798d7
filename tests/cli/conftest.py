"""Projects for the command line tests, one of them with a finished study in it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from lab import Project, Said

from harness.models import DEFAULT_MODELS


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in DEFAULT_MODELS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def worked_once(made_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which the tuner has worked a study of two runs, named `tuned`."""
    root = tmp_path_factory.mktemp("worked") / "project"
    shutil.copytree(made_once, root)
    said = Project(root).harness("run", "tiny", "--agent", "tuner", "--max-runs", "2", "--name", "tuned")
    assert said.code == 0, said.err
    return root


@pytest.fixture
def worked(worked_once: Path) -> Project:
    """The project with the finished study, for commands that only read."""
    return Project(worked_once)


def listing(root: Path) -> dict[str, tuple[int, bytes]]:
    """Every entry of a project: its kind, and the bytes of a file."""
    found = {}
    for folder, names, files in os.walk(root):
        for name in (*names, *files):
            path = Path(folder) / name
            if "__pycache__" not in path.parts:
                content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
                found[str(path.relative_to(root))] = (path.lstat().st_mode, content)
    return found


def refused(project: Project, *arguments: str) -> str:
    """What a command says that is refused: one line on stderr, exit code 2, and nothing was written."""
    before = listing(project.root)
    said: Said = project.harness(*arguments)
    assert said.code == 2, (said.out, said.err)
    assert said.out == ""
    assert said.err.startswith("harness: ")
    assert said.err.count("\n") == 1
    assert said.err.endswith("\n")
    after = listing(project.root)
    assert {name for name in {*before, *after} if before.get(name) != after.get(name)} == set()
    return said.err
