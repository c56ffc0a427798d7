"""What an agent may write, and what voids its edit."""

from __future__ import annotations

import pytest

from harness.checks.scope import check_scope, why_not, why_not_write
from harness.records import Finding, Purpose
from harness.template.folder import Template
from harness.workspace import Change, Workspace

PROTECTED, HARMFUL, NOT_LISTED, OUTSIDE = "is protected", "would change how Python", "may not be written", "outside"
OVER, SHADOWS, NOT_EXECUTED = "the runs are over", "would hide it", "takes no part in runs"


@pytest.mark.parametrize("path", ["experiment.py", "plot.py", "notes.md", "helper.py", "my_model2.py"])
def test_what_the_template_allows_may_be_written(template: Template, path: str) -> None:
    assert why_not_write(template, path, "next") is None


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("evaluate.py", PROTECTED),
        ("data.py", PROTECTED),
        ("sitecustomize.py", HARMFUL),
        ("usercustomize.py", HARMFUL),
        ("conftest.py", HARMFUL),
        ("__init__.py", HARMFUL),
        ("evil.pth", HARMFUL),
        (".hidden.py", HARMFUL),
        (".gitignore", HARMFUL),
        (".git/config", HARMFUL),
        (".harness/journal.jsonl", HARMFUL),
        ("run_1/final_info.json", HARMFUL),
        ("run_helper.py", HARMFUL),
        ("plots/x.py", HARMFUL),
        ("package/sitecustomize.py", HARMFUL),
        ("template.toml", NOT_LISTED),
        ("package/module.py", NOT_LISTED),
        ("data.json", NOT_LISTED),
        ("notes.md/x.py", NOT_LISTED),
        ("./evaluate.py", NOT_LISTED),
        ("../outside.py", OUTSIDE),
        ("a/../../outside.py", OUTSIDE),
        ("a/../evaluate.py", OUTSIDE),
        ("/etc/passwd", OUTSIDE),
        ("json.py", SHADOWS),
        ("typing.py", SHADOWS),
        ("plotting.py", NOT_EXECUTED),
        ("pytest.py", SHADOWS),
        ("harness.py", SHADOWS),
    ],
)
def test_anything_else_may_not_with_a_reason(template: Template, path: str, why: str) -> None:
    reason = why_not_write(template, path, "next")
    assert reason is not None and why in reason


@pytest.mark.parametrize(
    ("path", "why"),
    [("notes.md", ""), ("plot.py", ""), ("experiment.py", OVER), ("helper.py", OVER), ("data.py", PROTECTED)],
)
def test_once_the_runs_are_over_only_notes_and_plots_may_change(template: Template, path: str, why: str) -> None:
    reason = why_not_write(template, path, "finish")
    assert (reason is None) if not why else (reason is not None and why in reason)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (Change("helper.py", "A", "100644"), ""),
        (Change("helper.py", "A", "100755"), ""),
        (Change("helper.py", "D", "000000"), ""),
        (Change("experiment.py", "M", "100644"), ""),
        (Change("helper.py", "A", "120000"), "symbolic link"),
        (Change("experiment.py", "T", "120000"), "symbolic link"),
        (Change("nested", "A", "160000"), "nested repository"),
        (Change("experiment.py", "D", "000000"), "was deleted"),
        (Change("evaluate.py", "D", "000000"), PROTECTED),
        (Change("evaluate.py", "M", "100644"), PROTECTED),
    ],
)
def test_the_kind_of_change_counts_too(template: Template, change: Change, why: str) -> None:
    reason = why_not(template, change, "next")
    assert (reason is None) if not why else (reason is not None and why in reason)


def found_in(workspace: Workspace, before: str, purpose: Purpose = "next") -> tuple[Finding, ...]:
    return check_scope(workspace.changes(before, workspace.snapshot(), results=True), workspace.template, purpose)


def test_every_forbidden_change_of_a_worktree_is_found_by_name(workspace: Workspace) -> None:
    before = workspace.snapshot()
    root = workspace.root
    (root / "experiment.py").write_text("fine = 1\n")
    (root / "evaluate.py").write_text("print('all is well')\n")
    (root / "sitecustomize.py").write_text("")
    (root / "link.py").symlink_to("/etc/passwd")
    (root / "notes.md").unlink()
    found = {f.file: f.message for f in found_in(workspace, before)}
    assert sorted(found) == ["evaluate.py", "link.py", "notes.md", "sitecustomize.py"]
    assert PROTECTED in found["evaluate.py"]
    assert "symbolic link" in found["link.py"]
    assert "deleted" in found["notes.md"]


def test_an_allowed_edit_has_no_finding(workspace: Workspace) -> None:
    before = workspace.snapshot()
    (workspace.root / "experiment.py").write_text("fine = 1\n")
    (workspace.root / "helper.py").write_text("")
    assert found_in(workspace, before) == ()
    assert [f.file for f in found_in(workspace, before, "finish")] == ["experiment.py", "helper.py"]
