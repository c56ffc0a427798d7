"""Where an agent works: a copy of a study's files. The study accepts all that was changed there, or nothing of it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from harness.errors import WorkspaceError
from harness.files import remove_tree
from harness.text import has_hidden, printable
from harness.workspace.commands import call, git_in
from harness.workspace.lab import KEPT

MOST_FILES = 5_000
MOST_BYTES = 64 * 2**20
MOST_DEEP = 50
"""A desk with more than that is not read."""
IGNORED = ("__pycache__", "*.pyc")
BLOCKED = "This folder is a copy of a study's files. Its history is kept elsewhere.\n"
"""Content of the desk's `.git`: git commands of the agent end here instead of finding a repository above."""


@dataclass(frozen=True)
class Taken:
    """What was found on a desk."""

    tree: str
    """Git tree of the regular files."""
    problems: tuple[str, ...] = ()
    """What the study cannot take: the edit is then rejected."""


class Desk:
    """A folder that is laid out anew for each turn.

    Protected files are read-only there. This is a reminder for the agent; the guard is the scope check. The files are
    read without git's rules (ignored files, attributes, nested repositories), which the agent could change.
    """

    def __init__(self, root: Path, place: Path) -> None:
        """`place` is the folder where git keeps the study's index."""
        self.root = root
        self._index = place / "index.desk"
        self._git = git_in(root, GIT_DIR=str(place), GIT_WORK_TREE=str(root), GIT_INDEX_FILE=str(self._index))
        self._laid_out = ""

    def lay_out(self, tree: str, protected: Iterable[str]) -> None:
        """Make the desk hold exactly `tree`, whatever was there."""
        self.remove()
        self.root.mkdir(parents=True)
        for left in (self._index, self._index.with_name("index.desk.lock")):
            left.unlink(missing_ok=True)
        call(self._git, "read-tree", "--reset", "-u", tree)
        (self.root / ".git").write_text(BLOCKED)
        for name in protected:
            path = self.root / name
            if path.is_file() and not path.is_symlink():
                path.chmod(path.stat().st_mode & ~0o222)
        self._laid_out = tree

    def take(self) -> Taken:
        """Read what is on the desk now. Outputs of runs are left out, unless they were laid out."""
        if self.root.is_symlink() or not self.root.is_dir():
            return Taken(self._laid_out, ("the folder that you work in is gone",))
        known = set(call(self._git, "ls-files", "-z").split("\0"))
        files: list[tuple[str, str]] = []
        problems: list[str] = []
        size = 0
        if _is_too_deep(self.root):
            return Taken(self._laid_out, (f"folders are nested more than {MOST_DEEP} deep where you work",))
        for path, status in _entries(self.root, ""):
            if path not in known and _is_output(path):
                continue
            problem = _why_not_take(path, status)
            size += 0 if problem else status.st_size
            if len(files) + len(problems) >= MOST_FILES or size > MOST_BYTES:
                limit = f"{MOST_FILES:,} files or {MOST_BYTES // 2**20} MiB"
                return Taken(self._laid_out, (f"there is too much in the folder that you work in: more than {limit}",))
            if problem:
                problems.append(f"{printable(path)}: {problem}")
            else:
                files.append((path, "100755" if status.st_mode & stat.S_IXUSR else "100644"))
        try:
            return Taken(self._write(files), tuple(problems))
        except (WorkspaceError, OSError) as error:
            return Taken(self._laid_out, (f"the folder that you work in cannot be read: {error}",))

    def _write(self, files: list[tuple[str, str]]) -> str:
        """The git tree of these files: paths with git's modes."""
        paths = "".join(f"{path}\n" for path, _ in files)
        blobs = call(self._git, "hash-object", "-w", "--no-filters", "--stdin-paths", given=paths)
        entries = zip(files, blobs.split(), strict=True)
        call(self._git, "read-tree", "--empty")
        listed = "".join(f"{mode} {blob}\t{path}\0" for (path, mode), blob in entries)
        call(self._git, "update-index", "-z", "--index-info", given=listed)
        return call(self._git, "write-tree")

    def remove(self) -> None:
        """Remove the desk, even if folders in it were made read-only."""
        if self.root.is_symlink() or self.root.is_file():
            self.root.unlink()
        if self.root.exists():
            remove_tree(self.root)


def _is_too_deep(root: Path) -> bool:
    """Whether folders are nested more than MOST_DEEP deep."""
    top = len(root.parts)
    return any(len(Path(folder).parts) - top > MOST_DEEP for folder, _, _ in os.walk(root))


def _entries(folder: Path, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    """Everything below a folder but folders, without following links: path relative to the desk, and its status."""
    for entry in sorted(os.scandir(folder), key=lambda e: e.name):
        path = f"{prefix}{entry.name}"
        if path == ".git" or any(fnmatchcase(entry.name, pattern) for pattern in IGNORED):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(Path(entry.path), f"{path}/")
        else:
            yield path, entry.stat(follow_symlinks=False)


def _is_output(path: str) -> bool:
    """Whether it lies where runs and plots are written: trying the experiment on the desk is no edit."""
    first, inside, _ = path.partition("/")
    return bool(inside) and any(fnmatchcase(first, pattern) for pattern in KEPT)


def _why_not_take(path: str, status: os.stat_result) -> str | None:
    """Why a study cannot hold such a file, or None."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return "has a name that is not UTF-8"
    if has_hidden(path):
        return "has a control or other invisible character in its name"
    if any(re.fullmatch(r"\.git|git~\d+", part, re.IGNORECASE) for part in path.split("/")):
        return "belongs to a git repository inside the study; only ordinary folders are allowed"
    if stat.S_ISLNK(status.st_mode):
        return "is a symbolic link; only regular files are allowed"
    return None if stat.S_ISREG(status.st_mode) else "is not a regular file"
