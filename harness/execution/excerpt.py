"""What a prompt says of a failed run's log: the first failing line of its own code and every message. Pure."""

from __future__ import annotations

import re

from harness.execution.tracebacks import Frame, Traceback, groups, lines_of, tracebacks
from harness.text import LIMIT

MESSAGE = 1200
"""Maximum characters of one error's message."""
ENDING = 400
"""Maximum characters of what the log says after the error."""
_OF_CHILD = re.compile(
    r"CalledProcessError|ChildFailedError|BrokenProcessPool|TerminatedWorkerError|Process(?:Raised|Exited)Exception"
    r"|SystemExit|exit ?code|exit status|non-zero|worker|child|subprocess|process|rank",
    re.IGNORECASE,
)
_SAYS_ERROR = re.compile(
    r"^\s*(?:error|fatal|terminate called|what\(\):|segmentation fault|killed|abort|bus error|out of memory)\b"
    r"|\berror:|^\w{1,60}(?:Error|Exception):|CUDA error",
    re.IGNORECASE,
)


def failure(log: str, root: str) -> str:
    """A summary of a failed run: its tracebacks, cut to the frames in `root`, or else the end of the log."""
    lines = lines_of(log)
    shown = chosen(groups(tracebacks(lines)), root)
    told = _told(lines, shown, root) if shown else _without_traceback(lines)
    return told.replace(root.rstrip("/") + "/", "")


def where(log: str, root: str) -> str:
    """Where a process was when it was made to say so, as one line; empty if it did not."""
    dumps = [each for each in tracebacks(lines_of(log)) if each.is_dump and each.own(root)]
    return dumps[-1].own(root)[0].place(root) if dumps else ""


def chosen(found: list[list[Traceback]], root: str) -> list[list[Traceback]]:
    """The last error, and earlier ones that may have caused it because they ended a child process."""
    found = [group for group in found if not group[0].is_ignored] or found
    found = [group for group in found if not group[0].is_dump or any(each.own(root) for each in group)] or found
    if not found:
        return []
    last, rest = found[-1], found[:-1]
    said = " ".join(last[-1].error)
    by_child = last[0].is_childs or last[0].is_dump or _OF_CHILD.search(said) or not any(t.own(root) for t in last)
    causes: dict[str, list[Traceback]] = {}
    for at, group in enumerate(rest):
        if by_child or group[0].is_childs or all(each[0].link == "adjacent" for each in found[at + 1 :]):
            key = " ".join(group[-1].error) or "".join(line for frame in group[0].frames for line in frame.shown)
            causes.setdefault(key, group)
    causes.pop(said, None)
    earlier = list(causes.values())
    return [*(earlier if len(earlier) < 3 else [earlier[0], earlier[-1]]), last]


def _told(lines: list[str], shown: list[list[Traceback]], root: str) -> str:
    several = sum(map(len, shown)) > 1
    head = _first_error(shown, root) if several else ""
    after = _after(lines, max(each.end for group in shown for each in group))
    room = LIMIT - len(head) - len(after) - 10
    body = ""
    for frames in (30, 12, 6, 3, 1):
        body = "\n".join("\n".join(_rendered(group, root, frames)) for group in shown)
        if len(body) <= room:
            break
        head = head or _first_error(shown, root)
        room = LIMIT - len(head) - len(after) - 10
    if len(body) > room:
        body = f"{body[: room // 3]}\n…\n{body[-(room - room // 3) :]}"
    return "\n".join(part for part in (head, after, body) if part)


def _first_error(shown: list[list[Traceback]], root: str) -> str:
    """One line that names the first error and where the code failed."""
    group = next((each for each in shown if any(t.own(root) and t.error for t in each)), shown[0])
    inside = [each for each in group if each.link == "inside" and each.error]
    first = inside[0] if inside else group[0]
    near = next((each for each in (first, *group) if each.own(root)), None)
    place = f" (at {near.own(root)[-1].place(root)[:300]})" if near is not None and not near.is_dump else ""
    said = " ".join(line.strip() for line in first.error[: 1 + _opens(first)])[:500]
    if re.match(r"\S*RemoteTraceback:", said) or not said:
        said = " ".join(group[-1].error[:1])[:500]
    return f"The first error: {said}{place}" if said else ""


def _opens(first: Traceback) -> bool:
    """Whether the message begins on the next line only."""
    return first.error[:1] != [] and first.error[0].rstrip().endswith(":")


def _after(lines: list[str], end: int) -> str:
    rest = [line.strip() for line in lines[end:] if line.strip() and line.strip() != '"""']
    if not rest:
        return ""
    more = f"goes on for {len(rest)} lines and " if len(rest) > 3 else ""
    ending = "\n".join(line[: ENDING // 3] for line in rest[-3:])
    return f"[after the error, the log {more}ends with:]\n{ending}\n"


def _rendered(group: list[Traceback], root: str, most: int) -> list[str]:
    shown: list[str] = []
    for each in group:
        if each.is_childs or each.announced.startswith("Fatal Python error"):
            shown.append(each.announced)
        elif each.link == "chained":
            shown.append("[then, while that was handled or because of it:]")
        elif each.link == "inside":
            shown.append("[from this error:]")
        if each.frames:
            shown += [each.header.replace("call first", "call last")] if each.header else []
            shown += _frames(each, root, most)
        message = "\n".join(each.error)
        if len(message) > MESSAGE:
            message = f"{message[: MESSAGE * 2 // 3]}\n…\n{message[-MESSAGE // 3 :]}"
        shown += [message] if message.strip() else []
    if len(group) == 1 and re.search(r"CalledProcessError", " ".join(group[0].error)):
        shown.insert(0, "[the child's own output, if it is not here, is in stdout and stderr of the error]")
    return shown


def _frames(each: Traceback, root: str, most: int) -> list[str]:
    """The frames of our own code, at most `most` of them, and a line for those left out."""
    frames = each.frames[::-1] if each.is_dump else each.frames
    own = [frame for frame in frames if frame.is_own(root)] or frames[-2:]
    kept = own if len(own) <= most else [*own[: most // 3], *own[-(most - most // 3) :]]
    wanted = set(map(id, kept))
    shown: list[str] = []
    library = mine = 0
    for frame in [*frames, None]:
        if frame is not None and id(frame) not in wanted:
            library, mine = library + (not frame.is_own(root)), mine + frame.is_own(root)
            continue
        shown += [f"  [{library} frame(s) of library code left out]"] if library else []
        shown += [f"  [{mine} more frame(s) left out]"] if mine else []
        library = mine = 0
        shown += _lines(frame)
    return shown


def _lines(frame: Frame | None) -> list[str]:
    return [] if frame is None else [line[:300] for line in frame.shown]


def _without_traceback(lines: list[str]) -> str:
    """The end of the log, after earlier lines that speak of an error."""
    filled = [line for line in lines if line.strip()]
    text = "\n".join(filled)
    if len(text) <= LIMIT:
        return text
    errors = [line[:300] for line in filled if _SAYS_ERROR.search(line)]
    end = text[-LIMIT:]
    missing = "\n".join(dict.fromkeys(line for line in errors[-200:] if line not in end))[-1000:]
    if missing:
        return f"{missing}\n…{end[len(missing) + 2 :]}"
    return "…" + end
