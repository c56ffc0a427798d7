"""The possible next steps of a study, each with everything that is needed to execute it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.records import Outcome, Purpose
from harness.state.events import AttemptEnded, CameTo, TurnEnded


@dataclass(frozen=True)
class Ask:
    """Prompt the agent for its next edit."""

    purpose: Purpose
    base: int | None = None
    """The run whose code is restored first (0 is the baseline); None to continue from the current code."""
    why: str | None = None
    """For the last turns: why there are no more runs."""


@dataclass(frozen=True)
class Check:
    """Check an edit before anything is launched."""

    turn: TurnEnded


@dataclass(frozen=True)
class Attempt:
    """A launch for a numbered run, on the template's seeds; for a replicate, on fresh ones."""

    run: int
    attempt: int
    tree: str
    """Git tree of its code."""
    digest: str
    """Digest of the code that is executed."""
    replicate_of: int | None = None
    announced: bool = False
    """Whether the launch is already in the journal, because an earlier controller began it."""
    part: Literal["whole", "first", "others"] = "whole"
    """Whether it is launched on all its seeds, on its first ones, or on the others after these."""


@dataclass(frozen=True)
class Fresh:
    """A launch on some of a confirmation's seeds: of the run's code, or of the baseline's."""

    run: int
    """The run that is being confirmed."""
    baseline: bool
    tree: str | None
    """Git tree of the code; None for the pinned template, the baseline's code."""


@dataclass(frozen=True)
class Measure:
    """Launch code and read its results."""

    of: Attempt | Fresh
    seeds: tuple[int, ...]
    """Seeds to run; empty for the template's own."""
    job: str
    """Name of the folder of the launch."""


@dataclass(frozen=True)
class Record:
    """Commit an edit with its outcome, and judge it if it gave a result."""

    turn: TurnEnded
    came_to: CameTo
    outcome: str
    at: float
    """When that happened, in seconds since the epoch: the date of the commit."""
    ended: AttemptEnded | None = None
    """The attempt that the edit led to, if it led to one."""
    stopped: str = ""
    """Why the attempt was stopped after its first seeds, if it was."""
    saved: float = 0.0
    """Seconds that its other seeds would have taken."""


@dataclass(frozen=True)
class Confirm:
    """Start the confirmation of a run on fresh seeds."""

    run: int
    seeds: tuple[int, ...]
    """As many as the last look needs."""
    looks: tuple[int, ...]
    level: float
    """Two-sided error rate over all looks and datasets."""
    datasets: tuple[str, ...]
    paired: bool
    by_hand: bool = False


@dataclass(frozen=True)
class EndConfirmation:
    """End a confirmation: with what its seeds show, or because a launch failed."""

    run: int
    outcome: Outcome
    why: str


@dataclass(frozen=True)
class DrawPlots:
    """Run the template's plot.py."""


@dataclass(frozen=True)
class Stop:
    """End the study."""

    status: Literal["done", "failed"]
    reason: str


Step = Ask | Check | Measure | Record | Confirm | EndConfirmation | DrawPlots | Stop
