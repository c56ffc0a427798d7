"""The journal: appended whole, cut back when torn, never touched when corrupt."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import JournalCorrupt
from harness.planning.next_step import next_step
from harness.planning.steps import Ask, Check, Confirm, DrawPlots, Measure, Record, Stop
from harness.planning.strategies import Last
from harness.state.events import EVENTS, Recorded
from harness.state.history import History
from harness.state.journal import Journal, read
from harness.state.verdicts import in_one_word, judge, screen
from harness.template.folder import Template

from .conftest import Story

TEMPLATE = Path(__file__).parents[2] / "templates" / "tms_geometry"
CONFIRMED = Path(__file__).parent / "data" / "journal_with_a_confirmation.jsonl"
OLD = Path(__file__).parent / "data" / "journal_format_1.jsonl"


@pytest.fixture
def path(tmp_path: Path, story: type[Story]) -> Path:
    path = tmp_path / "study" / ".harness" / "journal.jsonl"
    with Journal(path) as journal:
        for event in story().run((0.1, 0.2, 0.15)).failed_run(message="naïve “quotes”\nand lines").events:
            journal.append(event)
    return path


def test_what_is_appended_is_read_back_the_same(path: Path, story: type[Story]) -> None:
    events = read(path)
    assert events == story().run((0.1, 0.2, 0.15)).failed_run(message="naïve “quotes”\nand lines").events
    assert path.read_bytes().count(b"\n") == len(events)
    with Journal(path) as journal:
        assert journal.events == events


def test_every_event_is_in_the_file_before_append_returns(path: Path, story: type[Story]) -> None:
    with Journal(path) as journal:
        before = len(read(path))
        journal.append(story().stopped().events[-1])
        assert len(read(path)) == before + 1


@pytest.mark.parametrize(
    "torn", [b'{"at":1.0,"kind":"turn_st', b"{", b'{"at":1.0,"kind":"study_resumed"}', b"\xff\x00"]
)
def test_a_torn_last_line_is_cut_back_and_the_next_event_is_readable(
    path: Path, story: type[Story], torn: bytes
) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    events = read(path)
    with Journal(path) as journal:
        assert path.read_bytes() == whole
        assert journal.events == events
        journal.append(story().stopped().events[-1])
    assert read(path) == [*events, story().stopped().events[-1]]


def test_reading_alone_cuts_nothing(path: Path) -> None:
    torn = path.read_bytes() + b'{"at":'
    path.write_bytes(torn)
    read(path)
    assert path.read_bytes() == torn


@pytest.mark.parametrize(
    "line", [b"not json", b"", b'{"at":1.0,"kind":"unheard_of"}', b'{"kind":"turn_started"}', b"\xff"]
)
def test_a_corrupt_line_in_the_middle_stops_with_file_and_line_and_leaves_every_byte(path: Path, line: bytes) -> None:
    lines = path.read_bytes().split(b"\n")
    lines[2] = line
    corrupt = b"\n".join(lines) + b'{"torn'
    path.write_bytes(corrupt)
    for opening in (read, Journal):
        with pytest.raises(JournalCorrupt) as refused:
            opening(path)
        assert str(path) in str(refused.value)
        assert "line 3" in str(refused.value)
        assert path.read_bytes() == corrupt


def test_an_unknown_field_is_corrupt_and_not_ignored(path: Path) -> None:
    lines = path.read_bytes().split(b"\n")
    lines[1] = lines[1].replace(b'"turn":1', b'"turn":1,"new_field":1')
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(JournalCorrupt, match="line 2"):
        read(path)


def test_a_missing_journal_is_made(tmp_path: Path) -> None:
    with Journal(tmp_path / "new" / "journal.jsonl") as journal:
        assert journal.events == []
    assert (tmp_path / "new" / "journal.jsonl").read_bytes() == b""


def test_a_journal_of_format_1_can_always_be_read_and_folded() -> None:
    """Recorded with the first release; it must never become unreadable."""
    events = read(OLD)
    history = History(events)
    assert events[0].kind == "study_started"
    assert history.begun.format == 1
    assert history.status == "done"
    assert [r.outcome for r in history.runs.values()] == ["ok", "ok"]
    assert [a.outcome for a in history.runs[1].attempts] == ["crashed", "ok"]
    assert [in_one_word(history)[n] for n in (1, 2)] == ["promising, unconfirmed"] * 2
    assert [t.status for t in history.turns] == ["edited", "edited", "edited", "edited", "done", "edited"]
    assert isinstance(next_step(history, Template(TEMPLATE).manifest, Last()), Stop)
    assert history.spent_runs == 2
    assert history.calls == 6


def test_what_an_edit_came_to_is_known_of_journals_that_do_not_say_it() -> None:
    recorded = [event for event in read(OLD) if isinstance(event, Recorded)]
    assert [(e.came_to, e.outcome) for e in recorded] == [
        ("check", "lint"),
        ("attempt", "crashed"),
        ("attempt", "ok"),
        ("attempt", "ok"),
        ("notes", "notes"),
    ]


def test_a_journal_with_a_confirmation_leads_to_the_same_verdicts_and_its_end() -> None:
    """Written when a study's stages were set by its events, and a machine was no more than a name."""
    history = History(read(CONFIRMED))
    assert history.begun.baseline_machine is None
    assert {run: words["sparse_uniform"][0] for run, words in screen(history).items()} == {
        1: "promising, unconfirmed",
        2: "promising, unconfirmed",
    }
    assert in_one_word(history) == {1: "promising, unconfirmed", 2: "better"}
    p = judge(history)[2]["sparse_uniform"][1]
    assert p == pytest.approx(1.891e-08, rel=1e-3)
    step = next_step(history, Template(TEMPLATE).manifest, Last())
    assert step == Stop("done", "the agent says that it is done")


def test_a_journal_of_before_can_be_resumed_at_every_event() -> None:
    """Whatever it was cut at, there is a next step, and it is the one that was done."""
    events = read(CONFIRMED)
    done = {
        "turn_started": Ask,
        "edit_checked": Check,
        "attempt_launched": Measure,
        "attempt_ended": Measure,
        "recorded": Record,
        "confirmation_asked": Confirm,
        "confirmation_ended": Measure,
        "plots_drawn": DrawPlots,
        "study_stopped": Stop,
    }
    manifest = Template(TEMPLATE).manifest
    for number, event in enumerate(events[1:], 1):
        step = next_step(History(events[:number]), manifest, Last())
        assert isinstance(step, done.get(event.kind, Ask)), (number, event.kind, step)


def test_a_journal_of_format_1_is_written_again_as_the_same_events() -> None:
    for event in read(OLD):
        assert EVENTS.validate_json(f"[{event.model_dump_json()}]") == [event]
