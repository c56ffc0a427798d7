"""harness doctor: what is installed and what is missing."""

from __future__ import annotations

import os
import platform
import shutil
import sys

import typer

from harness.cli.app import app, print_json
from harness.cli.options import Json


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check what is installed and what works without the rest."""
    rows = [
        {"what": what, "found": bool(found), "detail": found or without}
        for what, (found, without) in _examine().items()
    ]
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            print(f"{'ok     ' if row['found'] else 'missing'}  {row['what']:11} {row['detail']}")
    if not next(row for row in rows if row["what"] == "git")["found"]:
        raise typer.Exit(1)


def _examine() -> dict[str, tuple[str, str]]:
    """Part → (what was found, what it means if nothing was)."""
    from harness.execution import sandbox
    from harness.models import DEFAULT_MODELS

    keys = [variable for variable in DEFAULT_MODELS if os.environ.get(variable)]
    confined = "bubblewrap confines every run" if sandbox.name() != "none" else ""
    return {
        "python": (f"{platform.python_version()} at {sys.executable}", ""),
        "git": (_version("git", "--version"), "nothing works without git: install it"),
        "bwrap": (
            confined,
            "runs are not confined: they get no keys, but can read your files and use the network; install bubblewrap",
        ),
        "ruff": (_version("ruff", "--version"), "studies cannot check edits: reinstall the harness"),
        "ty": (_version("ty", "--version"), "studies cannot check edits: reinstall the harness"),
        "aider": (_package("aider-chat"), "only --agent tuner and --agent random work"),
        "keys": (
            ", ".join(keys),
            f"none of {', '.join(DEFAULT_MODELS)}; "
            "these work without a key: --agent tuner, --model manual, replay:FILE and ollama/NAME",
        ),
        "torch": (_package("torch"), "the shipped templates do not run: pip install 'experiment-harness[templates]'"),
        "gpu": (_version("nvidia-smi", "-L"), "everything runs on the CPU"),
    }


def _version(program: str, *arguments: str) -> str:
    from harness.checks import tool
    from harness.execution import process

    path = tool(program)
    if shutil.which(path) is None:
        return ""
    try:
        done = process.run([path, *arguments], timeout=20)
    except (OSError, TimeoutError):
        return ""
    return done.out.strip().splitlines()[0] if done.code == 0 and done.out.strip() else ""


def _package(name: str) -> str:
    from importlib import metadata

    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return ""
