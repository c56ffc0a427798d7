"""What lies around the package says what is so: pyproject, licence, citation, house rules, continuous integration."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import harness

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
APACHE_2_0 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
"""SHA-256 of LICENSE-2.0.txt as the Apache Software Foundation publishes it."""


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    read: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return read


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_wheels_package_data_cover_every_file_of_the_package_that_is_no_python(pyproject: dict[str, Any]) -> None:
    (package, patterns), *others = pyproject["tool"]["setuptools"]["package-data"].items()
    there = {path for path in (ROOT / package).rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}

    assert (package, others) == ("harness", [])
    assert {path for pattern in patterns for path in (ROOT / package).glob(pattern)} == there
    assert ROOT / package / "py.typed" in there


@pytest.mark.parametrize(
    "folder", sorted({path.parent for path in (ROOT / "harness").rglob("*.py")}), ids=lambda p: str(p.relative_to(ROOT))
)
def test_every_folder_with_python_in_it_is_a_package_and_so_in_the_wheel(folder: Path) -> None:
    assert (folder / "__init__.py").is_file()


def test_pyproject_names_the_licence_and_license_is_its_whole_text(pyproject: dict[str, Any]) -> None:
    assert pyproject["project"]["license"] == "Apache-2.0"
    assert pyproject["project"]["license-files"] == ["LICENSE"]
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2_0


def test_the_citation_is_of_this_version_under_this_name_and_licence(pyproject: dict[str, Any]) -> None:
    said = dict(re.findall(r"^(version|title|license): (.+)$", text("CITATION.cff"), re.MULTILINE))

    assert said == {
        "version": harness.__version__,
        "title": pyproject["project"]["name"],
        "license": pyproject["project"]["license"],
    }


def test_contributing_names_only_make_targets_that_exist() -> None:
    named = set(re.findall(r"(?:`|^ {4})make ([\w-]+)", text("CONTRIBUTING.md"), re.MULTILINE))
    targets = set(re.findall(r"^([a-z][\w-]*):(?!=)", text("Makefile"), re.MULTILINE))

    assert named
    assert named <= targets


def test_continuous_integration_runs_on_every_python_that_pyproject_names(pyproject: dict[str, Any]) -> None:
    classifiers = "\n".join(pyproject["project"]["classifiers"])
    named = re.findall(r"^Programming Language :: Python :: (3\.\d+)$", classifiers, re.MULTILINE)
    (matrix,) = re.findall(r"^ +python: \[(.+)\]$", text(".github/workflows/ci.yml"), re.MULTILINE)

    assert re.findall(r'"(.+?)"', matrix) == named
    assert pyproject["project"]["requires-python"] == f">={named[0]},<3.{int(named[-1][2:]) + 1}"
