"""harness template: check templates."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import app, project
from harness.cli.templates import load, names

if TYPE_CHECKING:
    from harness.paths import ProjectPaths
    from harness.template.folder import Template

template_app = typer.Typer(help="Check templates.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(template_app, name="template")


@template_app.command(name="check")
def check_template(
    template: Annotated[str | None, typer.Argument(help="Name of a template. Default: all.")] = None,
) -> None:
    """Check a template: manifest, ideas, constants, lint, smoke run, baseline."""
    from harness.errors import HarnessError, TemplateError
    from harness.text import printable

    chosen, wrong = [template] if template else names(), []
    for name in chosen:
        try:
            _check_one(project(), *load([name]))
        except HarnessError as error:
            wrong.append(name)
            if len(chosen) == 1:
                raise
            print(f"{name}: {printable(str(error))}", file=sys.stderr)
    if wrong:
        raise TemplateError(f"{len(wrong)} of {len(chosen)} templates have problems: {', '.join(wrong)}")


def _check_one(here: ProjectPaths, chosen: Template) -> None:
    from harness.agents.tuner import SCRIPT, constants
    from harness.checks.lint import lint
    from harness.cli.progress import bench
    from harness.errors import TemplateError
    from harness.template import baseline as baselines
    from harness.template.ideas import read_idea

    print(f"{chosen.name}: template.toml is valid")
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
        print(f"{chosen.name}: smoke run passed in {launched.seconds:.1f} s, {memory}")
    else:
        print(f"{chosen.name}: template.toml has no [smoke], so the script was not run")
    if baselines.path(here.baselines, chosen).exists():
        baselines.load(here.baselines, chosen)
        print(f"{chosen.name}: the baseline is up to date")
    else:
        print(f"{chosen.name}: no baseline yet; create it with: harness baseline {chosen.name}")
