"""A template as a study has it: its files and the shared modules in one folder; imported, and run as scripts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

from harness.template.folder import Template

ROOT = Path(__file__).parents[1]
COMMON = ROOT / "templates" / "common"


def folder(name: str) -> Path:
    return ROOT / "templates" / name


def baseline_run(name: str) -> Path:
    """What the stored baseline's run left."""
    return ROOT / "baselines" / name / "run_0"


def pin(name: str, target: Path) -> Path:
    """A copy of the template with its shared modules next to it."""
    Template(folder(name)).pin(target)
    return target


@contextmanager
def imported(where: Path, *names: str) -> Iterator[dict[str, ModuleType]]:
    """Modules of a template's folder, under plain names that no other test is to find."""
    own = {path.stem for path in where.glob("*.py")}
    before = {name: sys.modules.pop(name) for name in own if name in sys.modules}
    sys.path.insert(0, str(where))
    try:
        yield {name: import_module(name) for name in names}
    finally:
        sys.path.remove(str(where))
        for name in own:
            sys.modules.pop(name, None)
        sys.modules.update(before)


def script(where: Path, name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of a template in its folder, on one thread because tests run side by side, or as many as are set."""
    threads = {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, name, *arguments],
        cwd=where,
        env={**threads, **os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def evaluate(where: Path, run: Path, out: Path, seeds: str = "0,1") -> subprocess.CompletedProcess[str]:
    return script(where, "evaluate.py", f"--run_dir={run}", f"--out_dir={out}", HARNESS_SEEDS=seeds)


def known(where: Path, run: Path, out: Path) -> list[dict[str, object]]:
    """The rows that known.py writes about a run."""
    done = script(where, "known.py", f"--run_dir={run}", f"--out_dir={out}")
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, object]] = json.loads((out / "known.json").read_text())
    return rows
