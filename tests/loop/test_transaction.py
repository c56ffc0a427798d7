"""An edit is kept whole, or nothing of it is."""

from __future__ import annotations

import pytest
from lab import DONE, NEARER, UNCONFIRMED, Project, Study, edit, notes, scale

GOOD = edit("experiment.py", "SCALE = 1.0", "SCALE = 2.5")


def assert_rolled_back(study: Study, told: str, in_turn: int = 1) -> None:
    """The turn left no trace in the tree, the next prompt says why, and the fixed reply was run instead."""
    turn = study.turns[in_turn - 1]
    assert turn.status == "rejected"
    assert turn.tree == study.history.begun.tree, "the tree after a rejected edit is the tree before it"
    following = study.prompt(in_turn + 1)
    assert "was not applied" in following and told in following
    assert following.strip() in study.sent(in_turn + 1)
    assert study.outcomes == [(1, 1, "ok")], "the rejected edit was never launched"
    assert NEARER in study.git("show", "s/run_1:experiment.py")
    assert "SCALE = 2.5" not in study.git("log", "-p", "s")
    assert study.dirt == ""
    assert study.said.code == 0


def test_an_edit_of_the_evaluator_is_rolled_back_with_all_that_came_with_it(project: Project) -> None:
    cheat = edit("evaluate.py", "losses = [loss_of(float(guess)) for guess in guesses]", "losses = [0.0] * 3")
    study = project.run([GOOD + cheat, scale(2.0), notes()], "--max-runs", "1")

    assert_rolled_back(study, "evaluate.py is protected")
    assert "[0.0] * 3" not in study.file("evaluate.py")
    assert "[0.0] * 3" not in (study.paths.pinned / "evaluate.py").read_text()


@pytest.mark.parametrize("name", ["sitecustomize.py", "json.py", "sub/inner.py"])
def test_a_new_file_that_would_change_how_python_behaves_is_rolled_back(project: Project, name: str) -> None:
    study = project.run([GOOD + edit(name, "", "print('first')"), scale(2.0), notes()], "--max-runs", "1")

    assert_rolled_back(study, name)
    assert not (study.paths.root / name).exists()


def test_a_file_outside_the_study_is_never_written(project: Project) -> None:
    outside = edit("../outside.py", "", "print('out')")
    study = project.run([GOOD + outside, scale(2.0), notes()], "--max-runs", "1")

    assert_rolled_back(study, "lies outside the study")
    assert list(project.root.rglob("outside.py")) == []


def test_a_file_outside_the_project_is_never_written(project: Project) -> None:
    target = project.root.parent / "outside.py"
    study = project.run([GOOD + edit(str(target), "", "print('out')"), scale(2.0), notes()], "--max-runs", "1")

    assert_rolled_back(study, "lies outside the study")
    assert not target.exists()


def test_a_block_that_names_one_file_and_matches_another_changes_neither(project: Project) -> None:
    misplaced = edit("plot.py", "SCALE = 1.0", "SCALE = 2.5")
    study = project.run([misplaced, scale(2.0), notes()], "--max-runs", "1")

    assert_rolled_back(study, "plot.py has no lines that match this SEARCH block")


def test_a_good_block_is_not_kept_when_another_of_the_reply_is_bad(project: Project) -> None:
    bad = edit("plot.py", "There is no such line.", "Better.")
    study = project.run([GOOD + bad, scale(2.0), notes()], "--max-runs", "1")

    assert_rolled_back(study, "plot.py has no lines that match this SEARCH block")
    assert "There is no such line." in study.prompt(2)


def test_a_good_block_is_not_kept_when_a_bad_one_comes_first(project: Project) -> None:
    bad = edit("plot.py", "There is no such line.", "Better.")
    study = project.run([bad + GOOD, scale(2.0), notes()], "--max-runs", "1")

    assert_rolled_back(study, "plot.py has no lines that match this SEARCH block")


def test_a_rejected_edit_later_in_a_study_leaves_the_run_before_it_as_it_was(project: Project) -> None:
    cheat = edit("experiment.py", NEARER, "SCALE = 2.5") + edit("data.py", "TARGET = 3.0", "TARGET = 2.5")
    study = project.run([scale(2.0), cheat, DONE, notes()])

    assert [turn.status for turn in study.turns] == ["edited", "rejected", "done", "edited"]
    assert study.outcomes == [(1, 1, "ok")]
    assert NEARER in study.file("experiment.py") and "TARGET = 3.0" in study.file("data.py")
    assert study.dirt == ""
    assert "data.py is protected" in study.prompt(3)


def test_an_edit_of_notes_alone_is_a_no_op_and_not_launched(project: Project) -> None:
    study = project.run([notes("I plan to raise SCALE."), scale(2.0), notes("")], "--max-runs", "1", "--max-fixes", "2")

    assert study.findings[0] == "no-op"
    assert "identical to that of the baseline" in study.prompt(2)
    assert study.outcomes == [(1, 1, "ok")]
    assert study.launches[0].digest != study.history.begun.digest
    assert "I plan to raise SCALE." in study.git("show", "s/run_1:notes.md"), "the notes themselves are kept"


def test_an_edit_of_comments_and_blank_lines_alone_is_a_no_op(project: Project) -> None:
    comment = edit("experiment.py", "PAUSE = 0.0", "PAUSE = 0.0  # seconds\n\n")
    study = project.run([comment, DONE])

    assert study.findings == ["no-op"]
    assert study.launches == [] and study.ending.status == "failed"


def test_code_that_an_earlier_run_executed_is_not_launched_again(project: Project) -> None:
    study = project.run([scale(2.0), scale(2.5, 2.0), scale(2.0, 2.5), DONE, notes()])

    assert study.findings == ["no-op"]
    assert "identical to that of run 1" in study.prompt(4)
    assert study.outcomes == [(1, 1, "ok"), (2, 1, "ok")]


def test_a_replicate_asked_for_is_launched_and_never_called_better(project: Project) -> None:
    study = project.run([scale(2.0), scale(2.5, 2.0), "Is it noise?\n\nREPLICATE run_1", notes()], "--max-runs", "3")

    assert study.outcomes == [(1, 1, "ok"), (2, 1, "ok"), (3, 1, "ok")]
    assert [launch.replicate_of for launch in study.launches] == [None, None, 1]
    assert study.launches[2].digest == study.launches[0].digest != study.launches[1].digest
    assert study.verdicts == {1: UNCONFIRMED, 2: "better", 3: "replicate"}
    assert '"replicate"' in project.harness("compare", "s", "--json").out
    assert NEARER in study.git("show", "s/run_3:experiment.py")


def test_a_replicate_of_a_run_that_there_is_not_launches_nothing(project: Project) -> None:
    study = project.run([scale(2.0), "REPLICATE run_7", DONE, notes()])

    assert [turn.status for turn in study.turns] == ["edited", "nothing", "done", "edited"]
    assert len(study.launches) == 1


@pytest.mark.parametrize("text", ["!touch {}", "/run touch {}"])
def test_an_idea_that_looks_like_a_command_is_only_text(project: Project, text: str) -> None:
    made = project.root / "made-by-a-command"
    idea = text.format(made)
    model = project.recording([scale(2.0), notes()])
    options = ("--name", "s", "--max-runs", "1")
    study = project.study("s", project.harness("run", "tiny", "--idea", idea, "--model", model, *options))

    assert study.said.code == 0
    assert not made.exists()
    assert idea in study.sent(1)
