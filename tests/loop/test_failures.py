"""A run that fails becomes a failed attempt, which is reported to the agent, and the study continues."""

from __future__ import annotations

import time

import pytest
from lab import (
    DONE,
    Project,
    Study,
    in_real_runs,
    notes,
    processes_in,
    scale,
    swap,
    undo,
)

from harness.execution import sandbox

CONFINED = pytest.param(
    "--sandbox",
    id="sandbox",
    marks=pytest.mark.skipif(sandbox.name() == "none", reason="bubblewrap is missing or does not work here"),
)
BOTH = pytest.mark.parametrize("confinement", [CONFINED, pytest.param("--no-sandbox", id="no-sandbox")])


def assert_fed_back_and_fixed(study: Study, outcome: str, told: str) -> None:
    """One failed attempt that the next prompt tells of, then the same run's second attempt counts."""
    assert study.outcomes == [(1, 1, outcome), (1, 2, "ok")]
    assert told in study.prompt(2)
    assert study.verdicts == {1: "better"}
    assert study.said.code == 0
    assert f"Outcome: {outcome}" in study.git("log", "s"), "failed attempts are in the history as well"


def failing_first(code: str) -> list[str]:
    """Replies: an edit that makes real runs do `code`, the fix together with a better SCALE, notes."""
    return broken_first(in_real_runs(code))


def broken_first(broken: str) -> list[str]:
    return [broken, undo(broken) + scale(2.0), notes()]


def test_a_run_without_final_info_is_a_failed_attempt_that_is_fed_back(project: Project) -> None:
    study = project.run(failing_first("return"), "--max-runs", "1")

    assert_fed_back_and_fixed(study, "no-metrics", "without writing run_1/final_info.json")


def test_an_old_final_info_does_not_stand_in_for_a_missing_one(project: Project) -> None:
    """The second attempt has the same folder run_1 as the first, which did write the file and then crashed."""
    late = swap("write_text(json.dumps(info))", "write_text(json.dumps(info))\n    assert smoke, 'too late'")
    replies = [scale(2.0) + late, undo(late) + in_real_runs("return")]
    study = project.run(replies, "--max-runs", "1", "--attempts", "2")

    assert study.outcomes == [(1, 1, "crashed"), (1, 2, "no-metrics")]
    assert study.verdicts == {}
    assert study.ending.status == "failed"


@pytest.mark.parametrize(
    ("value", "told"),
    [("float('nan')", "NaN"), ("float('inf')", "Infinity"), ("'0.1'", '"0.1"')],
)
def test_a_metric_that_is_no_finite_number_is_a_failed_attempt_that_is_fed_back(
    project: Project, value: str, told: str
) -> None:
    late = f"info = {{'numbers': {{'means': means, 'final_info_dict': {{**values, 'loss': [0.0, {value}, 0.0]}}}}}}"
    broken = swap('(out_dir / "final_info.json")', f'if not smoke:\n        {late}\n    (out_dir / "final_info.json")')
    study = project.run(broken_first(broken), "--max-runs", "1")

    assert_fed_back_and_fixed(study, "no-metrics", f"{told} is not a finite number")
    assert "'loss'" in study.prompt(2)


def test_a_metric_that_is_missing_is_a_failed_attempt_that_names_it(project: Project) -> None:
    broken = swap("    info = {", "    if not smoke:\n        del means['accuracy']\n    info = {")
    study = project.run(broken_first(broken), "--max-runs", "1")

    assert_fed_back_and_fixed(study, "no-metrics", "lacks the metric 'accuracy'")


def test_what_the_evaluator_refuses_is_a_failed_attempt_that_is_fed_back(project: Project) -> None:
    broken = swap("json.dumps(guesses)", "json.dumps(guesses if smoke else ['x'])")
    study = project.run(broken_first(broken), "--max-runs", "1")

    assert_fed_back_and_fixed(study, "no-metrics", "evaluate.py rejects what the run saved")


@pytest.mark.parametrize("how", ["sys.exit(UNACCEPTABLE)", "raise"])
def test_a_run_that_the_evaluator_cannot_measure_ends_no_study(project: Project, how: str) -> None:
    project.change_template("evaluate.py", "sys.exit(UNACCEPTABLE)", how)
    broken = swap("json.dumps(guesses)", "json.dumps(guesses if smoke else [float('nan')] * 3)")
    study = project.run(broken_first(broken), "--max-runs", "1")

    assert_fed_back_and_fixed(study, "no-metrics", "expected 3 finite guesses")


def test_a_loss_that_is_only_claimed_does_not_count(project: Project) -> None:
    study = project.run([swap("[loss_of(g) for g in guesses]", "[1e-9 for g in guesses]"), notes()], "--max-runs", "1")

    run = study.history.runs[1]
    assert run.measured is not None
    assert run.measured.reported["numbers"]["loss"] == (1e-9,) * 3
    assert run.measured.scores["numbers"]["loss"] == study.history.begun.baseline["numbers"]["loss"]
    assert study.verdicts == {1: "unchanged"}
    assert "The reported and the verified value differ" in study.prompt(2)


def test_a_crash_is_told_with_the_line_that_caused_it(project: Project) -> None:
    study = project.run(failing_first("raise RuntimeError('the learning rate was eaten')"), "--max-runs", "1")

    assert_fed_back_and_fixed(study, "crashed", "RuntimeError: the learning rate was eaten")
    assert "experiment.py" in study.prompt(2)


def test_what_the_smoke_run_finds_costs_no_attempt(project: Project) -> None:
    broken = swap('print("guessing", flush=True)', "raise KeyError('typo')")
    study = project.run(broken_first(broken), "--max-runs", "1", "--attempts", "1")

    assert study.findings == ["smoke"]
    assert "KeyError: 'typo'" in study.prompt(2)
    assert study.outcomes == [(1, 1, "ok")]


def test_where_there_is_a_smoke_run_it_decides_and_types_only_advise(project: Project) -> None:
    wrong = "json.no_such_function"
    unused = broken_first(swap('print("guessing", flush=True)', f"if SCALE < 0: {wrong}"))
    study = project.run([unused[0], DONE], "--max-runs", "1", "--confirm", "0")
    assert study.findings == []
    failing = broken_first(swap('print("guessing", flush=True)', wrong))
    study = project.run(failing, "--max-runs", "1", "--attempts", "1", "--confirm", "0", name="t")
    assert study.findings == ["smoke"]
    assert "has no attribute 'no_such_function'" in study.prompt(2)
    assert "has no member `no_such_function`" in study.prompt(2)


def test_more_memory_than_allowed_ends_the_run(project: Project) -> None:
    study = project.run(
        failing_first("hog = bytearray(10**9)\nhog[::4096] = b'x' * len(hog[::4096])\ntime.sleep(20)"),
        "--max-runs",
        "1",
    )

    assert_fed_back_and_fixed(study, "memory", "the limit is 512 MiB")


GRANDCHILD = """\
import subprocess
import sys
beat = "import time\\nfile = open({!r}, 'w', 1)\\nfor _ in range(600):\\n    print(file=file), time.sleep(0.05)"
beat = beat.format(str(out_dir / "beats"))
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        subprocess.Popen([sys.executable, "-c", beat], start_new_session=True)
    os._exit(0)
time.sleep(60)"""


@BOTH
def test_a_timeout_kills_the_grandchild_that_left_its_session(project: Project, confinement: str) -> None:
    project.change_template("template.toml", 'timeout = "20s"', 'timeout = "2s"')
    study = project.run([in_real_runs(GRANDCHILD)], "--max-runs", "1", "--attempts", "1", confinement)

    assert study.outcomes == [(1, 1, "timeout")]
    assert_silent(study)
    assert "stopped after the time limit of 2 s" in study.history.runs[1].attempts[0].message


@BOTH
def test_a_grandchild_does_not_outlive_a_run_that_ended_well(project: Project, confinement: str) -> None:
    code = GRANDCHILD.replace("time.sleep(60)", "time.sleep(0.5)")
    study = project.run([in_real_runs(code), notes()], "--max-runs", "1", confinement)

    assert study.outcomes == [(1, 1, "ok")]
    assert_silent(study)


def assert_silent(study: Study) -> None:
    """The grandchild lived (it left beats), and lives no more."""
    [beats] = [*study.paths.root.glob("run_1/beats"), *study.paths.private.glob("jobs/run_1-*/out/beats")]
    before = beats.stat().st_size
    assert before > 0
    time.sleep(0.3)
    assert beats.stat().st_size == before, "it still beats"
    assert processes_in(study.paths.root) == []


TOUCHED = {
    "experiment.py": "with open('experiment.py', 'a') as file:\n    file.write('# better\\n')",
    "evaluate.py": "Path('evaluate.py').write_text('print(0)')",
    "data.py": "Path('data.py').unlink()",
    "sitecustomize.py": "Path('sitecustomize.py').write_text('print(0)')",
}


@pytest.mark.parametrize("file", TOUCHED)
def test_an_experiment_that_changes_the_study_while_it_runs_is_caught(project: Project, file: str) -> None:
    study = project.run(failing_first(TOUCHED[file]), "--max-runs", "1", "--no-sandbox")

    assert_fed_back_and_fixed(study, "tampered", file)
    assert study.dirt == ""
    assert "# better" not in study.file("experiment.py")
    assert study.file("evaluate.py") == (project.root / "templates/tiny/evaluate.py").read_text()
    assert (study.paths.root / "data.py").exists() and not (study.paths.root / "sitecustomize.py").exists()


@pytest.mark.skipif(sandbox.name() == "none", reason="bubblewrap is missing or does not work here")
@pytest.mark.parametrize("file", ["experiment.py", "evaluate.py"])
def test_in_the_sandbox_an_experiment_cannot_change_the_study_at_all(project: Project, file: str) -> None:
    study = project.run(failing_first(TOUCHED[file]), "--max-runs", "1", "--sandbox")

    assert_fed_back_and_fixed(study, "crashed", "Read-only file system")
    assert study.dirt == ""


def test_an_experiment_that_changes_the_study_in_its_smoke_run_is_caught_as_well(project: Project) -> None:
    broken = swap("guesses = [", "if smoke:\n        Path('data.py').write_text('TARGET = 2.0')\n    guesses = [")
    study = project.run(broken_first(broken), "--max-runs", "1", "--no-sandbox")

    assert study.findings == ["smoke"]
    assert "data.py" in study.prompt(2)
    assert study.outcomes == [(1, 1, "ok")]
    assert study.dirt == ""


def test_an_evaluator_that_was_changed_where_it_is_pinned_is_never_run(project: Project) -> None:
    code = "pinned = Path('.harness/template/evaluate.py')\npinned.write_text(\"raise SystemExit('gotcha')\")"
    study = project.run(failing_first(code), "--max-runs", "1", "--no-sandbox")

    assert study.said.code == 1 and study.ending.status == "failed"
    assert "has changed since the study began, so evaluate.py was not run" in study.ending.reason
    assert study.verdicts == {} and study.tags == []
    assert not any("gotcha" in path.read_text() for path in study.paths.private.glob("jobs/*/evaluation/log.txt"))
