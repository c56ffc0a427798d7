"""What a job left: files that are kept with care, the end of its log, and in what way it failed."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness import text
from harness.errors import MetricsError
from harness.execution.job import Job, JobResult
from harness.records import Outcome

TAIL = 65536
"""Bytes at the end of a log that are looked at."""


def keep(source: Path, target: Path) -> None:
    """Copy a regular file to a place where an experiment may have left something else: a link, a folder.

    Raises:
        MetricsError: the source is not a regular file. A link may lead to what an experiment could not read.
    """
    if source.is_symlink() or not source.is_file():
        raise MetricsError(f"{source.name} is not a regular file")
    remove(target)
    shutil.copy(source, target, follow_symlinks=False)


def remove(path: Path) -> None:
    """Remove whatever an experiment may have left in a place: a file, a link, a folder, nothing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def tail(path: Path, size: int = TAIL) -> str:
    """The end of a file as text; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - size))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def failure(job: Job, result: JobResult) -> tuple[Outcome, str]:
    """How a job failed, in a word and as its agent is told it."""
    end = text.failure(tail(job.log), job.cwd)
    if result.ending == "timeout":
        return "timeout", f"stopped after the time limit of {job.timeout:g} s. The log ends with:\n{end}"
    if result.ending == "memory":
        return (
            "memory",
            f"stopped at {result.peak_memory / 2**20:,.0f} MiB, the limit is {job.memory / 2**20:,.0f} MiB.\n{end}",
        )
    if result.ending == "lost":
        return "lost", result.message
    code = result.code or 0
    passed_on = job.sandbox and 128 < code <= 192  # bubblewrap tells of a signal as 128 + its number
    signal = code - 128 if passed_on else -code
    how = f"killed by signal {signal}" if signal > 0 else f"exit code {code}"
    return "crashed", f"{how}\n{end}"
