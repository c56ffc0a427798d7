"""A journal on a full disk: an event that does not fit leaves no trace, and the next one that fits is whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.state.events import StudyStopped
from harness.state.history import History
from harness.state.journal import Journal, read

from .conftest import Story

LONG = 9000
SCRIPT = """\
import resource, signal, sys
from pathlib import Path
from harness.state.events import StudyStopped
from harness.state.journal import Journal, read

path, room, length = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
with Journal(path) as journal:
    before = path.read_bytes()
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + room, most))
    try:
        journal.append(StudyStopped(at=1.0, status="paused", reason="x" * length))
        print("appended")
    except OSError as error:
        print("refused", type(error).__name__)
    print("as before" if path.read_bytes() == before else "changed")
    print(len(journal.events))
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    if sys.argv[4] == "again":
        journal.append(StudyStopped(at=2.0, status="paused", reason="there is room again"))
"""


@pytest.fixture
def path(tmp_path: Path, story: type[Story]) -> Path:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        for event in story().run((0.1, 0.2, 0.15)).events:
            journal.append(event)
    return path


def with_room_for(room: int, path: Path, then: str = "") -> list[str]:
    """What came of appending a long event to a journal whose file may grow by `room` bytes."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), str(room), str(LONG), then],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("room", [0, 1, 4096, LONG])
def test_an_event_that_does_not_fit_is_an_error_and_leaves_the_journal_as_it_was(path: Path, room: int) -> None:
    events = read(path)
    assert with_room_for(room, path) == ["refused OSError", "as before", str(len(events))]
    assert read(path) == events
    assert path.read_bytes().endswith(b"\n")


@pytest.mark.parametrize("room", [0, 4096])
def test_the_next_event_that_fits_is_a_line_of_its_own(path: Path, room: int) -> None:
    events = read(path)
    assert with_room_for(room, path, then="again")[0] == "refused OSError"
    assert read(path) == [*events, StudyStopped(at=2.0, status="paused", reason="there is room again")]
    assert History(read(path)).status == "paused"
    with Journal(path) as journal:
        assert len(journal.events) == len(events) + 1


def test_an_event_for_which_there_is_room_is_appended(path: Path) -> None:
    events = read(path)
    assert with_room_for(LONG + 200, path) == ["appended", "changed", str(len(events) + 1)]
    assert read(path)[-1] == StudyStopped(at=1.0, status="paused", reason="x" * LONG)
