"""Runs jobs as child processes of this machine."""

from __future__ import annotations

import platform
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field

from harness.execution import lock, machine, process
from harness.execution.job import Job, JobResult, JobState
from harness.records import Record

PACKAGE = str(Path(__file__).parents[3])


class LocalSettings(Record):
    """`[executor.local]` of harness.toml."""

    threads: int | None = Field(None, gt=0, strict=True)
    """Threads that the numerical libraries of a run may use; by default one per core."""


class LocalExecutor:
    """Starts one runner per job. The runner outlives us, so a killed controller loses no run."""

    Settings = LocalSettings

    def __init__(self, settings: LocalSettings | None = None) -> None:
        self._settings = settings or LocalSettings()

    def submit(self, job: Job) -> LocalHandle:
        job = self._on_this_machine(job)
        job.save()
        env = process.clean_variables({"PYTHONPATH": PACKAGE, "PYTHONDONTWRITEBYTECODE": "1"})
        runner = [sys.executable, "-m", "harness.execution.runner", job.folder]
        return LocalHandle(job, process.Child(runner, cwd=Path(job.folder), env=env, piped=False, bound=False))

    def find(self, job: Job) -> LocalHandle | None:
        result = JobResult.of(job)
        running = lock.holder(job.lock) is not None
        return LocalHandle(job, None) if running or (result and result.last.ended_by_itself) else None

    def expected_machine(self, job: Job) -> dict[str, Any]:
        return machine.describe(self._on_this_machine(job))

    def _on_this_machine(self, job: Job) -> Job:
        then = None if job.then is None else self._on_this_machine(job.then)
        return replace(job, threads=self._settings.threads, then=then)


class LocalHandle:
    """A job on this machine: our child, or one that an earlier controller left running."""

    def __init__(self, job: Job, runner: process.Child | None) -> None:
        self._job = job
        self._runner = runner
        self._cancelled = False

    def state(self) -> JobState:
        if JobResult.of(self._job) is not None:
            return JobState("ended", platform.node())
        return JobState("running" if lock.holder(self._job.lock) else "queued", platform.node())

    def wait(self, seconds: float) -> JobResult | None:
        if self._runner is not None:
            ended = self._runner.wait(seconds) is not None and _ended_within(self._job, seconds)
        else:
            ended = _ended_within(self._job, seconds)
        result = JobResult.of(self._job)
        if result is not None or not ended:
            return result
        if self._cancelled:
            return JobResult("cancelled", None, 0.0, 0)
        return JobResult.lost(self._job, "the runner died without a result")

    def cancel(self) -> None:
        self._cancelled = True
        if self._runner is not None:
            self._runner.terminate()
        elif runner := lock.holder(self._job.lock):
            process.terminate(runner)


def _ended_within(job: Job, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while lock.holder(job.lock):
        if time.monotonic() > deadline:
            return False
        time.sleep(min(0.05, seconds))
    return True
