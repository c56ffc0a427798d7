"""An executor whose jobs are queued and run elsewhere keeps the contract of all executors too."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.execution import process
from harness.execution.job import Job
from harness.execution.jobs import Jobs
from harness.execution.launcher import Launcher
from harness.template.folder import Template

from . import queueing
from .contract import ExecutorContract, finished
from .queueing import QueueExecutor, QueueSettings


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Path]:
    """The folder through which a cluster, a process tree of its own, is spoken with."""
    folder = tmp_path / "spool"
    folder.mkdir()
    root = str(Path(process.__file__).parents[2])
    cluster = subprocess.Popen(
        [sys.executable, queueing.__file__, str(folder)],
        env=process.clean_variables({"PYTHONPATH": root}),
        start_new_session=True,
    )
    yield folder
    cluster.kill()
    cluster.wait()


class TestQueueExecutor(ExecutorContract):
    @pytest.fixture
    def executor(self, spool: Path) -> QueueExecutor:
        return QueueExecutor(QueueSettings(spool=str(spool)))

    def test_a_job_is_queued_before_it_runs_and_found_there(self, executor: QueueExecutor, job: Job) -> None:
        self.write(job, self.COUNTING)
        handle = executor.submit(job)
        assert (handle.state().state, handle.state().where) == ("queued", "")
        found = executor.find(job)
        assert found is not None and found.state().state == "queued"
        assert finished(found).went_well
        assert (handle.state().state, handle.state().where) == ("ended", queueing.NODE)
        assert self.runs_of(job) == 1

    def test_the_user_is_told_that_a_launch_is_queued(
        self, executor: QueueExecutor, template: Template, tmp_path: Path
    ) -> None:
        code, pinned, told = tmp_path / "study", tmp_path / "template", []
        template.lay_out(code)
        launcher = Launcher(Jobs(template, pinned, template.pin(pinned)), executor)
        result = launcher.run(code, tmp_path / "job", code / "run_1", lambda _, line: told.append(line))
        assert result.outcome == "ok", result.message
        assert told[0] == "queued"

    def test_a_queued_job_that_is_cancelled_never_runs(self, spool: Path, job: Job) -> None:
        self.write(job, self.COUNTING)
        executor = QueueExecutor(QueueSettings(spool=str(spool), wait=600))
        handle = executor.submit(job)
        handle.cancel()
        assert finished(handle).ending == "cancelled"
        assert executor.find(job) is None
        assert not (Path(job.cwd).parent / "count").exists()
