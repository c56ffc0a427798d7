"""The paths of everything in a project and in a study."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.errors import UnknownName, UserError


@dataclass(frozen=True)
class ProjectPaths:
    """A folder that holds `templates/`, `baselines/` and `runs/`."""

    root: Path

    @classmethod
    def find(cls, start: Path) -> ProjectPaths:
        """The nearest folder at or above `start` that has `templates/`."""
        for folder in (start.resolve(), *start.resolve().parents):
            if (folder / "templates").is_dir():
                return cls(folder)
        raise UserError(
            f"no templates/ folder at or above {start.resolve()}; run this inside a project, a folder that holds "
            "templates/NAME with your experiment, or name one with --project"
        )

    @property
    def settings(self) -> Path:
        """Optional settings of executors."""
        return self.root / "harness.toml"

    @property
    def templates(self) -> Path:
        return self.root / "templates"

    @property
    def baselines(self) -> Path:
        return self.root / "baselines"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def environments(self) -> Path:
        """Environments built for templates; if deleted, they are rebuilt when needed."""
        return self.runs / "environments"

    def baselines_of(self, machine: str) -> Path:
        """Baselines measured on a different kind of machine than the stored ones; `machine` is its digest."""
        return self.runs / "baselines" / machine

    @property
    def lab(self) -> Path:
        return self.runs / "lab.git"

    def studies(self) -> list[str]:
        """Names of all studies, oldest first."""
        return sorted(journal.parent.parent.name for journal in self.runs.glob("*/.harness/journal.jsonl"))

    def study_paths(self, name: str) -> StudyPaths:
        return StudyPaths(self.runs / name)

    def study(self, name: str) -> StudyPaths:
        """The study with this name, or with this unique prefix or suffix."""
        known = self.studies()
        fits = [s for s in known if s == name] or [s for s in known if s.startswith(name) or s.endswith(name)]
        if len(fits) != 1 or not name:
            raise UnknownName("study", name, fits or known)
        return self.study_paths(fits[0])


@dataclass(frozen=True)
class StudyPaths:
    """A study's worktree and the `.harness` folder in it, which is not in git; an agent works on a copy without it."""

    root: Path

    @property
    def name(self) -> str:
        return self.root.name

    @property
    def private(self) -> Path:
        return self.root / ".harness"

    @property
    def journal(self) -> Path:
        return self.private / "journal.jsonl"

    @property
    def lock(self) -> Path:
        return self.private / "lock"

    @property
    def heartbeat(self) -> Path:
        """The current activity of the controller that works on the study."""
        return self.private / "heartbeat.json"

    @property
    def pinned(self) -> Path:
        """The template as it was when the study began; evaluators run from here."""
        return self.private / "template"

    @property
    def recording(self) -> Path:
        return self.private / "recording.jsonl"

    @property
    def turns(self) -> Path:
        """Every turn as it was recorded at the agent's seam."""
        return self.private / "turns.jsonl"

    @property
    def desk(self) -> Path:
        """Where the agent works: a copy of the study's files."""
        return self.private / "desk"

    def conversation(self, calls: int) -> Path:
        """The conversation between agent and model after that many counted model calls."""
        return self.private / "conversation" / f"{calls:04d}.json"

    def call(self, number: int) -> Path:
        return self.private / "calls" / f"{number:04d}.md"

    def prompt(self, turn: int) -> Path:
        return self.private / "prompts" / f"{turn:04d}.md"

    def rejected(self, turn: int) -> Path:
        return self.private / "rejected" / f"{turn:04d}.patch"

    def run(self, number: int) -> Path:
        return self.root / f"run_{number}"

    @property
    def plots(self) -> Path:
        return self.root / "plots"

    def failed_output(self, run: int, attempt: int) -> Path:
        """What a failed attempt saved."""
        return self.job(f"run_{run}-attempt_{attempt}") / "out"

    def job(self, name: str) -> Path:
        return self.private / "jobs" / name
