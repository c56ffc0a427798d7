"""The journal file: one event per line, flushed to disk before anything depends on it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from harness.errors import JournalCorrupt, UserError
from harness.paths import StudyPaths
from harness.state.events import EVENTS, AnyEvent
from harness.state.history import History


def read(path: Path) -> list[AnyEvent]:
    """All events. A torn last line (without a newline, because the writer died) is ignored.

    Raises:
        JournalCorrupt: any other line cannot be read; the message names file and line.
    """
    *lines, _torn = path.read_bytes().split(b"\n")
    try:
        events = EVENTS.validate_json(b"[" + b",".join(lines) + b"]")
    except ValidationError:
        events = []
    if len(events) == len(lines):
        return events
    return [_event(path, number, line) for number, line in enumerate(lines, 1)]  # slower, but names the line


def _event(path: Path, number: int, line: bytes) -> AnyEvent:
    try:
        (event,) = EVENTS.validate_json(b"[" + line + b"]")
        return event
    except ValueError as error:  # includes pydantic's ValidationError
        what = error.errors(include_url=False)[0]["msg"] if isinstance(error, ValidationError) else "not one event"
        raise JournalCorrupt(f"{path}, line {number}: not an event ({what}); nothing was changed") from error


def fold(path: Path) -> History:
    """The state after a journal's events; without events, that of a study that never started.

    Raises:
        JournalCorrupt: see `read`; or the events are inconsistent.
    """
    events = read(path)
    try:
        return History(events)
    except (KeyError, AssertionError) as error:
        raise JournalCorrupt(f"{path}: its events are inconsistent; nothing was changed") from error


def history(paths: StudyPaths) -> History:
    """The state of a study.

    Raises:
        JournalCorrupt: see `fold`.
        UserError: the controller died before the study started.
    """
    found = fold(paths.journal)
    if found.start is None:
        raise UserError(f"{paths.name} never started: {paths.journal} has no events; delete {paths.root}")
    return found


class Journal:
    """The journal of a study that this process works on; remembers what it read and wrote."""

    def __init__(self, path: Path) -> None:
        """Open for appending. A torn last line is cut off, so that the next event starts on a new line.

        Raises:
            JournalCorrupt: a complete line cannot be read; the file is not modified.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self.events: list[AnyEvent] = read(path) if path.exists() else []
        self._file = path.open("ab+", buffering=0)
        self._file.seek(0)
        whole = self._file.read().rfind(b"\n") + 1
        self._file.truncate(whole)

    def append(self, event: AnyEvent) -> None:
        """Write an event and flush it to disk.

        Raises:
            OSError: it could not be written completely (full disk); the journal is unchanged.
        """
        line = event.model_dump_json().encode() + b"\n"
        before = self._file.seek(0, os.SEEK_END)
        try:
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(before)
            raise
        self.events.append(event)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
