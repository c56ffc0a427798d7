"""What code does with names that a checker cannot follow: attributes that it sets, errors that it expects. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_NAMES = {"globals", "vars", "locals", "exec", "eval", "builtins", "__builtins__", "modules", "__dict__", "setattr"}
"""Any of these may define names of a module, or attributes of anything."""
_PLAIN = {"staticmethod", "classmethod", "property", "dataclass", "no_grad", "inference_mode", "cache", "lru_cache"}
"""Decorators after which the arguments are the same."""


@dataclass
class Source:
    """A Python file, as far as it can be parsed."""

    assigned: set[str] = field(default_factory=set)
    """Attributes that it sets on any object."""
    dynamic: bool = False
    """Whether it may define names that nobody can see."""
    expected: list[tuple[int, int]] = field(default_factory=list)
    """First and last lines of code whose errors are caught."""
    decorated: set[str] = field(default_factory=set)
    """Functions and classes with a decorator, which may change how they are called."""
    unread: set[int] = field(default_factory=set)
    """Lines with annotations that are never evaluated."""

    def expects(self, line: int | None) -> bool:
        """Whether an error in this line is caught, as in a check of what a library has."""
        return line is not None and any(first <= line <= last for first, last in self.expected)

    def is_only_annotated(self, line: int | None) -> bool:
        """Whether the line has an annotation that is never evaluated."""
        return line in self.unread


def read(path: Path) -> Source:
    """What a file does with names; nothing of a file that is no Python, which another check tells."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return Source()
    found = Source()
    for node in ast.walk(tree):
        _add(node, found)
        found.dynamic |= _called(node) in _NAMES
    found.unread = set(_unread(tree))
    return found


def _add(node: ast.AST, found: Source) -> None:
    match node:
        case ast.Attribute(ctx=ast.Store()):
            found.assigned.add(node.attr)
        case ast.Call() if _called(node) in ("setattr", "patch", "object"):
            found.assigned |= {a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)}
        case ast.Try(handlers=[_, *_]):
            found.expected.append((node.body[0].lineno, node.body[-1].end_lineno or node.body[-1].lineno))
        case ast.With() if any(_called(item.context_expr) in ("suppress", "raises") for item in node.items):
            found.expected.append((node.lineno, node.end_lineno or node.lineno))
        case ast.If() if _is_elsewhere(node.test):
            found.expected.append((node.lineno, node.body[-1].end_lineno or node.lineno))
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            found.decorated |= {node.name} if any(_called(d) not in _PLAIN for d in node.decorator_list) else set()
        case ast.ImportFrom():
            found.dynamic |= any(alias.name == "*" for alias in node.names)


def _is_elsewhere(test: ast.expr) -> bool:
    """Whether a condition may hold only on another system, in another Python or when the file is used otherwise."""
    words = {each.id if isinstance(each, ast.Name) else getattr(each, "attr", "") for each in ast.walk(test)}
    main = any(isinstance(each, ast.Constant) and each.value == "__main__" for each in ast.walk(test))
    asked = {"version_info", "platform", "PY2", "TYPE_CHECKING", "hasattr", "system"}
    return bool(words & asked) or ("__name__" in words and not main)


def _called(node: ast.AST) -> str:
    target = node.func if isinstance(node, ast.Call) else node
    return target.attr if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""


def _unread(tree: ast.Module) -> Iterator[int]:
    """Lines of annotations that stay text: quoted ones, and with the future import all."""
    lazy = any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and any(a.name == "annotations" for a in node.names)
        for node in tree.body
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            annotation = node.annotation
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            annotation = node.returns
        elif isinstance(node, ast.AnnAssign):
            annotation = node.annotation
        else:
            continue
        for part in ast.walk(annotation) if annotation is not None else ():
            if (isinstance(part, ast.Name) and lazy) or (
                isinstance(part, ast.Constant) and isinstance(part.value, str)
            ):
                yield part.lineno
