"""harness audit: check another system's results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import app, console, print_json
from harness.cli.options import Json

if TYPE_CHECKING:
    from harness.audit.records import IdeaReport, Judgement, Report, RunReport
    from harness.records import Goal

LISTED = 12
"""Lines of one kind to print; the rest are only counted. JSON and HTML contain all of them."""
SHOWN_DATASETS = 8


@app.command()
def audit(
    folder: Annotated[
        Path, typer.Argument(help="The results of one idea, or a folder of such folders. It is not modified.")
    ],
    metric: Annotated[str | None, typer.Option("--metric", help="The primary metric. Default: chosen by name.")] = None,
    goal: Annotated[
        list[str] | None,
        typer.Option(
            "--goal", metavar="METRIC=min|max", help="Direction of a metric whose name is misleading. Repeatable."
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Also write an HTML report to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Audit the results folder of an AI-Scientist run. Lists repeated code, unseen results and unsupported claims."""
    from harness.audit import audit as audited

    report = audited(folder, metric, _goals(goal or []))
    if html is not None:
        _write(report, html)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        _print(report)


def _goals(given: list[str]) -> dict[str, Goal]:
    from harness.errors import UserError

    goals: dict[str, Goal] = {}
    for each in given:
        name, _, way = each.rpartition("=")
        if not name or way not in ("min", "max"):
            raise UserError(f"--goal {each} is not of the form METRIC=min or METRIC=max")
        goals[name] = "min" if way == "min" else "max"
    return goals


def _write(report: Report, path: Path) -> None:
    from harness.audit.page import page
    from harness.errors import UserError
    from harness.files import write_whole

    if path.is_dir():
        raise UserError(f"cannot write the report to {path}: it is a folder")
    text = page(report)
    try:
        write_whole(path, text)
    except OSError as error:
        raise UserError(f"cannot write the report to {path}: {error.strerror or error}") from error


def _print(report: Report) -> None:
    from rich.text import Text

    out = console()
    for idea in report.ideas:
        for text, style in _idea(idea):
            out.print(Text(text, style=style), soft_wrap=True)
        out.print()
    heading = f"all {len(report.ideas):,} ideas" if len(report.ideas) > 1 else "total"
    out.print(Text(heading, style="bold"))
    for share in report.totals:
        out.print(Text(f"  {share}"), soft_wrap=True)
    for line in _first(report.skipped):
        out.print(Text(f"  skipped: {line}", style="dim"), soft_wrap=True)


def _idea(idea: IdeaReport) -> Iterator[tuple[str, str]]:
    """The lines of one idea with their styles."""
    from harness.audit.records import ARROWS
    from harness.cli.formatting import columns

    yield idea.name, "bold"
    if idea.primary is None:
        yield f"  no verdicts: {idea.chosen}", "dim"
    else:
        yield f"  {idea.primary} {ARROWS[idea.goal]}".rstrip() + f" ({idea.chosen})", "dim"
    table = columns([*_table(idea)])
    yield "\n".join(f"  {line}" for line in table.split("\n")), ""
    for kind in dict.fromkeys(item.kind for item in idea.findings):
        for line in _first([str(item) for item in idea.findings if item.kind == kind]):
            yield f"  ! {line}", "yellow"
    for name, lines in (("missing", idea.missing), ("skipped", idea.skipped)):
        for line in _first(lines):
            yield f"  {name}: {line}", "dim"


def _first(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:LISTED]
    if len(lines) > LISTED:
        yield f"and {len(lines) - LISTED:,} more"


def _table(idea: IdeaReport) -> Iterator[list[str]]:
    several = len({j.dataset for run in idea.runs for j in run.judgements}) > 1
    head = ["run", "code", "seen by agent", *(["dataset"] if several else []), "value", "against run 0", "p", "verdict"]
    yield head
    for run in idea.runs:
        rows = [_cells(judgement, several) for judgement in run.judgements[:SHOWN_DATASETS]]
        left = len(run.judgements) - SHOWN_DATASETS
        rows += [[f"and {left} more", *([""] * (len(head) - 4))]] if left > 0 else []
        own = [str(run.number), *_of_run(run)]
        for cells in rows or [[*([""] * (len(head) - 4)), run.unjudged]]:
            yield [*own, *cells]
            own = ["", "", ""]


def _of_run(run: RunReport) -> list[str]:
    """Whether the run's code is new, and whether the agent saw its result."""
    same = f"= run {run.same_code_as}" if run.same_code_as is not None else ""
    kept = "own" if run.snapshot else "not kept" if run.number else ""
    return [same or kept, {True: "yes", False: "NO", None: ""}[run.seen]]


def _cells(j: Judgement, several: bool) -> list[str]:
    from harness.audit.words import change, plain_number
    from harness.text import number

    value = plain_number(j.mean) + ("" if j.sd is None else f" ± {plain_number(j.sd)} (n={j.n})")
    moved = "" if j.relative is None else change(j.relative)
    return [*([j.dataset] if several else []), value, moved, "" if j.p is None else number(j.p_corrected), j.said]
