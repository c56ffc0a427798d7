"""Files that are locked for as long as a process lives, and say which. Standard library only.

The kernel frees such a lock when its holder dies, however it dies; a file with a process number in it does not.
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
    """Hold the lock and write our process number into it; gives False, at once, where another process holds it."""
    with path.open("a+") as lock:
        if not any(_taken(lock) for _ in range(3)):
            yield False
            return
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield True
        finally:
            lock.truncate(0)


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(0.02)  # it may only be `holder` having a look
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
        number = path.read_text()
        if number:
            return int(number)
        time.sleep(0.005)  # taken a moment ago, the number is being written
        return holder(path)
    return None
