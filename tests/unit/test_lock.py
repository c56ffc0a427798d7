"""Locks that the kernel releases when their holder dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from harness.execution import lock, process
from harness.execution.process import Child

HOLD = """
import sys, time
from pathlib import Path
from harness.execution import lock
with lock.held(Path(sys.argv[1])) as ours:
    print(ours, flush=True)
    time.sleep(600)
"""


def hold(path: Path) -> Child:
    """Another process that holds the lock."""
    argv = [sys.executable, "-c", HOLD, str(path)]
    env = process.clean_variables({"PYTHONPATH": str(Path(lock.__file__).parents[2])})
    other = Child(argv, cwd=path.parent, env=env, piped=True, bound=True)
    assert other.output is not None
    assert other.output.readline() == b"True\n"
    return other


def test_a_lock_says_who_holds_it_and_is_refused_to_others(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert lock.holder(path) is None
    other = hold(path)
    assert lock.holder(path) == other.pid
    with lock.held(path) as ours:
        assert not ours
    assert lock.holder(path) == other.pid
    os.kill(other.pid, 9)
    assert other.wait(10) == -9
    assert lock.holder(path) is None


def test_a_lock_of_a_dead_holder_can_be_taken(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    other = hold(path)
    os.kill(other.pid, 9)
    assert other.wait(10) == -9
    with lock.held(path) as ours:
        assert ours
        assert path.read_text() == str(os.getpid())
    assert lock.holder(path) is None


def test_looking_takes_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("")
    for _ in range(20):
        assert lock.holder(path) is None
    with lock.held(path) as ours:
        assert ours
