"""harness run, resume: start and continue studies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.cli.app import app, project
from harness.cli.options import ExecutorName, Json, Model, Retries, Sandbox, StudyName, Timeout
from harness.cli.work import say, tuning, with_control, work_all

if TYPE_CHECKING:
    from harness.paths import ProjectPaths, StudyPaths
    from harness.records import Budget, Idea
    from harness.study.spec import StudySpec
    from harness.template.folder import Template


@app.command()
def run(
    template: Annotated[str, typer.Argument(help="Name or folder of a template.")],
    idea: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of a shipped idea, a .toml or .json file, or the idea itself. Repeatable (one study each)."
        ),
    ] = None,
    agent: Annotated[str, typer.Option(help="aider, tuner, random, recorded, or package.module:Class.")] = "aider",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the agent. May be repeated."),
    ] = None,
    model: Model = None,
    max_runs: Annotated[int, typer.Option(help="Number of runs, not counting the baseline.")] = 5,
    confirm: Annotated[
        int, typer.Option(help="How many of the best runs to measure on fresh seeds at the end, with the baseline.")
    ] = 1,
    confirm_seeds: Annotated[
        int | None, typer.Option(min=2, help="Fresh seeds that a confirmation may use. Default: the template's limit.")
    ] = None,
    confirm_hours: Annotated[
        float | None, typer.Option(help="Hours of launches after which a confirmation takes no further look.")
    ] = None,
    attempts: Annotated[int, typer.Option(help="Launches per run before giving up on it.")] = 4,
    max_fixes: Annotated[int, typer.Option(help="Consecutive turns without a launch before the study stops.")] = 5,
    max_dollars: Annotated[float | None, typer.Option(help="Budget for model calls in US dollars.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Budget for model calls in tokens.")] = None,
    max_hours: Annotated[float | None, typer.Option(help="Budget in hours of wall-clock time.")] = None,
    name: Annotated[str, typer.Option(help="Name of the study (one idea only).")] = "",
    start: Annotated[str, typer.Option("--from", help="Start from another study's code: STUDY/run_K.")] = "",
    strategy: Annotated[
        str, typer.Option(help="Which code the next run starts from: last, best, or package.module:Class.")
    ] = "last",
    control: Annotated[
        str,
        typer.Option(
            help="tuner or random: also run this agent, for comparison, with the same template and budget and no model."
        ),
    ] = "",
    baseline_from: Annotated[
        Literal["here", "stored"],
        typer.Option(
            "--baseline",
            help="here: if the stored baseline is from another kind of machine, measure it once on this one. "
            "stored: use the stored one anyway; equal values then do not prove equal code.",
        ),
    ] = "here",
    executor: ExecutorName = "local",
    sandbox: Sandbox = True,
    model_timeout: Timeout = 600.0,
    model_retries: Retries = 4,
    as_json: Json = False,
) -> None:
    """Run a study: an agent works on an idea within a budget."""
    from harness import agents
    from harness.cli.progress import bench
    from harness.errors import UserError
    from harness.execution.executors import make
    from harness.planning import strategies
    from harness.plugins import find
    from harness.study.create import check_name, create
    from harness.study.spec import ExecutionOptions, StudySpec
    from harness.template import baseline
    from harness.template import folder as templates

    here = project()
    chosen = templates.load(here.templates, template)
    worker, given = agents.find(agent), agents.settings(agent, here.settings, changes or ())
    make(executor, here.settings)
    find("strategy", strategy, strategies.BUILT_IN)
    budget = _budget(
        runs=max_runs,
        confirm=confirm,
        confirm_seeds=confirm_seeds,
        confirm_hours=confirm_hours,
        attempts=attempts,
        fixes=max_fixes,
        dollars=max_dollars,
        tokens=max_tokens,
        hours=max_hours,
    )
    ideas = _ideas(chosen, idea or [], worker.uses_model)
    check_name(name)
    if name and len(ideas) > 1:
        raise UserError("--name needs exactly one idea; leave it out to name each study after its idea")
    stored = baseline.load(here.baselines, chosen)
    if idea and not worker.uses_model:
        say(f"the agent {agent} uses no model: --idea only names the study, and is not tried")
    priced = worker.check(agents.Request(chosen, given, model, priced=budget.dollars is not None))
    if control:
        _check_control(control, here, chosen, name)
    with bench(here, executor, sandbox) as place:
        stored, run_0 = (place.baseline if baseline_from == "here" else place.stored_baseline)(chosen, stored)
    kept = given.model_dump(mode="json")
    specs = [
        StudySpec(chosen, stored, run_0, one, budget, agent, kept, priced, strategy, name, start, control)
        for one in ideas
    ]

    def studies() -> Iterator[StudyPaths]:
        """Each study, created when the previous one has ended."""
        for spec in specs:
            paths = create(here, spec, say)
            if spec is specs[0]:
                _say_what_can_be_seen(spec)
            yield from with_control(here, paths)

    options = ExecutionOptions(executor, sandbox, model_timeout, model_retries)
    raise typer.Exit(work_all(here, studies(), options, as_json))


def _say_what_can_be_seen(spec: StudySpec) -> None:
    """Say, before anything is spent, which gains the study could show."""
    from harness.report.power import beforehand

    found = spec.baseline
    for line in beforehand(spec.template.manifest, found.scores, found.seeding, found.seconds, spec.budget):
        say(line)


def _check_control(control: str, here: ProjectPaths, template: Template, name: str) -> None:
    """Refuse a control that cannot run after a study of that name."""
    from harness import agents
    from harness.errors import UserError

    agents.find(control).check(agents.Request(template, agents.settings(control, here.settings)))
    if name and (here.runs / f"{name}-control").exists():
        raise UserError(f"a study named {name}-control already exists; choose another --name")


def _ideas(template: Template, texts: list[str], needed: bool) -> list[Idea]:
    """The ideas to work on, one study each."""
    from harness.errors import IdeaError
    from harness.template.ideas import read_idea

    if not texts and needed:
        shipped = ", ".join(template.ideas())
        named = f", or the name of one: {shipped}" if shipped else ""
        raise IdeaError(
            f'no idea given; --idea takes a sentence, such as --idea "Use momentum", or a file{named}; '
            "or, without a model: --agent tuner"
        )
    return [read_idea(template, text) for text in texts] or [tuning(template)]


def _budget(**amounts: Any) -> Budget:
    from pydantic import ValidationError

    from harness.errors import UserError
    from harness.records import Budget

    try:
        return Budget(**amounts)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        own = ("attempts", "confirm", "confirm_seeds", "confirm_hours")
        option = {name: name.replace("_", "-") for name in own}.get(str(first["loc"][0]), f"max-{first['loc'][0]}")
        raise UserError(f"--{option} {first['input']}: {first['msg'].lower()}") from error


@app.command()
def resume(
    study: StudyName,
    executor: ExecutorName = "local",
    sandbox: Sandbox = True,
    model_timeout: Timeout = 600.0,
    model_retries: Retries = 4,
    as_json: Json = False,
) -> None:
    """Continue a study that was paused, interrupted or killed. Finished runs are not repeated."""
    from harness.study.open import may_resume
    from harness.study.spec import ExecutionOptions

    here = project()
    paths = here.study(study)
    may_resume(paths)
    options = ExecutionOptions(executor, sandbox, model_timeout, model_retries)
    raise typer.Exit(work_all(here, with_control(here, paths), options, as_json))
