"""harness baseline: the scores of an unmodified template."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from harness.cli.app import app, print_json, project
from harness.cli.options import ExecutorName, Json, TemplateNames
from harness.cli.templates import check_each, load, names

if TYPE_CHECKING:
    from harness.paths import ProjectPaths
    from harness.template.baseline import Baseline
    from harness.template.folder import Template


SEEDS = {
    "varies": "other seeds give other values",
    "deterministic": "no seed changes anything, so runs are compared exactly",
    "fixed": "the script ignores HARNESS_SEEDS, so no run can be confirmed",
    "unknown": "not known whether seeds change anything; --refresh finds out",
}
IGNORES_SEEDS = (
    "{name} ignores HARNESS_SEEDS: other seeds gave exactly the same values. Make the script run the seeds in the "
    "environment variable HARNESS_SEEDS (docs/templates.md), or keep these values as one fixed set with "
    "--accept-fixed-seeds; no run can then be confirmed"
)


@app.command()
def baseline(
    templates: TemplateNames = None,
    check: Annotated[bool, typer.Option("--check", help="Only check that it is up to date.")] = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Run the template and replace the stored baseline.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Re-run it and compare with known values; store nothing.")
    ] = False,
    accept_fixed_seeds: Annotated[
        bool,
        typer.Option(
            "--accept-fixed-seeds",
            help="Store the baseline of a script that has seeds of its own. No run of it can then be confirmed.",
        ),
    ] = False,
    executor: ExecutorName = "local",
    as_json: Json = False,
) -> None:
    """Create, check, refresh or reproduce a stored baseline.

    Without an option, a missing baseline is created and an existing one is checked. --check and --again apply to all
    templates if none is named.
    """
    from harness.errors import UserError
    from harness.template.baseline import path

    if check + refresh + again > 1:
        raise UserError("use only one of --check, --refresh and --again")
    if not templates and not (check or again):
        raise UserError(f"name a template: {', '.join(names())}")
    here = project()
    if again:
        _again(here, load(templates), executor, as_json)
        return
    for template in () if check else load(templates):
        if refresh or not path(here.baselines, template).exists():
            _store(here, template, executor, accept_fixed_seeds, sys.stderr if as_json else sys.stdout)
    _check(here, templates, as_json)


def _check(here: ProjectPaths, templates: list[str] | None, as_json: bool) -> None:
    from harness.template import baseline as baselines

    stored = {}

    def check(template: Template) -> None:
        found = stored[template.name] = baselines.load(here.baselines, template)
        if not as_json:
            _print_scores(template.name, found)

    try:
        check_each(templates, check)
    finally:
        if as_json and stored:
            print_json({name: found.model_dump(mode="json") for name, found in stored.items()})


def _print_scores(name: str, found: Baseline) -> None:
    from harness.prompts import rows
    from harness.text import number

    print(f"{name}: up to date, measured on {found.machine} in {found.seconds:.1f} s; {SEEDS[found.seeding]}")
    for row in rows(found.scores):
        print(f"  {row['dataset']}  {row['metric']:24} {number(row['mean'])} ± {number(row['sd'])} (n={row['n']})")


def _store(here: ProjectPaths, chosen: Template, executor: str, accept_fixed_seeds: bool, out: TextIO) -> None:
    from harness.cli.progress import bench
    from harness.errors import TemplateError
    from harness.report.power import beforehand
    from harness.template import baseline as baselines

    with bench(here, executor) as place, place.run(chosen, seeding=None) as finished:
        if finished.seeding == "fixed" and not accept_fixed_seeds:
            raise TemplateError(IGNORES_SEEDS.format(name=chosen.name))
        left_out = finished.save(here.baselines)
    launched, claims = finished.launched, finished.claims
    note = f"; too large to keep: {', '.join(left_out)}" if left_out else ""
    print(f"stored in {baselines.folder(here.baselines, chosen)} ({launched.seconds:.1f} s){note}", file=out)
    for claim in claims:
        holds = "pass" if claim.holds else "FAIL"
        print(f"  {holds}  {claim.claim}: {claim.found} (expected {claim.expected})", file=out)
    seeding = finished.seeding or "unknown"
    for line in beforehand(chosen.manifest, launched.scores, seeding, launched.seconds):
        print(f"  {line}", file=out)


def _again(here: ProjectPaths, chosen: list[Template], executor: str, as_json: bool) -> None:
    """Re-run every template and print each known result with pass or fail."""
    from harness.cli.formatting import columns
    from harness.cli.progress import bench
    from harness.template import baseline as baselines
    from harness.text import duration, plain

    started, rows = time.monotonic(), []
    for template in chosen:
        stored = baselines.load(here.baselines, template)
        with bench(here, executor) as place, place.run(template) as finished:
            launched = finished.launched
        claims = (*finished.claims, *baselines.agreement(stored, launched.scores, template.manifest.primary))
        rows += [{"template": template.name, **claim.model_dump()} for claim in claims]
        if not as_json:
            print(f"{template.name}: re-run in {duration(launched.seconds)}", flush=True)
    if as_json:
        print_json(rows)
    else:
        head = ["", "template", "known result", "expected", "found"]
        cells = [["pass" if r["holds"] else "FAIL", r["template"], r["claim"], r["expected"], r["found"]] for r in rows]
        print("\n" + columns([head, *([plain(str(cell)) for cell in row] for row in cells)]))
        failed = sum(not row["holds"] for row in rows)
        print(f"\n{len(rows) - failed} of {len(rows)} hold ({duration(time.monotonic() - started)})")
    if not all(row["holds"] for row in rows):
        raise typer.Exit(1)
