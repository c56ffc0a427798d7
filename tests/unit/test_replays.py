"""A study and its replay are compared edit by edit and metric by metric."""

from __future__ import annotations

from harness.report.replays import differences
from harness.template.folder import Template

from .conftest import Story

GOOD = (0.1, 0.2, 0.15)


def test_the_same_performance_shows_no_difference(story: type[Story], template: Template) -> None:
    s = story().failed_run().run(GOOD).turn("done")
    assert differences(s.history, s.history, template) == []


def test_values_within_tolerance_and_timings_are_the_same(story: type[Story], template: Template) -> None:
    first, second = story().run(GOOD), story()
    scores = {"toy": {"loss": (0.1 * (1 + 1e-9), 0.2, 0.15), "accuracy": (0.5, 0.6, 0.4), "seconds": (9.0, 9.0, 9.0)}}
    second.turn().checked().launched().ended(loss=GOOD, scores=scores).recorded()
    assert differences(first.history, second.history, template) == []


def test_another_value_is_told_with_run_metric_and_dataset(story: type[Story], template: Template) -> None:
    found = differences(story().run(GOOD).history, story().run((0.1, 0.2, 0.16)).history, template)
    assert found == ["run 1: loss on toy was (0.1, 0.2, 0.15), is (0.1, 0.2, 0.16)"]


def test_a_turn_that_ended_otherwise_is_told(story: type[Story], template: Template) -> None:
    first = story().turn(changed=("experiment.py",)).checked()
    second = story().turn("rejected")
    (sentence,) = differences(first.history, second.history, template)
    assert sentence == "turn 1: edited ['experiment.py'] became rejected []"


def test_a_performance_that_stopped_earlier_is_told(story: type[Story], template: Template) -> None:
    found = differences(story().run(GOOD).run(GOOD).history, story().run(GOOD).history, template)
    assert found == ["2 turns became 1", "run 2 is only in the first"]


def test_other_attempts_are_told(story: type[Story], template: Template) -> None:
    first = story().run(GOOD)
    second = story().failed_run("timeout")
    assert differences(first.history, second.history, template) == ["run 1: attempts ['ok'] became ['timeout']"]


def test_other_code_is_told_even_if_the_numbers_agree(story: type[Story], template: Template) -> None:
    second = story().turn().checked().launched(digest="other").ended(loss=GOOD).recorded()
    assert differences(story().run(GOOD).history, second.history, template) == ["run 1 executed different code"]
