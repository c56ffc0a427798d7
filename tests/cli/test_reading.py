"""Commands that only read: their words, their JSON, their exit codes; and that they write nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from lab import Project

from harness import __version__, cli
from harness.cli.app import app
from harness.state.events import EVENTS

from .conftest import listing


def read(project: Project, *arguments: str) -> str:
    """The output of a command that ends well and writes nothing."""
    before = listing(project.root)
    said = project.harness(*arguments)
    assert said.code == 0, said.err
    assert said.err == ""
    assert listing(project.root) == before
    return said.out


def parsed(project: Project, *arguments: str) -> Any:
    return json.loads(read(project, *arguments, "--json"))


def test_the_version_is_printed(project: Project) -> None:
    assert read(project, "--version") == f"{__version__}\n"


def test_help_lists_every_command(project: Project) -> None:
    text = read(project, "--help")
    for command in (
        "run",
        "resume",
        "status",
        "show",
        "diff",
        "compare",
        "replay",
        "baseline",
        "power",
        "template",
        "doctor",
    ):
        assert f"  {command} " in text


@pytest.mark.parametrize(
    "command",
    ["run", "resume", "status", "show", "diff", "compare", "replay", "baseline", "power", "template check", "doctor"],
)
def test_every_command_explains_itself(project: Project, command: str) -> None:
    assert "Usage: harness" in read(project, *command.split(), "--help")


def test_status_of_a_new_project_says_how_to_begin(project: Project) -> None:
    assert "harness run" in read(project, "status")
    assert parsed(project, "status") == []


def test_status_lists_studies_with_what_they_spent_and_found(worked: Project) -> None:
    (row,) = parsed(worked, "status")
    assert (row["study"], row["template"], row["agent"], row["status"]) == ("tuned", "tiny", "tuner", "done")
    assert (row["runs"], row["max_runs"], row["reason"]) == (2, 2, "all 2 runs are used")
    assert row["best"] in ("better", "promising, unconfirmed", "not confirmed", "inconclusive", "worse")
    assert row["seconds"] > 0
    head, line = read(worked, "status").splitlines()
    assert head.split()[:3] == ["study", "template", "agent"]
    assert line.split()[:5] == ["tuned", "tiny", "tuner", "done", "2/2"]


def test_a_study_whose_process_is_gone_is_shown_as_killed(worked_once: Path, tmp_path: Path) -> None:
    project = Project(shutil.copytree(worked_once, tmp_path / "p"))
    journal = project.root / "runs" / "tuned" / ".harness" / "journal.jsonl"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-1]))
    assert parsed(project, "status")[0]["status"] == "killed"


def test_show_tells_the_story_and_gives_the_events(worked: Project) -> None:
    events = parsed(worked, "show", "tuned")
    assert [event.kind for event in EVENTS.validate_python(events)].index("study_started") == 0
    assert events[-1]["kind"] == "study_stopped"
    text = read(worked, "show", "tuned")
    for part in ("study tuned", "run 1", "run 2", "done: all 2 runs are used", "seeds:", "spent:", "left:", "0 runs"):
        assert part in text


def test_a_study_can_be_named_by_a_part(worked: Project) -> None:
    assert parsed(worked, "show", "tun") == parsed(worked, "show", "tuned")


def test_diff_shows_the_study_against_its_template_and_runs_against_each_other(worked: Project) -> None:
    whole, first = parsed(worked, "diff", "tuned"), parsed(worked, "diff", "tuned", "1")
    between, back = parsed(worked, "diff", "tuned", "1", "2"), parsed(worked, "diff", "tuned", "2", "1")
    assert "-SCALE = 1.0" in whole["diff"]
    assert "-SCALE = 1.0" in first["diff"]
    assert first["from"] == whole["from"]
    assert (between["from"], between["to"]) == (back["to"], back["from"])
    assert between["from"] == first["to"]
    removed = [line for line in between["diff"].splitlines() if line.startswith("-SCALE")]
    assert removed == [line.replace("+", "-", 1) for line in first["diff"].splitlines() if line.startswith("+SCALE")]
    assert "final_info" not in whole["diff"] and "confirmed.json" not in whole["diff"]


def test_diff_prints_what_git_would(worked: Project) -> None:
    assert "+SCALE" in read(worked, "diff", "tuned")
    assert "\x1b" not in read(worked, "diff", "tuned")
    assert "1 file changed" in read(worked, "diff", "tuned", "--stat")
    assert read(worked, "diff", "tuned", "1", "1") == "no difference\n"
    assert read(worked, "diff", "tuned", "template", "2") == read(worked, "diff", "tuned", "2")


def test_compare_shows_every_run_next_to_the_baseline(worked: Project) -> None:
    (study,) = parsed(worked, "compare", "tuned")
    assert [run["run"] for run in study["runs"]] == [1, 2]
    for run in study["runs"]:
        assert run["outcome"] == "ok"
        assert {c["metric"] for c in run["comparisons"]} == {"loss", "accuracy"}
        (verdict,) = run["verdicts"].values()
        assert verdict["verdict"] in ("better", "promising, unconfirmed", "not confirmed", "inconclusive", "worse")
        loss = next(c for c in run["comparisons"] if c["primary"])
        assert loss["effect"] == pytest.approx(loss["mean"] - loss["baseline_mean"])
        if run["confirmation"]:
            (fresh,) = [c for c in run["confirmation"]["comparisons"] if c["primary"]]
            assert verdict["p_corrected"] is None, "the interval of the design decides"
            assert (fresh["low"] > 0 or fresh["high"] < 0) == (verdict["verdict"] in ("better", "worse"))
        else:
            assert verdict["p_corrected"] >= loss["p"]


def test_compare_without_a_name_takes_the_latest_study(worked: Project) -> None:
    assert parsed(worked, "compare") == parsed(worked, "compare", "tuned")
    assert len(parsed(worked, "compare", "tuned", "tuned")) == 2


def test_compare_prints_the_primary_metric_and_all_on_demand(worked: Project) -> None:
    text = read(worked, "compare")
    assert "loss ↓" in text
    assert "accuracy" not in text
    assert "accuracy ↑" in read(worked, "compare", "--all")
    assert "The whole change of a run:  harness diff tuned RUN" in text
    assert "Holm-corrected over the 2 comparisons" in text


def test_a_baseline_check_gives_the_scores(worked: Project) -> None:
    stored = parsed(worked, "baseline", "tiny", "--check")["tiny"]
    assert stored["template"] == "tiny"
    (dataset,) = stored["scores"]
    assert len(stored["scores"][dataset]["loss"]) == 3
    assert "tiny: up to date" in read(worked, "baseline", "tiny", "--check")


def test_doctor_says_what_is_here_and_what_works_without_the_rest(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {row["what"]: row for row in parsed(project, "doctor")}
    assert {"python", "git", "bwrap", "ruff", "ty", "aider", "keys", "torch", "gpu"} <= set(rows)
    assert rows["git"]["found"]
    assert not rows["keys"]["found"]
    assert "--agent tuner" in rows["keys"]["detail"]
    assert all(row["detail"] for row in rows.values())
    assert "missing  keys" in read(project, "doctor")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1234567890")
    text = read(project, "doctor")
    assert "OPENAI_API_KEY" in text
    assert "sk-1234567890" not in text


def test_doctor_works_without_git_and_says_that_nothing_else_does(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    said = project.harness("doctor", "--json")
    assert said.code == 1
    assert not next(row for row in json.loads(said.out) if row["what"] == "git")["found"]


def test_a_sound_template_is_checked_part_by_part(project: Project) -> None:
    said = project.harness("template", "check", "tiny")
    assert said.code == 0, said.err
    for part in (
        "template.toml is valid",
        "the tuner can set SCALE (now 1.0)",
        "smoke run passed",
        "baseline is up to date",
    ):
        assert part in said.out


def test_a_template_whose_script_cannot_run_is_told(project: Project) -> None:
    script = project.root / "templates" / "tiny" / "experiment.py"
    script.write_text(script.read_text() + "\nundefined_name\n")
    said = project.harness("template", "check", "tiny")
    assert said.code == 2
    assert "F821" in said.err
    assert said.err.count("\n") == 1


def test_output_meant_for_a_reader_who_left_is_no_error(worked: Project) -> None:

    done = subprocess.run(
        f"{sys.executable} -m harness -C '{worked.root}' show tuned --json | head -c 1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[", "")


@pytest.mark.parametrize("before", [[], ["-C", "."], ["--project", "run"]])
def test_only_the_module_of_the_command_is_imported(before: list[str]) -> None:
    assert cli._modules([*before, "status", "--json"]) == ["harness.cli.status"]
    assert cli._modules([*before, "run", "status"]) == ["harness.cli.run"]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--project=.", "status"], ["stauts"]])
def test_where_no_command_comes_first_all_are_known(arguments: list[str]) -> None:
    assert len(cli._modules(arguments)) == len(cli.COMMANDS)


def test_every_command_is_in_the_table_with_the_module_that_registers_it() -> None:
    for module in cli.COMMANDS:
        import_module(f"harness.cli.{module}")
    registered = [(c.name or c.callback.__name__, c.callback.__module__) for c in app.registered_commands if c.callback]
    registered += [(group.name or "", "harness.cli.template") for group in app.registered_groups]
    table = [(name, f"harness.cli.{module}") for module, names in cli.COMMANDS.items() for name in names]
    assert sorted(registered) == sorted(table)
