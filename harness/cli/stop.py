"""harness stop: interrupt a running study."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.app import app, print_json, project
from harness.cli.options import Json, StudyName


@app.command()
def stop(
    study: StudyName,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for it to stop.")] = 60.0,
    as_json: Json = False,
) -> None:
    """Stop a running study and its current run. Nothing is lost; `harness resume` continues it."""
    from harness.errors import HarnessError
    from harness.report.summary import status_of
    from harness.state.journal import history
    from harness.study.stop import stop_controller

    paths = project().study(study)
    if not stop_controller(paths, wait):
        raise HarnessError(f"{paths.name} is still stopping after {wait:g} s; check again with: harness status")
    found = status_of(paths, history(paths))
    if as_json:
        print_json({"study": paths.name, "status": found})
    else:
        print(f"{paths.name}: {found}\n\nContinue with:  harness resume {paths.name}")
