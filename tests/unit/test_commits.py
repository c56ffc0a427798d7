"""The commit of an edit: a subject, what the agent said, and trailers that git understands."""

from __future__ import annotations

from harness.records import Finding
from harness.state.events import Recorded
from harness.study.commits import message

from .conftest import Story

GOOD = (0.1, 0.2, 0.15)


def of_last(s: Story) -> str:
    recorded = s.events[-1]
    assert isinstance(recorded, Recorded)
    return message(recorded, s.history)


def trailers(text: str) -> list[str]:
    return text.split("\n\n")[-1].splitlines()


def test_a_run_that_gave_a_result(story: type[Story]) -> None:
    text = of_last(story().run(GOOD, said="I make it wider."))
    assert text.splitlines()[0] == "Run 1, attempt 1: ok, loss 0.15 (baseline 1)"
    assert "\n\nI make it wider.\n\n" in text
    assert trailers(text) == [
        "Turn: 1",
        "Run: 1",
        "Attempt: 1",
        "Outcome: ok",
        "Metric-loss: 0.15",
        "Metric-accuracy: 0.5",
    ]


def test_a_failed_attempt(story: type[Story]) -> None:
    text = of_last(story().failed_run("timeout"))
    assert text.splitlines()[0] == "Run 1, attempt 1: timeout"
    assert trailers(text) == ["Turn: 1", "Run: 1", "Attempt: 1", "Outcome: timeout"]


def test_an_edit_that_was_not_launched(story: type[Story]) -> None:
    text = of_last(story().turn().checked(Finding(check="lint", message="m")).recorded("lint"))
    assert text.splitlines()[0] == "Not launched: lint check"
    assert trailers(text) == ["Turn: 1", "Outcome: lint"]


def test_notes(story: type[Story]) -> None:
    text = of_last(story().run(GOOD).turn("edited", "finish").recorded("notes"))
    assert text.splitlines()[0] == "Notes and plots"
    assert trailers(text) == ["Turn: 2", "Outcome: notes"]


def test_metrics_of_several_datasets_are_told_apart(story: type[Story]) -> None:
    s = story().turn().checked().launched().ended(loss=GOOD)
    one = s.comparison("loss", GOOD)
    s.recorded(comparisons=(one, one.model_copy(update={"dataset": "a b/ü"})))
    assert trailers(of_last(s))[-2:] == ["Metric-toy-loss: 0.15", "Metric-a-b-ü-loss: 0.15"]
