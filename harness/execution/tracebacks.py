"""Finds the tracebacks in a log: chained ones, those of child processes, exception groups and dumps. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from harness.text import PROGRESS, clean

Link = Literal["", "chained", "inside", "adjacent"]

HEADER = "Traceback (most recent call last):"
CONTINUED = 6
"""Maximum number of further lines of an error's message, if they are not indented: what follows may be other output."""
_MARKS = ("During handling of the above exception", "The above exception was the direct cause")
_FRAME = re.compile(r'^(\s*)(?:> )?File "([^"]+)", line (\d+)(?:,? in (.*))?')
_DUMP = re.compile(r"^(?:Current thread|Thread) 0x[0-9a-f]+ .{0,100}\(most recent call first\):$")
_PART = re.compile(r"^\s*\+-[+-]*-+ (?:\d+|\.\.\.) -+$")
_RANK = re.compile(r"^(\[[^\][]{1,40}\]:? ?|\([^()]{1,60}\) )(?=\s*\S)")
_INSIDE = re.compile(r"^Original$|^traceback :|terminated with the following error|^\S*RemoteTraceback:")
_CHATTER = re.compile(r"^(?:wandb|comet|mlflow|sync|swanlab|clearml|neptune|INFO|DEBUG|\[\w+ ?\w*\] )\b", re.IGNORECASE)
_IGNORED = ("Exception ignored in", "Exception ignored on", "--- Logging error ---", "Error in atexit")
_CHILD = re.compile(r"^Process \S+:$|^Exception in thread |^Task exception was never|^\[rank\d+\]:|^-- Process \d+ ")


@dataclass
class Frame:
    """A call in a traceback."""

    file: str
    line: int
    function: str
    shown: list[str]
    """Its lines of the log."""

    def is_own(self, root: str) -> bool:
        """Whether it is code of the folder `root`, and not of a library."""
        return self.file.startswith(root.rstrip("/") + "/") or not self.file.startswith(("/", "<frozen"))

    def place(self, root: str) -> str:
        """Such as "experiment.py, line 12, in train: loss = a / b"."""
        code = next((line.strip() for line in self.shown[1:] if line.strip()), "")
        inside = f", in {self.function}" if self.function else ""
        return f"{self.file.removeprefix(root.rstrip('/') + '/')}, line {self.line}{inside}" + (code and f": {code}")


@dataclass
class Traceback:
    """One traceback of a log, and how it belongs to the one before."""

    link: Link
    announced: str = ""
    """The line before it."""
    header: str = HEADER
    frames: list[Frame] = field(default_factory=list)
    error: list[str] = field(default_factory=list)
    end: int = 0
    """Number of the line of the log after it."""

    @property
    def is_dump(self) -> bool:
        """Whether it shows where a process was, and no exception."""
        return self.header not in ("", HEADER)

    @property
    def is_ignored(self) -> bool:
        """Whether Python ignored the exception, so that it ended nothing."""
        return self.announced.startswith(_IGNORED)

    @property
    def is_childs(self) -> bool:
        """Whether the log says that another process or thread ended with it."""
        return _CHILD.match(self.announced) is not None

    def own(self, root: str) -> list[Frame]:
        return [frame for frame in self.frames if frame.is_own(root)]


def lines_of(log: str) -> list[str]:
    """The lines of a log without decoration; what several processes print with a prefix is put together."""
    apart = (_after_progress(line) if HEADER in line else line for line in log.split("\n"))
    return list(_ungrouped(_by_rank(clean("\n".join(apart)))))


def _after_progress(line: str) -> str:
    """A traceback may begin on the line of a progress bar, which would be left out."""
    before, header, rest = line.partition(HEADER)
    return header + rest if PROGRESS.search(before[-1000:]) else line


def _by_rank(lines: list[str]) -> list[str]:
    """Lines with the prefix of a process, such as "[rank0]: ", in one piece per process and without the prefix."""
    prefixes = {}
    for at, line in enumerate(lines):
        found = _RANK.match(line)
        if found and line.endswith(HEADER) and _goes_on(lines[at : at + 50], found[1]):
            prefixes[found[1]] = [found[1].strip()]
    if not prefixes:
        return lines
    kept: list[list[str]] = []
    for line in lines:
        found = _RANK.match(line)
        mine = prefixes.get(found[1]) if found else None
        if found is None or mine is None:
            kept.append([line])
            continue
        if len(mine) == 1:
            kept.append(mine)
        mine.append(line[len(found[1]) :])
    return [line for each in kept for line in each]


def _goes_on(lines: list[str], prefix: str) -> bool:
    return any(line.startswith(prefix + "  File") for line in lines)


def _ungrouped(lines: Iterable[str]) -> Iterator[str]:
    """Without the frame that Python draws around the parts of an exception group."""
    inside = False
    for line in lines:
        start = line.lstrip()
        inside = start.startswith("+ Exception Group Traceback") or (inside and start[:1] in ("|", "+"))
        if not inside or _PART.match(line):
            yield line
        elif start.startswith("+-"):
            yield ""
        else:
            yield re.sub(r"^\s*[|+] ?", "", line).replace("Exception Group Traceback", "Traceback")


class _Reader:
    """Reads lines one by one."""

    def __init__(self) -> None:
        self.found: list[Traceback] = []
        self._now: Traceback | None = None
        self._indent: int | None = 0
        self._link: Link = ""
        self._before: list[str] = []

    def read(self, number: int, line: str) -> None:
        if self._begins(line):
            return
        if self._now is not None and self._belongs(line):
            self._now.end = number + 1
            return
        self._now = None
        if line.startswith(_MARKS) or _PART.match(line):
            self._link = "chained" if line.startswith(_MARKS) else "inside"
        elif line.strip() and line.strip() != '"""':
            self._before = [*self._before[-2:], line.strip()]
        if _PART.match(line):
            self._begin("", 0)

    def _begins(self, line: str) -> bool:
        """Whether a traceback begins with this line."""
        stripped, frame = line.strip(), _FRAME.match(line)
        if stripped.endswith(HEADER) and len(stripped) < 300:
            before = stripped.removesuffix(HEADER).strip()
            if before:
                self._before = [*self._before[-2:], before]
            self._begin(HEADER, None if before else len(line) - len(line.lstrip()))
        elif _DUMP.match(stripped):
            self._begin(stripped, 0)
        elif frame and (self._now is None or self._now.error):  # a syntax error, or the log was cut
            self._begin("", max(0, len(frame[1]) - 2))
            return False
        else:
            return False
        return True

    def _begin(self, header: str, indent: int | None) -> None:
        announced = self._before[-1] if self._before else ""
        link, last = self._link, self.found[-1] if self.found else None
        if last is not None and not link:
            if any(map(_INSIDE.search, self._before)) or (not self._before and last.error[:1] and _opens(last)):
                link = "inside" if last.error else "adjacent"
            elif not self._before and len(last.error) < 2:
                link = "adjacent"
        if announced.startswith("Fatal Python error") and header != HEADER:
            link = ""
        if last is not None and not last.header and not last.error and not last.frames:
            self.found.pop()  # a part of a group that begins with its own traceback
            link = last.link
        self._now = Traceback(link, announced, header)
        self.found.append(self._now)
        self._indent, self._link, self._before = indent, "", []

    def _belongs(self, line: str) -> bool:
        """Add a line to the traceback that is being read, unless that has ended before it."""
        now, frame = self._now, _FRAME.match(line)
        if now is None or not line.strip() or line.strip() == '"""' or line.startswith(_MARKS) or _PART.match(line):
            return False
        if self._indent is None:
            self._indent = max(0, len(frame[1]) - 2) if frame else 0
        line = line[self._indent :] if not line[: self._indent].strip() else line
        if frame and not now.error:
            now.frames.append(Frame(frame[2], int(frame[3]), frame[4] or "", [line]))
            return True
        if line.startswith((" ", "\t")) and now.frames and not now.error:
            now.frames[-1].shown.append(line)
            return True
        if now.is_dump:
            return line.strip() == "..."
        unindented = sum(not each.startswith((" ", "\t")) for each in now.error)
        if now.error and (unindented > CONTINUED or _CHATTER.match(line) or _CHILD.match(line)):
            return False
        if line.startswith((*_IGNORED, "Fatal Python error")):
            return False
        now.error.append(line)
        return True


def _opens(last: Traceback) -> bool:
    """Whether an error's message goes on with another traceback, as in "the worker failed:"."""
    return last.error[-1].rstrip().endswith(":") or "Caught " in last.error[0]


def tracebacks(lines: list[str]) -> list[Traceback]:
    """All tracebacks, in the order of the log."""
    reader = _Reader()
    for number, line in enumerate(lines):
        reader.read(number, line)
    return [each for each in reader.found if each.frames or each.error]


def groups(found: list[Traceback]) -> list[list[Traceback]]:
    """Tracebacks that belong to one error: its causes, what it was raised from, its parts."""
    together: list[list[Traceback]] = []
    for each in found:
        if together and each.link in ("chained", "inside"):
            together[-1].append(each)
        else:
            together.append([each])
    return together
