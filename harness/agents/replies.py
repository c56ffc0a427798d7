"""Takes a model's reply apart: whole edits, or what is wrong with it. Pure; `edits.py` applies what is found.

A reply holds SEARCH/REPLACE blocks or whole files in fences, each with the exact name of its file. Nothing that looks
like an edit is left out: what cannot be read as one of these forms makes the whole reply invalid.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from harness.agents.thoughts import FENCE, HEAD, TAIL, without_thoughts
from harness.records import DONE

FORM = """\
Put the file's exact name alone on a line, then a fence with SEARCH/REPLACE blocks:

experiment.py
```python
<<<<<<< SEARCH
lines of the file, exactly as they are
=======
lines to put in their place
>>>>>>> REPLACE
```

or with the whole new content of the file and no markers."""

_LIKE_A_MARKER = re.compile(
    r"\s*(?:<{4,}[ \t]*(?:SEARCH|ORIGINAL|HEAD|OLD)\b|>{4,}[ \t]*(?:REPLACE|UPDATED|NEW)\b|<{5,}[ \t]*$|>{5,}[ \t]*$)"
    r"|\s*\*\*\* (?:Begin Patch|End Patch|Update File:|Add File:)",
    re.IGNORECASE,
)
_DIFF = re.compile(r"^(?:@@ -\d|diff --git |--- (?:a/|\S+\.\w+\s*$)|\+\+\+ (?:b/|\S+\.\w+\s*$))", re.MULTILINE)
_NAME = re.compile(r"[\w.~/+-]*[\w-]\.[A-Za-z]\w{0,9}|[\w.~+-]*/[\w./~+-]*[\w-]")
_MENTION = re.compile(r"[\w./~+-]*[\w-]\.(?:py|md|txt|toml|ya?ml|json|cfg|ini|csv|sh)\b")
_ASKS = re.compile(
    r"\b(?:add|share|show|provide|send|paste|include|upload|give|attach)\b.*(?:chat|please|\?|you)|"
    r"\b(?:please|could you|can you|would you)\b.*\b(?:add|share|show|provide|send|paste|include|upload|give|attach)\b|"
    r"\b(?:need|like|want|may i|can i|let me)\b.*\b(?:see|read|look at|have)\b",
    re.IGNORECASE,
)
_LATER = re.compile(
    r"\b(?:will|shall|would|going to) (?:then |only )?(?:reply|say|answer|respond|send|write|end|finish|give)\b"
    r"|\b(?:when|once|then|after|if|until|before)\b",
    re.IGNORECASE,
)
"""A sentence that announces the end for later."""
_CODE = re.compile(r"^(?:import |from \w+ import |def |class )", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A SEARCH/REPLACE block. Which of its `=======` lines divides it, the file's content decides."""

    path: str
    lines: tuple[str, ...]
    """Everything between the first and the last marker."""


@dataclass(frozen=True)
class Whole:
    """The whole new content of a file."""

    path: str
    text: str


@dataclass
class Parsed:
    """What a reply holds."""

    text: str
    """The reply without thoughts."""
    edits: list[Block | Whole] = field(default_factory=list)
    problem: str = ""
    """Why nothing of the reply can be taken."""
    snippets: int = 0
    """Fenced pieces of code without the name of a file."""

    @property
    def done(self) -> bool:
        """Whether it says that no further run is wanted."""
        return says_done(self.text)


def parse(reply: str, known: Collection[str] = ()) -> Parsed:
    """Take a reply apart. `known`: names of the study's files, for names without a suffix."""
    text, unended = without_thoughts(reply.removeprefix("\ufeff").replace("\r\n", "\n"))
    parsed = Parsed(text)
    try:
        parsed.edits = list(_Reader(text.split("\n"), known, parsed).edits())
        if unended and parsed.edits:
            raise ValueError("The reply ends inside its thoughts, after an edit.")
    except ValueError as error:
        parsed.edits, parsed.problem = [], str(error)
    return parsed


def says_done(text: str) -> bool:
    """Whether the visible part of a reply says that no further run is wanted; not that the agent will say so."""
    sentences = re.split(r"\n|(?<=[.!?])\s+", without_thoughts(text)[0])
    return any(re.search(rf"(?<!\w){DONE}(?!\w)", each) and not _LATER.search(each) for each in sentences)


def asked_for(text: str) -> list[str]:
    """Names of the files that a reply without edits asks to see."""
    sentences = re.split(r"\n|(?<=[.?!])\s+", text)
    names = (name for sentence in sentences if _ASKS.search(sentence) for name in _MENTION.findall(sentence))
    return list(dict.fromkeys(posixpath.normpath(name) for name in names))


class _Reader:
    """Goes through the lines of a reply once."""

    def __init__(self, lines: list[str], known: Collection[str], parsed: Parsed) -> None:
        self._lines = lines
        self._known = known
        self._parsed = parsed
        self._last = ""
        """File of the block before, as long as no other is mentioned."""

    def edits(self) -> Iterator[Block | Whole]:
        at = 0
        while at < len(self._lines):
            line = self._lines[at]
            if HEAD.fullmatch(line):
                block, at = self._block(at, self._name_above(at))
                yield block
            elif fence := FENCE.fullmatch(line):
                found, at = self._fence(at, fence)
                yield from found
            else:
                self._nothing_left_over(line)
                at += 1

    def _nothing_left_over(self, line: str) -> None:
        if _LIKE_A_MARKER.match(line) or TAIL.fullmatch(line):
            raise ValueError(f"This line of the reply belongs to no complete SEARCH/REPLACE block: {line.strip()[:80]}")
        if line.startswith(("diff --git ", "@@ -")):
            raise ValueError("The reply holds a diff; diffs are not applied.")
        if set(_MENTION.findall(line)) - {self._last}:
            self._last = ""

    def _fence(self, at: int, fence: re.Match[str]) -> tuple[list[Block | Whole], int]:
        """What a fence holds, and the line after it."""
        end = next((n for n in range(at + 1, len(self._lines)) if self._closes(n, fence[1])), len(self._lines))
        name = self._name_in(fence[2]) or self._name_above(at)
        head = next((n for n in range(at + 1, len(self._lines)) if HEAD.fullmatch(self._lines[n])), None)
        if head is not None and head < end:
            return self._blocks(at, head, fence[1], name)
        inside = self._lines[at + 1 : end]
        if [line for line in inside if line.strip()][1:] == [] and inside and self._name(inside[0]):
            return [], end + 1  # only the name of the file that follows
        if not name and inside:
            name = self._name_in_comment(inside[0])
        if fence[2].split(" ")[0].lower() in ("diff", "patch") or (
            not name and len(_DIFF.findall("\n".join(inside))) > 1
        ):
            raise ValueError("The reply holds a diff; diffs are not applied.")
        for line in inside:
            if _LIKE_A_MARKER.match(line) or TAIL.fullmatch(line):
                raise ValueError(f"This line belongs to no complete SEARCH/REPLACE block: {line.strip()[:80]}")
        if not name:
            self._parsed.snippets += fence[2].lower().startswith("py") or bool(_CODE.search("\n".join(inside)))
            return [], end + 1
        end = self._end_of_file(at, fence[1], name)
        self._last = name
        indent = self._lines[at][: self._lines[at].index(fence[1])]
        return [Whole(name, "".join(f"{line.removeprefix(indent)}\n" for line in self._lines[at + 1 : end]))], end + 1

    def _end_of_file(self, at: int, mark: str, name: str) -> int:
        """The line that closes the fence of a whole file; the file may hold fences of its own."""
        depth = 0
        for n in range(at + 1, len(self._lines)):
            fence = FENCE.fullmatch(self._lines[n])
            if fence and fence[2] and fence[1][0] == mark[0] and len(fence[1]) >= len(mark):
                depth += 1
            elif self._closes(n, mark):
                if depth == 0 and not (name.endswith(".py") and self._cut_a_string(at + 1, n)):
                    self._nothing_hidden(n + 1, name)
                    return n
                depth = max(0, depth - 1)
        raise ValueError(f"The fence of {name} is not closed, so the file may be incomplete.")

    def _cut_a_string(self, first: int, last: int) -> bool:
        """Whether a fence inside a docstring was taken for the end of a Python file."""
        text = "\n".join(self._lines[first:last])
        return any(text.count(quotes) % 2 for quotes in ('"""', "'''"))

    def _nothing_hidden(self, first: int, name: str) -> None:
        """Raise ValueError if the fences after a whole file do not pair up: it may have ended too early."""
        opened = 0
        for line in self._lines[first:]:
            fence = FENCE.fullmatch(line)
            if fence:
                opened = opened + 1 if fence[2] or not opened else opened - 1
        if opened:
            raise ValueError(f"It is not clear where {name} ends: use a longer fence (````) around it.")

    def _blocks(self, at: int, head: int, mark: str, name: str) -> tuple[list[Block | Whole], int]:
        """The blocks of one fence, and the line after it."""
        found: list[Block | Whole] = []
        n = at + 1
        while n < len(self._lines):
            line = self._lines[n]
            if HEAD.fullmatch(line):
                block, n = self._block(n, name)
                found.append(block)
                name = block.path
                continue
            if self._closes(n, mark):
                return found, n + 1
            if inner := self._name(line):
                name = inner
            elif line.strip():
                rest = range(n, len(self._lines))
                close = next((k for k in rest if FENCE.fullmatch(self._lines[k])), None)
                if n < head or (close is not None and self._closes(close, mark)):
                    raise ValueError(f"This line stands in a fence, but outside the SEARCH/REPLACE blocks: {line[:80]}")
                return found, n  # the fence was never closed
            n += 1
        return found, n

    def _block(self, head: int, name: str) -> tuple[Block, int]:
        """The block that begins at `head`, and the line after it."""
        path = name or self._last or self._mentioned_above(head)
        if not path:
            raise ValueError("A SEARCH/REPLACE block does not say which file it is for.")
        for n in range(head + 1, len(self._lines)):
            if HEAD.fullmatch(self._lines[n]):
                break
            if TAIL.fullmatch(self._lines[n]):
                indent = (HEAD.fullmatch(self._lines[head]) or [""] * 2)[1]
                inner = self._lines[head + 1 : n]
                if any(line.strip() and not line.startswith(indent) for line in inner):
                    raise ValueError(
                        f"A block for {path} begins with an indented marker; begin it at the line's start."
                    )
                self._last = path
                return Block(path, tuple(line.removeprefix(indent) for line in inner)), n + 1
        raise ValueError(f"A block for {path} has no line `>>>>>>> REPLACE` at its end.")

    def _closes(self, n: int, mark: str) -> bool:
        fence = FENCE.fullmatch(self._lines[n])
        return fence is not None and not fence[2] and fence[1][0] == mark[0] and len(fence[1]) >= len(mark)

    def _name_above(self, at: int) -> str:
        """The name of a file on the line before, or in a fence of its own."""
        above = [n for n in range(max(0, at - 4), at) if self._lines[n].strip()][-2:]
        if not above or at - above[-1] > 2:
            return ""
        if FENCE.fullmatch(self._lines[above[-1]]):
            named = len(above) == 2 and FENCE.fullmatch(self._lines[above[0] - 1]) is not None
            return self._name(self._lines[above[0]]) if named else ""
        return self._name(self._lines[above[-1]])

    def _mentioned_above(self, at: int) -> str:
        """The one file of the study that the last line before a block mentions."""
        above = [n for n in range(max(0, at - 3), at) if self._lines[n].strip() and not FENCE.fullmatch(self._lines[n])]
        names = set(_MENTION.findall(self._lines[above[-1]])) if above else set()
        return names.pop() if len(names) == 1 and names <= set(self._known) else ""

    def _name(self, line: str) -> str:
        """The file that a line names and does nothing else, or an empty string."""
        text = re.sub(r"^\s*(?:(?:[-*+]|\d+[.)]|#+)\s+)*#*", "", line).strip("*`\"': \t")
        text = re.sub(r"^(?:new |updated )?(?:file ?name|file|path)\W{1,5}", "", text, flags=re.IGNORECASE)
        text = re.sub(r"\s*\((?:new|whole|complete|full|updated|entire|final)[^)]*\)\W*$", "", text)
        text = text.strip("*`\"': \t")
        return posixpath.normpath(text) if text in self._known or _NAME.fullmatch(text) else ""

    def _name_in(self, info: str) -> str:
        """The file that a fence's info string names."""
        names = [part for part in re.split(r"[\s:=\"'{},]+", info) if part in self._known or _NAME.fullmatch(part)]
        return posixpath.normpath(names[0]) if len(names) == 1 else ""

    def _name_in_comment(self, line: str) -> str:
        comment = re.fullmatch(r"\s*(?:#|//|<!--)\s*(?:file(?:name)?:\s*)?(\S+?)\s*(?:-->)?\s*", line)
        return posixpath.normpath(comment[1]) if comment and _MENTION.fullmatch(comment[1]) else ""
