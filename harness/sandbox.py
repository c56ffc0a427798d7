"""What generated code may see and touch, enforced by bubblewrap where it works. Layer 2, standard library only.

Inside: the system and Python read-only, the study read-only, the run's own output folder writable, an empty home and
/tmp, no other process in sight and no network. Not inside: other studies, `.harness`, the user's home, keys.
"""

from __future__ import annotations

import shutil
import sys
from functools import cache
from pathlib import Path

from harness import process
from harness.job import Job

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/nix", "/sys")
SETTINGS = (
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "timezone", "fonts", "mime.types"),
    *("passwd", "group", "nsswitch.conf", "hosts", "resolv.conf", "ssl", "pki", "ca-certificates"),
    *("OpenCL", "vulkan", "nvidia", "rocm"),
)
"""What programs need of /etc. The rest of it may hold passwords, host keys, tokens of services."""
HOME_INSIDE = "/tmp/home"


@cache
def name() -> str:
    """ "bubblewrap" where it is installed and works, else "none"."""
    program = shutil.which("bwrap")
    if program is None:
        return "none"
    try:
        probe = process.run([program, "--ro-bind", "/", "/", "--proc", "/proc", "--unshare-all", "true"], timeout=10)
    except (OSError, TimeoutError):
        return "none"
    return "bubblewrap" if probe.code == 0 else "none"


def wrap(job: Job) -> list[str]:
    """The job's command as it must be started to run inside the sandbox (or as it is, where there is none)."""
    if not job.sandbox or name() == "none":
        return job.command
    argv = ["bwrap", "--die-with-parent", "--unshare-all", "--new-session"]
    argv += ["--share-net"] if job.network else []
    for path in SYSTEM:
        argv += ["--ro-bind-try", path, path]
    argv += ["--tmpfs", "/etc"]
    for setting in SETTINGS:
        argv += ["--ro-bind-try", f"/etc/{setting}", f"/etc/{setting}"]
    argv += ["--remount-ro", "/etc"]
    argv += ["--proc", "/proc", *(["--dev-bind", "/dev", "/dev"] if job.gpus else ["--dev", "/dev"])]
    argv += ["--tmpfs", "/dev/shm", "--tmpfs", "/tmp", "--dir", HOME_INSIDE]
    for path in _interpreter_folders(job):
        argv += ["--ro-bind", path, path]
    for path in (job.cwd, *job.readable):
        argv += ["--ro-bind", path, path]
    private = Path(job.cwd) / ".harness"
    if private.is_dir():
        argv += ["--tmpfs", str(private)]
    argv += ["--bind", job.out_dir, job.out_dir, "--chdir", job.cwd, "--"]
    return argv + job.command


def environment(job: Job) -> dict[str, str]:
    """The job's variables with a home and a temporary folder that are the job's own."""
    if job.sandbox and name() != "none":
        return {**job.env, "HOME": HOME_INSIDE, "TMPDIR": "/tmp"}
    own = Path(job.folder) / "home"
    own.mkdir(exist_ok=True)
    return {**job.env, "HOME": str(own), "TMPDIR": str(own)}


def _interpreter_folders(job: Job) -> list[str]:
    """Folders of the Python that runs the job, wherever it was installed and whatever its venv is based on."""
    python = Path(job.command[0])
    found = {Path(sys.prefix), Path(sys.base_prefix)} if python == Path(sys.executable) else set()
    if python.is_absolute():
        found |= {python.parent.parent, python.resolve().parent.parent}
    return sorted(
        str(f) for f in found if not str(f).startswith(("/usr/", "/bin")) and f != Path("/usr") and f.exists()
    )
