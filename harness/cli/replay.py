"""harness replay: repeat a recorded study."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from harness.cli.app import app, print_json, project
from harness.cli.options import Json, Sandbox
from harness.cli.work import say, work


@app.command()
def replay(
    study: Annotated[str, typer.Argument(help="Name of the study to repeat.")],
    sandbox: Sandbox = True,
    as_json: Json = False,
) -> None:
    """Repeat a recorded study and report any difference. Needs no key."""
    from harness.errors import UserError
    from harness.models import REPLAY
    from harness.records import PricedModel
    from harness.report.replays import differences
    from harness.state.journal import history
    from harness.study.create import create
    from harness.study.open import agent_class
    from harness.study.spec import ExecutionOptions, spec_of

    here = project()
    original = here.study(study)
    before = history(original)
    if before.status not in ("done", "failed"):
        raise UserError(
            f"{original.name} has not ended ({before.status}); finish it with: harness resume {original.name}"
        )
    spec = spec_of(original)
    model = f"{REPLAY}{original.recording}" if spec.model.model else None
    agent_class(spec.agent).check(model, spec.template, priced=False)
    names = (f"{original.name}-replay" + (f"-{n}" if n > 1 else "") for n in range(1, 1000))
    name = next(n for n in names if not (here.runs / n).exists())
    spec = replace(spec, model=PricedModel(model=model or ""), name=name, control="")
    paths = create(here, spec, say)
    stopped = work(here, paths, ExecutionOptions(sandboxed=sandbox), quiet=as_json)
    found = differences(before, history(paths), spec.template)
    if as_json:
        print_json({"study": original.name, "replay": paths.name, "status": stopped.status, "differences": found})
    else:
        for sentence in found:
            print(f"difference: {sentence}")
        print(f"{len(found)} differences in edits and metrics between {original.name} and {paths.name}")
    raise typer.Exit(130 if stopped.status == "interrupted" else 1 if found else 0)
