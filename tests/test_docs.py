"""The documents are true: their commands exist, their links lead somewhere, their examples run."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
import typer
from lab import Project, edit, notes

from harness import cli
from harness.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not any(part == "runs" or part.startswith(".") for part in page.relative_to(ROOT).parts)
    and page.name != "CHANGELOG.md"
)
NAMES = {page: str(page.relative_to(ROOT)) for page in PAGES}
WORDS = r"`(harness [a-z][^`\n]*)`|^\s*\$? ?(?:\.venv/bin/)?(harness [a-z].*?)(?:\s{2,}#.*)?$"


def commands(page: Path) -> list[str]:
    """Every harness command that a page shows, in a sentence or on a line of its own."""
    return [(quoted or alone).strip() for quoted, alone in re.findall(WORDS, page.read_text(), re.MULTILINE)]


def root_command() -> click.Group:
    from importlib import import_module

    for module in cli.COMMANDS:
        import_module(f"harness.cli.{module}")
    command = typer.main.get_command(app)
    assert isinstance(command, click.Group)
    return command


def refusal(line: str) -> str:
    """Why a command cannot be typed as shown; empty if it can. Nothing is run."""
    typed = shlex.split(line.removesuffix(" …").replace("…", "x"))[1:]
    words = [word for word in typed if word not in ("[RUN]", "[STUDY]")]
    group: click.Command = root_command()
    context = click.Context(group, info_name="harness")
    while isinstance(group, click.Group) and words:
        name, *words = words
        found = group.get_command(context, name)
        if found is None:
            return f"no command {name}"
        group, context = found, click.Context(found, info_name=name, parent=context)
    try:
        group.make_context(group.name, [*words], parent=context.parent)
    except click.exceptions.Exit:
        return ""
    except click.MissingParameter:  # a command named in a sentence, without what it works on
        return "" if not words else "an argument is missing"
    except click.UsageError as error:
        return error.format_message()
    return ""


@pytest.mark.parametrize("page", PAGES, ids=NAMES.__getitem__)
def test_every_command_that_a_page_shows_can_be_typed(page: Path) -> None:
    wrong = {line: why for line in commands(page) if (why := refusal(line))}
    assert wrong == {}


def test_the_test_above_finds_commands_and_mistakes() -> None:
    assert len([line for page in PAGES for line in commands(page)]) > 40
    assert refusal("harness baseline make NAME --now") != ""
    assert refusal("harness stutus") == "no command stutus"
    assert refusal("harness run tms_geometry --max-run 3") != ""
    assert refusal("harness compare STUDY --all") == ""


@pytest.mark.parametrize("page", PAGES, ids=NAMES.__getitem__)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_every_make_target_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"\bmake ([a-z][a-z-]+)\b(?=[`\s])", page.read_text())}
    in_code = {name for page in PAGES for name in re.findall(r"`make ([a-z-]+)", page.read_text())}
    assert in_code - targets == set()
    assert {"demo", "test"} <= named


def test_the_smallest_template_passes_its_check_and_has_a_baseline(project: Project) -> None:
    text = (ROOT / "docs" / "templates.md").read_text().split("## The smallest one")[1]
    folder = project.root / "templates" / "NAME"
    folder.mkdir()
    for language, name in (("python", "experiment.py"), ("toml", "template.toml")):
        (code,) = re.findall(rf"```{language}\n(.*?)```", text.split("\n## ")[0], re.DOTALL)
        (folder / name).write_text(code)
    checked, made = project.harness("template", "check", "NAME"), project.harness("baseline", "NAME")
    assert (checked.code, made.code) == (0, 0), (checked.err, made.err)
    assert "other seeds give other values" in made.out


def test_after_a_study_is_deleted_as_described_its_name_is_free(project: Project) -> None:
    order = ("run", "tiny", "--agent", "tuner", "--max-runs", "1", "--confirm", "0", "--name", "STUDY")
    assert project.harness(*order).code == 0
    text = (ROOT / "docs" / "first-study.md").read_text()
    (lines,) = re.findall(r"To delete a study.*?\n\n((?:    .*\n)+)", text)
    subprocess.run(["sh", "-ec", lines], cwd=project.root, check=True, capture_output=True)
    assert project.harness("status").out.startswith("No studies yet.")
    said = project.harness(*order)
    assert said.code == 0, said.err


# The examples of docs/extending.md


@pytest.fixture
def examples(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project, with every example of the page as a module that can be imported, and its settings."""
    text = (ROOT / "docs" / "extending.md").read_text()
    for language, name, code in re.findall(r"```(python|toml)\n# ([\w.]+).*?\n(.*?)```", text, re.DOTALL):
        del language
        (project.root / name).write_text(code)
    monkeypatch.syspath_prepend(str(project.root))
    return project


def test_the_example_of_a_strategy_runs(examples: Project) -> None:
    replies = [edit("experiment.py", "SCALE = 1.0", f"SCALE = {value}") for value in (2.0, 2.5)]
    study = examples.run([*replies, notes()], "--max-runs", "2", "--strategy", "my_strategy:FromBaseline")
    assert study.ending.status == "done", study.said.err
    assert [run.outcome for run in study.history.runs.values()] == ["ok", "ok"], "both edits fitted the baseline's code"


def test_the_example_of_an_agent_runs(examples: Project) -> None:
    options = ("--max-runs", "1", "--confirm", "0", "--name", "s", "--agent", "my_agent:Halver")
    said = examples.harness("run", "tiny", "--idea", "Halve the scale again and again", *options)
    assert said.code == 0, said.err
    assert "SCALE = 0.5" in examples.study().file("experiment.py")


def test_the_example_of_an_executor_runs_with_its_settings(examples: Project) -> None:
    options = ("--max-runs", "1", "--confirm", "0", "--executor", "my_executor:PatientExecutor")
    study = examples.run([edit("experiment.py", "SCALE = 1.0", "SCALE = 2.0"), notes()], *options)
    assert study.ending.status == "done", study.said.err
    job = (study.paths.job("run_1-attempt_1") / "job.json").read_text()
    assert '"timeout": 60.0' in job, "three times the twenty seconds of the template"
