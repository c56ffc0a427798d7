"""What the chat with the coding agent and the log tell: results given, edits applied, failed launches. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from harness.excerpt import clean

_COMPLETED = re.compile(r"^(?:#### )?Run (\d{1,4}) completed\. Here are the results")
_FAILED = re.compile(r"^#### Run failed with the following error")
_TIMED_OUT = re.compile(r"^#### (Run timed out after \S{1,20} seconds)")
_EDIT = re.compile(r"^> Applied edit to (\S.*?)\s*$")
_PLOTS = re.compile(r"^#### Great job! Please modify")
_LOG_FAILED = re.compile(r"^Run (\d{1,4}) (failed with return code \S{1,20})\s*$")
_LOG_TIMED_OUT = re.compile(r"^Run (\d{1,4}) (timed out after \S{1,20} seconds)\s*$")
_TRACEBACK = "Traceback (most recent call last):"
_EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Iteration)\b.{0,2000}")
NOT_CODE = re.compile(r"(^|/)(notes\.txt|plot\.py)$|\.(tex|bib|md|txt|csv|json|png|pdf)$")
"""Files that take no part in a run."""
SNAPSHOTTED = "experiment.py"
"""The one file whose state a run's snapshot keeps."""

EVENTS = 5_000
"""That are read of one chat at most; a long one has a hundred."""

EventKind = Literal["completed", "failed", "edit", "plots"]


@dataclass(frozen=True)
class ChatEvent:
    """One thing that happened, in the order of the chat."""

    kind: EventKind
    line: int
    run: int | None = None
    text: str = ""
    """The file of an edit, the error of a failure."""


@dataclass(frozen=True)
class Failure:
    """A launch that gave no result."""

    run: int | None
    error: str
    line: int


def events(chat: str) -> list[ChatEvent]:
    """What an aider chat history tells of the runs."""
    found: list[ChatEvent] = []
    lines = chat.split("\n")
    run, read = 1, 0
    for number, line in enumerate(lines, 1):
        if number <= read:
            continue
        if len(found) == EVENTS:
            break
        if match := _COMPLETED.match(line):
            run = int(match[1]) + 1
            found.append(ChatEvent("completed", number, int(match[1])))
        elif match := _TIMED_OUT.match(line):
            found.append(ChatEvent("failed", number, run, match[1].removeprefix("Run ").strip()))
        elif _FAILED.match(line):
            block = _quoted(lines, number - 1)
            read = number + len(block) - 1
            found.append(ChatEvent("failed", number, run, _error(block)))
        elif match := _EDIT.match(line):
            found.append(ChatEvent("edit", number, text=match[1]))
        elif _PLOTS.match(line):
            found.append(ChatEvent("plots", number))
    return found


def _quoted(lines: list[str], start: int) -> list[str]:
    """The lines of one prompt; the chat history marks each of them with `####`."""
    block = []
    for line in lines[start + 1 : start + 20_000]:
        if not line.startswith("####"):
            break
        block.append(line[5:].rstrip())
    return [lines[start][5:].split("error", 1)[-1].strip(), *block]


def _error(lines: list[str]) -> str:
    """The line of a traceback that says what went wrong; else the last one that says anything."""
    said = [line for line in clean("\n".join(lines)) if line.strip()]
    raised = [line for line in said if _EXCEPTION.match(line)]
    return (raised or said or ["an error without a word"])[-1].strip()[:200]


def failures(chat: list[ChatEvent], log: str) -> tuple[list[Failure], str]:
    """Launches that failed, and whether "chat" or "log" tells of them: whichever tells of more.

    A traceback that is only in the log may be that of a plot, so it counts only where there is no chat.
    """
    told = [Failure(event.run, event.text, event.line) for event in chat if event.kind == "failed"]
    logged, tracebacks = _logged(log)
    if not chat:
        logged = logged or tracebacks
    return (logged, "log") if len(logged) > len(told) else (told, "chat")


def _logged(log: str) -> tuple[list[Failure], list[Failure]]:
    """Launches that a log says failed, and its tracebacks."""
    found: list[Failure] = []
    tracebacks: list[Failure] = []
    start, pending = 0, ""
    for number, line in enumerate(log.split("\n"), 1):
        if len(found) + len(tracebacks) >= EVENTS:
            break
        if line.strip() == _TRACEBACK or line.endswith(_TRACEBACK):
            start, pending = number, ""
        elif start and not pending and _EXCEPTION.match(line):
            pending = _error([line])
            tracebacks.append(Failure(None, f"a traceback: {pending}", start))
        elif match := _LOG_FAILED.match(line) or _LOG_TIMED_OUT.match(line):
            found.append(Failure(int(match[1]), f"{match[2]}{f': {pending}' if pending else ''}", number))
            start, pending = 0, ""
    return found, tracebacks


def edited_between(chat: list[ChatEvent], first: int, last: int) -> set[str] | None:
    """Code files edited after the result of run `first` and before that of run `last`; None where the chat cannot tell.

    Run 0 is the baseline: its result is there before the chat begins.
    """
    told = {event.run: i for i, event in enumerate(chat) if event.kind == "completed"}
    if not told or (first and first not in told):
        return None
    start = told[first] + 1 if first else 0
    plots = next((i for i, event in enumerate(chat) if event.kind == "plots" and i >= start), len(chat))
    inside = chat[start : told.get(last, plots)]
    return {e.text for e in inside if e.kind == "edit" and not NOT_CODE.search(e.text)}
