"""Commands that work on studies: run, resume, confirm, replay."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.cli.app import Json, app, console, print_json, project

if TYPE_CHECKING:
    from harness.paths import ProjectPaths, StudyPaths
    from harness.records import Budget, Idea
    from harness.state.events import StudyStopped
    from harness.study.spec import ExecutionOptions
    from harness.template.folder import Template

Model = Annotated[str | None, typer.Option(help="litellm name, replay:FILE or manual[:FOLDER].")]
Timeout = Annotated[float, typer.Option("--model-timeout", min=1, help="Seconds per model call.")]
Retries = Annotated[
    int, typer.Option("--model-retries", min=0, help="Retries of a call that failed for a passing reason.")
]
Sandbox = Annotated[bool, typer.Option("--sandbox/--no-sandbox", help="Run experiments in bubblewrap where it works.")]
ExecutorName = Annotated[str, typer.Option("--executor", help="Where runs are executed.")]


@app.command()
def run(
    template: Annotated[str, typer.Argument(help="Name of a template, or the path of its folder.")],
    idea: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of one of the template's ideas, a .toml or .json file, or the idea itself. May be repeated."
        ),
    ] = None,
    agent: Annotated[str, typer.Option(help="aider, tuner, random, or package.module:Class.")] = "aider",
    model: Model = None,
    max_runs: Annotated[int, typer.Option(help="Numbered runs, baseline not counted.")] = 5,
    confirm: Annotated[
        int, typer.Option(help="Runs that are measured again on fresh seeds in the end, the best that look better.")
    ] = 1,
    attempts: Annotated[int, typer.Option(help="Launches per run before it is given up.")] = 4,
    max_fixes: Annotated[int, typer.Option(help="Turns in a row without a launch before the study stops.")] = 5,
    max_dollars: Annotated[float | None, typer.Option(help="US dollars for model calls.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Tokens for model calls.")] = None,
    max_hours: Annotated[float | None, typer.Option(help="Hours of wall-clock time.")] = None,
    name: Annotated[str, typer.Option(help="Name of the study (one idea only).")] = "",
    start: Annotated[str, typer.Option("--from", help="STUDY/run_K to go on from.")] = "",
    strategy: Annotated[
        str, typer.Option(help="What the next run starts from: last, best, or package.module:Class.")
    ] = "last",
    control: Annotated[
        str, typer.Option(help="tuner or random: work the same template with the same budget and no model, to compare.")
    ] = "",
    baseline_from: Annotated[
        Literal["here", "stored"],
        typer.Option(
            "--baseline",
            help="here: where the stored baseline comes from another kind of machine, the unmodified template is run "
            "here once. stored: never; equal values are then no proof of equal code.",
        ),
    ] = "here",
    executor: ExecutorName = "local",
    sandbox: Sandbox = True,
    model_timeout: Timeout = 600.0,
    model_retries: Retries = 4,
    as_json: Json = False,
) -> None:
    """Work an idea on a template, start to finish."""
    from harness.agents import WITHOUT_MODEL
    from harness.cli.bench import bench
    from harness.errors import IdeaError, UserError
    from harness.execution.executors import BUILT_IN
    from harness.planning import strategies
    from harness.plugins import find
    from harness.study.create import check_name, create
    from harness.study.open import agent_class
    from harness.study.spec import ExecutionOptions, StudySpec
    from harness.template import baseline
    from harness.template import folder as templates
    from harness.template.ideas import read_idea

    here = project()
    chosen = templates.load(here.templates, template)
    worker = agent_class(agent)
    runs_on = find("executor", executor, BUILT_IN)
    find("strategy", strategy, strategies.BUILT_IN)
    budget = _budget(
        runs=max_runs,
        confirm=confirm,
        attempts=attempts,
        fixes=max_fixes,
        dollars=max_dollars,
        tokens=max_tokens,
        hours=max_hours,
    )
    if not idea and agent not in WITHOUT_MODEL:
        raise IdeaError(
            f"which idea? --idea takes text, a file, or one of: {', '.join(chosen.ideas()) or 'none shipped'}"
        )
    ideas = [read_idea(chosen, text) for text in idea or []] or [_tuning(chosen)]
    if name and len(ideas) > 1:
        raise UserError("--name goes with one idea; leave it out to name each study after its idea")
    stored = baseline.load(here.baselines, chosen)
    priced = worker.check(model, chosen, priced=budget.dollars is not None)
    if control:
        agent_class(control).check(None, chosen, priced=False)
        if name and (here.runs / f"{name}-control").exists():
            raise UserError(f"there is a study named {name}-control already; take another --name")
    run_0 = baseline.folder(here.baselines, chosen) / "run_0"
    if baseline_from == "here":
        with bench(here, runs_on(), sandbox) as place:
            stored, run_0 = place.baseline(chosen, stored)
    specs = [
        StudySpec(chosen, stored, run_0, one, budget, agent, priced, strategy, check_name(name), start, control)
        for one in ideas
    ]

    def studies() -> Iterator[StudyPaths]:
        """Each study, begun when the one before it is over."""
        for spec in specs:
            yield from _with_control(here, create(here, spec, _say))

    options = ExecutionOptions(executor, sandbox, model_timeout, model_retries)
    raise typer.Exit(_work_all(here, studies(), options, as_json))


@app.command()
def resume(
    study: Annotated[str, typer.Argument(help="Name of the study, or a beginning or end that no other name has.")],
    executor: ExecutorName = "local",
    sandbox: Sandbox = True,
    model_timeout: Timeout = 600.0,
    model_retries: Retries = 4,
    as_json: Json = False,
) -> None:
    """Go on with a study that was paused, interrupted or killed. A finished run is never repeated."""
    from harness.study.open import may_resume
    from harness.study.spec import ExecutionOptions

    here = project()
    paths = here.study(study)
    may_resume(paths)
    options = ExecutionOptions(executor, sandbox, model_timeout, model_retries)
    raise typer.Exit(_work_all(here, _with_control(here, paths), options, as_json))


@app.command(name="confirm")
def confirm_run(
    study: Annotated[str, typer.Argument(help="Name of the study, or a beginning or end that no other name has.")],
    run: Annotated[int | None, typer.Argument(help="Its number; without it, the best that looks better.")] = None,
    executor: ExecutorName = "local",
    sandbox: Sandbox = True,
    as_json: Json = False,
) -> None:
    """Measure a run of a study again, on seeds that nothing in the study has seen. Only that makes it "better"."""
    from harness.cli.live import LiveWatcher
    from harness.planning import confirming
    from harness.planning.next_step import is_under_way
    from harness.state.journal import history
    from harness.state.verdicts import judge
    from harness.study import loop
    from harness.study.open import open_study
    from harness.study.spec import ExecutionOptions

    here = project()
    paths = here.study(study)
    found = history(paths)
    confirming.choose(found, run, is_under_way(found))
    with (
        LiveWatcher(console(stderr=as_json)) as watcher,
        open_study(here, paths, ExecutionOptions(executor, sandbox), watcher) as opened_study,
    ):
        chosen = loop.confirm(opened_study, run)
        verdicts = judge(opened_study.history)[chosen]
    if as_json:
        print_json({"study": paths.name, "run": chosen, "verdicts": {d: word for d, (word, _) in verdicts.items()}})


@app.command()
def replay(
    study: Annotated[str, typer.Argument(help="Name of the study to perform again.")],
    sandbox: Sandbox = True,
    as_json: Json = False,
) -> None:
    """Perform a recorded study again, without a key, and show any difference in edits or metrics."""
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
            f"{original.name} is not over ({before.status}); finish it with: harness resume {original.name}"
        )
    spec = spec_of(original)
    model = f"{REPLAY}{original.recording}" if spec.model.model else None
    agent_class(spec.agent).check(model, spec.template, priced=False)
    names = (f"{original.name}-replay" + (f"-{n}" if n > 1 else "") for n in range(1, 1000))
    name = next(n for n in names if not (here.runs / n).exists())
    spec = replace(spec, model=PricedModel(model=model or ""), name=name, control="")
    paths = create(here, spec, _say)
    stopped = _work(here, paths, ExecutionOptions(sandboxed=sandbox), quiet=as_json)
    found = differences(before, history(paths), spec.template)
    if as_json:
        print_json({"study": original.name, "replay": paths.name, "status": stopped.status, "differences": found})
    else:
        for sentence in found:
            print(f"difference: {sentence}")
        print(f"{len(found)} differences in edits and metrics between {original.name} and {paths.name}")
    raise typer.Exit(130 if stopped.status == "interrupted" else 1 if found else 0)


def _with_control(here: ProjectPaths, paths: StudyPaths) -> Iterator[StudyPaths]:
    """A study, and when it is done its control, if one was asked for and is not there."""
    from harness.records import PricedModel
    from harness.state.journal import history
    from harness.study.create import create
    from harness.study.spec import spec_of

    yield paths
    after, name = history(paths), f"{paths.name}-control"
    if after.begun.control and after.status == "done" and not (here.runs / name).exists():
        spec = spec_of(paths)
        beside = replace(spec, agent=spec.control, model=PricedModel(), idea=_tuning(spec.template), control="")
        yield create(here, replace(beside, name=name, control_of=paths.name), _say)


def _tuning(template: Template) -> Idea:
    from harness.records import Idea

    return Idea(title=f"Tune {template.name}", prompt="Search the constants in [search_space].")


def _say(line: str) -> None:
    print(f"  {line}", file=sys.stderr)


def _budget(**amounts: Any) -> Budget:
    from pydantic import ValidationError

    from harness.errors import UserError
    from harness.records import Budget

    try:
        return Budget(**amounts)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option = {"runs": "max-runs", "attempts": "attempts", "fixes": "max-fixes", "confirm": "confirm"}.get(
            str(first["loc"][0]), f"max-{first['loc'][0]}"
        )
        raise UserError(f"--{option} {first['input']}: {first['msg'].lower()}") from error


def _work_all(here: ProjectPaths, studies: Iterator[StudyPaths], options: ExecutionOptions, as_json: bool) -> int:
    """Work the studies one after another; the exit code is that of the worst."""
    codes = []
    for paths in studies:
        stopped = _work(here, paths, options, quiet=as_json)
        if as_json:
            print_json({"study": paths.name, "status": stopped.status, "reason": stopped.reason}, indent=None)
        else:
            _what_next(paths, stopped)
        codes.append({"done": 0, "interrupted": 130}.get(stopped.status, 1))
        if stopped.status == "interrupted":
            break
    return max(codes)


def _work(here: ProjectPaths, paths: StudyPaths, options: ExecutionOptions, quiet: bool) -> StudyStopped:
    from harness.cli.live import LiveWatcher
    from harness.study import loop
    from harness.study.open import open_study

    with LiveWatcher(console(stderr=quiet)) as watcher, open_study(here, paths, options, watcher) as study:
        watcher.happened(study.history.begun, study.history)
        return loop.work(study)


def _what_next(paths: StudyPaths, stopped: StudyStopped) -> None:
    if stopped.status in ("paused", "interrupted"):
        print(f"\nGo on with:  harness resume {paths.name}")
        return
    print(f"\nResults:     harness compare {paths.name}")
    print(f"What changed: harness diff {paths.name}")
    if any(paths.plots.glob("*")) if paths.plots.exists() else False:
        print(f"Plots:       {Path(paths.plots)}")
