"""A study's git worktree: the only module that imports git.

`runs/lab.git` is a bare repository with a branch per study. Git is told where the repository and the worktree are, so
that nothing written into the worktree (a `.git`, a `.gitattributes`, a hook) can lead it elsewhere, and it reads
nobody's configuration.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import git

from harness.errors import UnknownName, WorkspaceError
from harness.template.code import meaning

if TYPE_CHECKING:
    from harness.template.folder import Template

OUR_NAME = "harness"
OUR_MAIL = "harness@localhost"
KEPT = (".harness", "run_[0-9]*", "plots")
"""What the runs and the harness write: never in git by itself, never cleaned away."""
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


def _git(folder: Path, **environment: str) -> git.Git:
    command = git.Git(folder)
    command.update_environment(
        GIT_CONFIG_GLOBAL=os.devnull,
        GIT_CONFIG_NOSYSTEM="1",
        GIT_CONFIG_COUNT="3",
        GIT_CONFIG_KEY_0="core.hooksPath",
        GIT_CONFIG_VALUE_0=os.devnull,
        GIT_CONFIG_KEY_1="core.quotePath",
        GIT_CONFIG_VALUE_1="false",
        GIT_CONFIG_KEY_2="core.attributesFile",
        GIT_CONFIG_VALUE_2=os.devnull,
        GIT_AUTHOR_NAME=OUR_NAME,
        GIT_AUTHOR_EMAIL=OUR_MAIL,
        GIT_COMMITTER_NAME=OUR_NAME,
        GIT_COMMITTER_EMAIL=OUR_MAIL,
        GIT_TERMINAL_PROMPT="0",
        **environment,
    )
    return command


class Lab:
    """The bare repository that holds every study of a project."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._git = _git(path.parent, GIT_DIR=str(path))

    def ensure(self) -> None:
        """Make the repository if there is none."""
        if (self.path / "HEAD").exists():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        _call(self._git, "init", "--quiet", "--bare", "--initial-branch=studies", str(self.path))
        _call(self._git, "config", "gc.auto", "0")
        (self.path / "info").mkdir(exist_ok=True)
        (self.path / "info" / "exclude").write_text("".join(f"/{name}/\n" for name in KEPT) + "__pycache__/\n*.pyc\n")

    def resolve(self, study: str, run: str) -> str:
        """The commit of a study's run: a number, or "template" for where the study began."""
        if run == "template":
            return self._root(study)
        try:
            return _call(self._git, "rev-parse", "--verify", "--quiet", f"refs/tags/{study}/run_{run}^{{commit}}")
        except WorkspaceError as error:
            raise UnknownName(f"run of {study}", run, ["template", *self.runs(study)]) from error

    def runs(self, study: str) -> list[str]:
        """Numbers of the tagged runs."""
        tags = _call(self._git, "tag", "--list", f"{study}/run_*").split()
        return sorted((tag.rsplit("_", 1)[1] for tag in tags), key=int)

    def diff(self, first: str, second: str, *, color: bool, stat: bool) -> str:
        """Unified diff between two commits, results left out."""
        options = [f"--color={'always' if color else 'never'}", *(["--stat"] if stat else [])]
        return _readable(_call(self._git, "diff", *options, first, second, "--", ".", ":(exclude,glob)run_[0-9]*/**"))

    def head(self, study: str) -> str:
        return _call(self._git, "rev-parse", "--verify", f"refs/heads/{study}")

    def has(self, study: str) -> bool:
        """Whether there is a branch of that name, perhaps of a study whose folder is gone."""
        return (self.path / "HEAD").exists() and bool(_call(self._git, "branch", "--list", study))

    def tree_of(self, commit: str) -> str:
        return _call(self._git, "rev-parse", f"{commit}^{{tree}}")

    def _root(self, study: str) -> str:
        """The commit that the study began with (marked by a tag when the study is made)."""
        return _call(self._git, "rev-parse", "--verify", f"refs/tags/{study}/template^{{commit}}")


class Workspace:
    """One study's worktree."""

    def __init__(self, lab: Lab, root: Path, template: Template) -> None:
        self.root = root
        self.template = template
        self.study = root.name
        self._lab = lab
        self._place = lab.path / "worktrees" / root.name
        self._git = _git(root, GIT_DIR=str(self._place), GIT_WORK_TREE=str(root))

    @classmethod
    def create(cls, lab: Lab, root: Path, template: Template) -> Workspace:
        """Make the branch and an empty worktree."""
        lab.ensure()
        plumbing = _git(lab.path.parent, GIT_DIR=str(lab.path))
        empty = _call(plumbing, "hash-object", "-t", "tree", "-w", os.devnull)
        start = _call(plumbing, "commit-tree", empty, "-m", f"Study {root.name}")
        _call(plumbing, "worktree", "add", "--quiet", "-b", root.name, str(root), start)
        return cls(lab, root, template)

    def discard(self) -> None:
        """Undo `create`: for a study that could not be begun."""
        plumbing = _git(self._lab.path.parent, GIT_DIR=str(self._lab.path))
        shutil.rmtree(self.root, ignore_errors=True)
        _call(plumbing, "worktree", "prune")
        _call(plumbing, "branch", "-D", self.study)

    def snapshot(self) -> str:
        """The git tree of the worktree as it is now."""
        try:
            _call(self._git, "add", "--all", ".")
        except WorkspaceError:  # a repository without a commit inside the worktree: make it a plain folder
            for nested in self.root.glob("*/**/.git"):
                shutil.rmtree(nested) if nested.is_dir() and not nested.is_symlink() else nested.unlink()
            _call(self._git, "add", "--all", ".")
        return _call(self._git, "write-tree")

    def with_results(self, tree: str, names: Iterable[str]) -> str:
        """`tree` with the named files of the worktree, results that git otherwise ignores, added to it."""
        with self._git.custom_environment(GIT_INDEX_FILE=str(self._place / "index.results")):
            _call(self._git, "read-tree", tree)
            for name in names:
                if _is_ordinary(self.root / name):
                    blob = _call(self._git, "hash-object", "-w", "--no-filters", "--", name)
                    _call(self._git, "update-index", "--add", "--cacheinfo", f"100644,{blob},{name}")
            return _call(self._git, "write-tree")

    def restore(self, tree: str) -> None:
        """Make the worktree hold exactly `tree`; outputs and `.harness` stay."""
        _call(self._git, "read-tree", "--reset", "-u", tree)
        _call(self._git, "clean", "-ffdxq", *(f"--exclude=/{name}/" for name in KEPT))
        self._mend_git_file()

    def _mend_git_file(self) -> None:
        """The worktree's `.git` is for people who type git there; we never read it."""
        file = self.root / ".git"
        wanted = f"gitdir: {self._place}\n"
        if file.is_symlink() or not file.is_file() or file.read_text(errors="replace") != wanted:
            shutil.rmtree(file) if file.is_dir() and not file.is_symlink() else file.unlink(missing_ok=True)
            file.write_text(wanted)

    def changes(self, before: str, after: str) -> list[Change]:
        """What differs between two trees, results of runs left out."""
        raw = _call(self._git, "diff-tree", "-r", "-z", "--no-renames", before, after)
        parts = raw.split("\0")
        found = []
        for head, path in zip(parts[::2], parts[1::2], strict=False):
            _, mode, _, _, status = head.lstrip(":").split(" ")
            found.append(Change(_readable(path), status, mode))
        return [c for c in found if not RESULT.fullmatch(c.path)]

    def touched(self, tree: str) -> str:
        """Names of the files that matter to a run and differ from `tree`, or an empty string.

        What an editor or a file manager leaves behind while somebody looks at the study does not matter to a run.
        """
        from harness.template.manifest import executed

        after = self.snapshot()
        changes = self.changes(tree, after) if after != tree else ()
        return ", ".join(c.path for c in changes if executed(c.path) and (c.status != "A" or c.path.endswith(".py")))

    def patch(self, before: str, after: str) -> str:
        return _readable(_call(self._git, "diff", "--no-color", before, after))

    def commit(self, tree: str, parent: str, message: str, at: float) -> str:
        """Commit `tree` on the study's branch. The same arguments give the same commit, so it can be done again."""
        date = {"GIT_AUTHOR_DATE": f"{int(at)} +0000", "GIT_COMMITTER_DATE": f"{int(at)} +0000"}
        with self._git.custom_environment(**date):
            sha = _call(self._git, "commit-tree", tree, "-p", parent, "-m", message)
        self.point_at(sha)
        return sha

    def head(self) -> str:
        return self._lab.head(self.study)

    def unlock(self) -> None:
        """Remove the lock that a git left that was killed; only for whoever holds the study's own lock."""
        Path(_call(self._git, "rev-parse", "--path-format=absolute", "--git-path", "index.lock")).unlink(
            missing_ok=True
        )

    def point_at(self, commit: str) -> None:
        """Put the branch where the journal says it is; a commit that the journal does not know is made again."""
        _call(self._git, "update-ref", f"refs/heads/{self.study}", commit)

    def tag(self, name: str, commit: str) -> None:
        _call(self._git, "update-ref", f"refs/tags/{self.study}/{name}", commit)

    def executed_digest(self) -> str:
        """Digest of the code that a run would execute now: the same for two worktrees that do the same.

        Python files count by their syntax tree, so a comment or a blank line makes no new experiment.
        """
        sha = hashlib.sha256()
        for path in self.executed_files():
            sha.update(f"{path}\0{_meaning(self.root / path)}\0".encode())
        return sha.hexdigest()

    def executed_files(self) -> list[str]:
        """Names of the files in the worktree that take part in a run."""
        from harness.template.manifest import executed  # here, so that `harness diff` starts without pydantic

        names = _call(self._git, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
        return sorted(name for name in names if name and executed(name) and not RESULT.fullmatch(name))

    def take_code(self, commit: str) -> str:
        """The worktree with the code of a commit, perhaps another study's; protected files stay."""
        from harness.template.manifest import executed

        names = _call(self._git, "ls-tree", "-r", "-z", "--name-only", commit).split("\0")
        code = [n for n in names if n and executed(n) and not RESULT.fullmatch(n) and n not in self.template.protected]
        _call(self._git, "checkout", commit, "--", *(f":(literal){name}" for name in code))
        return self.snapshot()

    def with_code_of(self, run: int, tree: str) -> str:
        """`tree` with the code that an earlier run executed; results, notes and plots stay those of `tree`."""
        from harness.template.manifest import executed

        names = _call(self._git, "ls-tree", "-r", "-z", "--name-only", tree).split("\0")
        kept = [name for name in names if name and (RESULT.fullmatch(name) or not executed(name))]
        self.restore(self._lab.tree_of(self._lab.resolve(self.study, str(run))))
        if kept:
            _call(self._git, "checkout", tree, "--", *(f":(literal){name}" for name in kept))
        return self.snapshot()


def _meaning(path: Path) -> str:
    return meaning(path.read_bytes() if path.is_file() else b"", python=path.suffix == ".py")


def _is_ordinary(path: Path) -> bool:
    """A file in a folder, neither of them a link that leads elsewhere."""
    return path.is_file() and not path.is_symlink() and not path.parent.is_symlink()


def _readable(text: str) -> str:
    """Text that can be printed and stored: bytes that were no UTF-8 become a question mark."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _call(command: git.Git, *arguments: str) -> str:
    try:
        return str(command.execute(["git", *arguments]))
    except git.GitCommandError as error:
        raise WorkspaceError(f"git {arguments[0]} failed: {str(error.stderr).strip() or error}") from error
    except git.GitCommandNotFound as error:
        raise WorkspaceError("git is not installed, or not on the PATH") from error
