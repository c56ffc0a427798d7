"""ty, for calls that cannot work: only errors that the template does not have, only rules that are rarely wrong."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from harness.checks import run_tool
from harness.records import Finding
from harness.workspace import Workspace

RULES = ("missing-argument", "unknown-argument", "unresolved-reference", "missing-attribute")


@dataclass(frozen=True)
class TypeCheck:
    """Checks the Python files of the worktree."""

    python: str
    """The interpreter whose packages the code may import."""
    accepted: Counter[str]
    """Errors of the unmodified template, by file and message."""

    def check(self, workspace: Workspace) -> tuple[Finding, ...]:
        accepted = self.accepted.copy()
        found = []
        for finding in errors(self.python, workspace.root):
            key = f"{finding.file}: {finding.message}"
            if accepted[key] > 0:
                accepted[key] -= 1
            else:
                found.append(finding)
        return tuple(found)


def accepted_errors(python: str, folder: Path) -> Counter[str]:
    """ty's errors in the unmodified template."""
    return Counter(f"{f.file}: {f.message}" for f in errors(python, folder))


def errors(python: str, folder: Path) -> list[Finding]:
    """ty's findings in a folder, by the chosen rules only."""
    what = ["--ignore", "all", *(part for rule in RULES for part in ("--error", rule))]
    what += ["--python", python] if Path(python).is_absolute() else []
    how = ("--output-format", "gitlab", "--exit-zero", "--no-progress", "--no-respect-ignore-files")
    where = ("--exclude", ".harness", "--exclude", "run_*", "--exclude", "plots", ".")
    done = run_tool("ty", "check", *how, *what, *where, folder=folder)
    return [_finding(row) for row in json.loads(done.out)]


def _finding(row: dict[str, dict[str, dict[str, dict[str, int]]]]) -> Finding:
    line = row["location"]["positions"]["begin"]["line"]
    return Finding(check="types", file=str(row["location"]["path"]), line=line, message=str(row["description"]))
