"""The structure of the package: allowed imports, and what is imported only when it is needed."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from lab import Project

from harness.template.folder import Template
from harness.workspace import Lab, Workspace

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "harness"

SHARED = {"errors", "records", "validation", "files", "text", "paths", "plugins"}
"""What every package may import."""
ALLOWED = {
    "errors": set(),
    "records": set(),
    "files": set(),
    "text": set(),
    "validation": {"records"},
    "paths": {"errors"},
    "plugins": {"errors", "records", "validation", "files"},
    # what an experiment is and gives
    "results": set(),
    "template": {"results"},
    "workspace": {"template"},
    # what a study is and does next
    "state": {"results"},
    "planning": {"state", "template", "results"},
    "prompts": {"state", "planning", "results", "template"},
    "claims": {"state", "results"},
    # machines, models, agents
    "execution": {"results", "template"},
    "models": {"execution"},
    "checks": {"execution", "template", "workspace"},
    "agents": {"state", "results", "template", "workspace", "execution", "models", "checks"},
    # running studies, and views of them
    "study": {
        *("state", "planning", "results", "template", "workspace"),
        *("execution", "models", "checks", "agents", "prompts"),
    },
    "report": {"state", "planning", "results", "template", "claims", "execution"},
    "audit": {"claims", "results", "template"},
    "cli": {
        *("state", "planning", "results", "template", "workspace", "execution", "models", "checks", "agents"),
        *("prompts", "claims", "study", "report", "audit"),
    },
    "__main__": {"cli"},
}
"""Package of harness → the packages that it may import from, in addition to SHARED; docs/design.md describes them."""

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
    """The entry of the table that a dotted name belongs to; None for harness itself."""
    parts = name.split(".")
    return parts[1] if parts[0] == "harness" and len(parts) > 1 and parts[1] != "__version__" else None


def own_part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def module_graph(package: Path) -> dict[str, set[str]]:
    """Module → the modules of the package that it imports, anywhere in its text, for types too."""
    modules = {module_of(path): path for path in sources(package)}
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        graph[module] = set()
        for _, name in imports(path):
            while name and name not in modules:
                name = name.rpartition(".")[0]
            graph[module] |= {name} - {"", "harness", module}
    return graph


def cycles(graph: dict[str, set[str]]) -> list[str]:
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        return list(error.args[1])
    return []


def breaches(package: Path) -> list[str]:
    """Imports that the table does not allow."""
    found = []
    for path in sources(package):
        own = own_part(path)
        allowed = {own} if own in SHARED else {own, *SHARED}
        for line, name in imports(path):
            other = part(name)
            if other and path != package / "__init__.py" and other not in allowed | ALLOWED[own]:
                found.append(f"{path.relative_to(package)}, line {line}: {name}")
    return found


def test_every_package_is_in_the_table_and_its_first_line_says_what_it_may_touch() -> None:
    there = {own_part(path) for path in sources(PACKAGE)} - {"__init__"}
    assert there == set(ALLOWED)
    for package in (folder for folder in PACKAGE.iterdir() if (folder / "__init__.py").is_file()):
        assert ast.get_docstring(ast.parse((package / "__init__.py").read_text())), package


def test_importing_harness_does_nothing() -> None:
    assert list(imports(PACKAGE / "__init__.py")) == []


def test_a_package_imports_only_from_packages_that_the_table_names() -> None:
    assert breaches(PACKAGE) == []


def test_no_modules_import_each_other_in_a_cycle_not_even_in_one_package_or_for_types() -> None:
    assert cycles(module_graph(PACKAGE)) == []


def test_the_table_itself_has_no_cycle() -> None:
    assert cycles(ALLOWED) == []


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package to plant breaches in."""
    made = shutil.copytree(PACKAGE, tmp_path / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    monkeypatch.setitem(globals(), "PACKAGE", made)
    return made


def plant(path: Path, line: str) -> None:
    path.write_text(path.read_text() + f"\n\ndef planted() -> None:\n    {line}\n")


@pytest.mark.parametrize(
    "line",
    [
        "from harness.study.loop import Study",
        "import harness.cli.app",
        "from ..cli import formatting",
        "from harness import cli",
    ],
)
def test_an_upward_import_is_refused_wherever_it_stands(copy: Path, line: str) -> None:
    plant(copy / "state" / "history.py", line)
    (breach,) = breaches(copy)
    assert breach.startswith("state/history.py, line ")


def test_a_cycle_inside_a_package_is_refused(copy: Path) -> None:
    plant(copy / "execution" / "job.py", "from harness.execution import runner")
    assert breaches(copy) == []
    assert {"harness.execution.job", "harness.execution.runner"} <= set(cycles(module_graph(copy)))


def test_a_cycle_that_only_types_need_is_refused(copy: Path) -> None:
    path = copy / "results" / "final_info.py"
    path.write_text(path.read_text() + "if TYPE_CHECKING:\n    from harness.results.compare import Verdict\n")
    assert cycles(module_graph(copy)) != []


def test_the_rules_above_would_find_a_breach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "harness" / "agents" / "x.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from harness.study.loop import Study\n"
        "def f():\n    import harness.cli.app\n    from .. import study\n"
        "    from ..execution.launcher import Launcher\n"
    )
    assert [name for _, name in imports(path)] == [
        "typing.TYPE_CHECKING",
        "harness.study.loop.Study",
        "harness.cli.app",
        "harness.study",
        "harness.execution.launcher.Launcher",
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
    assert [p for p in sources(PACKAGE) for _, name in imports(p) if name.split(".")[0] == "torch"] == []


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


def test_no_file_of_the_package_is_longer_than_300_lines() -> None:
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in sources(PACKAGE)}
    assert {name: length for name, length in lengths.items() if length > 300} == {}
