"""The machine that a job runs on, as far as its results depend on it. Must stay fast to import: the runner uses it.

Numerical libraries choose their kernels by processor, number of threads and a few variables. Other kernels add in a
different order, so the same code with the same seeds gives slightly different values; training may then take another
course.
"""

from __future__ import annotations

import platform
import sys
from functools import cache
from pathlib import Path
from typing import Any

from harness.execution import process
from harness.execution.job import Job

VECTORS = {"avx512f": "AVX-512", "avx2": "AVX2", "avx": "AVX", "sve": "SVE", "asimd": "NEON"}
"""Flag in /proc/cpuinfo → name of the vector instructions, widest first."""
PACKAGES = ("torch", "numpy", "jax", "tensorflow", "scikit-learn")
"""Packages whose version may change the values of a run."""
VERSIONS = f"""
import sys
from importlib import metadata
print("python", ".".join(map(str, sys.version_info[:2])))
for name in {PACKAGES!r}:
    try:
        print(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        pass
"""


def describe(job: Job) -> dict[str, Any]:
    """The fields of `records.Machine` for a job on this machine."""
    variables = job.env | process.thread_limits(job.threads)
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "threads": int(variables["OMP_NUM_THREADS"]),
        "gpus": _gpus() if job.gpus else [],
        "packages": job.packages,
        "settings": {name: variables[name] for name in process.KERNEL_SETTINGS if name in variables},
    }


@cache
def packages(python: str) -> dict[str, str]:
    """Versions of an interpreter's numerical packages; empty if it cannot be started."""
    try:
        done = process.run([python or sys.executable, "-c", VERSIONS])
    except (OSError, TimeoutError):
        return {}
    return dict(line.split() for line in done.out.splitlines()) if done.code == 0 else {}


def _processor() -> str:
    """Such as "AMD EPYC, family 25 model 17, AVX-512"; clouds sell several families under one name."""
    about = _cpuinfo()
    vendor = [about[key] for key in ("CPU implementer", "CPU part") if key in about]
    name = about.get("model name") or " ".join(vendor) or platform.processor() or "unknown processor"
    family = f"family {about['cpu family']} model {about['model']}" if "cpu family" in about else ""
    flags = (about.get("flags") or about.get("Features") or "").split()
    widest = next((word for flag, word in VECTORS.items() if flag in flags), "")
    return ", ".join(filter(None, (name, family, widest)))


def _cpuinfo() -> dict[str, str]:
    """The entries of /proc/cpuinfo for the first core."""
    found: dict[str, str] = {}
    try:
        with Path("/proc/cpuinfo").open() as lines:
            for line in lines:
                if not line.strip():
                    break
                key, _, value = line.partition(":")
                found[key.strip()] = value.strip()
    except OSError:
        pass
    return found


def _gpus() -> list[str]:
    """Models of the NVIDIA GPUs, as their driver lists them."""
    found = []
    for about in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        lines = (line.partition(":") for line in about.read_text().splitlines())
        found += [value.strip() for key, _, value in lines if key.strip() == "Model"]
    return found
