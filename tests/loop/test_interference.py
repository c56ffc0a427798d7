"""Interference by people, editors, agents and plot.py loses no result, and no study fails or hangs because of it."""

from __future__ import annotations

import json
import shutil
import threading

import pytest
from lab import DONE, NEARER, UNCONFIRMED, Project, Study, notes, scale, swap, until

from harness.execution import sandbox
from harness.state.events import AnyEvent, AttemptEnded, ModelCalled, PlotsDrawn, Recorded
from harness.study import study as open_study

CONFINED = pytest.param(
    "--sandbox",
    id="sandbox",
    marks=pytest.mark.skipif(sandbox.name() == "none", reason="bubblewrap is missing or does not work here"),
)
DAY = 24 * 3600.0


def waiting_for(name: str) -> str:
    """A block after which real runs continue only once the study contains a file of that name."""
    wait = f"while not Path({name!r}).exists():\n            time.sleep(0.01)"
    return swap("time.sleep(PAUSE)", f"time.sleep(PAUSE)\n        {wait}")


def with_a_file_made_meanwhile(name: str, project: Project) -> Study:
    """A study of one attempt; while its run is under way, a file is created in the study's folder."""
    study = project.study()

    def make() -> None:
        log = study.paths.job("run_1-attempt_1") / "log.txt"
        until(lambda: log.exists() and "guessing" in log.read_text(), "the run")
        (study.paths.root / name).parent.mkdir(exist_ok=True)
        (study.paths.root / name).write_text("SCALE = 9.0\n")

    maker = threading.Thread(target=make)
    maker.start()
    options = ("--max-runs", "1", "--attempts", "1", "--confirm", "0")
    worked = project.run([scale(2.0) + waiting_for(name), notes()], *options)
    maker.join()
    return worked


def test_what_an_editor_leaves_in_the_study_during_a_run_does_not_void_it(project: Project) -> None:
    study = with_a_file_made_meanwhile(".experiment.py.swp", project)

    assert study.outcomes == [(1, 1, "ok")]
    assert study.verdicts == {1: UNCONFIRMED}
    assert study.said.code == 0
    assert study.dirt == ""
    assert ".swp" not in study.git("ls-tree", "-r", "--name-only", "s")


def test_a_module_that_appears_in_the_study_during_a_run_does_void_it(project: Project) -> None:
    study = with_a_file_made_meanwhile("extra.py", project)

    assert study.outcomes == [(1, 1, "tampered")]
    assert "extra.py" in study.of(AttemptEnded)[0].message
    assert study.verdicts == {}


def cut(study: Study, after: type, times: int, earlier: float = 0.0) -> None:
    """As if the controller had been killed right after the event, so many seconds ago."""
    rows = [json.loads(line) for line in study.paths.journal.read_text().splitlines()]
    wanted = [number for number, event in enumerate(study.events) if isinstance(event, after)][times - 1]
    kept = [{**row, "at": row["at"] - earlier} for row in rows[: wanted + 1]]
    study.paths.journal.write_text("".join(json.dumps(row) + "\n" for row in kept))


def test_the_time_between_a_kill_and_the_resuming_is_not_counted(project: Project) -> None:
    replies = [scale(2.0), scale(2.5, 2.0), notes()]
    study = project.run(replies, "--max-runs", "2", "--max-hours", "10")
    assert study.outcomes == [(1, 1, "ok"), (2, 1, "ok")]
    cut(study, Recorded, 1, earlier=3 * DAY)
    for folder in (study.paths.run(2), study.paths.job("run_2-attempt_1"), study.paths.plots):
        shutil.rmtree(folder)
    study = project.resume()

    assert study.said.code == 0, study.said
    assert study.outcomes == [(1, 1, "ok"), (2, 1, "ok")]
    assert study.ending.reason == "all 2 runs are used"
    assert 0 < study.history.seconds < 3600
    (row,) = json.loads(project.harness("status", "--json").out)
    assert row["seconds"] < 3600


@pytest.mark.parametrize("confinement", [CONFINED, "--no-sandbox"])
def test_show_tells_whether_the_runs_were_confined(project: Project, confinement: str) -> None:
    study = project.run([scale(2.0), notes()], "--max-runs", "1", confinement)
    (line,) = [line for line in project.harness("show", "s").out.splitlines() if line.startswith("sandbox:")]

    assert study.of(AttemptEnded)[0].sandbox == ("bubblewrap" if confinement == "--sandbox" else "none")
    assert line.split()[1] == study.of(AttemptEnded)[0].sandbox
    assert ("not confined" in line) == (confinement == "--no-sandbox")


def test_a_replicate_asked_for_when_the_runs_are_over_puts_no_old_code_back(project: Project) -> None:
    study = project.run([scale(2.0), scale(2.5, 2.0), "REPLICATE run_1\n"], "--max-runs", "2")

    assert study.said.code == 0
    assert [turn.status for turn in study.turns] == ["edited", "edited", "nothing"]
    assert "SCALE = 2.5" in study.git("show", "s:experiment.py")
    assert "SCALE = 2.5" in study.file("experiment.py")


def test_a_replicate_keeps_the_notes_written_since_the_run_that_it_repeats(project: Project) -> None:
    replies = [scale(2.0), scale(2.5, 2.0) + notes("2.0 was good."), "REPLICATE run_1\n", "Nothing to add here."]
    study = project.run(replies, "--max-runs", "3")

    assert study.verdicts[3] == "replicate"
    assert "SCALE = 2.0" in study.git("show", "s/run_3:experiment.py")
    assert "2.0 was good." in study.git("show", "s/run_3:notes.md")
    assert "2.0 was good." in study.file("notes.md")


def plotting(code: str) -> str:
    """A reply that appends to plot.py."""
    last = '(out_dir / "losses.txt").write_text("".join(bars))'
    return "I draw more.\n\n" + swap(last, f"{last}\n{code}", "plot.py")


ODD_NAME = 'import os\nopen(os.fsencode(out_dir) + b"/\\xff.png", "w").close()'


@pytest.mark.parametrize(
    ("code", "confinement", "kept"),
    [
        pytest.param(ODD_NAME, "--sandbox", 2, id="name that is not text", marks=CONFINED.marks),
        pytest.param("import shutil\nshutil.rmtree(out_dir)", "--no-sandbox", 0, id="no folder"),
        pytest.param('for i in range(2000):\n    (out_dir / f"{i}").touch()', "--no-sandbox", 100, id="2000 files"),
    ],
)
def test_whatever_plot_py_does_to_its_folder_the_study_comes_to_its_end(
    project: Project, code: str, confinement: str, kept: int
) -> None:
    study = project.run([scale(2.0), plotting(code)], "--max-runs", "1", confinement)

    assert study.ending.status == "done", study.said
    (planned,) = study.said.err.splitlines()
    assert study.said.code == 0 and "usually show an improvement" in planned, "nothing else is said"
    (drawn,) = study.of(PlotsDrawn)
    assert drawn.message == ""
    assert len(drawn.files) == kept
    for command in (("show", "s"), ("compare", "s"), ("status",)):
        assert project.harness(*command).code == 0


def test_an_agent_that_only_mentions_how_it_will_end_is_asked_again(project: Project) -> None:
    plan = f"1. SCALE = 2\n2. Then {DONE}, I suppose.\nI will reply {DONE} when both are done. First I need to think."
    study = project.run([plan, scale(2.0), f"That was all.\n\n**{DONE}**\n", notes()], "--max-runs", "3")

    assert [turn.status for turn in study.turns] == ["nothing", "edited", "done", "edited"]
    assert study.outcomes == [(1, 1, "ok")]
    assert study.ending.status == "done"
    assert study.ending.reason == "the agent says that it is done"


def test_an_edit_that_was_cut_short_reaches_neither_plot_py_nor_the_end(project: Project) -> None:
    """The call that it came with used up the budget, so after the kill the agent is not asked again."""
    replies = [(scale(2.0), {"calls": 1, "tokens_in": 10}), (scale(2.5, 2.0), {"calls": 1, "tokens_in": 5000})]
    study = project.run(replies, "--max-runs", "3", "--max-tokens", "1000")
    cut(study, ModelCalled, 2)
    shutil.rmtree(study.paths.plots)
    shutil.rmtree(study.paths.job("plot-turn_2"))
    for name, text in {"plot.py": "raise SystemExit(1)\n", "experiment.py": "half\n", "half.py": "half\n"}.items():
        (study.paths.root / name).write_text(text)
    study = project.resume()

    assert study.said.code == 0, study.said
    assert study.ending.reason == "the budget of 1,000 tokens is spent"
    assert [drawn.message for drawn in study.of(PlotsDrawn)] == [""]
    assert (study.paths.plots / "losses.txt").read_text().count("run_") == 2
    assert NEARER in study.file("experiment.py")
    assert study.dirt == ""


def test_an_edit_for_whose_run_there_is_no_money_leaves_the_worktree_as_it_was_committed(project: Project) -> None:
    replies = [(scale(2.0), {"calls": 1, "tokens_in": 10}), (scale(2.5, 2.0), {"calls": 1, "tokens_in": 5000})]
    study = project.run(replies, "--max-runs", "3", "--max-tokens", "1000")

    assert study.said.code == 0
    assert study.outcomes == [(1, 1, "ok")]
    assert study.dirt == ""
    assert project.harness("diff", "s", "--json").out.count("+SCALE") == 1


def test_edits_between_ctrl_c_and_resume_are_not_run(project: Project) -> None:
    project.change_template("experiment.py", "PAUSE = 0.0", "PAUSE = 1.5")
    replies = [scale(2.0), notes()]
    study = project.study()
    with project.process(*project.order(replies, "--max-runs", "1", "--confirm", "0")) as controller:
        log = study.paths.job("run_1-attempt_1") / "log.txt"
        until(lambda: log.exists() and "guessing" in log.read_text(), "the run")
        controller.interrupt()
        controller.wait()
    experiment = study.paths.root / "experiment.py"
    experiment.write_text(experiment.read_text().replace("SCALE = 2.0", "SCALE = 2.9"))

    assert project.resume().said.code == 0
    assert study.outcomes == [(1, 1, "ok")]
    assert "SCALE = 2.0" in study.file("experiment.py")


def test_a_run_that_changed_the_code_is_void_also_when_the_controller_dies_before_it_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(BaseException):
        pass

    happened = open_study.Study.happened

    def die(study: open_study.Study, event: AnyEvent) -> None:
        if isinstance(event, AttemptEnded):
            raise Died
        happened(study, event)

    spoil = swap("time.sleep(PAUSE)", "time.sleep(PAUSE)\n        Path('extra.py').write_text('SCALE = 9.0')")
    options = ("--max-runs", "1", "--attempts", "1", "--confirm", "0", "--no-sandbox")
    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setattr(open_study.Study, "happened", die)
        project.run([scale(2.0) + spoil, notes()], *options)
    project.resume("--no-sandbox")

    assert project.study().outcomes == [(1, 1, "tampered")]
