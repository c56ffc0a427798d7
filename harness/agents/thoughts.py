"""Tells a reply from the reasoning before it, and knows the lines that mark edits. Pure."""

from __future__ import annotations

import re

HEAD = re.compile(r"([ \t]*)<{5,9} SEARCH>?[ \t]*")
DIVIDER = re.compile(r"={5,9}[ \t]*")
TAIL = re.compile(r"[ \t]*>{5,9} REPLACE[ \t]*")
FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*([^`]*)$")
_OPEN = re.compile(r"\s*<(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_CLOSE = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)


def without_thoughts(text: str) -> tuple[str, bool]:
    """A reply without its reasoning, and whether it ends within reasoning.

    A closing tag without an opening one ends reasoning that began with the reply. Tags in edits are code.
    """
    lines = text.split("\n")
    code = _code_with_tags(lines)
    kept: list[str] = []
    inside = False
    for number, line in enumerate(lines):
        if number in code:
            if not inside:
                kept.append(line)
            continue
        if not inside and (opened := _OPEN.match(line)):
            inside, line = True, line[opened.end() :]
        if closed := _closing(line, inside):
            kept = kept if inside else []
            inside, line = False, line[closed.end() :]
        if not inside:
            kept.append(line)
    return "\n".join(kept), inside


def _closing(line: str, inside: bool) -> re.Match[str] | None:
    """The tag that ends reasoning; without an opening one, it counts only where the line begins or ends."""
    found = _CLOSE.search(line)
    if found is None or line[: found.start()].endswith(("`", '"', "'")):
        return None
    at_an_end = not line[: found.start()].strip() or not line[found.end() :].strip()
    return found if inside or at_an_end else None


def _code_with_tags(lines: list[str]) -> set[int]:
    """Lines of edits, in which such a tag is code."""
    code: set[int] = set()
    head, fence = None, None
    for number, line in enumerate(lines):
        if HEAD.fullmatch(line):
            head = number
        elif TAIL.fullmatch(line) and head is not None:
            code |= set(range(head, number + 1))
            head = None
        mark = FENCE.fullmatch(line)
        if mark and (mark[2] or fence is None):
            fence = number
        elif mark and fence is not None:
            inner = range(fence + 1, number)
            paired = any(_OPEN.match(lines[n]) for n in inner) and any(_CLOSE.search(lines[n]) for n in inner)
            code |= {n for n in inner if paired or not _CLOSE.fullmatch(lines[n].strip())}
            fence = None
    return code
