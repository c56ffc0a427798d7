"""harness diff: what the agent changed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from harness.cli.app import app, print_json, project
from harness.cli.options import Json, StudyName


@app.command()
def diff(
    study: StudyName,
    first: Annotated[
        str | None, typer.Argument(help="Run number: the end of the diff, or its start if there are two.")
    ] = None,
    second: Annotated[str | None, typer.Argument(help="Run number: the end of the diff.")] = None,
    stat: Annotated[bool, typer.Option("--stat", help="Show only the changed files and line counts.")] = False,
    as_json: Json = False,
) -> None:
    """Show what the agent changed: in the whole study, up to one run, or between two runs."""
    from harness.text import printable
    from harness.workspace import Lab

    here = project()
    name = here.study(study).name
    lab = Lab(here.lab)
    if second is not None and first is not None:
        ends = (lab.resolve(name, first), lab.resolve(name, second))
    else:
        ends = (lab.resolve(name, "template"), lab.resolve(name, first) if first else lab.head(name))
    colours = sys.stdout.isatty() and not as_json
    text = lab.diff(*ends, color=colours, stat=stat)
    if as_json:
        print_json({"study": name, "from": ends[0], "to": ends[1], "diff": text})
    else:
        print(printable(text, colours) if text else "no difference")
