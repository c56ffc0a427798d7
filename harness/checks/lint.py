"""ruff, for errors that are certain to crash: syntax errors and undefined names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from harness.checks import dynamic, run_tool
from harness.records import Finding
from harness.template.code import parses
from harness.workspace import Workspace

FATAL = "E9,F821,F823,F406,F407,F701,F702,F704,F706"
"""F831 (duplicate argument) is not listed: ruff reports it as a syntax error, and always finds those."""


@dataclass(frozen=True)
class LintCheck:
    """Checks every Python file of the worktree for ruff's fatal codes; configuration files are ignored."""

    def check(self, workspace: Workspace) -> tuple[Finding, ...]:
        return lint(workspace.root)


def lint(folder: Path) -> tuple[Finding, ...]:
    """ruff's fatal findings in a folder."""
    what = ("--isolated", "--no-cache", "--no-respect-gitignore", "--ignore-noqa", "--select", FATAL)
    where = ("--exclude", ".harness,run_*,plots", ".")
    done = run_tool("ruff", "check", *what, "--output-format", "json", *where, folder=folder)
    found = [_finding(row, folder) for row in json.loads(done.out)]
    return tuple(f for f in found if not _is_only_another_encoding(f, folder) and not _may_be_defined(f, folder))


def _is_only_another_encoding(finding: Finding, folder: Path) -> bool:
    """Whether ruff, which reads UTF-8 only, could not read a file that Python can read by its coding line."""
    return finding.message.startswith("E902") and "UTF-8" in finding.message and parses(folder / str(finding.file))


def _may_be_defined(finding: Finding, folder: Path) -> bool:
    """Whether an undefined name may yet be defined at run time, is expected to be missing, or is never looked up."""
    if not finding.message.startswith("F821") or not finding.file:
        return False
    source = dynamic.read(folder / finding.file)
    return source.dynamic or source.expects(finding.line) or source.is_only_annotated(finding.line)


def _finding(row: dict[str, object], root: Path) -> Finding:
    location = row.get("location")
    line = location.get("row") if isinstance(location, dict) else None
    file = Path(str(row["filename"]))
    code = f"{row['code']} " if row.get("code") else ""
    name = file.relative_to(root.resolve()) if file.is_relative_to(root.resolve()) else file
    return Finding(check="lint", file=str(name), line=line, message=f"{code}{row['message']}")
