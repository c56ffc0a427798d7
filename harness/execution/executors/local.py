"""Runs jobs as child processes of this machine."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from harness.execution import lock, process
from harness.execution.executors import is_under_way
from harness.execution.job import Job, JobResult


class LocalExecutor:
    """Starts one runner per job. The runner outlives us, so a killed controller loses no run."""

    def submit(self, job: Job) -> LocalHandle:
        if is_under_way(Path(job.folder)):
            return LocalHandle(job, None)
        job.result.unlink(missing_ok=True)
        _empty(Path(job.out_dir))
        job.save()
        here = str(Path(__file__).parents[3])
        env = process.clean_environment({"PYTHONPATH": here, "PYTHONDONTWRITEBYTECODE": "1"})
        runner = [sys.executable, "-m", "harness.execution.runner", job.folder]
        return LocalHandle(job, process.Child(runner, cwd=Path(job.folder), env=env, piped=False, bound=False))


class LocalHandle:
    """A job on this machine: our child, or one that an earlier controller left running."""

    def __init__(self, job: Job, runner: process.Child | None) -> None:
        self._job = job
        self._runner = runner
        self._cancelled = False

    def wait(self, seconds: float) -> JobResult | None:
        if self._runner is not None:
            ended = self._runner.wait(seconds) is not None and _ended_within(self._job, seconds)
        else:
            ended = _ended_within(self._job, seconds)
        result = JobResult.load(self._job.result)
        if result is None and ended and self._cancelled:
            return JobResult("cancelled", None, 0.0, 0)
        if result is None and ended:
            return JobResult("lost", None, 0.0, 0, "the runner died without a result")
        return result

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


def _empty(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
