"""An executor as a cluster's is: jobs wait in a queue, and another process tree starts their runners.

`python queueing.py SPOOL` is the cluster: it takes jobs from a folder, lets each wait for a moment and starts its
runner in a session of its own. It shares nothing with a controller but files.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
from pydantic import Field

from harness.execution import lock, process
from harness.execution.job import Job, JobResult, JobState
from harness.records import Record

WAIT = 0.3
"""Seconds that a job waits at least."""
NODE = "node-1"


class QueueSettings(Record):
    """`[executor.queue]`"""

    spool: str = ""
    """Folder through which controller and cluster speak."""
    wait: float = Field(WAIT, ge=0)


class QueueExecutor:
    Settings = QueueSettings

    def __init__(self, settings: QueueSettings) -> None:
        self._spool = Path(settings.spool or os.environ["HARNESS_TEST_SPOOL"])
        self._wait = settings.wait

    def submit(self, job: Job) -> QueueHandle:
        job.save()
        ticket = Ticket(self._spool, job)
        ticket.put(self._wait)
        return QueueHandle(job, ticket)

    def find(self, job: Job) -> QueueHandle | None:
        ticket = Ticket(self._spool, job)
        result = JobResult.of(job)
        waiting = ticket.waits or ticket.runner is not None or lock.holder(job.lock)
        return QueueHandle(job, ticket) if waiting or (result and result.last.ended_by_itself) else None

    def expected_machine(self, job: Job) -> dict[str, Any] | None:
        """Where a queued job will run is not known in advance."""
        del job
        return None


class Ticket:
    """A job's place in the queue: NAME.waiting until it is taken, then NAME.taken with its runner's number."""

    def __init__(self, spool: Path, job: Job) -> None:
        self._waiting = spool / f"{job.folder.replace('/', '%')}.waiting"
        self._taken = self._waiting.with_suffix(".taken")

    def put(self, wait: float) -> None:
        self._taken.unlink(missing_ok=True)
        partial = self._waiting.with_suffix(".part")
        partial.write_text(str(time.time() + wait))
        partial.rename(self._waiting)

    @property
    def waits(self) -> bool:
        return self._waiting.exists()

    @property
    def runner(self) -> int | None:
        """The process that was started for it, if that lives."""
        try:
            number = int(self._taken.read_text() or "0")
        except FileNotFoundError:
            return None
        return number if number == 0 or psutil.pid_exists(number) else None

    def withdraw(self) -> bool:
        """Take the job out of the queue; False if it is too late for that."""
        try:
            self._waiting.rename(self._waiting.with_suffix(".withdrawn"))
        except FileNotFoundError:
            return False
        return True


class QueueHandle:
    def __init__(self, job: Job, ticket: Ticket) -> None:
        self._job = job
        self._ticket = ticket
        self._withdrawn = False

    def state(self) -> JobState:
        if JobResult.of(self._job) is not None:
            return JobState("ended", NODE)
        return JobState("running", NODE) if lock.holder(self._job.lock) else JobState("queued")

    def wait(self, seconds: float) -> JobResult | None:
        deadline = time.monotonic() + seconds
        while True:
            if self._withdrawn:
                return JobResult("cancelled", None, 0.0, 0)
            busy = self._ticket.waits or self._ticket.runner is not None or lock.holder(self._job.lock)
            if not busy:  # asked for before the result is, which is written before the runner ends
                return JobResult.of(self._job) or JobResult.lost(self._job, "its runner is gone")
            if time.monotonic() > deadline:
                return None
            time.sleep(0.02)

    def cancel(self) -> None:
        if self._ticket.withdraw():
            self._withdrawn = True
            return
        deadline = time.monotonic() + 10
        while self._ticket.runner is not None and time.monotonic() < deadline:
            if runner := lock.holder(self._job.lock):
                process.terminate(runner)
                return
            time.sleep(0.02)


def serve(spool: Path) -> None:
    """The cluster: until it is killed, take what has waited long enough and start its runner."""
    runners: list[subprocess.Popen[bytes]] = []
    while True:
        for waiting in sorted(spool.glob("*.waiting")):
            if time.time() < float(waiting.read_text()):
                continue
            taken = waiting.with_suffix(".taken")
            taken.write_text("0")  # exists before the other is gone, so that the job never looks lost
            try:
                waiting.rename(waiting.with_suffix(".gone"))
            except FileNotFoundError:  # withdrawn
                taken.unlink()
                continue
            folder = waiting.stem.replace("%", "/")
            argv = [sys.executable, "-m", "harness.execution.runner", folder]
            runner = subprocess.Popen(argv, start_new_session=True, stdin=subprocess.DEVNULL)
            runners.append(runner)
            partial = taken.with_suffix(".number")
            partial.write_text(str(runner.pid))
            partial.rename(taken)
        for runner in runners:
            runner.poll()
        time.sleep(0.02)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
