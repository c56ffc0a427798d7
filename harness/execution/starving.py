"""How long a job waited for a processor that other programs used. Standard library only.

The kernel counts for each thread how long it was ready to run but had no processor (/proc/PID/task/TID/schedstat; where
there is none, /proc/pressure/cpu says it for the whole machine). What a job waits for its own other threads is not
starvation: so it is at most the time that the job's own use of the processors leaves.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

MOST = 3.0
"""A time limit is extended to at most this multiple of itself."""
LEAST = 0.05
"""Share of the limit that must have been lost before it counts."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Starvation:
    """Measures the processes of one job."""

    cores: int
    """Processors that the job may use."""
    proc: Path = Path("/proc")
    _waited: dict[tuple[int, int], float] = field(default_factory=dict)
    """(process, thread) → seconds ready without a processor."""
    _used: dict[int, float] = field(default_factory=dict)
    """Process → seconds of processor time."""
    _pressure: float | None = None
    """Seconds for which some task of the machine had waited when the job started."""

    def sample(self, processes: Iterable[int]) -> None:
        """Look at the job's processes; those that have ended keep what they last had."""
        if self._pressure is None:
            self._pressure = self._machine_waited()
        for pid in processes:
            try:
                fields = (self.proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
                self._used[pid] = (int(fields[11]) + int(fields[12])) / _TICKS
                for thread in (self.proc / str(pid) / "task").iterdir():
                    waited = (thread / "schedstat").read_text().split()[1]
                    self._waited[pid, int(thread.name)] = int(waited) / 1e9
            except (OSError, ValueError, IndexError):  # it has ended, or this kernel does not count
                continue

    def seconds(self, elapsed: float) -> float:
        """Seconds of `elapsed` for which the job wanted a processor and another program had it."""
        of_machine = self._machine_waited() - (self._pressure or 0.0)
        waited = max(self._waited.values(), default=of_machine)
        free = elapsed - sum(self._used.values()) / self.cores
        return max(0.0, min(waited, free, elapsed))

    def extension(self, elapsed: float, limit: float) -> float:
        """Seconds by which the time limit is extended for a job that has run for `elapsed` seconds."""
        starved = self.seconds(elapsed)
        return 0.0 if starved < LEAST * limit else min(starved, (MOST - 1) * limit)

    def _machine_waited(self) -> float:
        try:
            some = (self.proc / "pressure" / "cpu").read_text().partition("\n")[0]
            return int(some.rpartition("total=")[2]) / 1e6
        except (OSError, ValueError):
            return 0.0


def processors() -> int:
    """Processors that this process and its children may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
