"""What bad input gets: one line on stderr, exit code 2, nothing written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lab import Project

from harness.cli.app import print_json
from harness.models import DEFAULT_MODELS

from .conftest import listing, refused

RUN = ("run", "tiny", "--agent", "tuner")


def rewrite(project: Project, old: str, new: str, file: str = "template.toml") -> None:
    path = project.root / "templates" / "tiny" / file
    assert path.read_text().count(old) >= 1
    path.write_text(path.read_text().replace(old, new, 1))


def test_an_unknown_template_lists_those_there_are(project: Project) -> None:
    shutil.copytree(project.root / "templates" / "tiny", project.root / "templates" / "other")
    assert refused(project, "run", "tinny", "--agent", "tuner") == (
        "harness: no template named 'tinny'; known: other, tiny\n"
    )


@pytest.mark.parametrize(
    "command", [("baseline", "--check"), ("baseline", "--again"), ("baseline", "--refresh"), ("template", "check")]
)
def test_every_command_refuses_an_unknown_template(project: Project, command: tuple[str, ...]) -> None:
    assert "known: tiny" in refused(project, *command, "tinny")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[run]", "[run]\ntypo = 1", "run.typo: unknown key"),
        ("primary = true", "", "exactly one metric must have primary = true"),
        ('goal = "max"', 'goal = "max"\nprimary = true', "exactly one metric must have primary = true"),
        ('editable = ["experiment.py"', 'editable = ["gone.py", "experiment.py"', "gone.py, which does not exist"),
        ('editable = ["experiment.py"', 'editable = ["../x.py", "experiment.py"', "is outside the template's folder"),
        ('name = "tiny"', 'name = "other"', "name is 'other', but the folder is 'tiny'"),
        ('timeout = "20s"', 'timeout = "20 parsecs"', "run.timeout"),
        ('memory = "512MiB"', 'memory = "lots"', "run.memory"),
        ('type = "float"', 'type = "categorical"', "needs choices"),
        ("[run]", "[run", "not TOML"),
        ('editable = ["experiment.py"', 'editable = "experiment.py" # ', "template.editable: must be a list"),
        ('name = "tiny"', "", "template.name: is missing"),
        ('timeout = "20s"', "timeout = 20", "run.timeout: must be text in quotes"),
        ("[run]", "[run]\nconfirm = { first = 1 }", "confirm.first"),
        ('protected = ["evaluate.py"', 'protected = ["experiment.py", "evaluate.py"', "both editable and protected"),
        ('protected = ["evaluate.py", ', "protected = [", "evaluate.py would never run; add it to the protected files"),
    ],
)
def test_a_bad_manifest_is_told_with_file_and_key(project: Project, old: str, new: str, said: str) -> None:
    rewrite(project, old, new)
    message = refused(project, *RUN)
    assert "template.toml" in message
    assert said in message
    assert said in refused(project, "template", "check", "tiny")


def test_a_folder_without_a_manifest_is_told_so(project: Project) -> None:
    (project.root / "templates" / "mine").mkdir()
    assert "mine has no template.toml" in refused(project, "run", "mine")


@pytest.mark.parametrize("script", [b"def (\n", b'x = "\xff"\n', b"\0"])
def test_a_script_that_is_no_python_is_told_and_the_other_templates_are_checked(
    project: Project, script: bytes
) -> None:
    templates = project.root / "templates"
    shutil.copytree(templates / "tiny", templates / "broken")
    manifest = templates / "broken" / "template.toml"
    manifest.write_text(manifest.read_text().replace('name = "tiny"', 'name = "broken"'))
    (templates / "broken" / "experiment.py").write_bytes(script)

    alone = project.harness("template", "check", "broken")
    assert alone.code == 2
    assert "harness: broken: experiment.py" in alone.err and len(alone.err.splitlines()) == 1
    said = project.harness("template", "check")
    assert said.code == 2
    assert "1 of 2 templates have problems: broken" in said.err
    assert "tiny: the baseline is up to date" in said.out


def test_a_missing_baseline_names_the_command(project: Project) -> None:
    shutil.rmtree(project.root / "baselines")
    assert "harness baseline tiny" in refused(project, *RUN)
    assert "harness baseline tiny" in refused(project, "baseline", "tiny", "--check")


def test_a_stale_baseline_names_the_file_that_changed_and_the_command(project: Project) -> None:
    with (project.root / "templates" / "tiny" / "data.py").open("a") as file:
        file.write("# more\n")
    for command in (RUN, ("baseline", "tiny", "--check")):
        message = refused(project, *command)
        assert "data.py has changed" in message
        assert "harness baseline tiny --refresh" in message


def test_a_baseline_for_other_seeds_is_stale(project: Project) -> None:
    rewrite(project, "seeds = [0, 1, 2]", "seeds = [0, 1]")
    assert "the seeds were 0, 1, 2" in refused(project, *RUN)


def test_the_baseline_of_another_template_is_refused(project: Project) -> None:
    path = project.root / "baselines" / "tiny" / "baseline.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "template": "other"}))
    assert "is the baseline of 'other', not of 'tiny'" in refused(project, *RUN)


def test_a_broken_baseline_is_refused(project: Project) -> None:
    (project.root / "baselines" / "tiny" / "baseline.json").write_text("{")
    assert "baseline.json" in refused(project, *RUN)


def test_an_existing_baseline_is_not_run_again(project: Project) -> None:
    stored = project.root / "baselines" / "tiny" / "baseline.json"
    before = stored.read_bytes()
    assert "tiny: up to date" in project.harness("baseline", "tiny").out
    assert stored.read_bytes() == before


def test_only_one_thing_is_done_with_a_baseline_at_a_time(project: Project) -> None:
    assert "use only one of" in refused(project, "baseline", "tiny", "--check", "--refresh")
    assert "name a template: tiny" in refused(project, "baseline", "--refresh")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("idea.json", "not json", "not JSON"),
        ("idea.toml", "not toml", "not TOML"),
        ("idea.toml", 'prompt = "p"\n', "title"),
        ("idea.json", '{"prompt": "p"}', "title"),
        ("idea.toml", 'title = "t"\nprompt = "p"\nmetrics = ["unheard of"]\n', "no metric 'unheard of'; it has: loss"),
        ("idea.toml", 'title = "t"\nprompt = "p"\nmore = 1\n', "more: unknown key"),
        ("idea.yaml", "title: t\n", "idea.yaml"),
    ],
)
def test_a_bad_idea_file_is_told(project: Project, name: str, content: str, said: str) -> None:
    (project.root / name).write_text(content)
    assert said in refused(project, *RUN, "--idea", str(project.root / name))


def test_a_missing_idea_file_lists_the_shipped_ideas(project: Project) -> None:
    assert "ships: " in refused(project, *RUN, "--idea", "gone.toml")


def test_an_empty_idea_is_refused(project: Project) -> None:
    refused(project, *RUN, "--idea", " ")


def test_an_agent_with_a_model_needs_an_idea(project: Project) -> None:
    assert "no idea given" in refused(project, "run", "tiny", "--model", "manual")


@pytest.mark.parametrize("text", ["!touch sprung", "/run touch sprung", "/add ../outside"])
def test_an_idea_that_looks_like_a_command_is_only_text(project: Project, text: str) -> None:
    said = project.harness(*RUN, "--idea", text, "--max-runs", "1", "--name", "s")
    assert said.code == 0, said.err
    assert project.study().history.begun.idea.prompt == text
    assert not list(project.root.rglob("sprung"))


@pytest.mark.parametrize(
    "option", ["--max-runs", "--attempts", "--max-fixes", "--max-dollars", "--max-tokens", "--max-hours"]
)
@pytest.mark.parametrize("amount", ["0", "-1"])
def test_a_budget_of_nothing_names_its_option(project: Project, option: str, amount: str) -> None:
    message = refused(project, *RUN, option, amount)
    assert option in message
    assert "greater than 0" in message


@pytest.mark.parametrize("amount", ["nan", "many", ""])
def test_a_budget_that_is_no_number_is_refused(project: Project, amount: str) -> None:
    assert "--max-dollars" in refused(project, *RUN, "--max-dollars", amount)


def test_an_unknown_agent_lists_the_known_ones(project: Project) -> None:
    message = refused(project, "run", "tiny", "--agent", "aidr", "--idea", "Try x.")
    assert message == "harness: no agent named 'aidr'; known: aider, random, recorded, tuner\n"


@pytest.mark.parametrize("place", ["no.such.module:X", "..x:Y", "json:JSONDecoder", "harness.agents.tuner:Tunr", ":"])
def test_a_plug_in_that_is_none_is_refused(project: Project, place: str) -> None:
    assert place in refused(project, "run", "tiny", "--agent", place, "--idea", "Try x.", "--model", "manual")
    assert place in refused(project, *RUN, "--executor", place)


def test_an_unknown_executor_lists_the_known_ones(project: Project) -> None:
    assert "no executor named 'cloud'; known: local" in refused(project, *RUN, "--executor", "cloud")


def test_an_unknown_strategy_lists_the_known_ones(project: Project) -> None:
    assert "no strategy named 'luck'; known: best, last" in refused(project, *RUN, "--strategy", "luck")


@pytest.mark.parametrize(
    "name", ["a b", "../x", "-x", ".x", "x/y", "x.lock", "x..y", "x.git", "ü", "x" * 101, "lab.git", "HEAD"]
)
def test_a_name_that_cannot_be_a_branch_or_a_folder_is_refused(project: Project, name: str) -> None:
    assert repr(name) in refused(project, *RUN, f"--name={name}")


def test_a_name_that_is_taken_is_refused(worked: Project) -> None:
    assert "a study named 'tuned' already exists" in refused(worked, *RUN, "--name", "tuned")


def test_one_name_for_two_ideas_is_refused(project: Project) -> None:
    refused(project, *RUN, "--idea", "Try a.", "--idea", "Try b.", "--name", "s")


@pytest.mark.parametrize("start", ["gone/run_1", "tuned", "tuned/run_x", "tuned/1", "/run_1"])
def test_a_start_that_does_not_exist_is_refused(project: Project, start: str) -> None:
    refused(project, *RUN, "--from", start)


def test_a_start_at_a_run_that_does_not_exist_lists_the_runs(worked: Project) -> None:
    message = refused(worked, *RUN, "--name", "s", "--from", "tuned/run_9")
    assert "no run of tuned named '9'; known: 0, 1, 2, template" in message


@pytest.mark.parametrize("command", ["show", "diff", "compare", "resume", "replay"])
def test_an_unknown_study_lists_the_known_ones(worked: Project, command: str) -> None:
    assert refused(worked, command, "gone") == "harness: no study named 'gone'; known: tuned\n"


@pytest.mark.parametrize("command", ["show", "diff", "resume", "replay"])
def test_without_any_study_there_is_none_to_name(project: Project, command: str) -> None:
    assert "known: none yet" in refused(project, command, "gone")


def test_there_is_nothing_to_compare_without_a_study(project: Project) -> None:
    assert "harness run" in refused(project, "compare")
    assert "harness run" in refused(project, "compare", "gone")


def test_a_run_that_does_not_exist_lists_the_runs(worked: Project) -> None:
    assert "no run of tuned named '7'; known: 0, 1, 2, template" in refused(worked, "diff", "tuned", "7")
    assert "no run of tuned named 'x'" in refused(worked, "diff", "tuned", "1", "x")


def test_a_study_that_is_over_cannot_be_resumed(worked: Project) -> None:
    assert "tuned is over (done: all 2 runs are used)" in refused(worked, "resume", "tuned")


def test_without_model_and_key_the_variables_and_the_ways_out_are_named(project: Project) -> None:
    message = refused(project, "run", "tiny", "--idea", "Try x.")
    for part in (*DEFAULT_MODELS, "--agent tuner", "--model manual", "--model ollama/", "--model replay:"):
        assert part in message


def test_a_missing_recording_is_named(project: Project) -> None:
    message = refused(project, "run", "tiny", "--idea", "Try x.", "--model", f"replay:{project.root / 'gone.jsonl'}")
    assert "cannot read the recording" in message
    assert "gone.jsonl" in message


@pytest.mark.parametrize("content", ["", "not json\n", '{"prompt": "p", "reply": "r"}\n{"prompt": "p"}\n'])
def test_a_corrupt_recording_is_named_with_its_line(project: Project, content: str) -> None:
    path = project.root / "recording.jsonl"
    path.write_text(content)
    message = refused(project, "run", "tiny", "--idea", "Try x.", "--model", f"replay:{path}")
    assert "recording.jsonl" in message
    assert f"line {max(1, content.count(chr(10)))}" in message or not content


def test_a_misspelt_model_of_ours_is_refused(project: Project) -> None:
    assert "manual:FOLDER" in refused(project, "run", "tiny", "--idea", "Try x.", "--model", "manually")


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ("no-such-provider/x", (), "no model named 'no-such-provider/x'; write provider/name"),
        ("openai/gpt-5", (), "needs OPENAI_API_KEY in the environment"),
        ("ollama/unheard-of", ("--max-dollars", "1"), "--max-tokens"),
    ],
)
def test_a_model_that_cannot_be_called_is_refused_with_what_it_needs(
    project: Project, model: str, options: tuple[str, ...], said: str
) -> None:
    assert said in refused(project, "run", "tiny", "--idea", "Try x.", "--model", model, *options)


@pytest.mark.parametrize("timeout", ["0", "-1", "x"])
def test_a_model_timeout_of_nothing_is_refused(project: Project, timeout: str) -> None:
    assert "--model-timeout" in refused(project, *RUN, "--model-timeout", timeout)


@pytest.mark.parametrize(
    "arguments",
    [("unheard-of",), ("run",), ("run", "tiny", "--unheard-of"), ("baseline", "unheard-of"), ("show",), ("diff",)],
)
def test_a_command_line_that_makes_no_sense_is_refused(project: Project, arguments: tuple[str, ...]) -> None:
    refused(project, *arguments)


def test_outside_a_project_every_command_says_so(tmp_path: Path) -> None:
    for command in (("status",), ("compare",), ("run", "tiny"), ("baseline", "tiny", "--check")):
        assert "no templates/ folder" in refused(Project(tmp_path), *command)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def copied(worked_once: Path, tmp_path: Path) -> Project:
    """The project with the finished study, to be broken."""
    return Project(shutil.copytree(worked_once, tmp_path / "worked"))


def test_a_corrupt_journal_line_stops_every_command_with_file_and_line(copied: Project) -> None:
    journal = copied.root / "runs" / "tuned" / ".harness" / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([*lines[:3], '{"kind": \n', *lines[4:]]))
    for command in (("show", "tuned"), ("compare", "tuned"), ("resume", "tuned"), ("status",), ("replay", "tuned")):
        message = refused(copied, *command)
        assert str(journal) in message
        assert "line 4" in message


def test_a_journal_whose_events_do_not_follow_from_each_other_is_named(copied: Project) -> None:
    journal = copied.root / "runs" / "tuned" / ".harness" / "journal.jsonl"
    first, *others = journal.read_text().splitlines(keepends=True)
    ended = next(line for line in others if '"attempt_ended"' in line)
    journal.write_text(first + ended)
    for command in (("show", "tuned"), ("resume", "tuned"), ("status",)):
        assert f"{journal}: its events are inconsistent" in refused(copied, *command)


def test_json_holds_nothing_that_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "\x1b[31m \x9b31m \x7f é"})
    out = capsys.readouterr().out
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", out) and "é" in out
    assert json.loads(out) == {"name": "\x1b[31m \x9b31m \x7f é"}


@pytest.mark.parametrize("content", [b"", b'{"at": 1.0, "kind": "study_st'])
def test_a_study_killed_before_its_first_event_is_told_and_hides_no_other(copied: Project, content: bytes) -> None:
    journal = copied.root / "runs" / "broken" / ".harness" / "journal.jsonl"
    journal.parent.mkdir(parents=True)
    journal.write_bytes(content)
    said = copied.harness("status")
    assert said.code == 0, said.err
    assert "tuned" in said.out
    for command in ("show", "compare", "resume", "replay"):
        assert "broken" in refused(copied, command, "broken")


def test_a_torn_last_line_of_a_journal_is_no_obstacle(copied: Project) -> None:
    journal = copied.root / "runs" / "tuned" / ".harness" / "journal.jsonl"
    with journal.open("ab") as file:
        file.write(b'{"at": 1.0, "ki')
    assert copied.harness("show", "tuned").code == 0
    assert copied.harness("compare", "tuned").code == 0


def test_what_cannot_be_resumed_with_is_refused_before_the_journal_is_touched(copied: Project) -> None:
    journal = copied.root / "runs" / "tuned" / ".harness" / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:-1]))
    assert "no executor named 'cloud'" in refused(copied, "resume", "tuned", "--executor", "cloud")


def test_the_command_itself_says_it_in_one_line_without_a_traceback(project: Project) -> None:
    """The real thing, in a process of its own: `python -m harness`."""
    before = listing(project.root)
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", "tiny", "--agent", "tuner", "--max-runs", "0"],
        cwd=project.root,
        env={k: v for k, v in os.environ.items() if k not in DEFAULT_MODELS},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "harness: --max-runs 0: input should be greater than 0\n"
    assert listing(project.root) == before


def test_git_variables_of_the_caller_lead_nowhere_else(project: Project, tmp_path: Path) -> None:
    """Somebody may start the harness from a git hook, where git has set all of these."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    names = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")
    variables = {name: str(elsewhere / name) for name in names} | {"GIT_CONFIG_PARAMETERS": "'core.bare'='true'"}
    with project.process(*RUN, "--max-runs", "1", "--name", "s", **variables) as controller:
        said = controller.wait()
    assert said.code == 0, said.err
    assert project.study().tags == ["run_1"]
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", ["baselines", "Environments"])
def test_a_name_that_the_harness_uses_itself_is_refused(project: Project, name: str) -> None:
    said = project.harness("run", "tiny", "--agent", "tuner", "--name", name)
    assert said.code == 2
    assert "the harness keeps other things there" in said.err


def test_a_baseline_without_its_run_must_be_replaced_and_does_not_look_like_a_full_disk(project: Project) -> None:
    shutil.rmtree(project.root / "baselines" / "tiny" / "run_0")
    said = project.harness("run", "tiny", "--agent", "tuner")
    assert said.code == 2
    assert "has no run_0; replace it with: harness baseline tiny --refresh" in said.err
