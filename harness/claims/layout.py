"""The blocks of a text: headings, rows of tables and paragraphs, with the lines they come from. Pure.

Markdown and the LaTeX that notes use are read alike: markup that changes no meaning is taken out. Lines of a paragraph
are joined if the first one breaks off in the middle of a sentence; lines of a log stay apart.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

WRAPPED = 45
"""A shorter line is not wrapped: it ends where its writer wanted."""
JOINED = 40
"""Maximum number of lines of a sentence."""

_MARKUP = [
    (re.compile(pattern), plain)
    for pattern, plain in (
        (r"\\(?:section|chapter)\*?\{([^{}]{0,200})\}", r"# \1"),
        (r"\\(?:sub)+section\*?\{([^{}]{0,200})\}", r"## \1"),
        (r"\\item\b", "-"),
        (r"\\(?:texttt|textbf|textit|emph|text|mathrm|mathbf|operatorname)\{([^{}]{0,200})\}", r"\1"),
        (r"\\(?:to|rightarrow|longrightarrow)\b", "→"),
        (r"\\times\b", "×"),
        (r"\\pm\b", "±"),
        (r"\\(?:approx|sim)\b", "≈"),
        (r"\\([%_&#$])", r"\1"),
        (r"\\[ ,;]", " "),
        (r"\$|\*\*|__(?=\W|$)|(?<!\w)__", ""),
    )
]
_RUN_IN = re.compile(r"\s*\\paragraph\*?\{([^{}]{0,200})\}")
_HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(.*)")
_LABEL = re.compile(
    r"^(?:[A-Za-z-]+(?: [A-Za-z-]+)?:|to ?do|next(?: steps?)?|plans?|ideas?|(?:open )?questions?|summary|results?"
    r"|outlook)\s*$",
    re.I,
)
_ITEM = re.compile(r"\s*(?:[-*+]|(?:\d+|[a-z])[.)])\s")
_ALONE = re.compile(r"\s*(?:\d\d:\d\d\b|\[\d|r(?:un)?[ _]?\d+\b[^.]{0,40}:)", re.I)
_ENDED = re.compile(r"[.;:!?}\]]\)?\s*$")


@dataclass(frozen=True)
class Block:
    kind: Literal["heading", "row", "item", "text", "gap"]
    text: str
    line: int
    """The line it starts on."""
    level: int = 0
    """A heading's level."""
    cells: tuple[str, ...] = ()
    """The cells of a table's row."""
    breaks: list[int] = field(default_factory=list)
    """Where in `text` its further lines start."""

    def line_of(self, offset: int) -> int:
        return self.line + bisect_right(self.breaks, offset)


def blocks(lines: list[str]) -> Iterator[Block]:
    """A paragraph is one block per sentence or line; a gap is whatever ends it."""
    open_block: Block | None = None
    for number, raw in enumerate(lines, 1):
        for block in _read(raw, number):
            if open_block and block.kind == "text" and _goes_on(open_block, block):
                breaks = [*open_block.breaks, len(open_block.text) + 1]
                text = f"{open_block.text} {block.text}"
                open_block = Block(open_block.kind, text, open_block.line, breaks=breaks)
                continue
            if open_block:
                yield open_block
            open_block = block
    if open_block:
        yield open_block


def _goes_on(first: Block, second: Block) -> bool:
    """Whether the second line continues a sentence of the first."""
    last = first.text[first.breaks[-1] if first.breaks else 0 :]
    return (
        first.kind in ("text", "item")
        and len(last) >= WRAPPED
        and len(first.breaks) < JOINED
        and not _ENDED.search(last)
        and not _ALONE.match(second.text)
    )


def _read(raw: str, number: int) -> Iterator[Block]:
    if "\\" in raw and (run_in := _RUN_IN.match(raw)):
        yield Block("heading", plain(run_in[1]), number, level=6)
        raw = raw[run_in.end() :]
    if raw.lstrip().startswith("|"):
        yield _row(raw.strip().strip("|").split("|"), raw, number)
        return
    if "\\\\" in raw and len(cells := re.split(r"(?<!\\)&", raw.split("\\\\")[0])) > 1:
        yield _row(cells, raw, number)
        return
    text = plain(raw)
    if heading := _HEADING.match(text):
        yield Block("heading", heading[2], number, level=len(heading[1]))
    elif _LABEL.match(text):
        yield Block("heading", text.strip().rstrip(":"), number, level=7)
    elif not text.strip():
        yield Block("gap", "", number)
    else:
        marker = _ITEM.match(text)
        yield Block("item" if marker else "text", " " * marker.end() + text[marker.end() :] if marker else text, number)


def _row(cells: list[str], raw: str, number: int) -> Block:
    return Block("row", raw, number, cells=tuple(plain(cell).strip() for cell in cells))


def plain(text: str) -> str:
    """The text without markup that changes no meaning."""
    for pattern, instead in _MARKUP if "\\" in text or "*" in text or "$" in text or "__" in text else ():
        text = pattern.sub(instead, text)
    return text
