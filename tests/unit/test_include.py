"""Folders that a template includes: laid out with their structure, pinned, and protected."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.template.baseline import fingerprint
from harness.template.folder import Template

from .conftest import MANIFEST
from .test_template import refusal


@pytest.fixture
def with_a_folder(toy: Path) -> Template:
    """The toy, with the folder templates/common/sae included."""
    sae = toy.parent / "common" / "sae"
    for name in ("__init__.py", "metrics.py", "tables/sizes.json", "__pycache__/metrics.pyc", ".cache/seen.py"):
        (sae / name).parent.mkdir(parents=True, exist_ok=True)
        (sae / name).write_text("1\n")
    (toy.parent / "elsewhere").mkdir()
    (toy.parent / "elsewhere" / "secret.py").write_text("SECRET = 1\n")
    (sae / "linked.py").symlink_to(toy.parent / "elsewhere" / "secret.py")
    (sae / "linked").symlink_to(toy.parent / "elsewhere")
    (toy / "template.toml").write_text(MANIFEST.replace("[run]", 'include = ["../common/sae"]\n[run]', 1))
    return Template(toy)


FOLDER = {"sae/__init__.py", "sae/metrics.py", "sae/tables/sizes.json"}


def test_an_included_folder_keeps_its_structure_without_links_hidden_and_compiled_files(
    with_a_folder: Template, tmp_path: Path
) -> None:
    assert {name for name in with_a_folder.protected if "/" in name} == FOLDER
    with_a_folder.lay_out(tmp_path / "study")
    laid_out = {p.relative_to(tmp_path / "study").as_posix() for p in (tmp_path / "study").rglob("*") if p.is_file()}
    assert laid_out == set(with_a_folder.files) >= FOLDER


def test_a_pinned_template_has_its_included_folder_whatever_becomes_of_the_original(
    with_a_folder: Template, tmp_path: Path
) -> None:
    before = fingerprint(with_a_folder)
    with_a_folder.pin(tmp_path / "s" / "template")
    shutil.rmtree(with_a_folder.folder.parent / "common")
    pinned = Template(tmp_path / "s" / "template")
    assert fingerprint(pinned) == before
    assert pinned.protected == with_a_folder.protected
    assert pinned.files["sae/metrics.py"] == pinned.folder / "sae" / "metrics.py"


@pytest.mark.parametrize("name", ["sae/metrics.py", "sae/tables/sizes.json", "sae/new.py"])
def test_whatever_changes_in_an_included_folder_or_is_new_there_changes_the_fingerprint(
    with_a_folder: Template, name: str
) -> None:
    before = fingerprint(with_a_folder)
    (with_a_folder.folder.parent / "common" / name).write_text("2\n")
    after = fingerprint(Template(with_a_folder.folder))
    assert {n for n in after.files if after.files[n] != before.files.get(n)} == {name}


@pytest.mark.parametrize("path", ["sae/metrics.py", "sae/new.py", "sae/tables/new.py", "sae.py"])
def test_nobody_writes_into_an_included_folder_or_a_module_of_its_name(with_a_folder: Template, path: str) -> None:
    assert with_a_folder.protects(path)
    assert not with_a_folder.protects("sae_2.py")


def test_what_an_include_may_not_be_is_said(toy: Path) -> None:
    old = 'protected = ["evaluate.py"'
    (toy.parent / "common" / "empty").mkdir(parents=True)
    (toy.parent / "common" / "lib").mkdir()
    (toy.parent / "common" / "lib" / "data.py").write_text("")
    for include, said in {
        "../common/empty": "include names empty, a folder without files",
        "..": "'..' has no name that it could have in a study",
        ".": "'.' has no name that it could have in a study",
        '../common/lib", "../other/lib': "include names two things that a study would have as lib",
    }.items():
        assert said in refusal(toy, old, f'include = ["{include}"]\n{old}')
    (toy / "lib").mkdir()
    (toy / "lib" / "own.py").write_text("")
    inside = f'include = ["../common/lib"]\n{old}, "lib/own.py"'
    assert "lib/own.py would lie in an included folder" in refusal(toy, old, inside)
