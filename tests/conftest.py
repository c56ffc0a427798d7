"""Every test gets a project of its own; its baseline is made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from lab import Project, make_project


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("made") / "project").root


@pytest.fixture
def project(made_once: Path, tmp_path: Path) -> Project:
    """A project with the tiny template and its baseline."""
    return Project(shutil.copytree(made_once, tmp_path / "project"))
