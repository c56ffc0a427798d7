"""What the runner is asked to do and what it answers: two small files in a job's folder. Standard library.

Plain dataclasses, because the runner starts once per launch and must start fast.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Ending = Literal["exited", "timeout", "memory", "cancelled", "cannot-start", "lost"]


@dataclass(frozen=True)
class Job:
    """One process to run under limits. Every path is absolute."""

    folder: str
    """Holds job.json, result.json, log.txt and lock; the experiment cannot see it."""
    command: list[str]
    cwd: str
    out_dir: str
    """The only folder the process may write to (besides a private /tmp)."""
    env: dict[str, str]
    timeout: float
    """Seconds."""
    memory: int
    """Bytes, over all processes of the job."""
    network: bool = False
    gpus: int = 0
    sandbox: bool = True
    readable: tuple[str, ...] = ()
    """Folders shown to the process read-only."""
    hidden: tuple[str, ...] = ()
    """Folders that are empty for the process, but for what the fields above show of them."""

    @property
    def log(self) -> Path:
        return Path(self.folder) / "log.txt"

    @property
    def result(self) -> Path:
        return Path(self.folder) / "result.json"

    @property
    def lock(self) -> Path:
        return Path(self.folder) / "lock"

    def save(self) -> None:
        Path(self.folder).mkdir(parents=True, exist_ok=True)
        (Path(self.folder) / "job.json").write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, folder: Path) -> Job:
        return cls(**json.loads((folder / "job.json").read_text()))


@dataclass(frozen=True)
class JobResult:
    """How the process ended."""

    ending: Ending
    code: int | None
    seconds: float
    peak_memory: int
    message: str = ""
    machine: dict[str, Any] = field(default_factory=dict)
    """Where it ran, as `machine.describe` says it; empty if nobody was there to say."""

    def save(self, job: Job) -> None:
        beside = job.result.with_suffix(".part")
        beside.write_text(json.dumps(asdict(self), indent=1))
        beside.replace(job.result)

    @classmethod
    def load(cls, path: Path) -> JobResult | None:
        """The result in a job's result.json, or None while there is none."""
        try:
            return cls(**json.loads(path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):  # not there, or torn by a power cut
            return None
