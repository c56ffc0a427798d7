"""Options and arguments that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
StudyName = Annotated[str, typer.Argument(help="Name of a study, or a unique prefix or suffix of it.")]
TemplateNames = Annotated[list[str] | None, typer.Argument(help="Names or folders of templates.")]
Model = Annotated[str | None, typer.Option(help="litellm model name, replay:FILE or manual[:FOLDER].")]
Timeout = Annotated[float, typer.Option("--model-timeout", min=1, help="Seconds per model call.")]
Retries = Annotated[
    int, typer.Option("--model-retries", min=0, help="Retries of a model call after a temporary failure.")
]
Sandbox = Annotated[
    bool, typer.Option("--sandbox/--no-sandbox", help="Run experiments in bubblewrap if it works here.")
]
ExecutorName = Annotated[str, typer.Option("--executor", help="Where runs are executed.")]
