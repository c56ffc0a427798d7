"""Options and arguments that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
StudyName = Annotated[str, typer.Argument(help="Name of a study, or a beginning or end that no other name has.")]
TemplateNames = Annotated[list[str] | None, typer.Argument(help="Names of templates, or paths of their folders.")]
Model = Annotated[str | None, typer.Option(help="litellm name, replay:FILE or manual[:FOLDER].")]
Timeout = Annotated[float, typer.Option("--model-timeout", min=1, help="Seconds per model call.")]
Retries = Annotated[
    int, typer.Option("--model-retries", min=0, help="Retries of a call that failed for a passing reason.")
]
Sandbox = Annotated[bool, typer.Option("--sandbox/--no-sandbox", help="Run experiments in bubblewrap where it works.")]
ExecutorName = Annotated[str, typer.Option("--executor", help="Where runs are executed.")]
