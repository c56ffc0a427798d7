"""What the chat with the coding agent and the log show: results, applied edits, failed launches. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Literal

from harness.audit.records import Text
from harness.audit.words import tame
from harness.text import clean

_COMPLETED = re.compile(r"^(?:#### )?Run (\d{1,4}) completed\. Here are the results")
_FAILED = re.compile(r"^#### Run failed with the following error")
_TIMED_OUT = re.compile(r"^#### Run (timed out after \S{1,20} seconds)")
_EDIT = re.compile(r"^> Applied edit to (\S.*)")
_PLOTS = re.compile(r"^#### Great job! Please modify")
_LOG_FAILED = re.compile(r"^Run (\d{1,4}) (failed with return code \S{1,20}|timed out after \S{1,20} seconds)\s*$")
_TRACEBACK = "Traceback (most recent call last):"
_EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Iteration)\b")
NOT_CODE = re.compile(r"(^|/)(notes\.txt|plot\.py)$|\.(tex|bib|md|txt|csv|json|png|pdf)$")
"""Files that do not affect a run."""
SNAPSHOTTED = "experiment.py"
"""The only file in a run's snapshot."""

EVENTS = 5_000
"""Maximum number of events read from an idea's chats, and from its log; a long chat has a hundred."""


@dataclass(frozen=True)
class Event:
    """One event in a chat or a log."""

    kind: Literal["completed", "failed", "traceback", "edit", "plots"]
    file: str
    line: int
    run: int | None = None
    text: str = ""
    """The file of an edit, the error of a failure."""


@dataclass(frozen=True)
class Story:
    """The first events, in order."""

    events: Sequence[Event] = ()
    left_out: int = 0
    """The number of events after these."""
    whole: bool = True
    """Whether these are certainly all events."""

    def cut(self, where: str) -> list[str]:
        """A message about the events left out, if any."""
        total = len(self.events) + self.left_out
        return [f"{where}: only the first {EVENTS:,} of {total:,} events were read"] if self.left_out else []


def read_chats(chats: Sequence[Text], whole: bool) -> Story:
    """The events in aider chat histories; `whole`: no history is missing."""
    return _story(_chat_events(chats), whole)


def read_log(log: Text) -> Story:
    """Launches that a log says failed, and its tracebacks."""
    return _story(_log_events(log))


def _story(events: Iterator[Event], whole: bool = True) -> Story:
    first, left_out = list(islice(events, EVENTS)), sum(1 for _ in events)
    return Story(first, left_out, whole and not left_out)


def _chat_events(chats: Sequence[Text]) -> Iterator[Event]:
    run = 1
    for chat in chats:
        lines, read = chat.content.split("\n"), 0
        for number, line in enumerate(lines, 1):
            if number <= read:
                continue
            if match := _COMPLETED.match(line):
                run = int(match[1]) + 1
                yield Event("completed", chat.name, number, int(match[1]))
            elif match := _TIMED_OUT.match(line):
                yield Event("failed", chat.name, number, run, tame(match[1]))
            elif match := _FAILED.match(line):
                block = _quoted(lines, number)
                read = number + len(block)
                yield Event("failed", chat.name, number, run, _error([line[match.end() :], *block]))
            elif match := _EDIT.match(line):
                yield Event("edit", chat.name, number, text=tame(match[1]))
            elif _PLOTS.match(line):
                yield Event("plots", chat.name, number)


def _quoted(lines: Sequence[str], start: int) -> list[str]:
    """The rest of a prompt; the chat history marks each line of one with `####`."""
    rest = (lines[i] for i in range(start, len(lines)))
    return [line[5:].rstrip() for line in takewhile(lambda line: line.startswith("####"), rest)]


def _error(lines: list[str]) -> str:
    """The line of a traceback with the exception, otherwise the last line that is not blank."""
    said = [line for line in clean("\n".join(lines)) if line.strip()]
    raised = [line for line in said if _EXCEPTION.match(line)]
    return tame((raised or said or ["an error without a message"])[-1], 200)


def _log_events(log: Text) -> Iterator[Event]:
    start, error = 0, ""
    for number, line in enumerate(log.content.split("\n"), 1):
        if line.rstrip().endswith(_TRACEBACK):
            start, error = number, ""
        elif start and not error and _EXCEPTION.match(line):
            error = _error([line])
            yield Event("traceback", log.name, start, text=f"a traceback: {error}")
        elif match := _LOG_FAILED.match(line):
            yield Event("failed", log.name, number, int(match[1]), f"{match[2]}{f': {error}' if error else ''}")
            start, error = 0, ""


def failures(chat: Story | None, log: Story) -> list[Event]:
    """Failed launches, from the chat or the log, whichever shows more.

    A traceback that is only in the log may come from a plot, so it counts only if there is no chat.
    """
    in_log = [event for event in log.events if event.kind == "failed"]
    if chat is None:
        return in_log or list(log.events)
    in_chat = [event for event in chat.events if event.kind == "failed"]
    return in_log if len(in_log) > len(in_chat) else in_chat


def edited_between(chat: Story | None, first: int, last: int) -> set[str] | None:
    """Code files edited after the result of run `first` and before that of run `last`; None if the chat cannot tell.

    Run 0 is the baseline: its result exists before the chat begins.
    """
    if chat is None or not chat.whole:
        return None
    results = {event.run: i for i, event in enumerate(chat.events) if event.kind == "completed"}
    if not results or (first and first not in results):
        return None
    start = results[first] + 1 if first else 0
    plots = next((i for i, event in enumerate(chat.events) if event.kind == "plots" and i >= start), len(chat.events))
    inside = chat.events[start : results.get(last, plots)]
    return {event.text for event in inside if event.kind == "edit" and not NOT_CODE.search(event.text)}
