"""What the next run starts from.

After each result, a strategy may choose an earlier run whose code the agent continues from.
"""

from __future__ import annotations

from typing import Protocol

from harness.state.history import History


class Strategy(Protocol):
    """Called after every measured run; constructed without arguments."""

    def base(self, history: History) -> int | None:
        """The run to go back to (0 is the baseline), or None to continue from the current code."""


class Last:
    """Every change builds on the previous one, whatever its result."""

    def base(self, history: History) -> int | None:
        del history
        return None


class Best:
    """Every change builds on the code with the best primary metric so far, including the baseline's."""

    def base(self, history: History) -> int | None:
        scored = {0: 0.0} | {run.number: run.gain for run in history.measured if not run.stopped}
        best = max(scored, key=lambda number: scored[number])
        latest = history.measured[-1].number if history.measured else 0
        return None if best == latest else best


BUILT_IN = {"last": "harness.planning.strategies:Last", "best": "harness.planning.strategies:Best"}
