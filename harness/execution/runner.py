"""Run one job on this machine: `python -m harness.execution.runner JOB_FOLDER`.

Standard library and psutil only, because it starts for every launch and must start fast.
Executors only start this program somewhere. It outlives the controller: a later controller reads `result.json`; if
there is none and the lock is free, the job was lost.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO

from harness.execution import lock, machine, process, sandbox, starving
from harness.execution.job import Ending, Job, JobResult
from harness.files import digest_of, remove_tree

LOG_LIMIT = 64 * 2**20
"""Bytes of output to keep; the rest is read and discarded."""
SAMPLE_EVERY = 0.1
STARVATION_EVERY = 1.0
TELLING, MOST_TELL = 1.0, 4
"""Seconds that a process has to say where it is at the time limit, and how many processes are asked."""


class Cancelled(Exception):
    """SIGTERM was received."""


class CannotStart(Exception):
    """The command does not exist or cannot be executed."""


class Termination:
    """Handles SIGTERM: raises Cancelled while a job is watched, and remembers the signal at other times."""

    asked = False
    watching = False

    def __call__(self, *_: object) -> None:
        self.asked = True
        if self.watching:
            self.watching = False
            raise Cancelled


def main() -> None:
    job = Job.load(Path(sys.argv[1]))
    with lock.held(job.lock) as ours:
        if ours:  # otherwise another runner has this job
            run_all(job)


def run_all(job: Job) -> None:
    """Run a job and those after it, as long as each ends with exit code 0. Jobs that have a result are not repeated."""
    process.adopt_orphans()
    termination = Termination()
    signal.signal(signal.SIGTERM, termination)
    for each in job.chain():
        result = JobResult.load(each.result)
        if result is None:
            result = run(each, termination)
            result.save(each)
        if not result.went_well:
            return


def run(job: Job, termination: Termination) -> JobResult:
    """Start the job's command, watch it until it ends, and leave no process behind."""
    job = replace(job, env=job.env | process.thread_limits(job.threads))
    started = time.monotonic()
    watch = Watch(job, started)
    code: int | None = None
    ending: Ending
    message = ""
    try:
        termination.watching = True
        if termination.asked:
            raise Cancelled
        changed = next((path for path, digest in job.unchanged.items() if digest_of(Path(path)) != digest), None)
        if changed is None:
            ending, code = watch.until_end(_start(job))
            message = watch.extended
        else:
            ending, message = "changed", changed
    except CannotStart as error:
        ending, message = "cannot-start", str(error)
    except OSError as error:  # most likely a full disk: not the fault of the experiment or the template
        ending, message = "lost", f"its output could not be saved: {error}"
    except Cancelled:
        ending = "cancelled"
    finally:
        termination.watching = False
        process.kill_descendants()
    confined = sandbox.name() if job.sandbox else "none"
    seconds = time.monotonic() - started
    return JobResult(ending, code, seconds, watch.peak, message, machine.describe(job), confined)


def _start(job: Job) -> process.Child:
    _empty(Path(job.out_dir))
    argv, env = sandbox.wrap(job), sandbox.variables(job)
    try:
        return process.Child(argv, cwd=Path(job.cwd), env=env, piped=True, bound=True)
    except OSError as error:
        raise CannotStart(f"cannot start {job.command[0]}: {error}") from error


def _empty(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        remove_tree(folder)
    folder.mkdir(parents=True)


class Watch:
    """Copies the output to the log and enforces the limits."""

    def __init__(self, job: Job, started: float) -> None:
        self.job = job
        self.peak = 0
        self.extended = ""
        """By how much the time limit was extended, in words; empty if it was not."""
        self._started = started
        self._starvation = starving.Starvation(min(starving.processors(), job.threads or 10**6))
        self._next_look = started
        self._written = 0
        self._full = False
        self._next_sample = started

    def until_end(self, child: process.Child) -> tuple[Ending, int | None]:
        with self.job.log.open("wb", buffering=0) as log:
            while (code := child.wait(0)) is None:
                if self._is_late():
                    self._ask_where(child, log)
                    return "timeout", None
                if self._memory() > self.job.memory:
                    return "memory", None
                self._copy(child.output, log, wait=SAMPLE_EVERY)
            process.kill_descendants()
            while self._copy(child.output, log, wait=0):
                pass
        return "exited", code

    def _is_late(self) -> bool:
        """Whether the time limit is over, extended by what other programs took from the job."""
        now = time.monotonic()
        elapsed, limit = now - self._started, self.job.timeout
        if now >= self._next_look or elapsed > limit >= elapsed - SAMPLE_EVERY:
            self._next_look = now + STARVATION_EVERY
            with suppress(process.Gone):
                self._starvation.sample(each.pid for each in process.descendants())
        if elapsed <= limit:
            return False
        extension = self._starvation.extension(elapsed, limit)
        if extension:
            self.extended = f"extended by {extension:.0f} s, because other programs kept the processors busy"
        return elapsed > limit + extension

    def _ask_where(self, child: process.Child, log: IO[bytes]) -> None:
        """Have Python processes print where they are, the youngest first; while one does, the others stand still."""
        try:
            asked = process.ready_to_tell()[:MOST_TELL]
        except process.Gone:
            return
        for each in asked:
            process.send(each, signal.SIGSTOP)
        for each in reversed(asked):
            process.send(each, signal.SIGABRT)
            process.send(each, signal.SIGCONT)
            end = time.monotonic() + TELLING
            while not process.is_over(each) and time.monotonic() < end:
                self._copy(child.output, log, wait=SAMPLE_EVERY / 2)
        while self._copy(child.output, log, wait=0):
            pass

    def _copy(self, output: IO[bytes], log: IO[bytes], wait: float) -> bool:
        """Copy available output to the log; returns False if there was none."""
        if not select.select([output], [], [], wait)[0]:
            return False
        chunk = os.read(output.fileno(), 65536)
        if not chunk:
            time.sleep(wait / 10)  # the process closed its output and lives on
            return False
        room = LOG_LIMIT - self._written
        log.write(chunk[:room])
        self._written += len(chunk[:room])
        if len(chunk) > room and not self._full:
            self._full = True
            log.write(b"\n[the log ends here: the run printed more than 64 MiB]\n")
        return True

    def _memory(self) -> int:
        now = time.monotonic()
        if now < self._next_sample:
            return 0
        self._next_sample = now + SAMPLE_EVERY
        memory = process.descendants_memory()
        self.peak = max(self.peak, memory)
        return memory


if __name__ == "__main__":
    main()
