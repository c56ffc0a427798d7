"""The journal's events: everything that happened to a study, in order, as data.

A study's state is a fold of these (`history.py`); nothing else is stored. An event is written after the thing it tells
of is safely on disk, so that a controller which dies between two events can be taken up where the last one stands.
"""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, model_validator

from harness.records import Budget, Comparison, Finding, Idea, Machine, Outcome, Purpose, Record, Scores, Usage

TurnStatus = Literal["edited", "nothing", "rejected", "done", "replicate"]
CameTo = Literal["attempt", "check", "budget", "notes"]
"""What an edit came to: it was launched, rejected by a check, not launched for lack of budget, or it was of notes."""


class Event(Record):
    at: float = Field(default_factory=time.time)
    """Seconds since the epoch."""


class StudyStarted(Event):
    kind: Literal["study_started"] = "study_started"
    format: Literal[1] = 1
    study: str
    template: str
    idea: Idea
    agent: str
    agent_settings: dict[str, Any] = {}
    """What the agent's `Settings` held, as JSON."""
    model: str = ""
    strategy: str = "last"
    budget: Budget
    seeds: tuple[int, ...]
    commit: str
    tree: str
    """Branch point: the first commit of the study and the git tree of its code."""
    digest: str
    """Digest of the code that the baseline executes."""
    prices: dict[str, float] = {}
    """Dollars per token of the model when the study began; calls are priced by these to its end."""
    gpus: int = 0
    """GPUs that each run asks for."""
    control: str = ""
    """The agent without a model that works the same template when this study is done, if one was asked for."""
    control_of: str = ""
    """The study that this one is the control of."""
    parent: str = ""
    """`study/run_k` when the study starts from another study's run."""
    earlier: dict[str, str] = {}
    """Digest of code that ran in that other study → what ran it."""
    pinned: str
    """Digest of the pinned template copy, with the evaluator and its held-out files; re-checked after every run."""
    held_out: str = ""
    """Digest of the held-out data that the template prepared, re-checked after every run; empty if there is none."""
    fingerprint: str
    """Digest of the baseline's fingerprint."""
    baseline: Scores
    baseline_reported: Scores = {}
    """What the unmodified experiment said of itself."""
    baseline_machine: Annotated[
        Machine | None, BeforeValidator(lambda value: None if isinstance(value, str) else value)
    ]
    """Where the baseline was measured; None in journals of before this was known in full."""
    sandbox: str
    """Name of the sandbox of the machine that the study began on, or "none"."""


class StudyResumed(Event):
    kind: Literal["study_resumed"] = "study_resumed"


class TurnStarted(Event):
    kind: Literal["turn_started"] = "turn_started"
    turn: int
    purpose: Purpose
    why: str = ""
    """For a "finish" turn: why the runs are over."""
    base: int | None = None
    """The run whose code the agent goes on from, if that is not the last one."""


class ModelCalled(Event):
    kind: Literal["model_called"] = "model_called"
    turn: int
    call: int
    usage: Usage
    seconds: float
    note: str = ""


class TurnEnded(Event):
    kind: Literal["turn_ended"] = "turn_ended"
    turn: int
    purpose: Purpose
    status: TurnStatus
    tree: str
    """Git tree of the worktree after the turn (the one before it, when nothing was kept)."""
    changed: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    said: str = ""
    """First line of what the agent said, for lists."""
    replicate_of: int | None = None
    usage: Usage = Usage()
    """What the turn used, besides the model calls that have events of their own."""


class EditChecked(Event):
    kind: Literal["edit_checked"] = "edit_checked"
    turn: int
    findings: tuple[Finding, ...] = ()
    digest: str = ""
    """Digest of the code that would be executed."""


class AttemptLaunched(Event):
    kind: Literal["attempt_launched"] = "attempt_launched"
    run: int
    attempt: int
    tree: str
    digest: str
    replicate_of: int | None = None
    seeds: tuple[int, ...] = ()
    """Fresh ones, for a replicate; else the study's."""
    sandbox: str = ""
    """In journals of before the runner told it: the sandbox of the controller's machine."""


class Launched(Event):
    """How a launch ended, whatever it was made for."""

    outcome: Outcome
    seconds: float
    peak_memory: int = 0
    """Bytes, summed over the run's processes, at the highest sample."""
    message: str = ""
    """What the agent is told of a failure."""
    reported: Scores = {}
    """What experiment.py claims."""
    scores: Scores = {}
    """What counts: the evaluator's values where it gives one, else the reported ones."""
    machine: Machine | None = None
    """Where it ran, if it gave a result."""
    sandbox: str = ""
    """Name of the sandbox that it had there, or "none"."""


class AttemptEnded(Launched):
    kind: Literal["attempt_ended"] = "attempt_ended"
    run: int
    attempt: int


class ConfirmationAsked(Event):
    """A run is to be measured again on seeds that nothing in the study has seen."""

    kind: Literal["confirmation_asked"] = "confirmation_asked"
    run: int
    seeds: tuple[int, ...]


class ConfirmationEnded(Launched):
    """A run's code, or the baseline's, on the fresh seeds."""

    kind: Literal["confirmation_ended"] = "confirmation_ended"
    run: int
    """0 is the baseline, run first when its own seeds are fewer than the fresh ones."""
    seeds: tuple[int, ...]
    comparisons: tuple[Comparison, ...] = ()
    """The fresh values against all of the baseline's."""
    commit: str
    tree: str


class Recorded(Event):
    """An edit was committed with what came of it."""

    kind: Literal["recorded"] = "recorded"
    turn: int
    came_to: CameTo
    outcome: str
    """Of the attempt; otherwise the check that rejected the edit, "budget" or "notes"."""
    commit: str
    tree: str = ""
    run: int | None = None
    attempt: int | None = None
    comparisons: tuple[Comparison, ...] = ()
    pooled: tuple[Comparison, ...] = ()
    """For a replicate: all values of that code together, which say more of it than one run of it did."""
    abandoned: bool = False
    """The run has used up its attempts."""

    @model_validator(mode="before")
    @classmethod
    def _from_older_journals(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Where an edit came to had to be told from its outcome."""
        if "came_to" in fields:
            return fields
        outcome = fields.get("outcome")
        untried = outcome if outcome in ("notes", "budget") else "check"
        return {**fields, "came_to": untried if fields.get("run") is None else "attempt"}


class PlotsDrawn(Event):
    kind: Literal["plots_drawn"] = "plots_drawn"
    files: tuple[str, ...] = ()
    message: str = ""
    """Empty when plot.py ended well."""


class StudyStopped(Event):
    kind: Literal["study_stopped"] = "study_stopped"
    status: Literal["done", "failed", "paused", "interrupted"]
    reason: str


AnyEvent = Annotated[
    StudyStarted
    | StudyResumed
    | TurnStarted
    | ModelCalled
    | TurnEnded
    | EditChecked
    | AttemptLaunched
    | AttemptEnded
    | Recorded
    | ConfirmationAsked
    | ConfirmationEnded
    | PlotsDrawn
    | StudyStopped,
    Field(discriminator="kind"),
]
EVENTS: TypeAdapter[list[AnyEvent]] = TypeAdapter(list[AnyEvent])
