"""Children: what they inherit, how they end, and that none outlives its run."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.execution import process
from harness.execution.process import Child

HERE = str(Path(process.__file__).parents[2])
"""What the child processes of these tests import is what the tests import."""
SECRETS = {
    "OPENAI_API_KEY": "sk-1234567890",
    "ANTHROPIC_API_KEY": "sk-ant-1234567890",
    "AWS_SECRET_ACCESS_KEY": "aws-1234567890",
    "GITHUB_TOKEN": "ghp-1234567890",
    "DB_PASSWORD": "correct horse battery",
    "NVIDIA_API_KEY": "nvapi-1234567890",
    "NVIDIA_NIM_API_KEY": "nvapi-0987654321",
    "CUDA_LICENSE_TOKEN": "cuda-1234567890",
    "SLURM_JWT": "ey-1234567890",
    "HOME": "/home/somebody-1234567890",
    "SSH_AUTH_SOCK": "/run/agent-1234567890",
}


def test_a_clean_environment_holds_no_secret_whatever_its_name_begins_with(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    assert set(process.clean_variables().values()) & set(SECRETS.values()) == set()


def test_what_a_program_needs_is_passed_on_and_extras_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("LANG", "C.UTF-8")
    env = process.clean_variables({"HARNESS_SEEDS": "0,1"})
    assert (env["CUDA_VISIBLE_DEVICES"], env["LANG"], env["HARNESS_SEEDS"]) == ("1", "C.UTF-8", "0,1")
    assert env["PATH"] == os.environ["PATH"]


def test_secrets_are_found_by_name_longest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in {
        "A_KEY": "12345678",
        "B_TOKEN": "1234567890",
        "SHORT_KEY": "1234",
        "PLAIN": "abcdefghij",
    }.items():
        monkeypatch.setenv(name, value)
    assert process.secrets() == ["1234567890", "12345678"]


def test_a_helper_gives_its_code_and_both_outputs(tmp_path: Path) -> None:
    done = process.run(
        [sys.executable, "-c", "import sys; print('o'); print('e', file=sys.stderr); sys.exit(3)"], cwd=tmp_path
    )
    assert (done.code, done.out, done.err) == (3, "o\n", "e\n")


def test_a_helper_sees_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRETS["OPENAI_API_KEY"])
    assert SECRETS["OPENAI_API_KEY"] not in process.run(["env"]).out


def test_a_helper_that_takes_too_long_is_killed() -> None:
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"sleep took longer than 0\.2 s"):
        process.run(["sleep", "30"], timeout=0.2)
    assert time.monotonic() - started < 10


def test_a_program_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(OSError, match="no-such-program"):
        process.run(["/no-such-program"])


def child(script: str, cwd: Path, *, piped: bool = True) -> Child:
    env = process.clean_variables({"PYTHONPATH": HERE})
    return Child([sys.executable, "-c", script], cwd=cwd, env=env, piped=piped, bound=True)


def test_a_child_gives_both_outputs_in_one_stream_and_its_code(tmp_path: Path) -> None:
    started = child("import sys; print('o', flush=True); print('e', file=sys.stderr); sys.exit(5)", tmp_path)
    assert started.output is not None
    assert started.output.read() == b"o\ne\n"
    assert started.wait(10) == 5


def test_a_child_leads_a_session_of_its_own_in_its_folder(tmp_path: Path) -> None:
    started = child("import os; print(os.getsid(0) == os.getpid(), os.getcwd())", tmp_path)
    assert started.output is not None
    assert started.output.read().decode().split(maxsplit=1) == ["True", f"{tmp_path}\n"]
    assert started.wait(10) == 0


def test_waiting_is_over_after_the_time_given(tmp_path: Path) -> None:
    started = child("import time; time.sleep(60)", tmp_path, piped=False)
    before = time.monotonic()
    assert started.wait(0.1) is None
    assert 0.05 < time.monotonic() - before < 5
    process.terminate(started.pid)
    assert started.wait(10) == -15


def test_terminating_what_is_gone_is_no_error(tmp_path: Path) -> None:
    gone = child("pass", tmp_path, piped=False)
    assert gone.wait(10) == 0
    process.terminate(gone.pid)


DOUBLE_FORK = """
import os, sys, time
from harness.execution import process
process.adopt_orphans()
read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        os.write(write, str(os.getpid()).encode())
        os.close(1)
        os.close(2)
        time.sleep(60)
    os._exit(0)
os.wait()
orphan = int(os.read(read, 32))
assert os.path.exists(f"/proc/{orphan}"), "the orphan should be alive"
print([p.pid for p in process.descendants()] == [orphan], process.descendants_memory() > 0)
process.kill_descendants()
print(orphan, process.descendants())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="orphans can be adopted only on Linux")
def test_an_orphan_in_a_session_of_its_own_is_adopted_and_killed(tmp_path: Path) -> None:
    """In a process of its own, because it changes who this process is the parent of."""
    forking = child(DOUBLE_FORK, tmp_path)
    assert forking.output is not None
    said = forking.output.read().decode()
    assert forking.wait(10) == 0, said
    seen, killed = said.splitlines()
    assert seen == "True True"
    orphan, rest = killed.split(maxsplit=1)
    assert rest == "[]"
    assert not psutil.pid_exists(int(orphan)) or psutil.Process(int(orphan)).status() == psutil.STATUS_ZOMBIE


BOUND = """
import sys, time
from pathlib import Path
from harness.execution.process import Child, clean_variables
child = Child(["sleep", "600"], cwd=Path("."), env=clean_variables(), piped=False, bound=True)
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a child is bound to its parent only on Linux")
def test_a_bound_child_dies_with_its_parent(tmp_path: Path) -> None:
    parent = child(BOUND, tmp_path)
    assert parent.output is not None
    grandchild = psutil.Process(int(parent.output.readline()))
    os.kill(parent.pid, 9)
    assert parent.wait(10) == -9
    deadline = time.monotonic() + 10
    while grandchild.is_running() and grandchild.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


HIDDEN = """
import os, time
from harness.execution.process import hide_own_memory
hide_own_memory()
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() == 0, reason="root may read every process")
def test_a_hidden_process_cannot_be_read_by_its_own_user(tmp_path: Path) -> None:
    hidden = child(HIDDEN, tmp_path)
    assert hidden.output is not None
    assert hidden.output.readline() == b"ready\n"
    with pytest.raises(PermissionError):
        Path(f"/proc/{hidden.pid}/environ").read_bytes()
    process.terminate(hidden.pid)
    assert hidden.wait(10) == -15
