"""A study that goes on from another study's run: its baseline stays the template's, its first code is the other's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from lab import Project, Study, edit, notes, scale

from harness.state.events import EditChecked


@pytest.fixture(scope="module")
def grown_once(made_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a study named `origin`, whose runs had SCALE 2.0 and 2.5."""
    project = Project(shutil.copytree(made_once, tmp_path_factory.mktemp("grown") / "project"))
    study = project.run([scale(2.0), scale(2.5, 2.0), notes()], "--max-runs", "2", name="origin")
    assert study.outcomes == [(1, 1, "ok"), (2, 1, "ok")]
    return project.root


@pytest.fixture
def project(grown_once: Path, tmp_path: Path) -> Project:
    """A copy of it; git notes the place of a worktree, so the origin's cannot be worked on here, only read."""
    return Project(shutil.copytree(grown_once, tmp_path / "project"))


def going_on(project: Project, replies: list[str], *options: str) -> Study:
    return project.run(replies, "--from", "origin/run_1", *options)


def code_of(study: Study, commit: str) -> str:
    """The line of experiment.py that matters, at a commit."""
    text = study.git("show", f"{commit}:experiment.py")
    (line,) = [line for line in text.splitlines() if line.startswith("SCALE")]
    return line


def test_run_0_is_the_templates_code_and_the_second_commit_the_origins(project: Project) -> None:
    study = going_on(project, [scale(2.8, 2.0), notes()], "--max-runs", "1")

    assert study.verdicts == {1: "better"}
    assert code_of(study, "s/run_0") == code_of(study, "s/template") == "SCALE = 1.0"
    assert study.git("rev-parse", "s/run_0") == study.git("rev-parse", "s/template")
    shas = study.git("rev-list", "--reverse", "s").split()
    assert shas[1] == study.git("rev-parse", "s/template^{commit}").strip()
    assert [code_of(study, sha) for sha in shas[1:4]] == ["SCALE = 1.0", "SCALE = 2.0", "SCALE = 2.8"]
    assert study.git("log", "-1", "--format=%s", shas[2]).strip() == "The code of origin/run_1"
    for sha in shas[1:]:
        assert "run_0/final_info.json" in study.git("ls-tree", "-r", "--name-only", sha)
    assert study.git("show", "s:run_0/final_info.json") == study.git("show", "origin:run_0/final_info.json")
    assert "You start from the code of origin/run_1, not from the baseline's." in study.prompt(1)


def test_the_difference_shown_is_the_one_that_was_measured_against_the_template(project: Project) -> None:
    going_on(project, [scale(2.8, 2.0), notes()], "--max-runs", "1")
    for arguments in (("s",), ("s", "1"), ("s", "0", "1"), ("s", "template", "1")):
        text = json.loads(project.harness("diff", *arguments, "--json").out)["diff"]
        scales = [line for line in text.splitlines() if "SCALE = " in line]
        assert scales == ["-SCALE = 1.0", "+SCALE = 2.8"], arguments


def test_code_that_ran_in_the_origin_or_as_the_baseline_is_not_run_as_new(project: Project) -> None:
    unchanged = "A word only.\n\n" + edit("experiment.py", "SCALE = 2.0", "SCALE = 2.0  # as it was")
    replies = [unchanged, scale(2.5, 2.0).replace("SCALE = 2.0", "SCALE = 2.0  # as it was", 1), scale(1.0, 2.5)]
    study = going_on(project, [*replies, scale(2.8, 1.0), notes()], "--max-runs", "1")

    assert study.findings == ["no-op", "no-op", "no-op"]
    told = [e.findings[0].message for e in study.of(EditChecked) if e.findings]
    for message, what in zip(told, ("run 1 of origin", "run 2 of origin", "the baseline"), strict=True):
        assert f"identical to that of {what} " in message
        assert message in "".join(study.prompt(turn) for turn in (2, 3, 4))
    assert [(launch.run, launch.attempt) for launch in study.launches] == [(1, 1)]
    assert code_of(study, "s/run_1") == "SCALE = 2.8"


def test_going_back_to_the_baseline_with_the_best_strategy_gives_the_templates_code(project: Project) -> None:
    replies = [scale(9.0, 2.0), scale(2.8, 1.0), notes()]
    study = going_on(project, replies, "--max-runs", "2", "--strategy", "best")

    assert study.verdicts == {1: "worse", 2: "better"}, study.said
    assert "The code is now that of the baseline" in study.prompt(2)
    assert [turn.status for turn in study.turns] == ["edited", "edited", "edited"]
    assert code_of(study, "s/run_2") == "SCALE = 2.8"
    assert "run_1/final_info.json" in study.git("ls-tree", "-r", "--name-only", "s/run_2")


def test_the_tuner_repeats_nothing_that_it_measured_in_the_origin(project: Project) -> None:
    order = ("run", "tiny", "--agent", "tuner", "--max-runs", "1")
    assert project.harness(*order, "--name", "tuned").code == 0
    said = project.harness(*order, "--name", "more", "--from", "tuned/run_1")
    assert said.code == 0, said
    ((earlier,), (later,)) = project.study("tuned").launches, project.study("more").launches
    assert earlier.digest != later.digest


def test_code_of_an_older_template_is_refused_because_todays_baseline_is_none_of_it(project: Project) -> None:
    project.change_template("experiment.py", "NOISE = 0.01", "NOISE = 0.02")
    study = going_on(project, [scale(2.8, 2.0), notes()], "--max-runs", "1")

    assert study.said.code == 2
    assert study.said.err == (
        "harness: origin began from another version of tiny (experiment.py has changed); its code cannot be compared "
        "with today's baseline; name a study that began later\n"
    )
    assert not study.paths.root.exists()


def test_a_template_that_only_has_other_seeds_now_is_no_obstacle(project: Project) -> None:
    project.change_template("template.toml", "seeds = [0, 1, 2]", "seeds = [0, 1, 2, 3]")
    study = going_on(project, [scale(2.8, 2.0), notes()], "--max-runs", "1", "--confirm", "0")
    assert study.outcomes == [(1, 1, "ok")], study.said.err
