"""Replies of models as they come: what is an edit is made whole, in the file that it names; what is none is told."""

from __future__ import annotations

import pytest
from lab import DATA, DONE, NEARER, NOTES, Project, Study, edit, notes, scale, serving

from harness.agents.replies import FORM

SCRIPT = (DATA / "templates" / "tiny" / "experiment.py").read_text()
ONE = ("--max-runs", "1", "--confirm", "0")


def assert_measured_nearer(study: Study) -> None:
    assert study.said.code == 0, study.said
    assert study.outcomes == [(1, 1, "ok")]
    assert study.git("show", "s/run_1:experiment.py") == SCRIPT.replace("SCALE = 1.0", NEARER)


def test_an_underlined_heading_in_notes_cuts_nothing_off(project: Project) -> None:
    text = "Report\n=======\n\nRun 1 raised SCALE.\n\nNext\n=====\n\nNothing."
    study = project.run([scale(2.0), notes(text)], *ONE)

    assert study.file("notes.md") == f"# Notes\n\n{text}\n"


def test_code_after_a_second_dividing_line_is_not_dropped_but_the_reply_refused(project: Project) -> None:
    cut = edit("experiment.py", "SCALE = 1.0", "SCALE = 2.5\n=======\nSCALE = SCALE + 0.1")
    study = project.run([cut, scale(2.0), notes()], *ONE)

    assert study.turns[0].status == "rejected" and study.turns[0].tree == study.history.begun.tree
    assert "which of them ends its SEARCH part" in study.prompt(2)
    assert_measured_nearer(study)


def test_a_block_for_a_file_with_a_similar_name_changes_no_other_file(project: Project) -> None:
    study = project.run([edit("experiment2.py", "SCALE = 1.0", "SCALE = 2.5"), scale(2.0), notes()], *ONE)

    assert "experiment2.py does not exist" in study.prompt(2)
    assert_measured_nearer(study)


def test_a_whole_file_in_a_fence_is_run(project: Project) -> None:
    whole = SCRIPT.replace("SCALE = 1.0", NEARER)
    assert_measured_nearer(project.run([f"experiment.py\n```python\n{whole}```\n", notes()], *ONE))


def test_a_program_in_an_empty_search_block_replaces_the_file_and_makes_no_two_in_one(project: Project) -> None:
    whole = SCRIPT.replace("SCALE = 1.0", NEARER).rstrip("\n")
    assert_measured_nearer(project.run([edit("experiment.py", "", whole), notes()], *ONE))


def test_a_part_of_a_file_or_code_without_a_name_is_refused_with_the_form_that_is_expected(project: Project) -> None:
    nameless = f"Like this:\n```python\n{SCRIPT}```\n"
    part = "experiment.py\n```python\nSCALE = 2.5\n```\n"
    study = project.run([nameless, part, scale(2.0), notes()], *ONE)

    assert FORM in study.prompt(2) and "sent 1 as the whole file" in study.prompt(3)
    assert_measured_nearer(study)


def test_a_draft_before_the_end_of_thoughts_is_not_run(project: Project) -> None:
    draft = "First idea:\n\n" + scale(2.5) + f"\nThat is silly.\n{DONE}\n</think>\n\n"
    assert_measured_nearer(project.run([draft + scale(2.0), notes()], *ONE))


def test_notes_that_do_not_fit_take_no_good_code_with_them(project: Project) -> None:
    study = project.run([scale(2.0) + edit("notes.md", "No such line.", "Text."), DONE, notes()], "--confirm", "0")

    assert_measured_nearer(study)
    assert study.turns[0].left_out and study.turns[0].problems == ()
    assert "The code of your reply was applied; this was not:\nnotes.md has no lines that match" in study.prompt(2)
    assert "Run 1 is done." in study.prompt(2)


def test_done_with_an_edit_of_notes_ends_the_runs_and_the_notes_are_kept(project: Project) -> None:
    study = project.run([scale(2.0), notes("SCALE helps.") + f"\nThat is all: {DONE}.", DONE], "--confirm", "0")

    assert [turn.status for turn in study.turns] == ["edited", "done", "done"]
    assert study.ending.status == "done" and study.ending.reason == "the agent says that it is done"
    assert "SCALE helps." in study.git("show", "s:notes.md") and study.dirt == ""
    replayed = project.harness("replay", "s")
    assert replayed.code == 0 and "0 differences" in replayed.out, replayed


def test_the_conversation_does_not_hold_that_a_refused_edit_was_made(project: Project) -> None:
    study = project.run([edit("data.py", "TARGET = 3.0", "TARGET = 1.0"), "I think.", scale(2.0), notes()], *ONE)

    assert_measured_nearer(study)
    for call in (2, 3, 4):
        assert "updated the files" not in study.sent(call)
    assert "The files are as they were before it." in study.sent(3)


def test_a_model_that_asks_for_a_file_is_shown_it_in_the_same_turn(project: Project) -> None:
    (project.root / "templates" / "tiny" / "README.md").write_text("Read about SCALE here.\n")
    asks = "Please add README.md and ../secret.txt to the chat."
    study = project.run([asks, scale(2.0), notes()], *ONE)

    assert_measured_nearer(study)
    assert len(study.turns) == 2 and study.history.calls == 3
    assert "Read about SCALE here." in study.sent(2) and "../secret.txt is no file that you may read" in study.sent(2)
    assert "Read about SCALE here." not in study.sent(1)
    replayed = project.harness("replay", "s")
    assert replayed.code == 0 and "0 differences" in replayed.out, replayed


def test_with_a_budget_for_the_model_the_file_comes_with_the_next_prompt(project: Project) -> None:
    """A budget is checked before every call, so there is one call per turn."""
    (project.root / "templates" / "tiny" / "README.md").write_text("Read about SCALE here.\n")
    asks = "Please add README.md to the chat."
    study = project.run([asks, scale(2.0), notes()], "--max-tokens", "1000000", *ONE)

    assert_measured_nearer(study)
    assert len(study.turns) == 3 and study.history.calls == 3
    assert "Read about SCALE here." in study.prompt(2)


def test_a_reply_that_is_only_thoughts_is_told_as_that(project: Project) -> None:
    with serving() as endpoint:
        endpoint.finish, endpoint.script = "length", [""]
        model = ("--model", "openai/anything", "--max-fixes", "1")
        said = project.process("run", "tiny", "--idea", "nearer", "--name", "s", *model, **endpoint.environment).wait()
    study = project.study()

    assert said.code == 1 and len(endpoint.asked) == 1
    assert "All of the model's output went into thoughts" in study.turns[0].problems[0]


@pytest.mark.parametrize("kind", ["crlf", "bom", "latin-1"])
def test_a_file_is_written_back_as_it_was_but_for_the_line_that_is_changed(project: Project, kind: str) -> None:
    before = {
        "crlf": SCRIPT.replace("\n", "\r\n").encode(),
        "bom": b"\xef\xbb\xbf" + SCRIPT.encode(),
        "latin-1": b"# coding: latin-1\n# caf\xe9\n" + SCRIPT.encode(),
    }[kind]
    template = project.root / "templates" / "tiny"
    (template / "experiment.py").write_bytes(before)
    (template / "notes.md").write_bytes(f"# Notes\r\n\r\n{NOTES}\r\n".encode())
    assert project.harness("baseline", "tiny", "--refresh").code == 0
    study = project.run([scale(2.0), notes("Text.")], *ONE)

    assert study.outcomes == [(1, 1, "ok")]
    assert (study.paths.root / "experiment.py").read_bytes() == before.replace(b"SCALE = 1.0", NEARER.encode())
    assert (study.paths.root / "notes.md").read_bytes() == b"# Notes\r\n\r\nText.\r\n"
    assert study.git("diff", "--numstat", "s/template", "s/run_1", "--", "experiment.py").split()[:2] == ["1", "1"]
    assert "\ufeff" not in study.sent(1) and ("café" in study.sent(1)) == (kind == "latin-1")
