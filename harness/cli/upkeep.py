"""Commands that keep a project in order: baseline, template, doctor."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from harness.cli.app import Json, app, print_json, project

if TYPE_CHECKING:
    from harness.paths import ProjectPaths
    from harness.template.folder import Template

template_app = typer.Typer(help="Check templates.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(template_app, name="template")
Names = Annotated[list[str] | None, typer.Argument(help="Names of templates, or paths of their folders.")]


@app.command()
def baseline(
    templates: Names = None,
    check: Annotated[bool, typer.Option("--check", help="Only say whether it is fresh; run nothing.")] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Run the template and replace what is stored.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Run it again, store nothing, and hold the result against what is known.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the stored baseline of a template, check it, refresh it, or see whether it can be had again.

    Without an option: made if there is none, else checked. --check and --again take all templates where none is named.
    """
    from harness.errors import UserError
    from harness.template.baseline import path

    if check + refresh + again > 1:
        raise UserError("take one of --check, --refresh and --again")
    if not templates and not (check or again):
        raise UserError(f"which template? There are: {', '.join(_names())}")
    here, chosen = project(), _load(templates)
    if again:
        _again(here, chosen, as_json)
        return
    for template in chosen:
        if refresh or not (check or path(here.baselines, template).exists()):
            _store(here, template, sys.stderr if as_json else sys.stdout)
    _check(here, chosen, as_json)


def _names() -> list[str]:
    from harness.template.folder import MANIFEST

    return sorted(p.parent.name for p in project().templates.glob(f"*/{MANIFEST}"))


def _load(names: list[str] | None) -> list[Template]:
    from harness.template import folder as templates

    return [templates.load(project().templates, name) for name in names or _names()]


def _check(here: ProjectPaths, chosen: list[Template], as_json: bool) -> None:
    from harness.prompts import number, rows
    from harness.template import baseline as baselines

    stored = {template.name: baselines.load(here.baselines, template) for template in chosen}
    if as_json:
        print_json({name: found.model_dump(mode="json") for name, found in stored.items()})
        return
    for name, found in stored.items():
        print(f"{name}: fresh, made on {found.machine} in {found.seconds:.1f} s")
        for row in rows(found.scores):
            print(f"  {row['dataset']}  {row['metric']:24} {number(row['mean'])} ± {number(row['sd'])} (n={row['n']})")


def _store(here: ProjectPaths, chosen: Template, told: TextIO) -> None:
    from harness.cli.bench import bench
    from harness.template import baseline as baselines

    with bench(here) as place, place.run(chosen) as finished:
        left_out = finished.save(here.baselines)
    launched, claims = finished.launched, finished.claims
    note = f"; not kept, being large: {', '.join(left_out)}" if left_out else ""
    print(f"stored in {baselines.folder(here.baselines, chosen)} ({launched.seconds:.1f} s){note}", file=told)
    for claim in claims:
        holds = "pass" if claim.holds else "FAIL"
        print(f"  {holds}  {claim.claim}: {claim.found} (expected {claim.expected})", file=told)


def _again(here: ProjectPaths, chosen: list[Template], as_json: bool) -> None:
    """Run every template anew and print what was expected of it, with pass or fail."""
    from harness.cli import words
    from harness.cli.bench import bench
    from harness.template import baseline as baselines

    started, rows = time.monotonic(), []
    for template in chosen:
        stored = baselines.load(here.baselines, template)
        with bench(here) as place, place.run(template) as finished:
            launched = finished.launched
        claims = (*finished.claims, *baselines.agreement(stored, launched.scores, template.manifest.primary))
        rows += [{"template": template.name, **claim.model_dump()} for claim in claims]
        if not as_json:
            print(f"{template.name}: run again in {words.duration(launched.seconds)}", flush=True)
    if as_json:
        print_json(rows)
    else:
        head = ["", "template", "what is known", "expected", "found"]
        cells = [["pass" if r["holds"] else "FAIL", r["template"], r["claim"], r["expected"], r["found"]] for r in rows]
        print("\n" + words.columns([head, *([words.plain(str(cell)) for cell in row] for row in cells)]))
        failed = sum(not row["holds"] for row in rows)
        print(f"\n{len(rows) - failed} of {len(rows)} hold, in {words.duration(time.monotonic() - started)}")
    if not all(row["holds"] for row in rows):
        raise typer.Exit(1)


@template_app.command(name="check")
def check_template(
    template: Annotated[str | None, typer.Argument(help="Name of a template; without one, all of them.")] = None,
) -> None:
    """Check a template: manifest, ideas, constants, lint, smoke run, baseline."""
    from harness.errors import HarnessError, TemplateError
    from harness.text import printable

    names, wrong = [template] if template else _names(), []
    for name in names:
        try:
            _check_one(project(), *_load([name]))
        except HarnessError as error:
            wrong.append(name)
            if len(names) == 1:
                raise
            print(f"{name}: {printable(str(error))}", file=sys.stderr)
    if wrong:
        raise TemplateError(f"{len(wrong)} of {len(names)} templates are not in order: {', '.join(wrong)}")


def _check_one(here: ProjectPaths, chosen: Template) -> None:
    from harness.agents.tuner import SCRIPT, constants
    from harness.checks.lint import lint
    from harness.cli.bench import bench
    from harness.errors import TemplateError
    from harness.template import baseline as baselines
    from harness.template.ideas import read_idea

    print(f"{chosen.name}: template.toml is sound")
    ideas = [read_idea(chosen, name) for name in chosen.ideas()]
    print(f"{chosen.name}: {len(ideas)} ideas")
    findings = lint(chosen.folder)
    if findings:
        raise TemplateError(f"{chosen.name}: {findings[0]}")
    if chosen.manifest.search_space:
        values = constants((chosen.folder / SCRIPT).read_text(encoding="utf-8"), chosen.manifest.search_space)
        print(f"{chosen.name}: the tuner can set {', '.join(f'{k} (now {v!r})' for k, v in values.items())}")
    if chosen.manifest.smoke:
        with bench(here) as place:
            launched = place.smoke(chosen)
        memory = f"{launched.peak_memory / 2**20:.0f} MiB"
        print(f"{chosen.name}: smoke run ended well after {launched.seconds:.1f} s, {memory}")
    else:
        print(f"{chosen.name}: template.toml has no [smoke], so the script was not tried")
    if baselines.path(here.baselines, chosen).exists():
        baselines.load(here.baselines, chosen)
        print(f"{chosen.name}: the baseline is fresh")
    else:
        print(f"{chosen.name}: no baseline yet; make it with: harness baseline {chosen.name}")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what is here, what is missing, and what works without it."""
    rows = [
        {"what": what, "found": bool(found), "detail": found or without}
        for what, (found, without) in _examined().items()
    ]
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            print(f"{'ok     ' if row['found'] else 'missing'}  {row['what']:11} {row['detail']}")
    if not next(row for row in rows if row["what"] == "git")["found"]:
        raise typer.Exit(1)


def _examined() -> dict[str, tuple[str, str]]:
    """What → (what was found, what its absence means)."""
    from harness.execution import sandbox
    from harness.models import DEFAULT_MODELS

    keys = [variable for variable in DEFAULT_MODELS if os.environ.get(variable)]
    confined = "bubblewrap confines every run" if sandbox.name() != "none" else ""
    return {
        "python": (f"{platform.python_version()} at {sys.executable}", ""),
        "git": (_version("git", "--version"), "nothing works without git: install it"),
        "bwrap": (
            confined,
            "runs are not confined: their environment holds no key, but they can read your files and use the network; "
            "install bubblewrap",
        ),
        "ruff": (_version("ruff", "--version"), "studies cannot check edits: reinstall the harness"),
        "ty": (_version("ty", "--version"), "studies cannot check edits: reinstall the harness"),
        "aider": (_package("aider-chat"), "only --agent tuner works"),
        "keys": (
            ", ".join(keys),
            f"none of {', '.join(DEFAULT_MODELS)}; "
            "without one: --agent tuner, --model manual, replay:FILE and ollama/NAME",
        ),
        "torch": (_package("torch"), "the shipped templates do not run: pip install 'harness[templates]'"),
        "gpu": (_version("nvidia-smi", "-L"), "everything runs on the CPU"),
    }


def _version(program: str, *arguments: str) -> str:
    from harness.checks import tool
    from harness.execution import process

    path = tool(program)
    if shutil.which(path) is None:
        return ""
    try:
        done = process.run([path, *arguments], timeout=20)
    except (OSError, TimeoutError):
        return ""
    return done.out.strip().splitlines()[0] if done.code == 0 and done.out.strip() else ""


def _package(name: str) -> str:
    from importlib import metadata

    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return ""
