"""What a job left behind: its output files, the end of its log, and how it failed."""

from __future__ import annotations

import mmap
import shutil
from pathlib import Path
from typing import Any

from harness.errors import MetricsError, StudyPaused, TemplateFault
from harness.execution import excerpt
from harness.execution.job import Job, JobResult
from harness.files import remove_tree, write_json
from harness.records import Outcome

TAIL = 65536
"""Bytes that are read at the end of a log."""
AROUND = 2 * 2**20
"""Bytes of a log that are read around its last traceback: one of 1,000 frames takes 100 KiB."""
UNACCEPTABLE = 3
"""Exit code of an evaluator that rejects what the run saved."""


def keep(source: Path, target: Path) -> None:
    """Copy a regular file, replacing whatever an experiment may have left at the target, such as a link or a folder.

    Raises:
        MetricsError: the source is not a regular file. A link could lead to a file that the experiment may not read.
    """
    if source.is_symlink() or not source.is_file():
        raise MetricsError(f"{source.name} is not a regular file")
    remove(target)
    shutil.copy(source, target, follow_symlinks=False)


def replace(path: Path, content: dict[str, Any]) -> None:
    """Write JSON in place of whatever an experiment may have left here."""
    remove(path)
    write_json(path, content)


def remove(path: Path) -> None:
    """Remove whatever an experiment may have left here: a file, a link or a folder."""
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
    path.unlink(missing_ok=True)


def tail(path: Path, size: int = TAIL) -> str:
    """The end of a file as text; empty if it does not exist."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - size))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def relevant(path: Path) -> str:
    """The part of a log that says what went wrong: around its last traceback, however much follows, and its end."""
    try:
        size = path.stat().st_size
        if size <= AROUND:
            return tail(path, AROUND)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as log:
            at = max(log.rfind(b"Traceback (most recent call last)"), log.rfind(b"Fatal Python error"))
            around = log[max(0, at - AROUND // 2) : at + AROUND // 2] if 0 <= at < size - AROUND // 2 else b""
            end = log[-(TAIL if around else AROUND) :]
    except (OSError, ValueError):
        return ""
    return (around + b"\n" + end).decode(errors="replace") if around else end.decode(errors="replace")


def failure(job: Job, result: JobResult) -> tuple[Outcome, str]:
    """How a job failed: the outcome, and the message for the agent."""
    log = relevant(job.log)
    end = excerpt.failure(log, job.cwd)
    if result.ending == "timeout":
        place = excerpt.where(log, job.cwd)
        at = f" It was at {place}." if place else ""
        more = f" ({result.message})" if result.message else ""
        return "timeout", f"stopped after the time limit of {job.timeout:g} s{more}.{at} The log ends with:\n{end}"
    if result.ending == "memory":
        return (
            "memory",
            f"stopped at {result.peak_memory / 2**20:,.0f} MiB, the limit is {job.memory / 2**20:,.0f} MiB.\n{end}",
        )
    if result.ending == "lost":
        return "lost", result.message
    code = result.code or 0
    passed_on = job.sandbox and 128 < code <= 192  # bubblewrap reports a signal as 128 + its number
    signal = code - 128 if passed_on else -code
    how = f"killed by signal {signal}" if signal > 0 else f"exit code {code}"
    return "crashed", f"{how}\n{end}"


def check_judged(script: str, job: Job, result: JobResult) -> None:
    """Raise the error that a judging script's failure stands for.

    Raises:
        MetricsError: the script rejects what the run saved, or failed on it.
        StudyPaused: the script's job was lost.
        TemplateFault: the template or the held-out data changed after the study began.
    """
    if result.ending == "lost":
        raise StudyPaused(f"the job of {script} was lost: {result.message}")
    if result.ending == "changed":
        raise TemplateFault(f"{result.message} has changed since the study began, so {script} was not run")
    if not result.went_well:
        rejected = result.ending == "exited" and result.code == UNACCEPTABLE
        how = "rejects" if rejected else "failed on"
        raise MetricsError(f"{script} {how} what the run saved: {failure(job, result)[1]}")


def check_data(job: Job, result: JobResult) -> None:
    """Raise TemplateFault if the data of a launch could not be made."""
    if result.ending == "changed":
        raise TemplateFault(f"{result.message} has changed since the study began, so no data were made")
    if not result.went_well and result.ending != "lost":
        raise TemplateFault(f"the sampler of the template failed: {failure(job, result)[1]}")
