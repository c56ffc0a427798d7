"""Where an agent works: a copy of a study's files, so that a study takes only what it accepts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from harness.workspace.commands import call, git_in, write_tree


class Desk:
    """A folder that is laid out anew for each turn.

    There is no `.git` and no `.harness` in it. Protected files are read-only: a reminder for the agent, not the guard,
    which is the scope check.
    """

    def __init__(self, root: Path, place: Path) -> None:
        """`place` is where git keeps the study's index."""
        self.root = root
        self._index = place / "index.desk"
        self._git = git_in(root, GIT_DIR=str(place), GIT_WORK_TREE=str(root), GIT_INDEX_FILE=str(self._index))

    def lay_out(self, tree: str, protected: Iterable[str]) -> None:
        """Make the desk hold exactly `tree`, whatever was there."""
        _remove(self.root)
        self.root.mkdir(parents=True)
        for left in (self._index, self._index.with_suffix(".desk.lock")):
            left.unlink(missing_ok=True)
        call(self._git, "read-tree", "--reset", "-u", tree)
        for name in protected:
            path = self.root / name
            if path.is_file() and not path.is_symlink():
                path.chmod(path.stat().st_mode & ~0o222)

    def snapshot(self) -> str:
        """The git tree of what is on the desk now."""
        return write_tree(self._git, self.root)


def _remove(root: Path) -> None:
    """Remove a folder, also one in which somebody has made folders read-only."""
    if root.is_symlink() or root.is_file():
        root.unlink()
    for folder, _, _ in os.walk(root):
        Path(folder).chmod(0o700)
    if root.exists():
        shutil.rmtree(root)
