"""The current activity of a study's controller: a small file that it keeps rewriting."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

from pydantic import ValidationError

from harness.records import Record

EVERY = 1.0
"""Seconds between two writes of the same activity."""


class Heartbeat(Record):
    """A controller's activity at its last write."""

    host: str
    pid: int
    what: str
    """Such as "run 2, attempt 1"."""
    since: float
    """When that began, in seconds since the epoch."""
    at: float
    """When this was written."""
    last_line: str = ""
    """The last line that the job printed."""


class Pulse:
    """Writes the heartbeat of one study."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._what = ""
        self._since = self._written = 0.0

    def beat(self, what: str, last_line: str = "") -> None:
        """Write the current activity; repetitions within EVERY seconds are skipped."""
        now = time.time()
        if what == self._what and now - self._written < EVERY:
            return
        if what != self._what:
            self._what, self._since = what, now
        self._written = now
        beat = Heartbeat(
            host=platform.node(), pid=os.getpid(), what=what, since=self._since, at=now, last_line=last_line[:300]
        )
        partial = self._path.with_suffix(".part")
        try:
            partial.write_text(beat.model_dump_json(), encoding="utf-8")
            partial.replace(self._path)
        except OSError:
            pass  # informational only; a full disk is reported elsewhere


def read_heartbeat(path: Path) -> Heartbeat | None:
    """The last heartbeat, or None if there is none or it cannot be read."""
    try:
        return Heartbeat.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
