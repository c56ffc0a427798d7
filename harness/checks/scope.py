"""Did the agent change only what it may? If not, the whole edit is rejected."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from harness.records import Finding, Purpose
from harness.template.folder import Template
from harness.template.manifest import executed
from harness.text import has_hidden
from harness.workspace import Change

NEVER = ("sitecustomize.py", "usercustomize.py", "conftest.py", "*.pth", ".*", "run_*", "plots", "__init__.py")
"""Names that change how Python or the harness itself behaves."""
LONGEST, MOST_PATH = 200, 1000
REGULAR = ("100644", "100755", "000000")


def check_scope(changes: Iterable[Change], template: Template, purpose: Purpose) -> tuple[Finding, ...]:
    """One finding per change that is not allowed; for "finish", only notes and plots may change."""
    reasons = ((change.path, why_not(template, change, purpose)) for change in changes)
    return tuple(Finding(check="scope", file=path, message=why) for path, why in reasons if why)


def why_not(template: Template, change: Change, purpose: Purpose) -> str | None:
    """Why this change is not allowed, or None."""
    if change.mode not in REGULAR:
        return "is a symbolic link or a nested repository; only regular files are allowed"
    if change.status == "D" and change.path in template.manifest.template.editable:
        return "was deleted; change it instead"
    return why_not_write(template, change.path, purpose)


def why_not_write(template: Template, path: str, purpose: Purpose) -> str | None:
    """Why an agent may not write `path` (relative to the study), or None."""
    about = template.manifest.template
    if wrong := _wrong_name(path):
        return wrong
    if template.protects(path):
        return "is protected and may not be changed"
    if purpose == "finish" and executed(path):
        return "takes part in runs, and the runs are over: only notes and plots may change now"
    if path in about.editable:
        return None
    if any(fnmatchcase(part, name) for part in PurePosixPath(path).parts for name in NEVER):
        return "has a name that would change how Python or the harness behaves"
    if not any(_matches(path, pattern) for pattern in about.new_files):
        allowed = f"editable: {', '.join(about.editable)}; new files: {', '.join(about.new_files) or 'none'}"
        return f"may not be written; {allowed}"
    if not executed(path):
        return "has the name of a file that takes no part in runs, which only the template may have; choose another"
    if _shadows(path):
        return "has the name of an installed module and would hide it; choose another name"
    return None


def _wrong_name(path: str) -> str:
    """Why no file may have this name; empty if one may."""
    if has_hidden(path):
        return "has a control or other invisible character in its name"
    if any(len(part.encode(errors="replace")) > LONGEST for part in path.split("/")) or len(path) > MOST_PATH:
        return f"has a name that is too long: at most {LONGEST} bytes, {MOST_PATH} characters with its folders"
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        return "lies outside the study"
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
