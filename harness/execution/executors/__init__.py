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
        """Whether the job waits, runs or has ended, and where."""

    def wait(self, seconds: float) -> JobResult | None:
        """The result, or None if there is none after `seconds`."""

    def cancel(self) -> None:
        """Ask the job to end, queued or running. Its result says "cancelled"; a job that has ended is left alone."""


class Executor(Protocol):
    """Starts jobs on one machine or another. Its class has a record class `Settings` and is made with one of them."""

    def submit(self, job: Job) -> Handle:
        """Start a job that is not under way: one that is new, was lost or was cancelled.

        Of a job with others after it, those that ended by themselves are not run again.
        """

    def find(self, job: Job) -> Handle | None:
        """The job in that job's folder if it waits, runs or has ended by itself; None if it is to be submitted.

        What has ended is what `job` asks for, with all that comes after it, whatever an earlier job.json said.
        """

    def expected_machine(self, job: Job) -> dict[str, Any] | None:
        """What `machine.describe` would say where the job will run; None if that is not known before."""


def make(name: str, file: Path) -> Executor:
    """The executor of that name, with the settings that `[executor.NAME]` of harness.toml gives it.

    Raises:
        UserError: no such executor, or a file or settings that cannot be used.
    """
    settings = plugins.settings("executor", name, BUILT_IN, file)
    made: Executor = plugins.find("executor", name, BUILT_IN)(settings)
    return made
