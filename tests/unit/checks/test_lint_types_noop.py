"""The checks that read code: ruff's fatal codes, ty's sure rules, and code that ran before."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.checks import first_findings
from harness.checks.lint import LintCheck, lint
from harness.checks.noop import NoOpCheck
from harness.checks.types import TypeCheck, accepted_errors
from harness.execution import process
from harness.records import Finding
from harness.template.folder import Template
from harness.workspace import Workspace


def test_the_toy_is_clean(workspace: Workspace) -> None:
    assert LintCheck().check(workspace) == ()


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("x = 1\ny = undefined_name\n", 2, "F821"),
        ("def f(a, a):\n    return a\n", 1, "Duplicate parameter"),
        ("x = [1, 2\ny = 3\n", 2, "xpected"),
        ("def f():\nreturn 1\n", 2, "xpected"),
        ("x = 1\nreturn x\n", 2, "return"),
        ("def f():\n    print(x)\n    x = 1\n\n\nx = 2\n", 2, "F823"),
        ("x = undefined_name  # noqa\n", 1, "F821"),
        ("# ruff: noqa\nx = undefined_name\n", 2, "F821"),
        ("# flake8: noqa\nx = undefined_name\n", 2, "F821"),
    ],
)
def test_what_is_certain_to_crash_is_found_with_file_and_line(
    workspace: Workspace, source: str, line: int, said: str
) -> None:
    (workspace.root / "helper.py").write_text(source)
    found = LintCheck().check(workspace)
    assert found
    assert {f.file for f in found} == {"helper.py"}
    assert line in [f.line for f in found]
    assert found[0].check == "lint"
    assert said in " ".join(f.message for f in found)


@pytest.mark.parametrize(
    "source", ["import os\n", "x=1;y=2\n", "def f(x):\n  pass\n", "l = 1\n", "try:\n    pass\nexcept:\n    pass\n"]
)
def test_matters_of_taste_are_not(workspace: Workspace, source: str) -> None:
    (workspace.root / "helper.py").write_text(source)
    assert LintCheck().check(workspace) == ()


def test_no_configuration_of_the_agent_is_read(workspace: Workspace) -> None:
    (workspace.root / "ruff.toml").write_text('exclude = ["*"]\nlint.ignore = ["F821"]\n')
    (workspace.root / "pyproject.toml").write_text('[tool.ruff]\nexclude = ["*"]\n')
    (workspace.root / "experiment.py").write_text("undefined_name\n")
    assert [f.file for f in LintCheck().check(workspace)] == ["experiment.py"]


def test_files_that_a_gitignore_names_are_checked_all_the_same(workspace: Workspace) -> None:
    """A project ignores runs/* in git; its studies lie there."""
    (workspace.root.parent.parent / ".gitignore").write_text("runs/*\n*.py\n")
    (workspace.root / "experiment.py").write_text("undefined_name\n")
    assert [f.file for f in LintCheck().check(workspace)] == ["experiment.py"]
    done = process.run(["git", "init", "--quiet", str(workspace.root.parent.parent)])
    assert done.code == 0
    (workspace.root / ".git").unlink()
    assert [f.file for f in LintCheck().check(workspace)] == ["experiment.py"]


def test_outputs_and_private_files_are_not_linted(workspace: Workspace) -> None:
    for name in ("run_1/x.py", "plots/x.py", ".harness/x.py"):
        (workspace.root / name).parent.mkdir(exist_ok=True)
        (workspace.root / name).write_text("undefined_name\n")
    assert LintCheck().check(workspace) == ()


def test_a_folder_without_python_files_has_no_findings(tmp_path: Path) -> None:
    assert lint(tmp_path) == ()


def test_code_that_ran_before_is_found_and_says_what_ran_it(workspace: Workspace) -> None:
    digest = workspace.executed_digest()
    assert NoOpCheck({}).check(workspace) == ()
    finding, ways_on = NoOpCheck({digest: "run 2"}).check(workspace)
    assert "identical to that of run 2" in finding.message
    assert "REPLICATE run_N" in ways_on.message
    (workspace.root / "notes.md").write_text("only notes changed\n")
    assert NoOpCheck({digest: "run 2"}).check(workspace) != ()
    (workspace.root / "data.py").write_text("NOISE = 0.5\n")
    assert NoOpCheck({digest: "run 2"}).check(workspace) == ()


@pytest.fixture
def type_check(workspace: Workspace, template: Template) -> TypeCheck:
    """The check as a study makes it: what the pinned template already shows is accepted."""
    pinned = workspace.root / ".harness" / "template"
    template.pin(pinned)
    return TypeCheck(sys.executable, accepted_errors(sys.executable, pinned))


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("def f(a, b):\n    return a\n\n\nf(1)\n", 5, "`b`"),
        ("def f(a):\n    return a\n\n\nf(1, c=2)\n", 5, "`c`"),
        ("print(undefined_name)\n", 1, "undefined_name"),
        ("import json\n\njson.no_such_function\n", 3, "no_such_function"),
    ],
)
def test_calls_that_cannot_work_are_found(
    workspace: Workspace, type_check: TypeCheck, source: str, line: int, said: str
) -> None:
    (workspace.root / "helper.py").write_text(source)
    (finding,) = type_check.check(workspace)
    assert (finding.check, finding.file, finding.line) == ("types", "helper.py", line)
    assert said in finding.message


IDIOMS = (Path(__file__).parents[2] / "data" / "idioms.txt").read_text().split("### ")[1:]


@pytest.mark.parametrize("idiom", IDIOMS, ids=[idiom.partition("\n")[0] for idiom in IDIOMS])
def test_working_code_passes(workspace: Workspace, type_check: TypeCheck, idiom: str) -> None:
    source = idiom.partition("\n")[2]
    (workspace.root / "helper.py").write_text(source)
    assert process.run([sys.executable, str(workspace.root / "helper.py")]).code == 0, "the idiom itself works"
    assert LintCheck().check(workspace) == ()
    assert type_check.check(workspace) == ()


@pytest.mark.parametrize(
    "source",
    [
        "class Cfg:\n    pass\n\n\nprint(Cfg().depth)\n",
        "import json\n\ntry:\n    json.no_such_function\nexcept AttributeError:\n    pass\n",
        "import json\n\njson.twice = print\njson.twice(1)\n",
    ],
)
def test_what_may_work_is_only_advice(workspace: Workspace, type_check: TypeCheck, source: str) -> None:
    (workspace.root / "helper.py").write_text(source)
    assert type_check.check(workspace) == ()
    assert type_check.advice(workspace) != ()


def test_types_that_are_only_doubtful_are_not(workspace: Workspace, type_check: TypeCheck) -> None:
    (workspace.root / "helper.py").write_text(
        "import no_such_package\n\nx: int = 'text'\n\n\ndef f(a: int) -> str:\n    return a\n\n\nf('text')\n"
    )
    assert type_check.check(workspace) == ()


def test_errors_of_the_template_itself_are_accepted_and_only_new_ones_told(
    toy: Path, template: Template, workspace: Workspace
) -> None:
    fault = "def f(a):\n    return a\n\n\ndef g():\n    return f()\n"
    for folder in (toy, workspace.root):
        (folder / "data.py").write_text("NOISE = 0.01\n" + fault)
    pinned = workspace.root / ".harness" / "template"
    template.pin(pinned)
    check = TypeCheck(sys.executable, accepted_errors(sys.executable, pinned))
    assert sum(check.accepted.values()) == 1
    assert check.check(workspace) == ()
    assert check.check(workspace) == (), "accepting uses nothing up"
    (workspace.root / "data.py").write_text("NOISE = 0.01\n\n\n" + fault)
    assert check.check(workspace) == (), "it moved down, and is still the same"
    (workspace.root / "data.py").write_text("NOISE = 0.01\n" + fault + "\n\ndef h():\n    return f()\n")
    (finding,) = check.check(workspace)
    assert finding.file == "data.py"


class Always:
    def __init__(self, *findings: Finding) -> None:
        self.findings = findings
        self.asked = False

    def check(self, workspace: Workspace) -> tuple[Finding, ...]:
        del workspace
        self.asked = True
        return self.findings


def test_the_first_check_that_finds_something_ends_the_round(workspace: Workspace) -> None:
    clean, first, second = Always(), Always(Finding(check="a", message="1")), Always(Finding(check="b", message="2"))
    assert first_findings([clean, first, second], workspace) == first.findings
    assert not second.asked
    assert first_findings([clean], workspace) == ()
