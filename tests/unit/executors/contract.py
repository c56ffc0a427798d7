"""What every executor must do. A test class per executor inherits this one and says how to make it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from harness.execution import lock
from harness.execution.executors import Executor, Handle
from harness.execution.job import Job, JobResult
from harness.execution.process import clean_variables
from harness.execution.runner import LOG_LIMIT
from harness.files import digest_of
from harness.records import Machine

PATIENCE = 30.0
PYTHON = os.path.realpath(sys.executable)


def finished(handle: Handle) -> JobResult:
    """The result, however often one has to ask."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (result := handle.wait(0.2)) is not None:
            return result
    raise AssertionError(f"no result after {PATIENCE} s")


def eventually(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class ExecutorContract:
    """Jobs here run without the sandbox: what it hides is another test's matter."""

    @pytest.fixture
    def executor(self) -> Executor:
        raise NotImplementedError

    @pytest.fixture
    def job(self, tmp_path: Path) -> Job:
        """A job whose script each test puts in."""
        (tmp_path / "code").mkdir()
        return Job(
            folder=str(tmp_path / "job"),
            command=[PYTHON, "script.py"],
            cwd=str(tmp_path / "code"),
            out_dir=str(tmp_path / "out"),
            env=clean_variables({"OUT": str(tmp_path / "out"), "PYTHONUNBUFFERED": "1"}),
            timeout=20.0,
            memory=2**30,
            sandbox=False,
        )

    def write(self, job: Job, script: str) -> None:
        (Path(job.cwd) / "script.py").write_text(script)

    def test_a_job_that_ends_well(self, executor: Executor, job: Job) -> None:
        self.write(job, "import os; print('hello'); open(os.environ['OUT'] + '/x', 'w').write('made')")
        result = finished(executor.submit(job))
        assert (result.ending, result.code) == ("exited", 0)
        assert 0 < result.seconds < PATIENCE
        assert job.log.read_text() == "hello\n"
        assert (Path(job.out_dir) / "x").read_text() == "made"

    def test_both_outputs_are_in_the_log_in_order(self, executor: Executor, job: Job) -> None:
        self.write(job, "import os; os.write(1, b'one\\n'); os.write(2, b'two\\n'); os.write(1, b'three\\n')")
        finished(executor.submit(job))
        assert job.log.read_text() == "one\ntwo\nthree\n"

    def test_a_crash_has_its_code_and_its_traceback_in_the_log(self, executor: Executor, job: Job) -> None:
        self.write(job, "raise ValueError('bad shape')")
        result = finished(executor.submit(job))
        assert (result.ending, result.code) == ("exited", 1)
        assert "ValueError: bad shape" in job.log.read_text()

    def test_death_by_signal_is_told(self, executor: Executor, job: Job) -> None:
        self.write(job, "import os; os.kill(os.getpid(), 11)")
        result = finished(executor.submit(job))
        assert (result.ending, result.code) == ("exited", -11)

    def test_the_time_limit_ends_the_job_and_its_whole_tree(self, executor: Executor, job: Job) -> None:
        self.write(
            job,
            "import os, subprocess, time\n"
            "child = subprocess.Popen(['setsid', 'sleep', '600'])\n"
            "print(child.pid)\n"
            "time.sleep(600)\n",
        )
        result = finished(executor.submit(replace(job, timeout=1.0)))
        assert (result.ending, result.code) == ("timeout", None)
        assert 1.0 <= result.seconds < 10.0
        assert gone(int(job.log.read_text()))

    def test_a_process_left_behind_by_a_job_that_ended_well_is_killed(self, executor: Executor, job: Job) -> None:
        self.write(job, "import subprocess\nprint(subprocess.Popen(['setsid', 'sleep', '600']).pid)")
        result = finished(executor.submit(job))
        assert (result.ending, result.code) == ("exited", 0)
        assert result.seconds < 15.0
        assert gone(int(job.log.read_text()))

    def test_the_memory_limit_ends_the_job(self, executor: Executor, job: Job) -> None:
        self.write(job, "import time\nx = b'x' * 300_000_000\ntime.sleep(600)")
        result = finished(executor.submit(replace(job, memory=150 * 2**20)))
        assert (result.ending, result.code) == ("memory", None)
        assert result.peak_memory > 150 * 2**20

    def test_memory_is_that_of_all_processes_together(self, executor: Executor, job: Job) -> None:
        self.write(
            job,
            "import subprocess, sys, time\n"
            "big = [sys.executable, '-c', \"import time; x = b'x' * 90_000_000; time.sleep(600)\"]\n"
            "for _ in range(3): subprocess.Popen(big)\n"
            "time.sleep(600)\n",
        )
        assert finished(executor.submit(replace(job, memory=200 * 2**20))).ending == "memory"

    def test_a_program_that_does_not_exist_is_told_by_name(self, executor: Executor, job: Job) -> None:
        result = finished(executor.submit(replace(job, command=["/no/such/program"])))
        assert (result.ending, result.code) == ("cannot-start", None)
        assert "/no/such/program" in result.message

    def test_a_job_whose_log_cannot_be_saved_is_lost_without_blame(self, executor: Executor, job: Job) -> None:
        self.write(job, "print('much')")
        Path(job.folder).mkdir(parents=True, exist_ok=True)
        job.log.symlink_to("/dev/full")
        result = finished(executor.submit(job))
        assert result.ending == "lost"
        assert "No space left" in result.message

    def test_a_job_gets_its_environment_and_no_secret(
        self, executor: Executor, job: Job, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-1234567890")
        self.write(job, "import json, os; print(json.dumps(dict(os.environ)))")
        finished(executor.submit(replace(job, env={**job.env, "HARNESS_SEEDS": "0,1"})))
        environment = json.loads(job.log.read_text())
        assert environment["HARNESS_SEEDS"] == "0,1"
        assert "sk-1234567890" not in environment.values()
        assert environment["HOME"] != os.environ.get("HOME")

    def test_a_job_has_nothing_to_read_from_and_does_not_wait_for_input(self, executor: Executor, job: Job) -> None:
        self.write(job, "import sys; print(repr(sys.stdin.read()))")
        assert finished(executor.submit(job)).code == 0
        assert job.log.read_text() == "''\n"

    def test_the_log_of_a_job_that_prints_a_lot_is_bounded_and_says_so(self, executor: Executor, job: Job) -> None:
        self.write(job, "import os\nfor _ in range(70): os.write(1, (b'x' * 1023 + b'\\n') * 1024)")
        result = finished(executor.submit(job))
        assert (result.ending, result.code) == ("exited", 0)
        assert LOG_LIMIT <= job.log.stat().st_size < LOG_LIMIT + 200
        with job.log.open("rb") as log:
            log.seek(-80, os.SEEK_END)
            assert b"the log ends here" in log.read()
        job.log.unlink()

    def test_a_cancelled_job_ends_soon_with_its_tree(self, executor: Executor, job: Job) -> None:
        self.write(
            job, "import subprocess, time\nprint(subprocess.Popen(['setsid', 'sleep', '600']).pid)\ntime.sleep(600)"
        )
        handle = executor.submit(job)
        assert eventually(lambda: job.log.exists() and job.log.read_text().endswith("\n"))
        handle.cancel()
        assert finished(handle).ending == "cancelled"
        assert gone(int(job.log.read_text()))

    def test_a_job_cancelled_at_once_ends_soon(self, executor: Executor, job: Job) -> None:
        """Ctrl-C may come before the runner has got hold of anything."""
        self.write(job, "import time; time.sleep(600)")
        handle = executor.submit(job)
        handle.cancel()
        started = time.monotonic()
        assert finished(handle).ending == "cancelled"
        assert time.monotonic() - started < 15.0

    def test_cancelling_a_job_that_has_ended_changes_nothing(self, executor: Executor, job: Job) -> None:
        self.write(job, "pass")
        handle = executor.submit(job)
        result = finished(handle)
        handle.cancel()
        assert finished(handle) == result

    def test_waiting_is_over_after_the_time_given(self, executor: Executor, job: Job) -> None:
        self.write(job, "import time; time.sleep(600)")
        handle = executor.submit(job)
        started = time.monotonic()
        assert handle.wait(0.2) is None
        assert time.monotonic() - started < 5.0
        assert eventually(lambda: lock.holder(job.lock))
        handle.cancel()
        assert finished(handle).ending == "cancelled"

    COUNTING = "open('../count', 'a').write('x')\n"

    def runs_of(self, job: Job) -> int:
        return len((Path(job.cwd).parent / "count").read_text())

    def test_a_finished_job_is_found_with_its_result_and_runs_nothing(self, executor: Executor, job: Job) -> None:
        self.write(job, self.COUNTING + "import os, sys; open(os.environ['OUT'] + '/x', 'w').close(); sys.exit(4)")
        assert executor.find(job) is None
        first = finished(executor.submit(job))
        again = executor.find(job)
        assert again is not None and again.state().state == "ended"
        assert finished(again) == first
        assert first.code == 4
        assert self.runs_of(job) == 1
        assert (Path(job.out_dir) / "x").exists()

    def test_a_running_job_is_found_and_not_started_twice(self, executor: Executor, job: Job) -> None:
        self.write(job, self.COUNTING + "import time; print('on'); time.sleep(1.5); print('off')")
        first = executor.submit(job)
        assert eventually(lambda: job.log.exists() and job.log.read_text() == "on\n")
        second = executor.find(job)
        assert second is not None and second.state().state == "running" and second.state().where
        assert second.wait(0.1) is None
        assert finished(second).code == 0
        assert finished(first) == finished(second)
        assert self.runs_of(job) == 1
        assert job.log.read_text() == "on\noff\n"

    def test_a_job_that_was_taken_up_can_be_cancelled(self, executor: Executor, job: Job) -> None:
        self.write(job, "import time; print('on'); time.sleep(600)")
        executor.submit(job)
        assert eventually(lambda: job.log.exists() and job.log.read_text() == "on\n")
        taken_up = executor.find(job)
        assert taken_up is not None
        taken_up.cancel()
        assert finished(taken_up).ending == "cancelled"

    def test_a_job_whose_runner_was_killed_is_told_and_can_be_started_again(self, executor: Executor, job: Job) -> None:
        self.write(
            job,
            self.COUNTING + "import os, pathlib, time\n"
            "again = len(pathlib.Path('../count').read_text()) > 1\n"
            "(pathlib.Path(os.environ['OUT']) / ('second' if again else 'first')).touch()\n"
            "print('on'); time.sleep(0 if again else 600)\n",
        )
        handle = executor.submit(job)
        assert eventually(lambda: job.log.exists() and job.log.read_text() == "on\n")
        runner = lock.holder(job.lock)
        assert runner
        os.kill(runner, 9)
        lost = finished(handle)
        assert (lost.ending, lost.code) == ("lost", None)
        assert lost.message
        assert executor.find(job) is None
        again = finished(executor.submit(job))
        assert (again.ending, again.code) == ("exited", 0)
        assert self.runs_of(job) == 2
        assert [p.name for p in Path(job.out_dir).iterdir()] == ["second"], "the output of the lost launch is gone"

    def test_a_cancelled_job_can_be_started_again(self, executor: Executor, job: Job) -> None:
        self.write(job, self.COUNTING + "import time; print('on'); time.sleep(600)")
        handle = executor.submit(job)
        assert eventually(lambda: job.log.exists() and job.log.read_text() == "on\n")
        handle.cancel()
        assert finished(handle).ending == "cancelled"
        assert executor.find(job) is None
        self.write(job, self.COUNTING)
        assert finished(executor.submit(job)).code == 0
        assert self.runs_of(job) == 2

    # Jobs after jobs

    @pytest.fixture
    def pair(self, job: Job, tmp_path: Path) -> Job:
        """A job and one after it, each with a folder, an output and a script of its own."""
        code = tmp_path / "second_code"
        code.mkdir()
        (code / "script.py").write_text(
            "import os; open('../seconds', 'a').write('x'); open(os.environ['OUT'] + '/y', 'w').write('judged')"
        )
        then = replace(
            job,
            folder=str(tmp_path / "job" / "then"),
            cwd=str(code),
            out_dir=str(tmp_path / "then_out"),
            env={**job.env, "OUT": str(tmp_path / "then_out")},
        )
        return replace(job, then=then)

    def seconds_of(self, pair: Job) -> int:
        file = Path(pair.cwd).parent / "seconds"
        return len(file.read_text()) if file.exists() else 0

    def test_the_job_after_it_runs_in_the_same_place_with_a_result_of_its_own(
        self, executor: Executor, pair: Job
    ) -> None:
        self.write(pair, "print('first')")
        result = finished(executor.submit(pair))
        assert result.went_well and result.then is not None and result.then.went_well
        assert result.then.machine == result.machine
        assert pair.then is not None and (Path(pair.then.out_dir) / "y").read_text() == "judged"
        found = executor.find(pair)
        assert found is not None and finished(found) == result

    def test_after_a_failure_nothing_more_is_run(self, executor: Executor, pair: Job) -> None:
        self.write(pair, "raise SystemExit(4)")
        result = finished(executor.submit(pair))
        assert (result.code, result.then) == (4, None)
        assert self.seconds_of(pair) == 0

    def test_a_job_whose_files_changed_is_not_run(self, executor: Executor, pair: Job) -> None:
        assert pair.then is not None
        code = Path(pair.then.cwd)
        pair = replace(pair, then=replace(pair.then, unchanged={str(code): digest_of(code)}))
        self.write(pair, f"open({str(code / 'script.py')!r}, 'a').write('# changed')")
        result = finished(executor.submit(pair))
        assert result.then is not None and (result.then.ending, result.then.message) == ("changed", str(code))
        assert self.seconds_of(pair) == 0

    def test_what_has_ended_is_not_run_again_when_the_job_after_it_was_lost(
        self, executor: Executor, pair: Job
    ) -> None:
        self.write(pair, self.COUNTING)
        assert pair.then is not None
        script = Path(pair.then.cwd) / "script.py"
        good = script.read_text()
        script.write_text("import time; print('on'); time.sleep(600)")
        handle = executor.submit(pair)
        log = pair.then.log
        assert eventually(lambda: log.exists() and log.read_text() == "on\n")
        runner = lock.holder(pair.lock)
        assert runner
        os.kill(runner, 9)
        lost = finished(handle)
        assert lost.went_well and lost.last.ending == "lost"
        assert executor.find(pair) is None
        script.write_text(good)
        result = finished(executor.submit(pair))
        assert result.then is not None and result.then.went_well
        assert (self.runs_of(pair), self.seconds_of(pair)) == (1, 1)

    def test_cancelling_reaches_the_job_after_it(self, executor: Executor, pair: Job) -> None:
        self.write(pair, self.COUNTING)
        assert pair.then is not None
        (Path(pair.then.cwd) / "script.py").write_text("import time; print('on'); time.sleep(600)")
        handle = executor.submit(pair)
        log = pair.then.log
        assert eventually(lambda: log.exists() and log.read_text() == "on\n")
        handle.cancel()
        assert finished(handle).last.ending == "cancelled"
        assert executor.find(pair) is None

    # What the runner tells

    def test_the_runner_tells_its_machine_and_sandbox(self, executor: Executor, job: Job) -> None:
        self.write(job, "import os; print(os.environ['OMP_NUM_THREADS'])")
        result = finished(executor.submit(job))
        machine = Machine(**result.machine)
        assert str(machine.threads) == job.log.read_text().strip()
        assert machine.system and machine.processor
        assert result.sandbox == "none"
        expected = executor.expected_machine(job)
        assert expected is None or Machine(**expected) == machine
