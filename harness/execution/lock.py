"""Lock files that are held for the lifetime of a process and name it. Standard library only.

The kernel releases such a lock however its holder dies; a plain PID file would stay behind.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold the lock and write our process id into it; yields False at once if another process holds it."""
    with path.open("a+") as lock:
        if not any(_acquire(lock) for _ in range(3)):
            yield False
            return
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield True
        finally:
            lock.truncate(0)


def _acquire(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(0.02)  # perhaps `holder` is just checking the lock
        return False
    return True


def holder(path: Path) -> int | None:
    """The process that holds the lock, or None."""
    try:
        with path.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        pid = path.read_text()
        if pid:
            return int(pid)
        time.sleep(0.005)  # just acquired; the process id is still being written
        return holder(path)
    return None
