"""harness status: all studies of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import app, print_json, project
from harness.cli.options import Json

if TYPE_CHECKING:
    from harness.paths import StudyPaths
    from harness.state.history import History


@app.command()
def status(
    cost: Annotated[bool, typer.Option("--cost", help="Show what each study has cost, and the total.")] = False,
    as_json: Json = False,
) -> None:
    """List the studies of this project."""
    from harness.errors import JournalCorrupt
    from harness.state.journal import fold

    here = project()
    studies, bad = [], []
    for paths in (here.study_paths(name) for name in here.studies()):
        try:
            found = fold(paths.journal)
        except JournalCorrupt as error:
            bad.append(error)
        else:
            studies += [(paths, found)] if found.start is not None else []
    if studies or as_json or not bad:
        _print_cost(studies, as_json) if cost else _print_status(studies, as_json)
    if bad:
        raise JournalCorrupt("; ".join(map(str, bad)))


def _print_status(studies: list[tuple[StudyPaths, History]], as_json: bool) -> None:
    from harness.report.summary import summarize

    summaries = [summarize(paths, history) for paths, history in studies]
    if as_json:
        print_json([summary.model_dump(mode="json") for summary in summaries])
        return
    if not summaries:
        print("No studies yet. Start one with: harness run TEMPLATE --idea …")
        return
    from harness.cli.formatting import columns
    from harness.text import duration, plain

    rows = [["study", "template", "agent", "status", "runs", "best", "spent", "now"]]
    for s in summaries:
        spent = duration(s.seconds) + (f", ${s.dollars:.2f}" if s.dollars else "")
        now = f"{plain(s.now.what, 60)} for {duration(max(0.0, s.now.at - s.now.since))}" if s.now else ""
        rows.append([s.study, s.template, s.agent, s.status, f"{s.runs}/{s.max_runs}", s.best, spent, now])
    print(columns(rows if any(row[-1] for row in rows[1:]) else [row[:-1] for row in rows]))


def _print_cost(studies: list[tuple[StudyPaths, History]], as_json: bool) -> None:
    from harness.report.summary import ledger

    found = ledger(studies)
    if as_json:
        print_json([row.model_dump(mode="json") for row in found])
        return
    from harness.cli.formatting import columns
    from harness.text import duration

    cells = [["study", "calls", "tokens in", "tokens out", "dollars", "machine", "GPU"]]
    for row in found:
        numbers = [f"{n:,}" for n in (row.calls, row.tokens_in, row.tokens_out)]
        times = [duration(row.machine_seconds), duration(row.gpu_seconds)]
        cells.append([row.study, *numbers, f"{row.dollars:.4f}", *times])
    print(columns(cells))
    print("machine: how long its runs took; the time in `harness status` also counts the agent, checks and plots")
