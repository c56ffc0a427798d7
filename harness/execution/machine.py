"""What machine a job runs on, as far as its values depend on it. Standard library only: the runner uses it.

A numerical library picks its kernels by the processor, the number of threads and a few variables. Other kernels add in
another order, so the same code with the same seeds gives other last digits, and sometimes another training.
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
"""Flag in /proc/cpuinfo → the widest vector instructions that it stands for, widest first."""
PACKAGES = ("torch", "numpy", "jax", "tensorflow", "scikit-learn")
"""Packages whose release may change the values of a run."""
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
    """The fields of `records.Machine` that a job finds on this machine."""
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
    """Versions of what an interpreter computes with; empty if it cannot be started."""
    try:
        done = process.run([python or sys.executable, "-c", VERSIONS])
    except (OSError, TimeoutError):
        return {}
    return dict(line.split() for line in done.out.splitlines()) if done.code == 0 else {}


def _processor() -> str:
    """Such as "AMD EPYC, family 25 model 17, AVX-512"; families tell apart what clouds sell under one name."""
    about = _cpuinfo()
    vendor = [about[key] for key in ("CPU implementer", "CPU part") if key in about]
    name = about.get("model name") or " ".join(vendor) or platform.processor() or "unknown processor"
    family = f"family {about['cpu family']} model {about['model']}" if "cpu family" in about else ""
    flags = (about.get("flags") or about.get("Features") or "").split()
    widest = next((word for flag, word in VECTORS.items() if flag in flags), "")
    return ", ".join(filter(None, (name, family, widest)))


def _cpuinfo() -> dict[str, str]:
    """What /proc/cpuinfo says of the first core."""
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
