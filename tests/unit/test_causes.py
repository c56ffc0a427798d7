"""The agent is told the first failing line of its own code and the root message, however the log shows them."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from harness.execution.excerpt import failure, where
from harness.execution.job import Job, JobResult
from harness.execution.outputs import failure as failure_of
from harness.execution.process import clean_variables
from harness.execution.starving import MOST, Starvation
from harness.text import LIMIT

ROOT = "/runs/study"
PROCESS_POOL = "concurrent.futures.process._RemoteTraceback: "
CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
TORCHRUN = f"""\
Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/torch/distributed/run.py", line 901, in main
    run(args)
torch.distributed.elastic.multiprocessing.errors.ChildFailedError: 
============================================================
experiment.py FAILED
------------------------------------------------------------
Root Cause (first observed failure):
[0]:
  exitcode  : 1 (pid: 3)
  error_file: /tmp/torchelastic/error.json
  traceback : Traceback (most recent call last):
    File "{ROOT}/experiment.py", line 12, in work
      rate["learning_rate"]
  KeyError: 'learning_rate'
  
============================================================
"""  # noqa: W291, W293


def traceback(error: str, line: int = 30, function: str = "main", code: str = "main()") -> str:
    return (
        f'Traceback (most recent call last):\n  File "{ROOT}/experiment.py", line {line}, in {function}\n    {code}\n'
        f'  File "/usr/lib/python3.11/lib.py", line 3, in library\n    call()\n{error}\n'
    )


ROOT_CAUSE = traceback("KeyError: 'learning_rate'", 12, "work", 'rate["learning_rate"]')
PREFIXED = "".join(f"[rank{rank}]: {line}\n" for line in ROOT_CAUSE.splitlines() for rank in (0, 1))
GROUP = (
    '  + Exception Group Traceback (most recent call last):\n  |   File "/runs/study/experiment.py", line 4, in main\n'
    '  |     raise ExceptionGroup("all", errors)\n  | ExceptionGroup: all (2 sub-exceptions)\n'
    "  +-+---------------- 1 ----------------\n"
    + textwrap.indent(ROOT_CAUSE, "    | ")
    + "    +---------------- 2 ----------------\n    | TypeError: 2\n    +------------------------------------\n"
)


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (ROOT_CAUSE + CAUSE + traceback("RuntimeError: training failed"), "RuntimeError: training failed"),
        (
            ROOT_CAUSE
            + "\nDuring handling of the above exception, another exception occurred:\n\n"
            + traceback("NameError: x"),
            "NameError: x",
        ),
        (
            'multiprocessing.pool.RemoteTraceback: \n"""\n' + ROOT_CAUSE + '"""\n' + CAUSE + traceback("KeyError: 'l'"),
            "'l'",
        ),
        (f'{PROCESS_POOL}\n"""\n' + ROOT_CAUSE + '"""\n' + CAUSE + traceback("KeyError: 'l'"), "KeyError: 'l'"),
        ("Process Process-1:\n" + ROOT_CAUSE + "waiting\n" * 9 + traceback("AssertionError"), "AssertionError"),
        (
            ROOT_CAUSE + "step\n" * 9 + traceback("subprocess.CalledProcessError: non-zero exit status 1."),
            "CalledProcess",
        ),
        (traceback(f"RuntimeError: the worker failed:\n{ROOT_CAUSE}"), "the worker failed"),
        (traceback(f"KeyError: Caught KeyError in DataLoader worker process 0.\nOriginal {ROOT_CAUSE}"), "DataLoader"),
        (
            traceback(f"ProcessRaisedException: \n\n-- Process 1 terminated with the following error:\n{ROOT_CAUSE}"),
            "Raised",
        ),
        (GROUP, "TypeError: 2"),
        (TORCHRUN, "ChildFailedError"),
        (PREFIXED + "closing\n" + TORCHRUN.partition("  exitcode")[0], "ChildFailedError"),
        (ROOT_CAUSE + "".join(f"sync: row {i}: uploaded 1 file\n" for i in range(2000)), "row 1999"),
        (ROOT_CAUSE + "wandb: Waiting for W&B\nwandb: loss 0.1\n" * 50, "wandb: loss"),
        (
            ROOT_CAUSE + "Exception ignored in: <function D.__del__ at 0x7f>\n" + traceback("AttributeError: x"),
            "KeyError",
        ),
        ("  3%|3    | 3/100 [00:00<00:01, 80.1it/s]" + ROOT_CAUSE, "KeyError"),
    ],
    ids=[
        *(
            "raise from",
            "while handling",
            "pool",
            "futures",
            "process",
            "subprocess",
            "in the message",
            "loader",
            "spawn",
        ),
        *("group", "torchrun", "ranks", "chatter", "wandb", "ignored", "progress bar"),
    ],
)
def test_the_first_failing_line_and_every_message_are_told(log: str, message: str) -> None:
    told = failure("epoch 1\n" * 5000 + log, ROOT)
    assert 'File "experiment.py", line 12, in work\n    rate["learning_rate"]' in told
    assert "KeyError: 'learning_rate'" in told
    assert message in told
    assert len(told) <= LIMIT


def test_ten_thousand_frames_are_cut_to_the_first_and_last() -> None:
    frames = (
        f'  File "{ROOT}/experiment.py", line 1, in f\n    g()\n  File "{ROOT}/experiment.py", line 2, in g\n    f()\n'
    )
    told = failure("Traceback (most recent call last):\n" + frames * 5000 + "RecursionError: too deep\n", ROOT)
    assert "[9970 more frame(s) left out]" in told
    assert told.endswith("RecursionError: too deep")
    assert len(told) <= LIMIT


def test_a_segmentation_fault_is_told_with_the_line_that_was_running() -> None:
    log = (
        'Fatal Python error: Segmentation fault\n\nCurrent thread 0x7f9 (most recent call first):\n  File "/l/c.py"'
        f', line 3 in string_at\n  File "{ROOT}/experiment.py", line 12 in train\n\nExtension modules: numpy\n'
    )
    told = failure(log, ROOT)
    assert told.splitlines()[-2:] == [
        '  File "experiment.py", line 12 in train',
        "  [1 frame(s) of library code left out]",
    ]
    assert "Segmentation fault" in told
    assert where(log, ROOT) == "experiment.py, line 12, in train"


def test_an_error_line_before_much_output_is_told_without_a_traceback() -> None:
    assert failure("ERROR: no GPU\n" + "row\n" * 9000, ROOT).startswith("ERROR: no GPU\n…")


def test_the_words_of_an_exit_are_told() -> None:
    assert failure("loading\nno learning rate was given\n", ROOT) == "loading\nno learning rate was given"


@pytest.mark.parametrize("code", ["while True: sum(range(99))", "import time; time.sleep(60)"])
def test_a_run_that_is_stopped_by_its_time_limit_says_where_it_was(tmp_path: Path, code: str) -> None:
    job, result = ran(tmp_path, f"def train():\n    {code}\n\n\ntrain()\n", [sys.executable, "script.py"])
    outcome, told = failure_of(job, result)
    assert outcome == "timeout"
    assert "It was at script.py, line 2, in train" in told


def test_a_program_that_is_not_python_is_stopped_without_harm(tmp_path: Path) -> None:
    job, result = ran(tmp_path, "", ["sleep", "60"])
    assert failure_of(job, result)[0] == "timeout"


def ran(folder: Path, source: str, command: list[str]) -> tuple[Job, JobResult]:
    """A job with a short time limit, run by the real runner."""
    (folder / "code").mkdir()
    (folder / "code" / "script.py").write_text(source)
    job = Job(
        folder=str(folder / "job"),
        command=command,
        cwd=str(folder / "code"),
        out_dir=str(folder / "out"),
        env=clean_variables({"PYTHONFAULTHANDLER": "1"}),
        timeout=2.0,
        memory=2**30,
    )
    job.save()
    subprocess.run([sys.executable, "-m", "harness.execution.runner", job.folder], check=True, timeout=60)
    result = JobResult.load(job.result)
    assert result is not None, json.dumps(job.env)
    return job, result


def a_process(proc: Path, used: float, waited: float) -> None:
    """A process as the kernel shows it: seconds of processor time, and seconds ready without a processor."""
    (proc / "7" / "task" / "7").mkdir(parents=True, exist_ok=True)
    (proc / "7" / "stat").write_text(f"7 (a b) R 1 1 1 0 -1 0 0 0 0 0 {int(used * 100)} 0 0 0\n")
    (proc / "7" / "task" / "7" / "schedstat").write_text(f"{int(used * 1e9)} {int(waited * 1e9)} 12\n")


@pytest.mark.parametrize(
    ("used", "waited", "cores", "extension"),
    [
        (10.0, 50.0, 2, 50.0),  # a busy machine: it got 10 of 60 s
        (0.1, 0.0, 2, 0.0),  # it slept, and wanted no processor
        (118.0, 55.0, 2, 0.0),  # its own threads waited for each other
        (60.0, 1.0, 2, 0.0),  # too little to matter
        (1.0, 500.0, 2, 59.5),  # never more than what was lost
    ],
)
def test_a_time_limit_is_extended_by_what_other_programs_took(
    tmp_path: Path, used: float, waited: float, cores: int, extension: float
) -> None:
    starvation = Starvation(cores, tmp_path)
    a_process(tmp_path, used, waited)
    starvation.sample([7, 8])
    assert starvation.extension(60.0, 60.0) == pytest.approx(extension, abs=0.2)


def test_a_time_limit_is_extended_to_a_multiple_of_itself_at_most(tmp_path: Path) -> None:
    starvation = Starvation(1, tmp_path)
    a_process(tmp_path, 0.0, 900.0)
    starvation.sample([7])
    assert starvation.extension(1000.0, 60.0) == (MOST - 1) * 60.0
