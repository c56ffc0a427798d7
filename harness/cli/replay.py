"""harness replay: repeat a recorded study."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import app, print_json, project
from harness.cli.options import Json, Sandbox
from harness.cli.work import say, work

if TYPE_CHECKING:
    from harness.paths import StudyPaths
    from harness.study.spec import StudySpec


@app.command()
def replay(
    study: Annotated[str, typer.Argument(help="Name of the study to repeat.")],
    sandbox: Sandbox = True,
    as_json: Json = False,
) -> None:
    """Repeat a recorded study and report any difference. Needs no key."""
    from harness.errors import UserError
    from harness.report.replays import differences
    from harness.state.journal import history
    from harness.study.create import create
    from harness.study.spec import ExecutionOptions, spec_of

    here = project()
    original = here.study(study)
    before = history(original)
    if before.status not in ("done", "failed"):
        raise UserError(
            f"{original.name} has not ended ({before.status}); finish it with: harness resume {original.name}"
        )
    spec = _again(original, spec_of(original))
    names = (f"{original.name}-replay" + (f"-{n}" if n > 1 else "") for n in range(1, 1000))
    name = next(n for n in names if not (here.runs / n).exists())
    paths = create(here, replace(spec, name=name, control=""), say)
    stopped = work(here, paths, ExecutionOptions(sandboxed=sandbox), quiet=as_json)
    found = differences(before, history(paths), spec.template)
    if as_json:
        print_json({"study": original.name, "replay": paths.name, "status": stopped.status, "differences": found})
    else:
        for sentence in found:
            print(f"difference: {sentence}")
        print(f"{len(found)} differences in edits and metrics between {original.name} and {paths.name}")
    raise typer.Exit(130 if stopped.status == "interrupted" else 1 if found else 0)


def _again(original: StudyPaths, spec: StudySpec) -> StudySpec:
    """What repeats a study: aider with the recorded replies of its model, or for any other agent the recorded turns."""
    from harness import agents, plugins
    from harness.models import REPLAY
    from harness.records import PricedModel

    if spec.agent == "aider":
        model, agent, settings = f"{REPLAY}{original.recording}", spec.agent, spec.agent_settings
    else:
        model, agent, settings = "", "recorded", {"turns": str(original.turns)}
    chosen = agents.find(agent)
    chosen.check(
        agents.Request(
            spec.template,
            plugins.checked(chosen.Settings, settings, f"{original.name}: settings of {agent}:"),
            model or None,
        )
    )
    return replace(spec, agent=agent, agent_settings=settings, model=PricedModel(model=model))
