"""The tokens of a LaTeX file, and which of them belong together. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

OPTIONAL = 60
"""Maximum number of tokens in an optional argument."""
_TOKEN = re.compile(
    r"\\verb\*?(?P<mark>[^\sa-zA-Z*])(?P<verbatim>[^\n]*?)(?P=mark)"
    r"|\\(?P<command>[a-zA-Z@]+\*?)(?:(?<=cmidrule)\([^()\n]*\))?|\\(?P<character>.?)"
    r"|%(?P<comment>[^\n]*(?:\n[ \t]*(?=\S))?)|(?P<sign>[{}\[\]$&~\n])|(?P<text>[^\\%{}\[\]$&~\n]+)"
)
_FILE = re.compile(r"\{?\s*([^\s{}\\%]+)")
_INPUTS = {"input", "include", "subfile"}


class Token(NamedTuple):
    kind: str
    text: str
    """A command or a character is without its backslash."""
    line: int


def inputs(source: str) -> list[str]:
    """The files that a LaTeX file includes, as it names them."""
    tokens, found = tokens_of(source), []
    for at, token in enumerate(tokens):
        if token.kind == "command" and token.text in _INPUTS:
            rest = "".join(each.text for each in tokens[at + 1 : at + OPTIONAL] if each.kind in ("sign", "text"))
            if match := _FILE.match(rest.lstrip(" \t")):
                found.append(match[1])
    return found


def tokens_of(source: str) -> list[Token]:
    found, line = [], 1
    for match in _TOKEN.finditer(source):
        kind = match.lastgroup or "character"
        found.append(Token(kind, match[kind], line))
        line += match[0].count("\n")
    return found


def document(tokens: Sequence[Token]) -> Sequence[Token]:
    """What is between `\\begin{document}` and `\\end{document}`, if they are there."""
    start, end = 0, len(tokens)
    for at, token in enumerate(tokens):
        if token.kind == "command" and token.text in ("begin", "end") and plain(tokens, at + 1) == "document":
            if token.text == "end":
                end = at
                break
            start = at + 4
    return tokens[start:end]


def plain(tokens: Sequence[Token], at: int) -> str:
    """The argument that begins here if it is one word or number."""
    words = [token.text for token in tokens[at : at + 3]]
    return words[1].strip() if len(words) == 3 and words[0] == "{" and words[2] == "}" else ""


def pairs(tokens: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """Where a brace opens, and where it closes."""
    opened: list[int] = []
    for at, token in enumerate(tokens):
        if token.kind == "sign" and token.text == "{":
            opened.append(at)
        elif token.kind == "sign" and token.text == "}" and opened:
            yield opened.pop(), at
