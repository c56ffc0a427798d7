"""Where a job runs. An executor starts the runner somewhere; everything else is files in the job's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from harness.execution import lock
from harness.execution.job import Job, JobResult


class Handle(Protocol):
    """A submitted job."""

    def wait(self, seconds: float) -> JobResult | None:
        """The result, or None if there is none after `seconds`."""

    def cancel(self) -> None:
        """Ask the job to end. Its result will say "cancelled"; a job that has ended is left alone."""


class Executor(Protocol):
    """Starts jobs. One method, because a job's folder is all the state there is."""

    def submit(self, job: Job) -> Handle:
        """Start the job, or take up again one that was submitted before: running, finished or lost.

        A lost job (started, no result, nobody running it) is started again from nothing.
        """


def is_under_way(folder: Path) -> bool:
    """Whether the job of that folder runs, or ended by itself: then `submit` takes it up and does not start it anew."""
    result = JobResult.load(folder / "result.json")
    return lock.holder(folder / "lock") is not None or (
        result is not None and result.ending not in ("cancelled", "lost")
    )


BUILT_IN = {"local": "harness.execution.executors.local:LocalExecutor"}
