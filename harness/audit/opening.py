"""Opens files and folders that are not trusted: no links, no devices, and limits on sizes. What is left out is said."""

from __future__ import annotations

import os
import stat
from itertools import islice
from pathlib import Path

from harness.audit.records import Text
from harness.audit.words import tame


class Unusable(Exception):
    """A file that is skipped; the message says why."""


def entries_of(folder: Path, shown: str, limit: int, skipped: list[str]) -> dict[str, os.DirEntry[str]]:
    """The entries of a folder by name, sorted; no more than the limit."""
    with os.scandir(folder) as entries:
        found = list(islice(entries, limit))
        if more := sum(1 for _ in entries):
            skipped.append(f"{shown}: only {limit:,} of {limit + more:,} entries were checked")
    return {entry.name: entry for entry in sorted(found, key=lambda entry: entry.name)}


def read_text(folder: Path, name: str, limit: int, skipped: list[str]) -> Text | None:
    """A text file, with bytes that are not UTF-8 replaced; a file that is not text is skipped."""
    shown = tame(name)
    try:
        content = read_bytes(folder / name, limit)
        if b"\0" in content[:8192]:
            raise Unusable("is not text, skipped")
        return Text(name=shown, content=content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        skipped.append(f"{shown}: is not valid UTF-8; invalid bytes were replaced")
        return Text(name=shown, content=content.decode("utf-8", "replace"))
    except (Unusable, OSError) as error:
        skipped.append(f"{shown}: {reason(error)}")
        return None


def read_bytes(path: Path, limit: int) -> bytes:
    """The content of a regular file of limited size; links and devices are not opened."""
    if path.is_symlink():
        raise Unusable("a link, not followed")
    with open(path, "rb", opener=_open_safely) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise Unusable("is not a regular file, skipped")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise Unusable(f"larger than {limit >> 20} MiB, skipped")
    return content


def _open_safely(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def reason(error: Exception) -> str:
    return tame(str(error.strerror if isinstance(error, OSError) and error.strerror else error))
