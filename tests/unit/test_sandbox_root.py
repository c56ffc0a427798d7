"""What generated code cannot undo in bubblewrap, not even when root started it. Nothing here writes to the kernel."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.execution import sandbox
from harness.execution.executors.local import LocalExecutor
from harness.execution.job import Job
from harness.execution.process import clean_variables

from .executors.contract import finished

pytestmark = pytest.mark.skipif(
    sandbox.name() == "none", reason="bubblewrap is not installed or does not work on this machine"
)
TOOLS = """\
import ctypes, json, os, subprocess
libc = ctypes.CDLL(None, use_errno=True)
MS_RDONLY, MS_REMOUNT, MS_BIND, MNT_DETACH = 1, 32, 4096, 2
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000

def remounted(path):
    return libc.mount(None, path.encode(), None, MS_REMOUNT | MS_BIND, None) == 0

def unmounted(path):
    return libc.umount2(path.encode(), MNT_DETACH) == 0

def can_write(folder):
    try:
        os.close(os.open(folder + "/pwned", os.O_WRONLY | os.O_CREAT))
    except OSError:
        return False
    os.unlink(folder + "/pwned")
    return True

"""


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job in a study, in a project with a key in it and another study."""
    project = tmp_path / "project"
    study = project / "runs" / "study"
    for file in (
        study / "experiment.py",
        study / ".harness" / "journal.jsonl",
        project / "runs" / "other" / "experiment.py",
        project / "runs" / "lab.git" / "HEAD",
        project / ".env",
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
        hidden=(str(project),),
    )


def told(job: Job, script: str) -> Any:
    """What the script prints in the sandbox, as JSON."""
    (Path(job.cwd) / "script.py").write_text(TOOLS + script)
    result = finished(LocalExecutor().submit(job))
    assert (result.ending, result.code) == ("exited", 0), job.log.read_text()
    return json.loads(job.log.read_text())


def test_neither_the_job_nor_a_program_that_it_starts_has_any_capability(job: Job) -> None:
    script = (
        "own = open('/proc/self/status').read()\n"
        "childs = subprocess.run(['cat', '/proc/self/status'], capture_output=True, text=True, check=True).stdout\n"
        "print(json.dumps([[line.split() for line in text.splitlines() if line.startswith(('CapEff', 'CapPrm'))]"
        " for text in (own, childs)]))\n"
    )
    for sets in told(job, script):
        assert {name for name, _ in sets} == {"CapEff:", "CapPrm:"}
        assert [int(mask, 16) for _, mask in sets] == [0, 0]


def test_what_is_read_only_cannot_be_made_writable_again(job: Job) -> None:
    places = ["/usr", job.cwd, "/etc", "/proc/sys"]
    script = f"print(json.dumps([[remounted(p), can_write(p)] for p in {places!r}]))"
    assert told(job, script) == [[False, False]] * len(places)
    assert not (Path(job.cwd) / "pwned").exists()
    assert not Path("/usr/pwned").exists()


def test_the_empty_folder_over_the_harness_own_cannot_be_taken_away(job: Job) -> None:
    private = str(Path(job.cwd) / ".harness")
    script = f"print(json.dumps([unmounted({private!r}), os.listdir({private!r})]))"
    assert told(job, script) == [False, []]
    assert (Path(private) / "journal.jsonl").read_text() == "x"


def test_a_user_namespace_of_its_own_helps_the_job_nowhere(job: Job) -> None:
    """In it the job has every capability again, but not over what it was given."""
    private = str(Path(job.cwd) / ".harness")
    script = (
        "libc.unshare(CLONE_NEWUSER | CLONE_NEWNS)\n"
        f"undone = [unmounted({private!r}), remounted('/usr'), remounted({job.cwd!r})]\n"
        f"print(json.dumps([undone, can_write('/usr'), can_write({job.cwd!r}), os.listdir({private!r})]))\n"
    )
    assert told(job, script) == [[False, False, False], False, False, []]


def test_no_setting_of_the_kernel_can_be_opened_for_writing(job: Job) -> None:
    script = (
        "def opened(path):\n"
        "    try:\n"
        "        os.close(os.open(path, os.O_WRONLY))\n"
        "    except OSError:\n"
        "        return False\n"
        "    return True\n"
        "names = ('kernel/core_pattern', 'kernel/hostname', 'vm/swappiness', 'fs/file-max')\n"
        "there = ['/proc/sys/' + name for name in names if os.path.exists('/proc/sys/' + name)]\n"
        "print(json.dumps([len(there), [opened(path) for path in (*there, '/proc/sysrq-trigger')],"
        " bool(os.statvfs('/proc/sys').f_flag & os.ST_RDONLY)]))\n"
    )
    there, opened, read_only = told(job, script)
    assert there > 0
    assert not any(opened)
    assert read_only


def test_a_hidden_project_is_empty_but_for_the_study(job: Job, tmp_path: Path) -> None:
    project = tmp_path / "project"
    script = (
        f"root = {str(project)!r}\n"
        "print(json.dumps([sorted(os.listdir(root)), sorted(os.listdir(root + '/runs')),"
        " os.path.exists(root + '/runs/study/experiment.py')]))\n"
    )
    assert told(job, script) == [["runs"], ["study"], True]
    assert (project / ".env").exists()


def test_a_project_that_lies_in_a_folder_the_job_may_read_is_hidden_as_well(job: Job, tmp_path: Path) -> None:
    """As when it lies below /opt or /usr/src, both of which are shown."""
    exposed = replace(job, readable=(str(Path(job.cwd).parent / "other"),), folder=job.folder + "2")
    script = f"print(json.dumps(sorted(os.listdir({str(tmp_path / 'project' / 'runs')!r}))))"
    assert told(exposed, script) == ["other", "study"], "what is named readable is still shown"


def test_of_etc_only_what_programs_need_is_there(job: Job) -> None:
    script = "print(json.dumps([sorted(os.listdir('/etc')), can_write('/etc')]))"
    names, writable = told(job, script)
    assert set(names) <= set(sandbox.SETTINGS)
    assert "passwd" in names
    assert not writable
