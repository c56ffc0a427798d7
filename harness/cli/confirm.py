"""harness confirm: re-run a run on fresh seeds."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.app import app, console, print_json, project
from harness.cli.options import ExecutorName, Json, Sandbox, StudyName


@app.command(name="confirm")
def confirm_run(
    study: StudyName,
    run: Annotated[int | None, typer.Argument(help="Run number. Default: the best promising run.")] = None,
    executor: ExecutorName = "local",
    sandbox: Sandbox = True,
    as_json: Json = False,
) -> None:
    """Re-run a run on fresh seeds. Only this can give it the verdict "better"."""
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
