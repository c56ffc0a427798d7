"""What the next run starts from.

After a run has given its result, a strategy may name an earlier run whose code the agent goes on from.
"""

from __future__ import annotations

from typing import Protocol

from harness.state.history import History


class Strategy(Protocol):
    """Asked after every measured run; made without arguments."""

    def base(self, history: History) -> int | None:
        """The run to go back to (0 is the baseline), or None to go on from the code as it is."""


class Last:
    """Every change builds on the one before it, whatever came of it."""

    def base(self, history: History) -> int | None:
        del history
        return None


class Best:
    """Every change builds on the code with the best primary metric so far, the baseline's included."""

    def base(self, history: History) -> int | None:
        scored = {0: 0.0} | {run.number: run.gain for run in history.measured}
        best = max(scored, key=lambda number: scored[number])
        latest = history.measured[-1].number if history.measured else 0
        return None if best == latest else best


BUILT_IN = {"last": "harness.planning.strategies:Last", "best": "harness.planning.strategies:Best"}
