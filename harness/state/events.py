"""The events of the journal: everything that happened to a study, in order.

A study's state is a fold over its events (`history.py`); no other state is stored. An event is written only after what
it describes is safely on disk, so that a study whose controller died can continue from its last event.
"""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, model_validator

from harness.records import Budget, Comparison, Finding, Idea, Machine, Outcome, Purpose, Record, Scores, Usage
from harness.results.seeds import Seeding

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
    """litellm's name of a price → dollars per token at the start of the study; all calls are priced with these."""
    gpus: int = 0
    """GPUs that each run requests."""
    control: str = ""
    """The agent of the control study that runs on the same template after this one, if one was requested."""
    control_of: str = ""
    """The study that this one is the control of."""
    parent: str = ""
    """`study/run_k` if the study starts from another study's run."""
    used_seeds: tuple[int, ...] = ()
    """Seeds that the other study has used: they are not fresh here."""
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
    """Values that the unmodified experiment reported."""
    baseline_machine: Annotated[
        Machine | None, BeforeValidator(lambda value: None if isinstance(value, str) else value)
    ]
    """Where the baseline was measured; None in old journals."""
    seeding: Seeding = "unknown"
    """What other seeds than the template's change in its results."""
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
    """The run whose code the agent starts from, if it is not the last one."""


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
    """Git tree of the worktree after the turn (the tree before it, if nothing was kept)."""
    changed: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    """Edits of notes that did not fit; the rest of the reply was kept."""
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
    """Fresh seeds for a replicate, or the first seeds of a run that is raced; empty for the study's seeds."""
    sandbox: str = ""
    """Only in old journals: the sandbox of the controller's machine."""


class Launched(Event):
    """How a launch of any kind ended."""

    outcome: Outcome
    seconds: float
    peak_memory: int = 0
    """Bytes: the highest sample, summed over the run's processes."""
    message: str = ""
    """The failure, as reported to the agent."""
    reported: Scores = {}
    """Values that experiment.py reports."""
    scores: Scores = {}
    """The official values: the evaluator's where it gives some, otherwise the reported ones."""
    machine: Machine | None = None
    """Where it ran, if it gave a result."""
    sandbox: str = ""
    """Name of the sandbox that was used, or "none"."""


class AttemptEnded(Launched):
    kind: Literal["attempt_ended"] = "attempt_ended"
    run: int
    attempt: int
    first: bool = False
    """Whether this is the result on the run's first seeds only. The attempt ends with the others, or is stopped."""


class ConfirmationAsked(Event):
    """A run will be measured on seeds that the study has never used, and so will the baseline."""

    kind: Literal["confirmation_asked"] = "confirmation_asked"
    run: int
    seeds: tuple[int, ...]
    """As many as the last look needs."""
    looks: tuple[int, ...] = ()
    """Seeds per side after which the values are looked at; in journals of older versions, one look at all of them."""
    level: float = 0.05
    """Two-sided error rate over all looks and datasets."""
    datasets: tuple[str, ...] = ()
    """Those that the verdict is about; empty for all."""
    paired: bool = True
    by_hand: bool = False
    """Whether a user asked for it, besides the planned ones."""


class SeedsMeasured(Launched):
    """Some of a confirmation's seeds, on one of its sides."""

    kind: Literal["seeds_measured"] = "seeds_measured"
    run: int
    """The run that is being confirmed."""
    baseline: bool
    """Whether the baseline's code was launched, not the run's."""
    seeds: tuple[int, ...]


class ConfirmationEnded(Launched):
    """What a confirmation gave. In journals of older versions also: the baseline on the fresh seeds, as run 0."""

    kind: Literal["confirmation_ended"] = "confirmation_ended"
    run: int
    seeds: tuple[int, ...]
    """Those that were measured on both sides."""
    why: str = ""
    """Why no more seeds were measured."""
    repeats: bool = False
    """The values are those of other seeds again, so these seeds confirm nothing."""
    comparisons: tuple[Comparison, ...] = ()
    """The run's values on the fresh seeds against the baseline's on the same seeds."""
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
    repeats: bool = False
    """For a replicate: its values are those of other seeds again, so they are no new samples."""
    pooled: tuple[Comparison, ...] = ()
    """For a replicate: the comparisons with all values of this code together."""
    stopped: str = ""
    """Why the run was stopped after its first seeds, if it was; then it is not complete."""
    saved: float = 0.0
    """Seconds that its other seeds would have taken."""
    abandoned: bool = False
    """Whether the run is given up because its attempts are used up."""

    @model_validator(mode="before")
    @classmethod
    def _from_older_journals(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """In older journals, only the outcome tells what an edit came to."""
        if "came_to" in fields:
            return fields
        outcome = fields.get("outcome")
        untried = outcome if outcome in ("notes", "budget") else "check"
        return {**fields, "came_to": untried if fields.get("run") is None else "attempt"}


class PlotsDrawn(Event):
    kind: Literal["plots_drawn"] = "plots_drawn"
    files: tuple[str, ...] = ()
    message: str = ""
    """Empty if plot.py succeeded."""


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
    | SeedsMeasured
    | ConfirmationEnded
    | PlotsDrawn
    | StudyStopped,
    Field(discriminator="kind"),
]
EVENTS: TypeAdapter[list[AnyEvent]] = TypeAdapter(list[AnyEvent])
