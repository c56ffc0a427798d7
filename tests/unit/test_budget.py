"""What is left, and why a study stops."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from harness.planning import budget
from harness.records import Budget

from .conftest import Story

GOOD = (0.1, 0.2, 0.15)


def test_a_fresh_budget_is_whole_and_says_so(story: type[Story]) -> None:
    whole = Budget(runs=3, dollars=2.0, tokens=1500, hours=0.5)
    assert str(budget.left(story(budget=whole).history)) == "3 runs, $2.00, 1,500 tokens, 0.50 h"
    assert str(budget.left(story(budget=Budget(runs=1)).history)) == "1 run"


def test_runs_given_up_are_spent_and_single_failures_are_not(story: type[Story]) -> None:
    limit = Budget(runs=3, attempts=2)
    s = story(budget=limit).failed_run()
    assert budget.left(s.history).runs == 3
    s.failed_run()
    assert budget.left(s.history).runs == 2
    s.run(GOOD)
    assert budget.left(s.history).runs == 1


@pytest.mark.parametrize(
    ("limit", "why"),
    [
        (Budget(dollars=1.0), "the budget of $1 is spent"),
        (Budget(tokens=1000), "the budget of 1,000 tokens is spent"),
    ],
)
def test_model_budgets_stop_calls_and_launches_once_reached(story: type[Story], limit: Budget, why: str) -> None:
    s = story(budget=limit).asked().called(dollars=0.5, tokens=500)
    assert budget.why_spent(s.history) is None
    s.called(dollars=0.5, tokens=500)
    assert budget.why_spent(s.history) == why
    assert budget.why_no_more_runs(s.history) == why


def test_hours_count_only_while_a_controller_works(story: type[Story]) -> None:
    limit = Budget(hours=0.01)  # 36 s
    s = story(budget=limit).turn("nothing").stopped().resumed(pause=100_000.0)
    assert budget.why_spent(s.history) is None
    s.at += 40.0
    assert budget.why_spent(s.turn("nothing").history) == "the budget of 0.01 h is spent"


def test_nothing_left_is_never_negative(story: type[Story]) -> None:
    limit = Budget(runs=1, dollars=0.1, tokens=10, hours=0.0001)
    s = story(budget=limit).asked().called(dollars=5.0, tokens=5000).answered().checked().launched()
    s.ended(loss=GOOD).recorded()
    left = budget.left(s.history)
    assert (left.runs, left.dollars, left.tokens, left.hours) == (0, 0.0, 0, 0.0)


def test_the_agent_is_not_asked_again_once_all_runs_are_used(story: type[Story]) -> None:
    limit = Budget(runs=1)
    assert budget.why_no_more_runs(story(budget=limit).history) is None
    assert budget.why_no_more_runs(story(budget=limit).run(GOOD).history) == "all 1 runs are used"


def test_the_agent_is_believed_when_it_says_that_it_is_done(story: type[Story]) -> None:
    why = budget.why_no_more_runs(story().run(GOOD).turn("done").history)
    assert why is not None and "done" in why


def test_turns_that_lead_nowhere_end_the_study(story: type[Story]) -> None:
    limit = Budget(fixes=2)
    s = story(budget=limit).turn("rejected")
    assert budget.why_no_more_runs(s.history) is None
    assert budget.why_no_more_runs(s.turn("nothing").history) == "2 turns in a row led to no launch"


def test_the_reason_for_the_end_stays_the_first_one(story: type[Story]) -> None:
    s = story().run(GOOD).asked("finish", why="the agent says that it is done").answered("rejected", "finish")
    assert budget.why_no_more_runs(s.history) == "the agent says that it is done"


@pytest.mark.parametrize("field", ["runs", "attempts", "fixes", "dollars", "tokens", "hours"])
@pytest.mark.parametrize("amount", [0, -1])
def test_no_budget_may_be_zero_or_less(field: str, amount: int) -> None:
    with pytest.raises(ValidationError):
        Budget(**{field: amount})
