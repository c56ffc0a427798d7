"""`runs/lab.git`: the bare repository with a branch per study."""

from __future__ import annotations

from pathlib import Path

from harness.errors import UnknownName, WorkspaceError
from harness.workspace.commands import call, git_in, readable

KEPT = (".harness", "run_[0-9]*", "plots")
"""What the runs and the harness write: never in git by itself, never cleaned away."""


class Lab:
    """The bare repository that holds every study of a project."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._git = git_in(path.parent, GIT_DIR=str(path))

    def ensure(self) -> None:
        """Make the repository if there is none."""
        if (self.path / "HEAD").exists():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        call(self._git, "init", "--quiet", "--bare", "--initial-branch=studies", str(self.path))
        call(self._git, "config", "gc.auto", "0")
        (self.path / "info").mkdir(exist_ok=True)
        (self.path / "info" / "exclude").write_text("".join(f"/{name}/\n" for name in KEPT) + "__pycache__/\n*.pyc\n")

    def resolve(self, study: str, run: str) -> str:
        """The commit of a study's run: a number, or "template" for where the study began."""
        if run == "template":
            return self._root(study)
        try:
            return call(self._git, "rev-parse", "--verify", "--quiet", f"refs/tags/{study}/run_{run}^{{commit}}")
        except WorkspaceError as error:
            raise UnknownName(f"run of {study}", run, ["template", *self.runs(study)]) from error

    def runs(self, study: str) -> list[str]:
        """Numbers of the tagged runs."""
        tags = call(self._git, "tag", "--list", f"{study}/run_*").split()
        return sorted((tag.rsplit("_", 1)[1] for tag in tags), key=int)

    def diff(self, first: str, second: str, *, color: bool, stat: bool) -> str:
        """Unified diff between two commits, results left out."""
        options = [f"--color={'always' if color else 'never'}", *(["--stat"] if stat else [])]
        return readable(call(self._git, "diff", *options, first, second, "--", ".", ":(exclude,glob)run_[0-9]*/**"))

    def head(self, study: str) -> str:
        return call(self._git, "rev-parse", "--verify", f"refs/heads/{study}")

    def has(self, study: str) -> bool:
        """Whether there is a branch of that name, perhaps of a study whose folder is gone."""
        return (self.path / "HEAD").exists() and bool(call(self._git, "branch", "--list", study))

    def tree_of(self, commit: str) -> str:
        return call(self._git, "rev-parse", f"{commit}^{{tree}}")

    def _root(self, study: str) -> str:
        """The commit that the study began with (marked by a tag when the study is made)."""
        return call(self._git, "rev-parse", "--verify", f"refs/tags/{study}/template^{{commit}}")
