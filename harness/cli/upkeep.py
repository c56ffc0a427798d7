"""Commands that keep a project in order: baseline, template, doctor."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.app import Json, app, console, print_json, project

if TYPE_CHECKING:
    from harness.launch import Trial
    from harness.template import Template

baseline_app = typer.Typer(
    help="Make, check and refresh the stored baselines.", no_args_is_help=True, rich_markup_mode=None
)
template_app = typer.Typer(help="Check templates.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(baseline_app, name="baseline")
app.add_typer(template_app, name="template")
TemplateName = Annotated[str, typer.Argument(help="Name of a template, or the path of its folder.")]


@baseline_app.command()
def make(template: TemplateName) -> None:
    """Run the unmodified template and store what it scores."""
    from harness import baseline
    from harness import template as templates
    from harness.errors import BaselineError

    here = project()
    chosen = templates.load(here.templates, template)
    if baseline.path(here.baselines, chosen).exists():
        raise BaselineError(f"{chosen.name} has a baseline; make it anew with: harness baseline refresh {chosen.name}")
    _store(chosen)


@baseline_app.command()
def refresh(template: TemplateName) -> None:
    """Run the unmodified template and replace its stored baseline."""
    from harness import template as templates

    _store(templates.load(project().templates, template))


@baseline_app.command()
def check(template: TemplateName, as_json: Json = False) -> None:
    """Say whether the stored baseline is still that of the template as it is now."""
    from harness import baseline
    from harness import template as templates
    from harness.prompts import number, rows

    here = project()
    chosen = templates.load(here.templates, template)
    stored = baseline.load(here.baselines, chosen)
    if as_json:
        print_json(stored.model_dump(mode="json"))
        return
    print(f"{chosen.name}: fresh, made on {stored.machine} in {stored.seconds:.1f} s")
    for row in rows(stored.scores):
        print(f"  {row['dataset']}  {row['metric']:24} {number(row['mean'])} ± {number(row['sd'])} (n={row['n']})")


def _store(chosen: Template) -> None:
    from harness import baseline

    here = project()
    with tempfile.TemporaryDirectory(prefix="harness-baseline-") as scratch:
        trial, out_dir = _trial(chosen, Path(scratch), smoke=False)
        _expect_ok(chosen, trial)
        stored = baseline.save(here.baselines, chosen, out_dir, trial.scores, trial.reported, trial.seconds)
    print(f"stored in {baseline.folder(here.baselines, chosen)} ({stored.seconds:.1f} s)")
    check(chosen.name)


def _trial(chosen: Template, scratch: Path, smoke: bool) -> tuple[Trial, Path]:
    """Run a copy of the unmodified template."""
    from rich.text import Text

    from harness.cli import words
    from harness.executors.local import LocalExecutor
    from harness.launch import Launcher

    pinned = scratch / "template"
    launcher = Launcher(chosen, LocalExecutor(), pinned, chosen.pin(pinned))
    out = console(stderr=True)
    with out.status(Text(f"running {chosen.name}")) as spinner:

        def tick(seconds: float, line: str) -> None:
            spinner.update(Text(f"running {chosen.name} · {words.duration(seconds)} · {words.plain(line)}"))

        launch = launcher.smoke if smoke else launcher.run
        return launch(pinned, scratch / "job", scratch / "job" / "out", tick), scratch / "job" / "out"


def _expect_ok(chosen: Template, trial: Trial) -> None:
    from harness.errors import TemplateError
    from harness.excerpt import printable

    if trial.outcome != "ok":
        print(printable(trial.message), file=sys.stderr)
        raise TemplateError(f"the unmodified {chosen.name} failed ({trial.outcome})")


@template_app.command(name="check")
def check_template(
    template: Annotated[str | None, typer.Argument(help="Name of a template; without one, all of them.")] = None,
) -> None:
    """Check a template: manifest, ideas, constants, lint, smoke run, baseline."""
    from harness import template as templates

    here = project()
    names = [template] if template else sorted(p.parent.name for p in here.templates.glob(f"*/{templates.MANIFEST}"))
    for name in names:
        _check_one(here, templates.load(here.templates, name))


def _check_one(here: Any, chosen: Template) -> None:
    from harness import baseline
    from harness.agents.tuner import SCRIPT, constants
    from harness.checks.lint import lint
    from harness.errors import TemplateError
    from harness.ideas import read_idea

    print(f"{chosen.name}: template.toml is sound")
    ideas = [read_idea(chosen, name) for name in chosen.ideas()]
    print(f"{chosen.name}: {len(ideas)} ideas")
    if chosen.manifest.search_space:
        values = constants((chosen.folder / SCRIPT).read_text(encoding="utf-8"), chosen.manifest.search_space)
        print(f"{chosen.name}: the tuner can set {', '.join(f'{k} (now {v!r})' for k, v in values.items())}")
    findings = lint(chosen.folder)
    if findings:
        raise TemplateError(f"{chosen.name}: {findings[0]}")
    if chosen.manifest.smoke:
        with tempfile.TemporaryDirectory(prefix="harness-check-") as scratch:
            trial, _ = _trial(chosen, Path(scratch), smoke=True)
        _expect_ok(chosen, trial)
        print(f"{chosen.name}: smoke run ended well after {trial.seconds:.1f} s, {trial.peak_memory / 2**20:.0f} MiB")
    else:
        print(f"{chosen.name}: template.toml has no [smoke], so the script was not tried")
    if baseline.path(here.baselines, chosen).exists():
        baseline.load(here.baselines, chosen)
        print(f"{chosen.name}: the baseline is fresh")
    else:
        print(f"{chosen.name}: no baseline yet; make it with: harness baseline make {chosen.name}")


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
    from harness import sandbox
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
    from harness import process
    from harness.checks import tool

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
