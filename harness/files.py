"""Atomic writes, TOML and digests of files. Standard library only, because the runner uses this module."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any


def write_whole(path: Path, text: str) -> None:
    """Write a file atomically: a reader sees either the old content or all of the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    with partial.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def write_json(path: Path, value: Any) -> None:
    write_whole(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def parse_toml(text: str) -> dict[str, Any]:
    """The content of a TOML document; raises ValueError if it is invalid."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    content: dict[str, Any] = tomllib.loads(text)
    return content


def read_regular(path: Path) -> str:
    """The text of a regular file.

    Raises:
        OSError: there is none, or it is a pipe or a device, which might never end.
        UnicodeDecodeError: it is not UTF-8 (a byte order mark is left out).
    """
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is not a regular file")
    return path.read_text(encoding="utf-8-sig")


def remove_tree(folder: Path) -> None:
    """Remove a folder, however deep its folders are nested and whatever their permissions are."""
    try:
        shutil.rmtree(folder)
    except (RecursionError, OSError):
        _remove_flat(folder)


def _remove_flat(folder: Path) -> None:
    """Remove a folder level by level: what lies in its folders is moved up, so that no path grows long."""
    moved = 0
    folder.chmod(0o700)
    while inner := [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]:
        for path in inner:
            path.chmod(0o700)
            for below in list(path.iterdir()):
                moved += 1
                below.rename(folder / f".removed-{moved}")
            path.rmdir()
    for path in list(folder.iterdir()):
        path.unlink()
    folder.rmdir()


def digest_of(path: Path) -> str:
    """One digest for a file or a whole folder, including file names and `__pycache__`, which Python may execute."""
    if not path.is_dir():
        return digest_of_file(path)
    sha = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        sha.update(f"{file.relative_to(path).as_posix()}\0{digest_of_file(file)}\0".encode())
    return sha.hexdigest()


def digest_of_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
