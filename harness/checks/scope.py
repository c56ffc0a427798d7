"""Did the agent touch only what it may? Anything else voids the whole edit."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from harness.records import Finding, Purpose
from harness.template.folder import Template
from harness.template.manifest import executed
from harness.workspace import Change, Workspace

NEVER = ("sitecustomize.py", "usercustomize.py", "conftest.py", "*.pth", ".*", "run_*", "plots", "__init__.py")
"""Names that change how Python or the harness itself behaves."""
ORDINARY = ("100644", "100755", "000000")


@dataclass(frozen=True)
class ScopeCheck:
    """Compares the worktree with the tree it had before the edit."""

    before: str
    purpose: Purpose = "next"
    """At "finish" only notes and plots may change."""

    def check(self, workspace: Workspace) -> tuple[Finding, ...]:
        changes = workspace.changes(self.before, workspace.snapshot())
        reasons = ((c.path, why_not(workspace.template, c, self.purpose)) for c in changes)
        return tuple(Finding(check="scope", file=path, message=why) for path, why in reasons if why)


def why_not(template: Template, change: Change, purpose: Purpose) -> str:
    """Why this change is not allowed, or an empty string."""
    if change.mode not in ORDINARY:
        return "is a symbolic link or a nested repository; only ordinary files are allowed"
    if change.status == "D" and change.path in template.manifest.template.editable:
        return "was deleted; change it instead"
    return why_not_write(template, change.path, purpose)


def why_not_write(template: Template, path: str, purpose: Purpose) -> str:
    """Why an agent may not write `path` (relative to the study), or an empty string."""
    about = template.manifest.template
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        return "lies outside the study"
    if template.protects(path):
        return "is protected: nobody changes it"
    if purpose == "finish" and executed(path):
        return "takes part in runs, and the runs are over: only notes and plots may change now"
    if path in about.editable:
        return ""
    if any(fnmatchcase(part, name) for part in PurePosixPath(path).parts for name in NEVER):
        return "has a name that would change how Python or the harness behaves"
    if not any(_matches(path, pattern) for pattern in about.new_files):
        allowed = f"editable: {', '.join(about.editable)}; new files: {', '.join(about.new_files) or 'none'}"
        return f"may not be written; {allowed}"
    if not executed(path):
        return "has the name of a file that takes no part in runs, which only the template may have; choose another"
    if _shadows(path):
        return "has the name of an installed module and would hide it; choose another"
    return ""


def _matches(path: str, pattern: str) -> bool:
    """fnmatch in which `*` does not cross a folder."""
    parts, patterns = path.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(fnmatchcase(p, q) for p, q in zip(parts, patterns, strict=True))


def _shadows(path: str) -> bool:
    top = re.split(r"[/.]", path)[0]
    if top in sys.stdlib_module_names:
        return True
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return False
    return found is not None and found.origin is not None
