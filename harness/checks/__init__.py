"""The checks that an edit must pass before it is launched. Each one inspects the worktree and returns its findings.

Cheapest first: scope, no-op, lint, held-out, types, smoke. The first check that finds something ends the round.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Protocol

from harness.errors import HarnessError
from harness.execution import process
from harness.records import Finding
from harness.text import LINE
from harness.workspace import Workspace

MOST = 20
"""Maximum number of findings reported for one edit."""


class Check(Protocol):
    """Inspects a worktree; its findings are reasons not to launch the code."""

    def check(self, workspace: Workspace) -> tuple[Finding, ...]: ...


def first_findings(checks: list[Check], workspace: Workspace) -> tuple[Finding, ...]:
    """The findings of the first check that has any; a long list is cut."""
    found = next((found for check in checks if (found := check.check(workspace))), ())
    shown = tuple(f.model_copy(update={"message": _cut(f.message)}) for f in found[:MOST])
    if len(found) <= MOST:
        return shown
    return (*shown, Finding(check=found[0].check, message=f"… and {len(found) - MOST} more"))


def _cut(message: str) -> str:
    return "\n".join(line[:LINE] for line in message.split("\n"))


def run_tool(name: str, *arguments: str, folder: Path) -> process.Completed:
    """Run a checking program in a folder.

    Raises:
        HarnessError: it is missing, hangs or fails.
    """
    try:
        done = process.run([tool(name), *arguments], cwd=folder)
    except (OSError, TimeoutError) as error:
        raise HarnessError(f"{name} could not check the edit: {error}") from error
    if done.code not in (0, 1):
        raise HarnessError(f"{name} failed: {done.err.strip()[-500:]}")
    return done


def tool(name: str) -> str:
    """The program installed next to this Python, otherwise the one on the PATH."""
    own = Path(sys.executable).parent / name
    return str(own) if own.exists() else shutil.which(name) or name
