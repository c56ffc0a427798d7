"""What a source file does, ignoring comments and layout."""

from __future__ import annotations

import ast
import warnings
from pathlib import Path


def parses(path: Path) -> bool:
    """Whether a file is valid Python, in the encoding that its coding line names."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def meaning(content: bytes, python: bool) -> str:
    """A text that is equal for files that do the same: the syntax tree for Python, the bytes for other files.

    Invalid Python is compared by its bytes.
    """
    if not python:
        return content.hex()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as invalid escapes in the agent's code
            return ast.dump(ast.parse(content))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return content.hex()
