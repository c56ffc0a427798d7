"""A study's git worktree: the files that are checked, run and committed."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import WorkspaceError
from harness.files import remove_tree
from harness.template.code import meaning
from harness.workspace.commands import call, git_in, readable, write_tree
from harness.workspace.desk import Desk
from harness.workspace.lab import KEPT, Lab

if TYPE_CHECKING:
    from harness.template.folder import Template

RESULT = re.compile(r"run_\d+/(final_info|verified|confirmed)\.json")
"""Results are committed by name, with the code that made them."""


@dataclass(frozen=True)
class Change:
    """One path that differs between two trees."""

    path: str
    status: str
    """git's letter: A added, M modified, D deleted, T type changed."""
    mode: str
    """git's file mode after the change; 120000 is a symbolic link, 160000 a nested repository."""


class Workspace:
    """One study's worktree."""

    def __init__(self, lab: Lab, root: Path, template: Template) -> None:
        self.root = root
        self.template = template
        self.study = root.name
        self._lab = lab
        self._place = lab.path / "worktrees" / root.name
        self._git = git_in(root, GIT_DIR=str(self._place), GIT_WORK_TREE=str(root))

    @classmethod
    def create(cls, lab: Lab, root: Path, template: Template) -> Workspace:
        """Make the branch and an empty worktree."""
        lab.ensure()
        plumbing = git_in(lab.path.parent, GIT_DIR=str(lab.path))
        empty = call(plumbing, "hash-object", "-t", "tree", "-w", os.devnull)
        start = call(plumbing, "commit-tree", empty, "-m", f"Study {root.name}")
        call(plumbing, "worktree", "add", "--quiet", "-b", root.name, str(root), start)
        return cls(lab, root, template)

    def discard(self) -> None:
        """Undo `create`, for a study that could not be started."""
        plumbing = git_in(self._lab.path.parent, GIT_DIR=str(self._lab.path))
        shutil.rmtree(self.root, ignore_errors=True)
        call(plumbing, "worktree", "prune")
        call(plumbing, "branch", "-D", self.study)

    def snapshot(self) -> str:
        """The git tree of the worktree as it is now."""
        return write_tree(self._git, self.root)

    def desk(self, root: Path) -> Desk:
        """A place in `root` where an agent can work on this study's files."""
        return Desk(root, self._place)

    def with_results(self, tree: str, names: Iterable[str]) -> str:
        """`tree` with the named files of the worktree, results that git otherwise ignores, added to it."""
        with self._git.custom_environment(GIT_INDEX_FILE=str(self._place / "index.results")):
            call(self._git, "read-tree", tree)
            for name in names:
                if _is_ordinary(self.root / name):
                    blob = call(self._git, "hash-object", "-w", "--no-filters", "--", name)
                    call(self._git, "update-index", "--add", "--cacheinfo", f"100644,{blob},{name}")
            return call(self._git, "write-tree")

    def restore(self, tree: str) -> None:
        """Make the worktree hold exactly `tree`; outputs and `.harness` stay."""
        call(self._git, "read-tree", "--reset", "-u", tree)
        call(self._git, "clean", "-ffdxq", *(f"--exclude=/{name}/" for name in KEPT))
        self._repair_git_file()

    def _repair_git_file(self) -> None:
        """Write the worktree's `.git`, for people who type git there; we never read it."""
        file = self.root / ".git"
        wanted = f"gitdir: {self._place}\n"
        if file.is_symlink() or not file.is_file() or file.read_text(errors="replace") != wanted:
            remove_tree(file) if file.is_dir() and not file.is_symlink() else file.unlink(missing_ok=True)
            file.write_text(wanted)

    def changes(self, before: str, after: str, results: bool = False) -> list[Change]:
        """What differs between two trees; of results of runs only if they are asked for."""
        raw = call(self._git, "diff-tree", "-r", "-z", "--no-renames", before, after)
        parts = raw.split("\0")
        found = []
        for head, path in zip(parts[::2], parts[1::2], strict=False):
            _, mode, _, _, status = head.lstrip(":").split(" ")
            found.append(Change(readable(path), status, mode))
        return [c for c in found if results or not RESULT.fullmatch(c.path)]

    def touched(self, tree: str) -> str:
        """Names of the files that matter to a run and differ from `tree`, or an empty string.

        Files that an editor or a file manager leaves in the study do not matter to a run.
        """
        from harness.template.manifest import executed

        try:
            after = self.snapshot()
        except WorkspaceError as error:  # a run can leave names that git does not take
            return f"files that cannot be kept: {error}"
        changes = self.changes(tree, after) if after != tree else ()
        return ", ".join(c.path for c in changes if executed(c.path) and (c.status != "A" or c.path.endswith(".py")))

    def patch(self, before: str, after: str) -> str:
        """What differs between two trees, for people."""
        return readable(call(self._git, "diff", "--no-color", before, after))

    def exact_patch(self, before: str, after: str) -> bytes:
        """What differs between two trees, for `apply_patch`."""
        patch = call(self._git, "diff", "--no-color", "--binary", "--full-index", before, after)
        return f"{patch}\n".encode("utf-8", "surrogateescape") if patch else b""

    def commit(self, tree: str, parent: str, message: str, at: float) -> str:
        """Commit `tree` on the study's branch. The same arguments give the same commit, so it can be done again."""
        date = {"GIT_AUTHOR_DATE": f"{int(at)} +0000", "GIT_COMMITTER_DATE": f"{int(at)} +0000"}
        with self._git.custom_environment(**date):
            sha = call(self._git, "commit-tree", tree, "-p", parent, "-m", message)
        self.point_at(sha)
        return sha

    def head(self) -> str:
        return self._lab.head(self.study)

    def unlock(self) -> None:
        """Remove the locks of git processes that were killed. The caller must hold the study's own lock."""
        for lock in self._place.glob("*.lock"):
            lock.unlink()

    def point_at(self, commit: str) -> None:
        """Set the branch to the commit that the journal names; a commit that it does not know will be made again."""
        call(self._git, "update-ref", f"refs/heads/{self.study}", commit)

    def tag(self, name: str, commit: str) -> None:
        call(self._git, "update-ref", f"refs/tags/{self.study}/{name}", commit)

    def executed_digest(self) -> str:
        """Digest of the code that a run would execute now: the same for two worktrees that do the same.

        Python files count by their syntax tree, so a comment or a blank line does not make a new experiment.
        """
        sha = hashlib.sha256()
        for path in self.executed_files():
            sha.update(f"{path}\0{_meaning(self.root / path)}\0".encode())
        return sha.hexdigest()

    def executed_files(self) -> list[str]:
        """Names of the files in the worktree that take part in a run."""
        from harness.template.manifest import executed  # here, so that `harness diff` starts without pydantic

        names = call(self._git, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
        return sorted(name for name in names if name and executed(name) and not RESULT.fullmatch(name))

    def take_code(self, commit: str) -> str:
        """The worktree with the code of a commit, perhaps another study's; protected files stay."""
        from harness.template.manifest import executed

        names = call(self._git, "ls-tree", "-r", "-z", "--name-only", commit).split("\0")
        code = [n for n in names if n and executed(n) and not RESULT.fullmatch(n) and n not in self.template.protected]
        call(self._git, "checkout", commit, "--", *(f":(literal){name}" for name in code))
        return self.snapshot()

    def with_code_of(self, run: int, tree: str) -> str:
        """`tree` with the code that an earlier run executed; results, notes and plots stay those of `tree`."""
        from harness.template.manifest import executed

        names = call(self._git, "ls-tree", "-r", "-z", "--name-only", tree).split("\0")
        kept = [name for name in names if name and (RESULT.fullmatch(name) or not executed(name))]
        self.restore(self._lab.tree_of(self._lab.resolve(self.study, str(run))))
        if kept:
            call(self._git, "checkout", tree, "--", *(f":(literal){name}" for name in kept))
        return self.snapshot()


def _meaning(path: Path) -> str:
    return meaning(path.read_bytes() if path.is_file() else b"", python=path.suffix == ".py")


def _is_ordinary(path: Path) -> bool:
    """A file in a folder, neither of them a link that leads elsewhere."""
    return path.is_file() and not path.is_symlink() and not path.parent.is_symlink()
