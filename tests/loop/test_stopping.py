"""A running study is stopped from outside: by `harness stop`, by SIGTERM, by a terminal that closes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import Any

import psutil
import pytest
from lab import Controller, Project, Study, alive, has_happened, in_real_runs, notes, processes_in, scale, undo, until

from harness.execution import lock
from harness.state.events import AttemptLaunched, ConfirmationAsked

SLOW = in_real_runs("time.sleep(600)")


@pytest.fixture
def running(project: Project) -> tuple[Project, Study, Controller]:
    """A study whose first run would take ten minutes."""
    controller = project.process(*project.order([SLOW, undo(SLOW) + scale(2.0), notes()], "--max-runs", "1"))
    study = project.study()
    until(has_happened(study, AttemptLaunched), "the run is launched")
    until(lambda: "run 1, attempt 1" in status(project)["now"]["what"], "the controller says what it does")
    return project, study, controller


def status(project: Project) -> dict[str, Any]:
    (row,) = json.loads(project.harness("status", "--json").out)
    return {**row, "now": row["now"] or {"what": ""}}


def ended_well(project: Project, study: Study, controller: Controller) -> None:
    """The study is interrupted, nothing of it runs any more, and it can be finished."""
    assert study.ending.status == "interrupted"
    assert not alive(controller.pid)
    assert lock.holder(study.paths.lock) is None
    assert processes_in(study.paths.root) == []
    assert status(project)["status"] == "interrupted"


def test_harness_stop_ends_the_run_and_the_study_can_be_resumed(
    running: tuple[Project, Study, Controller],
) -> None:
    project, study, controller = running
    row = until(lambda: (row := status(project))["now"].get("last_line") == "guessing" and row, "the run prints")
    assert (row["status"], row["now"]["pid"]) == ("running", controller.pid)
    with controller:
        said = project.harness("stop", "s")
        assert said.code == 0, said.err
        assert "s: interrupted" in said.out and "harness resume s" in said.out
        assert controller.wait().code == 130
    ended_well(project, study, controller)
    assert "next:     launch or collect run 1, attempt 1" in project.harness("show", "s").out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_does_what_ctrl_c_does(running: tuple[Project, Study, Controller], number: int) -> None:
    project, study, controller = running
    with controller:
        os.kill(controller.pid, number)
        assert controller.wait().code == 130
    ended_well(project, study, controller)
    assert "stopped by the user" in study.ending.reason


def test_a_second_signal_does_not_cut_the_stopping_short(running: tuple[Project, Study, Controller]) -> None:
    project, study, controller = running
    with controller:
        for _ in range(5):
            os.kill(controller.pid, signal.SIGTERM)
        assert controller.wait().code == 130
    ended_well(project, study, controller)


def test_a_study_that_was_stopped_is_finished_by_resume(project: Project) -> None:
    project.change_template("experiment.py", "PAUSE = 0.0", "PAUSE = 3.0")
    with project.process(*project.order([scale(2.0), notes()], "--max-runs", "1", "--confirm", "0")) as controller:
        study = project.study()
        until(has_happened(study, AttemptLaunched), "the run is launched")
        assert project.harness("stop", "s").code == 0
        controller.wait()
    assert study.ending.status == "interrupted"
    study = project.resume()
    assert study.said.code == 0, study.said.err
    assert study.ending.status == "done"
    assert [run.outcome for run in study.history.runs.values()] == ["ok"]


def test_a_study_that_is_not_running_cannot_be_stopped(project: Project) -> None:
    project.run([scale(2.0), notes()], "--max-runs", "1", "--confirm", "0")
    said = project.harness("stop", "s")
    assert (said.code, said.out) == (2, "")
    assert said.err == "harness: s is over (done); nothing to stop\n"


def test_a_killed_study_is_called_killed_everywhere(running: tuple[Project, Study, Controller]) -> None:
    project, study, controller = running
    controller.kill()
    assert status(project)["status"] == "killed"
    assert "[killed]" in project.harness("compare", "s").out
    assert "killed" in project.harness("status").out
    assert "next:     launch or collect run 1, attempt 1" in project.harness("show", "s").out
    for process in processes_in(study.paths.root):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def test_a_signal_that_the_shell_ignores_stays_ignored(project: Project) -> None:
    """nohup lets a study outlive its terminal."""
    script = (
        "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from harness.cli.signals import stop_on_signals\n"
        "with stop_on_signals():\n"
        "    print(*(signal.getsignal(s).__class__.__name__ for s in (signal.SIGHUP, signal.SIGTERM)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=project.root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["Handlers", "function"]


def test_a_signal_while_the_baseline_is_measured_here_leaves_nothing_running(project: Project) -> None:
    project.change_template("experiment.py", "PAUSE = 0.0", "PAUSE = 6.0")
    arguments = ("run", "tiny", "--agent", "tuner", "--max-runs", "1", "--name", "s")
    with project.process(*arguments, OPENBLAS_CORETYPE="Prescott") as controller:
        runner = until(lambda: runner_of(controller), "the baseline")
        os.kill(controller.pid, signal.SIGTERM)
        assert controller.wait().code == 130
    until(lambda: not alive(runner.pid), "the end of a runner that has written its result")
    assert not (project.root / "runs" / "s").exists()


def runner_of(controller: Controller) -> psutil.Process | None:
    """The runner that this controller has started; other tests have theirs at the same time."""
    for process in psutil.Process(controller.pid).children():
        with contextlib.suppress(psutil.Error):
            if "harness.execution.runner" in process.cmdline():
                return process
    return None


def test_a_confirmation_by_hand_that_is_stopped_is_interrupted_and_ends_as_the_study_had_ended(
    project: Project,
) -> None:
    project.change_template("experiment.py", "PAUSE = 0.0", "PAUSE = 2.0")
    project.run([scale(2.0), notes()], "--max-runs", "1", "--confirm", "0")
    study = project.study()
    with project.process("confirm", "s", "1") as controller:
        until(has_happened(study, ConfirmationAsked), "the confirmation")
        said = project.harness("stop", "s")
        assert (said.code, controller.wait().code) == (0, 130)
    assert "s: interrupted" in said.out
    assert project.harness("confirm", "s").code == 0
    assert status(project)["status"] == "done"
    assert study.verdicts == {1: "better"}
