"""How a study ends, and what it says then."""

from __future__ import annotations

from lab import DONE, NEARER, UNCONFIRMED, Project, edit, in_real_runs, notes, scale

from harness.state.events import PlotsDrawn


def test_a_study_whose_first_reply_is_all_completed_fails_and_says_so(project: Project) -> None:
    study = project.run([f"Nothing to do here.\n\n{DONE}"])

    assert study.said.code == 1
    assert study.ending.status == "failed"
    assert "no run gave a result" in study.ending.reason
    assert study.ending.reason in study.said.out
    assert study.launches == [] and study.tags == []


def test_an_agent_that_never_edits_has_nothing_launched_and_nothing_measured(project: Project) -> None:
    study = project.run(["I would rather think about it."] * 5, "--max-fixes", "3")

    assert study.said.code == 1
    assert [turn.status for turn in study.turns] == ["nothing"] * 3
    assert "3 turns in a row led to no launch" in study.ending.reason
    assert study.launches == [] and study.tags == [] and study.verdicts == {}
    assert not study.paths.run(1).exists()
    assert "changed no file" in study.prompt(2)


def test_four_good_runs_and_a_failing_fifth_keep_the_four(project: Project) -> None:
    broken = in_real_runs("raise RuntimeError('the fifth is unlucky')")
    replies = [scale(1.5), scale(2.0, 1.5), scale(2.5, 2.0), scale(3.0, 2.5), broken, notes("Four of five ran.")]
    study = project.run(replies, "--max-runs", "5", "--attempts", "1")

    assert study.said.code == 0
    assert study.ending.status == "done"
    assert study.outcomes == [(1, 1, "ok"), (2, 1, "ok"), (3, 1, "ok"), (4, 1, "ok"), (5, 1, "crashed")]
    assert study.verdicts == {**dict.fromkeys((1, 2, 3), UNCONFIRMED), 4: "better"}
    assert study.tags == ["run_1", "run_2", "run_3", "run_4"]
    for run in (1, 2, 3, 4):
        assert (study.paths.run(run) / "final_info.json").exists()
        assert '"loss"' in study.git("show", f"s/run_{run}:run_{run}/final_info.json")
    assert study.turns[-1].purpose == "finish" and study.turns[-1].changed == ("notes.md",)
    assert "the fifth is unlucky" in study.prompt(6)
    assert "Four of five ran." in study.git("show", "s:notes.md")
    assert (study.paths.plots / "losses.txt").read_text().count("run_") == 5
    assert study.of(PlotsDrawn)[-1].message == ""
    assert any("unlucky" in path.read_text() for path in study.paths.private.glob("jobs/run_5-*/log.txt"))


def test_the_last_runs_result_is_in_a_prompt(project: Project) -> None:
    study = project.run([scale(2.0), notes()], "--max-runs", "1")

    [comparison] = [c for c in study.history.runs[1].comparisons if c.primary]
    figure = f"{comparison.mean:.4g}"
    assert figure not in study.prompt(1)
    assert study.turns[-1].purpose == "finish"
    assert f"| {figure} ±" in study.prompt(2)
    assert f"| {figure} ±" in study.sent(2), "the agent was told, and so was the model"


def test_the_last_runs_result_is_in_a_prompt_also_when_it_failed(project: Project) -> None:
    replies = [scale(2.0), in_real_runs("raise RuntimeError('last words')"), notes()]
    study = project.run(replies, "--max-runs", "2", "--attempts", "1")

    assert study.outcomes == [(1, 1, "ok"), (2, 1, "crashed")]
    assert study.turns[-1].purpose == "finish"
    assert "RuntimeError: last words" in study.prompt(3)


def test_an_agent_that_is_done_is_asked_for_notes_before_the_end(project: Project) -> None:
    study = project.run([scale(2.0), DONE, notes("It got nearer.")])

    assert (study.said.code, study.ending.status) == (0, "done")
    assert study.ending.reason == "the agent says that it is done"
    assert [(turn.purpose, turn.status) for turn in study.turns] == [
        ("start", "edited"),
        ("next", "done"),
        ("finish", "edited"),
    ]
    assert "It got nearer." in study.git("show", "s:notes.md")


def test_while_finishing_only_notes_and_plots_may_change(project: Project) -> None:
    late = edit("experiment.py", NEARER, "SCALE = 3.0") + edit("notes.md", "Nothing yet.", "Done.")
    study = project.run([scale(2.0), late, notes("Only the notes.")], "--max-runs", "1")

    assert [turn.status for turn in study.turns] == ["edited", "rejected", "edited"]
    assert NEARER in study.git("show", "s:experiment.py")
    assert "the runs are over" in study.prompt(3)
    assert "Only the notes." in study.file("notes.md")


def test_a_plot_that_fails_is_told_to_the_agent_and_drawn_again(project: Project) -> None:
    broken = edit("plot.py", "bars = []", "bars = undefined_bars")
    fixed = edit("plot.py", "bars = undefined_bars", "bars = []")
    study = project.run([scale(2.0), broken, fixed], "--max-runs", "1")

    assert "undefined_bars" in study.prompt(3)
    assert [event.message == "" for event in study.of(PlotsDrawn)] == [False, True]
    assert study.ending.status == "done"


def test_tokens_spent_stop_the_study_which_says_so(project: Project) -> None:
    usage = {"calls": 1, "tokens_in": 900, "tokens_out": 200}
    replies = [(scale(1.5), usage), (scale(2.0, 1.5), usage), (scale(2.5, 2.0), usage)]
    study = project.run(replies, "--max-tokens", "2000")

    assert study.history.calls == 2
    assert study.history.usage.tokens == 2200
    assert "2,000 tokens" in study.ending.reason and "spent" in study.ending.reason
    assert study.outcomes == [(1, 1, "ok")], "the second edit came when nothing was left to spend"
    assert study.ending.status == "done" and study.said.code == 0
    assert "900 tokens" in study.prompt(2), "the agent is told what is left"


def test_tokens_spent_before_any_run_make_a_failed_study(project: Project) -> None:
    study = project.run([(scale(2.0), {"calls": 1, "tokens_in": 5000})], "--max-tokens", "1000")

    assert (study.said.code, study.ending.status) == (1, "failed")
    assert "no run gave a result" in study.ending.reason and "1,000 tokens" in study.ending.reason
    assert study.launches == []


def test_a_recording_that_runs_out_pauses_the_study_with_that_reason(project: Project) -> None:
    study = project.run([scale(2.0)])

    assert (study.said.code, study.ending.status) == (1, "paused")
    assert "the recording holds 1 replies and this is call 2" in study.ending.reason
    assert study.verdicts == {1: UNCONFIRMED}, "what was measured stays measured"
