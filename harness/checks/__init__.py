"""What an edit must pass before it is launched. Each check looks at the worktree and returns what it holds against it.

Cheapest first: scope, no-op, lint, types, smoke. The first check that finds something ends the round.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Protocol

from harness.records import Finding
from harness.workspace import Workspace

MOST = 20
"""Findings that are told of one edit."""


class Check(Protocol):
    """Looks at a worktree; finds nothing, or reasons not to launch what is there."""

    def check(self, workspace: Workspace) -> tuple[Finding, ...]: ...


def first_findings(checks: list[Check], workspace: Workspace) -> tuple[Finding, ...]:
    """The findings of the first check that has any; a long list is cut."""
    found = next((found for check in checks if (found := check.check(workspace))), ())
    if len(found) <= MOST:
        return found
    return (*found[:MOST], Finding(check=found[0].check, message=f"… and {len(found) - MOST} more"))


def tool(name: str) -> str:
    """The program of that name that was installed beside this Python, else the one on the PATH."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name) or name
