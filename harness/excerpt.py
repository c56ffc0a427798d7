"""The part of a log that says what went wrong. Layer 1: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

LIMIT = 4000
"""Characters of a log that a prompt gets at most."""
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_PROGRESS = re.compile(r"\d+%\|.*\||\d+/\d+ \[\d\d:\d\d|it/s[,\]]|s/it[,\]]")
_WARNING = re.compile(r"^[^:]*:\d+: \w*Warning: |^\s*warnings\.warn\(")
_FRAME = re.compile(r'^\s+File "([^"]+)", line \d+')
_TRACEBACK = "Traceback (most recent call last):"


def clean(text: str) -> list[str]:
    """Lines of a log as a person would have seen them, without progress bars and warnings."""
    lines = (line.rstrip("\r").rsplit("\r", 1)[-1] for line in _ANSI.sub("", text).split("\n"))
    return [
        _CONTROL.sub("", line.rstrip()) for line in lines if not _PROGRESS.search(line) and not _WARNING.search(line)
    ]


def last_line(text: str) -> str:
    """The last line that says something."""
    return next(
        (line.strip() for line in reversed(_ANSI.sub("", text).replace("\r", "\n").split("\n")) if line.strip()), ""
    )


def first_sentence(reply: str) -> str:
    """The first line of prose in what an agent said, without its edits; at most 200 characters."""
    prose = re.sub(r"^```.*?^```|^<{5,9} SEARCH.*?^>{5,9} REPLACE", "", reply, flags=re.DOTALL | re.MULTILINE)
    return next((line.strip() for line in clean(prose) if " " in line.strip()), "")[:200]


def failure(log: str, root: str) -> str:
    """What to tell of a failed run: the last traceback, cut to the frames in `root`; else the end of the log."""
    lines = clean(log)
    starts = [i for i, line in enumerate(lines) if line.strip() == _TRACEBACK]
    if starts:
        lines = list(_own_frames(lines[starts[-1] :], root))
    text = "\n".join(line for line in lines if line.strip())
    return ("…" + text[-LIMIT:] if len(text) > LIMIT else text).replace(root.rstrip("/") + "/", "")


def _own_frames(lines: list[str], root: str) -> Iterable[str]:
    """Drop the frames of other people's code between ours and the error itself."""
    inside, skipped = True, 0
    for line in lines:
        frame = _FRAME.match(line)
        if frame:
            inside = frame[1].startswith(root.rstrip("/") + "/") or not frame[1].startswith(("/", "<frozen"))
            skipped += not inside
        elif not line.startswith(" "):
            if skipped:
                yield f"  [{skipped} frame(s) of library code left out]"
                skipped = 0
            inside = True
        if inside:
            if skipped and frame:
                yield f"  [{skipped} frame(s) of library code left out]"
                skipped = 0
            yield line
