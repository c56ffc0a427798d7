"""Atomic writes, TOML and digests of files. Standard library only, because the runner uses this module."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any


def write_whole(path: Path, text: str) -> None:
    """Write a file atomically: a reader sees either the old content or all of the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    with partial.open("w", encoding="utf-8") as file:
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
