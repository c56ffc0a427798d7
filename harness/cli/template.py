"""harness template: check templates, and lay one out to run it by hand."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import app, project
from harness.cli.templates import check_each, load

if TYPE_CHECKING:
    from harness.execution.environment import Environment
    from harness.template.folder import Template

DATA = "harness_data"
"""Name of the folder, in a template that was laid out, for what its sampler writes."""
template_app = typer.Typer(help="Check templates, or lay one out.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(template_app, name="template")


@template_app.command(name="check")
def check_template(
    template: Annotated[str | None, typer.Argument(help="Name of a template. Default: all.")] = None,
) -> None:
    """Check a template: manifest, ideas, constants, lint, smoke run, baseline."""
    check_each([template] if template else None, _check_one)


def _check_one(chosen: Template) -> None:
    from harness.agents.tuner import SCRIPT, constants, outside
    from harness.checks.lint import lint
    from harness.cli.progress import bench
    from harness.errors import TemplateError
    from harness.template import baseline as baselines
    from harness.template.ideas import read_ideas
    from harness.template.text_file import read_text

    here = project()
    print(f"{chosen.name}: template.toml is valid")
    ideas = [idea for name in chosen.ideas() for idea in read_ideas(chosen, name)]
    print(f"{chosen.name}: {len(ideas)} ideas")
    findings = lint(chosen.folder)
    if findings:
        raise TemplateError(f"{chosen.name}: {findings[0]}")
    if chosen.manifest.search_space:
        values = constants(read_text(chosen.folder / SCRIPT), chosen.manifest.search_space)
        print(f"{chosen.name}: the tuner can set {', '.join(f'{k} (now {v!r})' for k, v in values.items())}")
        for name in outside(values, chosen.manifest.search_space):
            print(f"{chosen.name}: warning: {name} = {values[name]!r} is outside its [search_space.{name}]")
    if chosen.manifest.limits:
        bounds = "; ".join(f"{name} {limit}" for name, limit in chosen.manifest.limits.items())
        print(f"{chosen.name}: a run counts only with {bounds}")
    if len(chosen.manifest.run.seeds) == 1:
        print(f"{chosen.name}: warning: no verdict is possible with one seed; name several in [run] seeds")
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


@template_app.command(name="checkout")
def check_out(
    template: Annotated[str, typer.Argument(help="Name of a template, or the path of its folder.")],
    folder: Annotated[Path, typer.Argument(help="A folder that does not exist, or is empty.")],
) -> None:
    """Lay out a template's files as a study has them, to run and debug its script by hand."""
    from harness.cli.progress import bench
    from harness.errors import UserError
    from harness.execution import environment

    here, (chosen,) = project(), load([template])
    if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))):
        raise UserError(f"{folder} exists and is not empty; name a new or empty folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot create {folder}: {error.strerror}") from error
    chosen.lay_out(folder)
    print(f"{chosen.name} as a study has it, in {folder}:")
    print(f"  may be changed: {', '.join(chosen.manifest.template.editable)}")
    print(f"  protected: {', '.join(chosen.protected) or 'none'}")
    if chosen.manifest.holds_out:
        print("  left out: answers and held-out files, which only evaluators get")
    if not environment.is_ready(chosen, here.environments):
        fetched = " and what its prepare command downloads" if chosen.manifest.run.prepare else ""
        print(f"It needs the packages in {chosen.manifest.run.requirements}{fetched}. Get them first, once:")
        print(f"  harness {'template check' if chosen.manifest.smoke else 'baseline'} {shlex.quote(template)}")
    made = environment.place_of(chosen, here.environments)
    if chosen.manifest.run.sampler:
        with bench(here) as place:
            place.write_data(chosen, folder.resolve() / DATA)
        print(f"  {DATA}/: the data of the seeds, as each launch gets them")
    print("Run it as a study would:")
    print(f"  cd {shlex.quote(str(folder.resolve()))}")
    print(f"  {_by_hand(chosen, made, 'run_1')}")
    if chosen.manifest.smoke:
        print("The smoke run that a study makes before each run:")
        print(f"  HARNESS_SMOKE=1 {_by_hand(chosen, made, 'smoke')}")


def _by_hand(chosen: Template, made: Environment, out_dir: str) -> str:
    """The line for a shell that runs the experiment with the variables that a study sets."""
    run = chosen.manifest.run
    variables = {
        "HARNESS_SEEDS": ",".join(map(str, run.seeds)),
        **({} if run.gpus else {"CUDA_VISIBLE_DEVICES": ""}),
        **({"HARNESS_ASSETS": made.assets} if made.assets else {}),
        **({"HARNESS_DATA": DATA} if run.sampler else {}),
    }
    setting = [f"{name}={shlex.quote(value) if value else ''}" for name, value in variables.items()]
    return " ".join([*setting, shlex.join(chosen.command(made.python, Path(out_dir)))])
