"""A whole study on an executor whose jobs wait in a queue and run in another process tree."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Project, has_happened, in_real_runs, notes, processes_in, scale, until

from harness.execution import process
from harness.state.events import AttemptEnded, AttemptLaunched, StudyStarted
from harness.template.baseline import Baseline

ROOT = Path(__file__).parents[2]
QUEUE = "tests.unit.executors.queueing:QueueExecutor"
ELSEWHERE = {"OMP_NUM_THREADS": "1"}
"""What makes the cluster another kind of machine than the controller's, where that has several cores."""


@pytest.fixture
def queue(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """The project with a cluster, which is spoken with through a folder named in harness.toml."""
    spool = tmp_path / "spool"
    spool.mkdir()
    settings = f'[executor."{QUEUE}"]\nspool = "{spool}"\nwait = 0.5\n'
    (project.root / "harness.toml").write_text(settings)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.syspath_prepend(str(ROOT))
    cluster = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/unit/executors/queueing.py"), str(spool)],
        env=process.clean_variables({"PYTHONPATH": str(ROOT), **ELSEWHERE}),
        start_new_session=True,
    )
    yield project
    cluster.kill()
    cluster.wait()


def test_a_study_is_queued_run_and_confirmed_there(queue: Project) -> None:
    said = queue.harness(*queue.order([scale(2.0), notes()], "--max-runs", "1", "--executor", QUEUE))
    assert said.code == 0, said.err
    study = queue.study()
    assert study.ending.status == "done"
    assert study.verdicts == {1: "better"}
    home, there = study.of(StudyStarted)[0].baseline_machine, study.of(AttemptEnded)[0].machine
    assert home is not None and there is not None and there.threads == 1
    compared = queue.harness("compare", "s").out
    assert ("measured on a different kind of machine" in compared) == (home.threads > 1)


def test_a_killed_controller_finds_its_queued_job_again(queue: Project) -> None:
    replies = [in_real_runs("time.sleep(1.5)") + scale(2.0), notes()]
    order = queue.order(replies, "--max-runs", "1", "--confirm", "0", "--executor", QUEUE)
    study = queue.study()
    with queue.process(*order) as controller:
        until(has_happened(study, AttemptLaunched), "the launch")
        controller.kill()
    study = queue.resume("--executor", QUEUE)
    assert study.ending.status == "done", study.said.err
    assert study.outcomes == [(1, 1, "ok")]
    assert processes_in(study.paths.root) == []


def test_a_baseline_is_made_there(queue: Project) -> None:
    said = queue.harness("baseline", "tiny", "--refresh", "--executor", QUEUE)
    assert said.code == 0, said.err
    made = Baseline.model_validate_json((queue.root / "baselines/tiny/baseline.json").read_bytes())
    assert made.machine is not None and made.machine.threads == 1, "which is how the cluster is set up"


def test_settings_that_an_executor_does_not_know_are_refused_in_one_line(project: Project) -> None:
    file = project.root / "harness.toml"
    for text, said in {
        "[executor.local]\nthread = 2\n": "[executor.local] thread: unknown key",
        "[executor.local]\nthreads = 0\n": "[executor.local] threads: ",
        "[executors.local]\n": "executors: unknown key",
        "[executor": "not TOML",
    }.items():
        file.write_text(text)
        found = project.harness(*project.order([scale(2.0), notes()]))
        assert found.code == 2
        assert found.err.startswith(f"harness: {file}: ") and said in found.err and found.err.count("\n") == 1


def test_the_local_executor_keeps_a_run_to_the_threads_that_are_set(project: Project) -> None:
    (project.root / "harness.toml").write_text("[executor.local]\nthreads = 1\n")
    study = project.run([in_real_runs("print(os.environ['OMP_NUM_THREADS'])") + scale(2.0), notes()], "--max-runs", "1")
    assert study.ending.status == "done", study.said.err
    machine = study.of(AttemptEnded)[0].machine
    assert machine is not None and machine.threads == 1
    assert study.of(StudyStarted)[0].baseline_machine == machine, "with one thread the baseline was measured here too"
    assert os.cpu_count() == 1 or "threads 1, not " in study.said.err
