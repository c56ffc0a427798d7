"""What generated code may see and write, enforced by bubblewrap if it works here. Must stay fast to import.

Inside the sandbox: the system, Python and the study (read-only), the run's output folder (writable), an empty home and
/tmp. No other processes, no network unless the template asks for it, no capabilities (otherwise root could undo the
rest). Not inside: the project, other studies, `.harness`, outputs of other runs, the user's home, most of /etc, keys.
"""

from __future__ import annotations

import shutil
import sys
from functools import cache
from pathlib import Path

from harness.execution import process
from harness.execution.job import Job

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/nix", "/sys")
SETTINGS = (
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "timezone", "fonts", "mime.types"),
    *("passwd", "group", "nsswitch.conf", "hosts", "resolv.conf", "ssl", "pki", "ca-certificates"),
    *("OpenCL", "vulkan", "nvidia", "rocm"),
)
"""Entries of /etc that programs need. The rest may hold passwords, host keys or tokens."""
GPU_NODES = ("nvidia[0-9]*", "nvidiactl", "nvidia-uvm*", "nvidia-modeset", "nvidia-caps*", "dri", "kfd")
"""Entries of /dev that programs need to use a GPU. Others are disks, consoles and virtual machines."""
HOME_INSIDE = "/tmp/home"


@cache
def name() -> str:
    """ "bubblewrap" if it is installed and works, otherwise "none"."""
    program = shutil.which("bwrap")
    if program is None:
        return "none"
    try:
        probe = process.run([program, "--ro-bind", "/", "/", "--proc", "/proc", "--unshare-all", "true"], timeout=10)
    except (OSError, TimeoutError):
        return "none"
    return "bubblewrap" if probe.code == 0 else "none"


def wrap(job: Job) -> list[str]:
    """The command that runs the job inside the sandbox, or the job's own command if there is no sandbox."""
    if not job.sandbox or name() == "none":
        return job.command
    argv = ["bwrap", "--die-with-parent", "--unshare-all", "--new-session", "--cap-drop", "ALL"]
    argv += ["--share-net"] if job.network else []
    for path in SYSTEM:
        argv += ["--ro-bind-try", path, path]
    argv += ["--tmpfs", "/etc"]
    for setting in SETTINGS:
        argv += ["--ro-bind-try", f"/etc/{setting}", f"/etc/{setting}"]
    argv += ["--remount-ro", "/etc"]
    if job.network:  # with systemd-resolved, resolv.conf is a link
        resolver = str(Path("/etc/resolv.conf").resolve())
        argv += ["--ro-bind-try", resolver, resolver]
    argv += ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys"]
    argv += ["--ro-bind-try", "/proc/sysrq-trigger", "/proc/sysrq-trigger"]
    argv += ["--dev", "/dev", *(_gpu_nodes() if job.gpus else [])]
    for path in ("/dev/shm", "/tmp"):
        argv += [*(["--size", str(job.memory)] if _knows_size() else []), "--tmpfs", path]
    argv += ["--dir", HOME_INSIDE]
    for path in job.hidden:
        argv += ["--tmpfs", path]
    for path in _interpreter_folders(job):
        argv += ["--ro-bind", path, path]
    argv += ["--ro-bind", job.cwd, job.cwd]
    argv += [*_folders(job), "--bind", job.out_dir, job.out_dir, *_sealed(job)]
    return [*argv, "--chdir", job.cwd, "--", *job.command]


def _gpu_nodes() -> list[str]:
    """Options that show the GPUs of this machine."""
    found = sorted(str(path) for pattern in GPU_NODES for path in Path("/dev").glob(pattern))
    return [option for path in found for option in ("--dev-bind", path, path)]


def _folders(job: Job) -> list[str]:
    """Options that show what the job may read, above what its working folder hides."""
    covered = [option for path in _covered(job) for option in ("--tmpfs", path)]
    return covered + [option for path in job.readable for option in ("--ro-bind", path, path)]


def _sealed(job: Job) -> list[str]:
    """Options that make hidden folders read-only: what is written there would be memory that no process shows."""
    paths = {*job.hidden, *_covered(job)} - {job.out_dir}
    return [option for path in sorted(paths) for option in ("--remount-ro", path)]


def _covered(job: Job) -> list[str]:
    """Folders in the working folder that appear empty."""
    found = (path for pattern in (".harness", *job.unseen) for path in Path(job.cwd).glob(pattern))
    return sorted(str(path) for path in found if path.is_dir() and not path.is_symlink())


@cache
def _knows_size() -> bool:
    """Whether this bubblewrap can limit a tmpfs (since 0.8), whose files use memory that no process shows."""
    return "--size" in process.run(["bwrap", "--help"], timeout=10).out


def variables(job: Job) -> dict[str, str]:
    """The job's variables, with a home and a temporary folder of its own."""
    if job.sandbox and name() != "none":
        return {**job.env, "HOME": HOME_INSIDE, "TMPDIR": "/tmp"}
    own = Path(job.folder) / "home"
    own.mkdir(exist_ok=True)
    return {**job.env, "HOME": str(own), "TMPDIR": str(own)}


def _interpreter_folders(job: Job) -> list[str]:
    """Folders of the Python that runs the job, including the one that its venv is based on."""
    python = Path(job.command[0])
    found = {Path(sys.prefix), Path(sys.base_prefix)} if python == Path(sys.executable) else set()
    if python.is_absolute():
        found |= {python.parent.parent, python.resolve().parent.parent}
    own = {folder for folder in found if (folder / "pyvenv.cfg").is_file() or any(folder.glob("lib*/python3*"))}
    return sorted(
        str(folder) for folder in own if not str(folder).startswith(("/usr/", "/bin")) and folder != Path("/usr")
    )
