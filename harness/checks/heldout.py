"""Does the code try to use held-out data or the answers? Studies do not get them; this reports the attempt."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.execution.environment import HELD_OUT
from harness.records import Finding
from harness.workspace import Workspace


@dataclass(frozen=True)
class HeldOutCheck:
    """Finds imports of such modules, and names of such files, in the Python files that the agent may write."""

    def check(self, workspace: Workspace) -> tuple[Finding, ...]:
        template, root = workspace.template, workspace.root
        answers, names = template.manifest.template.answers, {HELD_OUT, *template.kept_back}
        own = [p for p in workspace.executed_files() if p not in template.protected and p.endswith(".py")]
        return tuple(
            Finding(
                check="held-out",
                file=path,
                line=line,
                message=f"{name} is for the evaluator only: studies do not get "
                + ("what holds the answer" if name in answers else "the held-out evaluation data"),
            )
            for path in own
            for name, line in find_uses(root / path, names)
        )


def find_uses(path: Path, names: set[str]) -> Iterator[tuple[str, int]]:
    """Each of `names` that the file imports or mentions in a string, with the line."""
    modules = {PurePosixPath(name).stem: name for name in names}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # reported by the lint check
        return
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                found = [modules[alias.name] for alias in aliases if alias.name in modules]
            case ast.ImportFrom(module=str(module)) if module in modules:
                found = [modules[module]]
            case ast.Constant(value=str(text)):
                found = [name for name in names if name in text]
            case _:
                found = []
        yield from ((name, getattr(node, "lineno", 1)) for name in found)
