"""A run whose first seeds leave no hope is stopped with them, and then counts for nothing more than that."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.planning.next_step import next_step
from harness.planning.steps import Ask, Attempt, Confirm, Measure, Record
from harness.planning.strategies import Best, Last
from harness.records import Budget
from harness.results.racing import chance, first_of
from harness.state.verdicts import judge
from harness.study.judging import compare_pooled, repeats_earlier_seeds
from harness.template.folder import Template
from harness.template.manifest import Manifest

from .conftest import BASELINE, Story

GOOD, WORSE, SAME = (0.1, 0.2), (1.4, 1.3), (0.95, 1.05)
OTHERS = Measure(Attempt(1, 1, "t1", "d1", announced=True, part="others"), (2,), "run_1-attempt_1-other_seeds")


@pytest.fixture
def raced(template: Template) -> Manifest:
    run = template.manifest.run.model_copy(update={"seed_cost": "proportional"})
    return template.manifest.model_copy(update={"run": run})


def first(loss: tuple[float, ...], s: Story | None = None) -> Story:
    """The result of an edit on its first seeds."""
    return (s or Story()).turn().checked().launched(seeds=(0, 1)).ended(loss=loss, first=True)


def stopped(loss: tuple[float, ...], s: Story | None = None) -> Story:
    return first(loss, s).recorded(stopped="stopped after 2 of 3 seeds: why", saved=1.0)


def attempt(number: int = 1, announced: bool = False) -> Attempt:
    return Attempt(1, number, "t1", "d1", announced=announced, part="first")


SITUATIONS: dict[str, tuple[Callable[[], Story], object]] = {
    "an edit passed the checks": (
        lambda: Story().turn().checked(),
        Measure(attempt(), (0, 1), "run_1-attempt_1"),
    ),
    "it was launched": (
        lambda: Story().turn().checked().launched(seeds=(0, 1)),
        Measure(attempt(announced=True), (0, 1), "run_1-attempt_1"),
    ),
    "the first seeds look good": (lambda: first(GOOD), OTHERS),
    "the first seeds look like the baseline, and there is no better run": (lambda: first(SAME), OTHERS),
    "it was killed between the launches": (lambda: first(GOOD).resumed(9.0), OTHERS),
    "a run that was stopped is over": (lambda: stopped(WORSE), Ask("next")),
    "the job of the other seeds was lost": (
        lambda: first(GOOD).ended("lost"),
        Measure(attempt(number=2), (0, 1), "run_1-attempt_2"),
    ),
    "a run to repeat is never raced": (
        lambda: Story().run((*GOOD, 0.15)).turn("replicate", replicate_of=1, tree="t1").checked(digest="d1"),
        Measure(Attempt(2, 1, "t1", "d1", replicate_of=1), (3, 4, 5), "run_2-attempt_1"),
    ),
    "with two seeds there is nothing to leave out": (
        lambda: Story(seeds=(0, 1)).turn().checked(),
        Measure(Attempt(1, 1, "t1", "d1"), (), "run_1-attempt_1"),
    ),
    "the script has seeds of its own": (
        lambda: Story(seeding="fixed").turn().checked(),
        Measure(Attempt(1, 1, "t1", "d1"), (), "run_1-attempt_1"),
    ),
    "the only run was stopped": (
        lambda: stopped(SAME, Story(budget=Budget(runs=1))),
        Ask("finish", why="all 1 runs are used"),
    ),
    "a better run was stopped, and a complete one is confirmed": (
        lambda: stopped((0.0, 0.01), Story(budget=Budget(runs=2)).run((0.9, 1.0, 0.8))),
        Confirm(1, tuple(range(3, 43)), (5, 10, 20, 40), 0.05, ("toy",), True),
    ),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_next_step_where_fewer_seeds_cost_less(raced: Manifest, situation: str) -> None:
    build, expected = SITUATIONS[situation]
    assert next_step(build().history, raced, Last()) == expected


@pytest.mark.parametrize(
    "build", [lambda: first(WORSE), lambda: first(SAME, Story().run((0.1, 0.2, 0.15)))], ids=["worse", "far behind"]
)
def test_a_run_without_hope_is_recorded_with_its_first_seeds(raced: Manifest, build: Callable[[], Story]) -> None:
    history = build().history
    step = next_step(history, raced, Last())
    assert isinstance(step, Record)
    assert (step.came_to, step.outcome, step.ended, step.saved) == ("attempt", "ok", history.first, 1.0)
    assert step.stopped.startswith("stopped after 2 of 3 seeds: ")


def test_where_all_seeds_cost_the_same_nothing_is_raced(template: Template) -> None:
    step = next_step(Story().turn().checked().history, template.manifest, Last())
    assert step == Measure(Attempt(1, 1, "t1", "d1"), (), "run_1-attempt_1")


@pytest.mark.parametrize(("loss", "word"), [((2.4, 2.3), "worse"), (SAME, "not promising"), (GOOD, "not promising")])
def test_a_run_that_was_stopped_is_worse_or_not_promising(loss: tuple[float, ...], word: str) -> None:
    history = stopped(loss).history
    assert judge(history)[1]["toy"][0] == word
    assert history.candidate is None and not history.runs[1].promising
    assert history.runs[1].primary[0].n == 2
    assert (history.spent_runs, history.saved, history.machine_seconds) == (1, 1.0, 2.0)


def test_the_best_strategy_does_not_build_on_a_run_that_was_stopped(raced: Manifest) -> None:
    s = stopped(GOOD, Story().run((0.9, 1.0, 0.8)))
    assert next_step(s.history, raced, Best()) == Ask("next", base=1)


def test_values_of_a_run_that_was_stopped_are_not_pooled_but_may_not_be_repeated(raced: Manifest) -> None:
    s = stopped(SAME).turn("replicate", replicate_of=1, tree="t1").checked(digest="d1").launched(seeds=(3, 4, 5))
    history = s.ended(loss=(0.9, 1.2, 1.0)).history
    assert history.ended is not None
    assert compare_pooled(history.ended, history, raced.metrics) == ()
    again = s.ended(loss=(0.95, 1.05, 0.95)).history.ended
    assert again is not None and repeats_earlier_seeds(again, history, raced.metrics)


def test_the_time_of_the_first_seeds_counts_before_the_others_have_run() -> None:
    assert first(GOOD).history.machine_seconds == 2.0


@pytest.mark.parametrize(("seeds", "n"), [(2, 2), (3, 2), (4, 2), (5, 3), (8, 4), (9, 5)])
def test_half_of_the_seeds_come_first_and_at_least_two(seeds: int, n: int) -> None:
    assert first_of(seeds) == n


def test_the_chance_is_that_of_simulated_other_seeds() -> None:
    """The spread is drawn from what is believed of it now, then the true mean, then the other seeds."""
    rng = np.random.default_rng(0)
    values, baseline, n = [0.9, 1.2, 0.7], [1.0, 1.3, 0.6, 0.9, 1.2], 5
    pooled = (2 * np.var(values, ddof=1) + 4 * np.var(baseline, ddof=1)) / 6
    spread = np.sqrt(pooled * 6 / rng.chisquare(6, size=200_000))
    truth = np.mean(values) + spread / np.sqrt(3) * rng.normal(size=200_000)
    others = truth + spread / np.sqrt(2) * rng.normal(size=200_000)
    gain = np.mean(baseline) - (3 * np.mean(values) + 2 * others) / 5
    for lead in (0.0, 0.1, 0.2):
        assert chance(values, baseline, "min", n, lead) == pytest.approx((gain > lead).mean(), abs=0.005)
    assert chance(values, baseline, "max", n, 0.0) == pytest.approx((gain < 0).mean(), abs=0.005)


def test_without_spread_what_is_not_ahead_has_no_chance() -> None:
    ones = (1.0,) * 3
    assert [chance((x, x), ones, "min", 3, 0.0) for x in (0.9, 1.0, 1.1)] == [1.0, 0.0, 0.0]
    assert chance((0.9, 0.9), BASELINE["toy"]["loss"], "min", 3, 1.0) > 0.01
