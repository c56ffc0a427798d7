"""What generated code sees and may touch inside bubblewrap."""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.execution import sandbox
from harness.execution.executors.local import LocalExecutor
from harness.execution.job import Job
from harness.execution.process import clean_variables

from .executors.contract import finished

needs_bwrap = pytest.mark.skipif(
    sandbox.name() == "none", reason="bubblewrap is not installed or does not work on this machine"
)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job in a study of a project that has another study."""
    study = tmp_path / "project" / "runs" / "study"
    for file in (
        study / "experiment.py",
        study / ".harness" / "journal.jsonl",
        study / "run_0" / "final_info.json",
        tmp_path / "project" / "runs" / "other" / "experiment.py",
        tmp_path / "elsewhere" / "secret",
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    return Job(
        folder=str(study / ".harness" / "jobs" / "j"),
        command=[sys.executable, "script.py"],
        cwd=str(study),
        out_dir=str(study / "run_1"),
        env=clean_variables({"PYTHONDONTWRITEBYTECODE": "1"}),
        timeout=20.0,
        memory=2**30,
    )


def output(job: Job, script: str) -> str:
    """What the script prints in the sandbox."""
    (Path(job.cwd) / "script.py").write_text(script)
    result = finished(LocalExecutor().submit(job))
    assert (result.ending, result.code) == ("exited", 0), job.log.read_text()
    return job.log.read_text()


def exist(job: Job, *paths: Path | str) -> list[bool]:
    script = f"import json, os; print(json.dumps([os.path.exists(p) for p in {[str(p) for p in paths]!r}]))"
    return json.loads(output(job, script))


@needs_bwrap
def test_the_study_is_seen_and_nothing_else_of_the_project(job: Job, tmp_path: Path) -> None:
    runs = tmp_path / "project" / "runs"
    seen = exist(
        job,
        runs / "study" / "experiment.py",
        runs / "study" / "run_0" / "final_info.json",
        runs / "study" / ".harness" / "journal.jsonl",
        runs / "study" / ".harness" / "jobs" / "j" / "job.json",
        runs / "other",
        tmp_path / "elsewhere",
    )
    assert seen == [True, True, False, False, False, False]


@needs_bwrap
def test_folders_in_the_study_that_a_job_need_not_see_are_empty_apart_from_its_own(job: Job, tmp_path: Path) -> None:
    study = tmp_path / "project" / "runs" / "study"
    theirs = study / "run_0" / "final_info.json"
    script = f"import os; open('run_1/mine', 'w'); print(os.path.exists({str(theirs)!r}), os.listdir('run_1'))"
    assert output(replace(job, unseen=("run_[0-9]*",)), script) == "False ['mine']\n"


@needs_bwrap
def test_nothing_can_be_stored_in_the_memory_behind_hidden_folders(job: Job, tmp_path: Path) -> None:
    project = tmp_path / "project"
    places = [str(place / "big") for place in (project, project / "runs", project / "runs" / "study" / ".harness")]
    script = (
        f"for place in {places!r}:\n"
        "    try: open(place, 'w'); print('written')\n"
        "    except OSError as error: print(error.strerror)"
    )
    assert set(output(replace(job, hidden=(str(project),)), script).splitlines()) == {"Read-only file system"}


@needs_bwrap
def test_the_home_is_empty_and_not_the_users(job: Job) -> None:
    home, entries = json.loads(
        output(job, "import json, os; h = os.environ['HOME']; print(json.dumps([h, os.listdir(h)]))")
    )
    assert home != str(Path.home())
    assert entries == []
    there = [p for p in Path.home().iterdir() if p.is_file() and not str(p).startswith("/usr")][:3]
    assert not any(exist(replace(job, folder=job.folder + "2"), *there))


@needs_bwrap
def test_only_the_output_folder_and_tmp_can_be_written(job: Job) -> None:
    places = [job.out_dir, "/tmp", job.cwd, f"{job.cwd}/run_0", "/etc", "/usr", str(Path(sys.prefix) / "lib")]
    script = (
        "import json\n"
        "def can(folder):\n"
        "    try:\n"
        "        open(folder + '/probe', 'w').close()\n"
        "    except OSError:\n"
        "        return False\n"
        "    return True\n"
        f"print(json.dumps([can(p) for p in {places!r}]))\n"
    )
    assert json.loads(output(job, script)) == [True, True, False, False, False, False, False]
    assert (Path(job.out_dir) / "probe").exists()
    assert not Path("/tmp/probe").exists()


@needs_bwrap
@pytest.mark.parametrize("network", [False, True])
def test_the_network_is_reached_only_where_the_template_says_so(job: Job, network: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        script = (
            "import socket\n"
            "try:\n"
            f"    socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), timeout=5).close()\n"
            "    print('reached')\n"
            "except OSError:\n"
            "    print('cut off')\n"
        )
        assert output(replace(job, network=network), script) == ("reached\n" if network else "cut off\n")


@needs_bwrap
def test_other_processes_are_out_of_sight(job: Job) -> None:
    pids = json.loads(
        output(job, "import json, os; print(json.dumps([p for p in os.listdir('/proc') if p.isdigit()]))")
    )
    assert len(pids) <= 3


@needs_bwrap
@pytest.mark.parametrize("gpus", [0, 1])
def test_of_the_devices_only_gpus_and_what_every_program_needs_are_seen(job: Job, gpus: int) -> None:
    """With GPUs, as root in a container, a disk could otherwise be read through its device."""
    seen = json.loads(output(replace(job, gpus=gpus), "import json, os; print(json.dumps(os.listdir('/dev')))"))
    needed = {
        "core",
        "fd",
        "full",
        "null",
        "ptmx",
        "pts",
        "random",
        "shm",
        "stderr",
        "stdin",
        "stdout",
        "tty",
        "urandom",
    }
    others = {name for name in seen if name not in {*needed, "zero", "console"}}
    assert needed - {"core"} <= {*seen}
    assert all(name.startswith(("nvidia", "dri", "kfd")) for name in others)
    assert gpus or not others


@needs_bwrap
def test_folders_named_readable_are_read_only(job: Job, tmp_path: Path) -> None:
    readable = replace(job, readable=(str(tmp_path / "elsewhere"),))
    script = (
        f"print(open({str(tmp_path / 'elsewhere' / 'secret')!r}).read())\n"
        "try:\n"
        f"    open({str(tmp_path / 'elsewhere' / 'new')!r}, 'w')\n"
        "except OSError:\n"
        "    print('read-only')\n"
    )
    assert output(readable, script) == "x\nread-only\n"


@needs_bwrap
def test_the_evaluators_pinned_folder_is_seen_when_it_is_the_working_folder(job: Job) -> None:
    pinned = Path(job.cwd) / ".harness" / "template"
    pinned.mkdir()
    (pinned / "data.py").write_text("")
    evaluation = replace(job, cwd=str(pinned), readable=(str(Path(job.cwd) / "run_0"),), folder=job.folder + "e")
    assert exist(evaluation, pinned / "data.py", Path(job.cwd) / "run_0", Path(job.cwd) / "experiment.py") == [
        True,
        True,
        False,
    ]


def test_a_job_that_asks_for_no_sandbox_is_started_as_it_is(job: Job) -> None:
    Path(job.folder).mkdir(parents=True)
    plain = replace(job, sandbox=False)
    assert sandbox.wrap(plain) == job.command
    environment = sandbox.variables(plain)
    assert Path(environment["HOME"]).is_dir()
    assert environment["HOME"] != str(Path.home())
