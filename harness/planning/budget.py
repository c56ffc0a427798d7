"""What is left of a budget, and why a study stops. Pure."""

from __future__ import annotations

from harness.records import Record
from harness.state.history import History


class Left(Record):
    """What a study may still spend; None means no limit."""

    runs: int
    dollars: float | None
    tokens: int | None
    hours: float | None

    def __str__(self) -> str:
        parts = [f"{self.runs} run{'s' * (self.runs != 1)}"]
        parts += [f"${self.dollars:.2f}"] if self.dollars is not None else []
        parts += [f"{self.tokens:,} tokens"] if self.tokens is not None else []
        parts += [f"{self.hours:.2f} h"] if self.hours is not None else []
        return ", ".join(parts)


def left(history: History) -> Left:
    budget = history.begun.budget
    return Left(
        runs=max(0, budget.runs - history.spent_runs),
        dollars=None if budget.dollars is None else max(0.0, budget.dollars - history.usage.dollars),
        tokens=None if budget.tokens is None else max(0, budget.tokens - history.usage.tokens),
        hours=None if budget.hours is None else max(0.0, budget.hours - history.seconds / 3600),
    )


def why_spent(history: History) -> str | None:
    """Why no further model call or launch is allowed, or None. Ignores the limit on runs."""
    budget, remaining = history.begun.budget, left(history)
    if remaining.dollars == 0:
        return f"the budget of ${budget.dollars:g} is spent"
    if remaining.tokens == 0:
        return f"the budget of {budget.tokens:,} tokens is spent"
    if remaining.hours == 0:
        return f"the budget of {budget.hours:g} h is spent"
    return None


def why_no_more_runs(history: History) -> str | None:
    """Why the agent is not asked for another run, or None."""
    budget = history.begun.budget
    if history.why_over:
        return history.why_over
    if left(history).runs == 0:
        return f"all {budget.runs} runs are used"
    if history.turn and history.turn.status == "done":
        return "the agent says that it is done"
    if history.wasted >= budget.fixes:
        return f"{history.wasted} turns in a row led to no launch"
    return why_spent(history)
