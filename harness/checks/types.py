"""ty, for calls that cannot work: only errors that the template does not have, only rules that are rarely wrong.

Python code may set attributes of anything, and a checker does not see all of it. So where there is a smoke run, that
decides, and these findings are only added to its failure. Where there is none, only what cannot work ends the round.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from harness.checks import dynamic, run_tool
from harness.execution import process
from harness.records import Finding
from harness.workspace import Workspace

RULES = ("missing-argument", "unknown-argument", "unresolved-reference", "missing-attribute")

_FIXED = re.compile(
    r"Object of type `(?:Literal\[[\"'\d-].*\]"
    r"|(?:str|int|float|complex|bool|bytes|None|list|dict|set|tuple|frozenset)(?:\[.*\])?)` has"
)
"""An object whose class nobody can give another attribute."""
_OF_SYSTEM = ("ctypes", "msvcrt", "os", "resource", "select", "signal", "socket", "sys", "time", "winreg")
"""Modules whose members depend on the operating system."""
_LACKS = """import importlib, sys
sys.exit(hasattr(importlib.import_module(sys.argv[1]), sys.argv[2]))"""


@dataclass(frozen=True)
class TypeCheck:
    """Checks the Python files of the worktree."""

    python: str
    """The interpreter whose packages the code may import."""
    accepted: Counter[str]
    """Errors of the unmodified template, by file and message."""

    def check(self, workspace: Workspace) -> tuple[Finding, ...]:
        """What cannot work."""
        return tuple(certain(list(self.advice(workspace)), workspace.root, self.python))

    def advice(self, workspace: Workspace) -> tuple[Finding, ...]:
        """All findings, also where the code may know better."""
        accepted = self.accepted.copy()
        found = []
        for finding in errors(self.python, workspace.root):
            key = f"{finding.file}: {finding.message}"
            if accepted[key] > 0:
                accepted[key] -= 1
            else:
                found.append(finding)
        return tuple(found)


def certain(found: list[Finding], folder: Path, python: str) -> list[Finding]:
    """The findings that no code of the folder can make untrue by what it sets or catches."""
    if not found:
        return []
    paths = [p for p in folder.rglob("*.py") if not {".harness", "plots"} & set(p.relative_to(folder).parts)]
    sources = {str(path.relative_to(folder)): dynamic.read(path) for path in paths}
    assigned = set().union(*(source.assigned for source in sources.values()))
    sure = [finding for finding in found if _is_certain(finding, sources.get(finding.file or ""), assigned)]
    return [finding for finding in sure if not _is_there(finding, folder, python)]


def _is_there(finding: Finding, folder: Path, python: str) -> bool:
    """Whether an installed module has the member after all, or may have it because it cannot be imported here."""
    said = re.search(r"Module `([\w.]+)` has no member `(\w+)`", finding.message)
    if said is None:
        return False
    if said[1] in _OF_SYSTEM:
        return True
    own = folder / said[1].partition(".")[0]
    if own.exists() or own.with_suffix(".py").exists():  # code of an agent is imported in the sandbox only
        return dynamic.read(own.with_suffix(".py")).dynamic
    try:
        return process.run([python or sys.executable, "-I", "-c", _LACKS, said[1], said[2]]).code != 0
    except (OSError, TimeoutError):
        return True


def _is_certain(finding: Finding, source: dynamic.Source | None, assigned: set[str]) -> bool:
    """Whether nothing that the code sets or catches can make a finding untrue."""
    if source is None or source.expects(finding.line):
        return False
    rule, _, said = finding.message.partition(": ")
    named = set(re.findall(r"`([A-Za-z_]\w*)`", said))
    if rule == "unresolved-reference":
        return not source.dynamic and not source.is_only_annotated(finding.line)
    if "TypeVar" in said or "`type[" in said:  # what it is at run time is not known
        return False
    if rule in ("missing-argument", "unknown-argument"):
        return not named & (assigned | source.decorated)
    return not named & assigned and (said.startswith("Module ") or _FIXED.match(said) is not None)


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
