"""Child processes; the only module that imports subprocess. Standard library and psutil only.

No child inherits the parent's secrets. A `Child` gets its own session, and can be killed with all its descendants.
"""

from __future__ import annotations

import ctypes
import os
import re
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

PASSED_ON = (
    *("PATH", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "LD_LIBRARY_PATH", "VIRTUAL_ENV"),
    "OMP_NUM_THREADS",
)
"""Variables that a child inherits, in addition to those below. Everything else, such as keys and tokens, is dropped."""
PASSED_ON_PREFIXES = ("CUDA_", "NVIDIA_", "SLURM_")
KERNEL_SETTINGS = (
    *("ATEN_CPU_CAPABILITY", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "OPENBLAS_CORETYPE", "NVIDIA_TF32_OVERRIDE"),
    *("NPY_DISABLE_CPU_FEATURES", "DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA", "CUBLAS_WORKSPACE_CONFIG"),
)
"""Variables that choose the kernels of numerical libraries; inherited, and part of a machine's description."""

FOR_DOWNLOADS = ("HOME", "PIP_", "HF_", "XDG_", "SSL_", "REQUESTS_", "NO_PROXY", "HTTP_", "HTTPS_", "ALL_PROXY")
"""Prefixes of further variables that pip and other downloads need, in upper or lower case."""

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36


Gone = psutil.Error
"""A process that was looked at has ended in the meantime."""


@dataclass(frozen=True)
class Completed:
    code: int
    out: str
    err: str


def clean_variables(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for generated code: the few variables it needs and `extra`, nothing else."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if k in PASSED_ON or k in KERNEL_SETTINGS or (k.startswith(PASSED_ON_PREFIXES) and not _secret(k))
    }
    return {**kept, **(extra or {})}


def download_variables(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment for downloading packages and models: adds the user's settings for that, but no keys."""
    mine = {k: v for k, v in os.environ.items() if k.upper().startswith(FOR_DOWNLOADS) and not _secret(k)}
    return clean_variables({**mine, **extra})


@contextmanager
def only_clean_variables() -> Iterator[None]:
    """Within this context, this process has only the environment that generated code would get."""
    kept = dict(os.environ)
    os.environ.clear()
    os.environ.update(clean_variables())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


def secrets() -> list[str]:
    """Values in this process's environment that look like credentials, longest first."""
    return sorted({v for k, v in os.environ.items() if _secret(k) and len(v) >= 8}, key=len, reverse=True)


def redacted(text: str) -> str:
    """The text with every value of `secrets()` replaced by "[redacted]"."""
    for secret in secrets():
        text = text.replace(secret, "[redacted]")
    return text


def _secret(name: str) -> bool:
    return any(mark in name.upper() for mark in ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "JWT"))


def hide_own_memory() -> None:
    """Make this process's environment and memory unreadable to other processes of the same user (Linux)."""
    _prctl(PR_SET_DUMPABLE, 0)


def run(argv: Sequence[str], *, cwd: Path | None = None, timeout: float = 60.0) -> Completed:
    """Run a helper program to completion.

    Raises:
        OSError: the program does not exist or cannot be started.
        TimeoutError: it took longer than `timeout` seconds and was killed.
    """
    try:
        done = subprocess.run(
            argv, cwd=cwd, env=clean_variables(), stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout
        )
    except subprocess.TimeoutExpired as late:
        raise TimeoutError(f"{argv[0]} took longer than {timeout:g} s") from late
    return Completed(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def thread_limits(most: int | None = None) -> dict[str, str]:
    """Variables that limit numerical libraries to the available processors, OMP_NUM_THREADS or `most`.

    In a container or under taskset, fewer processors are available than the machine has. On a busy machine, threads
    that spin while they wait for each other take ten times as long, so GOMP_SPINCOUNT makes them stop spinning soon.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0][:9]  # "4,2" sets nested parallelism too
    cores = min(cores, int(wanted)) if wanted.isdecimal() and int(wanted) else cores
    cores = min(cores, most or cores)
    libraries = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {**dict.fromkeys(libraries, str(cores)), "GOMP_SPINCOUNT": "10000"}


def follow(argv: Sequence[str], env: Mapping[str, str], cwd: Path, say: Callable[[str], None]) -> int:
    """Run a program to completion and pass each line of its output to `say`; returns its exit code.

    Raises:
        OSError: the program does not exist or cannot be started.
    """
    child = Child(argv, cwd=cwd, env=env, piped=True, bound=True)
    try:
        for line in child.output:
            say(line.decode(errors="replace").rstrip())
        while (code := child.wait(60.0)) is None:
            pass
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        raise
    return code


class Child:
    """A running process in its own session."""

    def __init__(self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], piped: bool, bound: bool) -> None:
        """Start `argv`. `piped` gives stdout and stderr as one stream in `output`; `bound` makes it die with us.

        Raises:
            OSError: the program does not exist or cannot be started.
        """
        self._popen = subprocess.Popen(
            argv,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if piped else subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent(os.getpid()) if bound else None,
        )
        self.pid = self._popen.pid

    @property
    def output(self) -> IO[bytes]:
        """The output of a child that was started with `piped`."""
        if self._popen.stdout is None:
            raise ValueError("the child was started without a pipe")
        return self._popen.stdout

    def wait(self, seconds: float) -> int | None:
        """The exit code, or None if the process is still alive after `seconds`."""
        if self._popen.poll() is None and hasattr(os, "pidfd_open"):
            descriptor = os.pidfd_open(self.pid)
            try:
                select.select([descriptor], [], [], seconds)
            finally:
                os.close(descriptor)
            return self._popen.poll()
        try:
            return self._popen.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None

    def terminate(self) -> None:
        """Ask the process to end, if it has not ended yet."""
        if self._popen.poll() is None:
            self._popen.terminate()


def adopt_orphans() -> None:
    """Become the parent of every orphaned descendant, so that none of them escapes (Linux)."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def descendants() -> list[psutil.Process]:
    """All living descendants of this process, in any session."""
    return [p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]


def descendants_memory() -> int:
    """Resident bytes of all descendants, shared pages counted once per process."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return total


def ready_to_tell() -> list[psutil.Process]:
    """Descendants that handle SIGABRT: those of Python with PYTHONFAULTHANDLER=1, which then say where they are."""
    found = []
    for each in descendants():
        try:
            caught = re.search(r"^SigCgt:\s*([0-9a-f]+)$", Path(f"/proc/{each.pid}/status").read_text(), re.MULTILINE)
        except OSError:
            continue
        if caught and int(caught[1], 16) & (1 << (signal.SIGABRT - 1)):
            found.append(each)
    return found


def send(to: psutil.Process, number: int) -> None:
    """Send a signal to a process, if it still exists."""
    _ignore_gone(lambda: to.send_signal(number))


def is_over(found: psutil.Process) -> bool:
    """Whether a process has ended."""
    try:
        return found.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.Error:
        return True


def kill_descendants() -> None:
    """Kill all descendants, and repeat until none is left: one may fork in the meantime."""
    for _ in range(100):
        try:
            alive = descendants()
        except psutil.Error:
            continue
        if not alive:
            return
        for process in alive:
            _ignore_gone(process.kill)
        psutil.wait_procs(alive, timeout=1)


def terminate(pid: int) -> None:
    """Ask a process to end, if it still exists."""
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return


def _ignore_gone(action: Callable[[], None]) -> None:
    try:
        action()
    except psutil.Error:
        return


def _die_with_parent(parent: int) -> Callable[[], None]:
    def before_exec() -> None:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        _, most = resource.getrlimit(resource.RLIMIT_CORE)
        least = 1 if most == resource.RLIM_INFINITY else min(1, most)  # 1 also keeps the dump from a handling program
        resource.setrlimit(resource.RLIMIT_CORE, (least, most))
        if os.getppid() != parent:  # the parent died between fork and here
            os._exit(1)

    return before_exec


_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _prctl(option: int, value: int) -> None:
    if _libc is not None:
        _libc.prctl(option, value, 0, 0, 0)
