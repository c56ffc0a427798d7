"""The shape of the package: who may import whom, and what stays out of sight until it is needed."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Project

from harness.template import Template
from harness.workspace import Lab, Workspace

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "harness"

LAYERS = {
    # words
    "errors": 0,
    "records": 0,
    "events": 0,
    "paths": 0,
    "job": 0,
    # pure
    "metrics": 1,
    "compare": 1,
    "history": 1,
    "notes": 1,
    "curves": 1,
    "budget": 1,
    "prompts": 1,
    "excerpt": 1,
    "commits": 1,
    "meaning": 1,
    "claims": 1,
    "mentions": 1,
    # one outside thing each
    "journal": 2,
    "lock": 2,
    "workspace": 2,
    "process": 2,
    "sandbox": 2,
    "machine": 2,
    "runner": 2,
    "manifest": 0,
    "template": 2,
    "environment": 2,
    "ideas": 2,
    "baseline": 2,
    "seams": 2,
    "replays": 2,
    # seams
    "agents": 3,
    "models": 3,
    "checks": 3,
    "executors": 3,
    "strategies": 3,
    "launch": 3,
    # one study
    "study": 4,
    "begin": 4,
    "unmodified": 4,
    "confirm": 4,
    # many studies, views
    "campaign": 5,
    "report": 5,
    "web": 5,
    "audit": 5,
    # the parts put together
    "cli": 6,
    "__main__": 6,
}
"""Module or sub-package of harness → its layer, as in docs/design.md."""
NOT_YET = {"campaign", "report", "web"}

ONE_PLACE = {"git", "aider", "litellm", "subprocess", "optuna", "submitit", "ray", "psutil"}
UNUSED = {"submitit", "ray"}
HEAVY = {"aider", "litellm", "scipy", "torch", "optuna", "numpy", "rich"}


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every import of a file, those inside functions and for type checkers too: line, dotted name."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def sources(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*.py") if "__pycache__" not in p.parts)


def part(name: str) -> str | None:
    """Which entry of the table a dotted name belongs to; None where it is only the package itself."""
    parts = name.split(".")
    return parts[1] if parts[0] == "harness" and len(parts) > 1 and parts[1] != "__version__" else None


def own_part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_module_has_a_layer_and_every_layer_its_modules() -> None:
    there = {own_part(path) for path in sources(PACKAGE)} - {"__init__"}
    assert there - set(LAYERS) == set(), "put new modules into the table"
    assert set(LAYERS) - there <= NOT_YET, "the table names modules that are gone"


@pytest.mark.parametrize("path", sources(PACKAGE), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_imports_only_from_its_own_layer_or_one_below(path: Path) -> None:
    if path == PACKAGE / "__init__.py":
        assert list(imports(path)) == [], "importing harness does nothing"
        return
    own = LAYERS[own_part(path)]
    wrong = [f"line {line}: {name}" for line, name in imports(path) if (other := part(name)) and LAYERS[other] > own]
    assert wrong == []


def test_the_rules_above_would_find_a_breach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "harness" / "agents" / "x.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from harness.study import Study\n"
        "def f():\n    import harness.cli.app\n    from .. import begin\n    from ..launch import Launcher\n"
    )
    assert [name for _, name in imports(path)] == [
        "typing.TYPE_CHECKING",
        "harness.study.Study",
        "harness.cli.app",
        "harness.begin",
        "harness.launch.Launcher",
    ]


@pytest.mark.parametrize("outside", sorted(ONE_PLACE))
def test_an_outside_thing_is_imported_in_one_module(outside: str) -> None:
    importers = {
        str(path.relative_to(PACKAGE))
        for path in sources(PACKAGE)
        for _, name in imports(path)
        if name.split(".")[0] == outside
    }
    assert len(importers) <= 1
    assert importers or outside in UNUSED, f"nothing imports {outside} any more"


def test_the_harness_never_imports_torch() -> None:
    assert [p for p in sources(PACKAGE) for _, name in imports(p) if name.split(".")[0] in ("torch", "numpy")] == []


@pytest.mark.parametrize("path", sources(ROOT / "templates"), ids=lambda p: str(p.relative_to(ROOT)))
def test_templates_never_import_the_harness(path: Path) -> None:
    assert [name for _, name in imports(path) if name.split(".")[0] == "harness"] == []


@pytest.fixture
def with_study(project: Project) -> Project:
    """A project with a study that can be listed, compared and shown as a diff."""
    template = Template(project.root / "templates" / "tiny")
    lab = Lab(project.root / "runs" / "lab.git")
    study = Workspace.create(lab, project.root / "runs" / "s", template)
    for name in ("template", "run_1", "run_2"):
        (study.root / "experiment.py").write_text(f"# {name}\n")
        sha = study.commit(study.snapshot(), study.head(), name, 1_700_000_000.0)
        study.tag(name, sha)
    journal = Path(__file__).parent / "unit" / "data" / "journal_format_1.jsonl"
    (study.root / ".harness").mkdir()
    shutil.copy(journal, study.root / ".harness" / "journal.jsonl")
    return project


LOADED = """
import sys
sys.argv = ["harness", *sys.argv[1:]]
try:
    if len(sys.argv) > 1:
        from harness.cli import main
        main()
    else:
        import harness
except SystemExit as end:
    print("exit", end.code or 0, file=sys.stderr)
print(*sorted({name.split(".")[0] for name in sys.modules}), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["--help"],
        ["--version"],
        ["status"],
        ["status", "--json"],
        ["compare"],
        ["compare", "s", "--all"],
        ["diff", "s"],
        ["show", "s"],
    ],
    ids=" ".join,
)
def test_reading_loads_nothing_heavy(with_study: Project, command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *command],
        cwd=with_study.root,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    *ending, loaded = done.stderr.splitlines()
    assert ending == (["exit 0"] if command else [])
    assert set(loaded.split()) & HEAVY == set()
    assert "harness" in loaded.split()
    if not command:
        assert "pydantic" not in loaded.split(), "importing harness does nothing"
