"""Jobs for the runner and their results, as small files in a job's folder. Standard library only.

Plain dataclasses, because the runner starts once per launch and must start fast.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

Ending = Literal["exited", "timeout", "memory", "cancelled", "cannot-start", "changed", "lost"]
State = Literal["queued", "running", "ended"]


@dataclass(frozen=True)
class Job:
    """One process to run under limits, optionally followed by another job. All paths are absolute."""

    folder: str
    """Holds job.json, result.json, log.txt and lock; the experiment cannot see it."""
    command: list[str]
    cwd: str
    out_dir: str
    """The only folder the process may write to (partials a private /tmp); emptied before it starts."""
    env: dict[str, str]
    timeout: float
    """Seconds."""
    memory: int
    """Bytes, over all processes of the job."""
    network: bool = False
    gpus: int = 0
    threads: int | None = None
    """Maximum number of threads of numerical libraries; None for one per core."""
    sandbox: bool = True
    readable: tuple[str, ...] = ()
    """Folders shown to the process read-only."""
    hidden: tuple[str, ...] = ()
    """Folders that appear empty to the process, except for what the fields above make visible."""
    unseen: tuple[str, ...] = ()
    """Patterns of folders in `cwd` that appear empty to the process."""
    packages: dict[str, str] = field(default_factory=dict)
    """Versions of the numerical packages of the command's Python; the runner reports them with its machine."""
    unchanged: dict[str, str] = field(default_factory=dict)
    """File or folder → the digest that it must have when the process starts."""
    then: Job | None = None
    """The job that follows on the same machine, with its own rights, if this one ends with exit code 0."""

    @property
    def log(self) -> Path:
        return Path(self.folder) / "log.txt"

    @property
    def result(self) -> Path:
        return Path(self.folder) / "result.json"

    @property
    def lock(self) -> Path:
        return Path(self.folder) / "lock"

    def chain(self) -> Iterator[Job]:
        """This job and those that follow it."""
        job: Job | None = self
        while job is not None:
            yield job
            job = job.then

    def save(self) -> None:
        """Write job.json, and delete results that do not count, so that their jobs are run again.

        A result does not count if its job did not end by itself, or if its output is gone and the next job needs it.
        So the last job comes first: whether the others' outputs are needed depends on it.
        """
        for job in reversed(list(self.chain())):
            Path(job.folder).mkdir(parents=True, exist_ok=True)
            result = JobResult.load(job.result)
            unread = job.then is not None and JobResult.load(job.then.result) is None
            if result is None or not result.ended_by_itself or (unread and not Path(job.out_dir).exists()):
                job.result.unlink(missing_ok=True)
        partial = Path(self.folder) / "job.json.part"
        partial.write_text(json.dumps(asdict(self), indent=1))
        partial.replace(Path(self.folder) / "job.json")

    @classmethod
    def load(cls, folder: Path) -> Job:
        return cls._from(json.loads((folder / "job.json").read_text()))

    @classmethod
    def _from(cls, content: dict[str, Any]) -> Job:
        then = content.pop("then")
        for name in ("readable", "hidden", "unseen"):
            content[name] = tuple(content.get(name, ()))
        return cls(**content, then=None if then is None else cls._from(then))


@dataclass(frozen=True)
class JobResult:
    """How a job's process ended, and those that followed."""

    ending: Ending
    code: int | None
    seconds: float
    peak_memory: int
    message: str = ""
    machine: dict[str, Any] = field(default_factory=dict)
    """Where it ran, as described by `machine.describe`; empty if unknown."""
    sandbox: str = ""
    """Name of the sandbox that was used, or "none"."""
    then: JobResult | None = None
    """How the next job ended, if there is one and this one ended with exit code 0."""

    @property
    def went_well(self) -> bool:
        return self.ending == "exited" and self.code == 0

    @property
    def ended_by_itself(self) -> bool:
        """Whether running the job again would give nothing new."""
        return self.ending not in ("cancelled", "lost", "changed", "cannot-start")

    @property
    def last(self) -> JobResult:
        """How the last process that ran ended."""
        return self if self.then is None else self.then.last

    def save(self, job: Job) -> None:
        partial = job.result.with_suffix(".part")
        partial.write_text(json.dumps(asdict(replace(self, then=None)), indent=1))
        partial.replace(job.result)

    @classmethod
    def load(cls, path: Path) -> JobResult | None:
        """The result of one process from its result.json, or None if there is no valid one."""
        try:
            found = cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError, RecursionError):  # missing, torn or from another version
            return None
        numbers = isinstance(found.seconds, int | float) and isinstance(found.peak_memory, int)
        known = found.ending in get_args(Ending) and isinstance(found.code, int | None)
        return found if numbers and known and isinstance(found.machine, dict) else None

    @classmethod
    def of(cls, job: Job) -> JobResult | None:
        """The result of a job and those after it, or None while one of them has none."""
        result = cls.load(job.result)
        if result is None or job.then is None or not result.went_well:
            return result
        after = cls.of(job.then)
        return None if after is None else replace(result, then=after)

    @classmethod
    def lost(cls, job: Job, message: str) -> JobResult:
        """The result of a job whose runner is gone; results from before that are kept."""
        result = cls.load(job.result)
        if result is None or job.then is None:
            return cls("lost", None, 0.0, 0, message)
        return replace(result, then=cls.lost(job.then, message))


@dataclass(frozen=True)
class JobState:
    """The state of a submitted job."""

    state: State
    where: str = ""
    """Host, or the executor's own description of the place; empty while unknown."""
