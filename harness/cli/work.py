"""Run studies one after another with live output; shared by run, resume and replay."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.app import console, print_json

if TYPE_CHECKING:
    from harness.paths import ProjectPaths, StudyPaths
    from harness.records import Idea
    from harness.state.events import StudyStopped
    from harness.study.spec import ExecutionOptions
    from harness.template.folder import Template


def with_control(here: ProjectPaths, paths: StudyPaths) -> Iterator[StudyPaths]:
    """The study and, once it is done, its control, if one was requested and does not exist yet."""
    from harness import agents
    from harness.records import PricedModel
    from harness.state.journal import history
    from harness.study.create import create
    from harness.study.spec import spec_of

    yield paths
    after, name = history(paths), f"{paths.name}-control"
    if after.begun.control and after.status == "done" and not (here.runs / name).exists():
        spec = spec_of(paths)
        settings = agents.settings(spec.control, here.settings).model_dump(mode="json")
        if "seed" in settings and settings["seed"] == spec.agent_settings.get("seed"):
            settings["seed"] = (settings["seed"] + 1) % 2**32  # otherwise it might make the very same runs
        agent = {"agent": spec.control, "agent_settings": settings, "model": PricedModel(), "control": ""}
        yield create(here, replace(spec, **agent, idea=tuning(spec.template), name=name, control_of=paths.name), say)


def tuning(template: Template) -> Idea:
    from harness.records import Idea

    return Idea(title=f"Tune {template.name}", prompt="Search the constants in [search_space].")


def say(line: str) -> None:
    print(f"  {line}", file=sys.stderr)


def work_all(here: ProjectPaths, studies: Iterator[StudyPaths], options: ExecutionOptions, as_json: bool) -> int:
    """Run the studies one after another; return the highest exit code."""
    codes = []
    for paths in studies:
        stopped = work(here, paths, options, quiet=as_json)
        if as_json:
            print_json({"study": paths.name, "status": stopped.status, "reason": stopped.reason}, indent=None)
        else:
            _what_next(paths, stopped)
        codes.append({"done": 0, "interrupted": 130}.get(stopped.status, 1))
        if stopped.status == "interrupted":
            break
    return max(codes)


def work(here: ProjectPaths, paths: StudyPaths, options: ExecutionOptions, quiet: bool) -> StudyStopped:
    from harness.cli.live import LiveWatcher
    from harness.study import loop
    from harness.study.open import open_study

    with (
        LiveWatcher(console(stderr=quiet)) as watcher,
        open_study(here, paths, options, watcher) as study,
    ):
        watcher.happened(study.history.begun, study.history)
        return loop.work(study)


def _what_next(paths: StudyPaths, stopped: StudyStopped) -> None:
    if stopped.status in ("paused", "interrupted"):
        print(f"\nContinue with:  harness resume {paths.name}")
        return
    from harness.report.summary import best_run
    from harness.state.journal import history

    best = best_run(history(paths))
    print(f"\nResults:      harness compare {paths.name}")
    print(f"What changed: harness diff {paths.name}" + (f" {best}    (its best run)" if best else ""))
    if any(paths.plots.glob("*")) if paths.plots.exists() else False:
        print(f"Plots:        {Path(paths.plots)}")
