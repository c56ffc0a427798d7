"""Where a job runs. An executor starts the runner somewhere; everything else is files in the job's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from harness import plugins
from harness.errors import UserError
from harness.execution.job import Job, JobResult, JobState
from harness.files import parse_toml
from harness.records import Record, one_line

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


class SettingsFile(Record):
    """harness.toml of a project."""

    executor: dict[str, dict[str, Any]] = {}
    """Name of an executor → its settings."""


def make(name: str, file: Path) -> Executor:
    """The executor of that name with its settings.

    Args:
        file: harness.toml with tables `[executor.NAME]`; it may be missing.

    Raises:
        UserError: there is no such executor, or the file or its settings are invalid.
    """
    executor = plugins.find("executor", name, BUILT_IN)
    try:
        content = parse_toml(file.read_text(encoding="utf-8")) if file.is_file() else {}
        tables = SettingsFile.model_validate(content).executor
    except ValidationError as error:
        raise UserError(f"{file}: {one_line(error)}") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: not TOML: {error}") from error
    for other in tables:
        plugins.find("executor", other, BUILT_IN)  # otherwise a misspelled name would be ignored
    try:
        settings = executor.Settings.model_validate(tables.get(name, {}))
    except ValidationError as error:
        raise UserError(f"{file}: [executor.{name}] {one_line(error)}") from error
    made: Executor = executor(settings)
    return made
