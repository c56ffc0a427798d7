"""Where things lie, and how studies are found by a part of their name."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UnknownName, UserError
from harness.paths import ProjectPaths


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    (tmp_path / "templates").mkdir()
    for name in ("20260101-wide", "20260101-deep", "20260102-wide-2"):
        journal = tmp_path / "runs" / name / ".harness" / "journal.jsonl"
        journal.parent.mkdir(parents=True)
        journal.touch()
    (tmp_path / "runs" / "no-study").mkdir()
    return ProjectPaths(tmp_path)


def test_a_project_is_found_from_any_folder_inside_it(project: ProjectPaths) -> None:
    assert ProjectPaths.find(project.root / "runs" / "no-study").root == project.root.resolve()


def test_outside_a_project_one_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no templates/ folder at or above .*--project"):
        ProjectPaths.find(tmp_path)


def test_studies_are_listed_oldest_first(project: ProjectPaths) -> None:
    assert project.studies() == ["20260101-deep", "20260101-wide", "20260102-wide-2"]


@pytest.mark.parametrize(
    ("given", "name"),
    [("20260101-wide", "20260101-wide"), ("deep", "20260101-deep"), ("20260102", "20260102-wide-2"), ("2", "")],
)
def test_a_study_is_found_by_its_name_or_a_part_that_no_other_has(project: ProjectPaths, given: str, name: str) -> None:
    if name:
        assert project.study(given).name == name
    else:
        with pytest.raises(UnknownName):
            project.study(given)


def test_an_ambiguous_part_lists_those_that_fit(project: ProjectPaths) -> None:
    with pytest.raises(UnknownName) as refused:
        project.study("20260101")
    assert str(refused.value) == "no study named '20260101'; known: 20260101-deep, 20260101-wide"


@pytest.mark.parametrize("name", ["", "unheard-of", "no-study", "../runs/20260101-wide", "*"])
def test_what_is_no_study_is_refused(project: ProjectPaths, name: str) -> None:
    with pytest.raises(UnknownName):
        project.study(name)
