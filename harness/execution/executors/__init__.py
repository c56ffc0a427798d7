"""Where a job runs. An executor starts the runner somewhere; everything else is files in the job's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from harness import plugins
from harness.execution.job import Job, JobResult, JobState

BUILT_IN = {"local": "harness.execution.executors.local:LocalExecutor"}


class Handle(Protocol):
    """A submitted job."""

    def state(self) -> JobState:
        """Whether the job is queued, running or ended, and where."""

    def wait(self, seconds: float) -> JobResult | None:
        """The result, or None if there is none after `seconds`."""

    def cancel(self) -> None:
        """Ask a queued or running job to end; its result is "cancelled". A job that has ended is not affected."""


class Executor(Protocol):
    """Starts jobs on some machine. Its class has a record class `Settings` and is constructed from an instance."""

    def submit(self, job: Job) -> Handle:
        """Start a job that is new, was lost or was cancelled.

        If other jobs follow it, those of them that ended by themselves are not run again.
        """

    def find(self, job: Job) -> Handle | None:
        """The job in `job`'s folder if it is queued, running or ended by itself; None if it must be submitted.

        It has ended once `job` and all jobs after it have results, regardless of what an earlier job.json asked for.
        """

    def expected_machine(self, job: Job) -> dict[str, Any] | None:
        """What `machine.describe` would return where the job will run; None if that is not known in advance."""


def make(name: str, file: Path) -> Executor:
    """The executor of that name, with the settings that `[executor.NAME]` of harness.toml gives it.

    Raises:
        UserError: there is no such executor, or the file or its settings are invalid.
    """
    settings = plugins.settings("executor", name, BUILT_IN, file)
    made: Executor = plugins.find("executor", name, BUILT_IN)(settings)
    return made
