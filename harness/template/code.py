"""What a source file does, comments and layout aside. Pure."""

from __future__ import annotations

import ast
import warnings


def meaning(content: bytes, python: bool) -> str:
    """The same text for two files that do the same: the syntax tree of Python, the bytes of everything else.

    A file that is no valid Python counts by its bytes.
    """
    if not python:
        return content.hex()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in somebody's code is no news of ours
            return ast.dump(ast.parse(content))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return content.hex()
