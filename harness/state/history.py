"""A study's state as a fold over its journal. Pure: everything here follows from the events alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.errors import JournalCorrupt
from harness.records import Machine, Scores, Usage
from harness.results.compare import pooled
from harness.state.events import (
    AnyEvent,
    AttemptEnded,
    AttemptLaunched,
    ConfirmationAsked,
    ConfirmationEnded,
    EditChecked,
    ModelCalled,
    PlotsDrawn,
    Recorded,
    SeedsMeasured,
    StudyResumed,
    StudyStarted,
    StudyStopped,
    TurnEnded,
    TurnStarted,
)
from harness.state.run import Run

WITHIN_CONFIRMATIONS = (StudyResumed, StudyStopped, ConfirmationAsked, SeedsMeasured, ConfirmationEnded)
"""Events that may happen while a run is confirmed by hand; after any other one, the study has gone on."""


@dataclass(eq=False)
class Facts:
    """What has happened to a study, and its current state."""

    start: StudyStarted | None = None
    stopped: StudyStopped | None = None
    stopped_before: StudyStopped | None = None
    """How the study stopped before it was last resumed; None once it went on with anything but a confirmation."""
    turns: list[TurnEnded] = field(default_factory=list)
    runs: dict[int, Run] = field(default_factory=dict)
    news: list[AnyEvent] = field(default_factory=list)
    """Events since the agent was last asked; the next prompt reports them."""
    turn: TurnEnded | None = None
    """The last turn that ended."""
    unfinished: TurnStarted | None = None
    """A turn that began and has not ended."""
    checked: EditChecked | None = None
    """The result of checking the last turn's edit."""
    edits: dict[int, str] = field(default_factory=dict)
    """Turn → digest of the code after its edit."""
    launched: AttemptLaunched | None = None
    """The launch that the last turn led to."""
    first: AttemptEnded | None = None
    """What that launch gave on the run's first seeds, while it is not decided what becomes of the others."""
    ended: AttemptEnded | None = None
    """How that launch ended."""
    recorded: Recorded | None = None
    """The outcome of the last turn, once it is committed."""
    digests: dict[str, str] = field(default_factory=dict)
    """Digest of executed code → what executed it, in words."""
    confirming: ConfirmationAsked | None = None
    confirmations: list[ConfirmationEnded] = field(default_factory=list)
    """Every launch on fresh seeds, including the baseline's (run 0)."""
    fresh_launches: list[SeedsMeasured] = field(default_factory=list)
    """Launches of all confirmations, on both sides."""
    fresh: list[SeedsMeasured] = field(default_factory=list)
    """Launches of the last confirmation, on both sides."""
    confirmations_asked: int = 0
    confirmations_by_hand: int = 0
    sandboxes: set[str] = field(default_factory=set)
    """Names of the sandboxes that launches used."""
    seeds: set[int] = field(default_factory=set)
    """Every seed that this study has used."""
    plots: PlotsDrawn | None = None
    """The plots drawn since the last turn that was accepted."""
    usage: Usage = field(default_factory=Usage)
    calls: int = 0
    calls_of_ended_turns: int = 0
    """Model calls that count; those of an interrupted turn do not, because they are repeated."""
    seconds: float = 0.0
    commit: str = ""
    tree: str = ""
    """Head of the study's branch, and the git tree that the worktree should hold."""
    why_over: str = ""
    """Why there are no further runs; set when the agent is first asked for its notes."""
    wasted: int = 0
    """Consecutive turns without a launch."""
    last_at: float | None = None


class History(Facts):
    """Everything known about a study, folded from its events."""

    def __init__(self, events: Iterable[AnyEvent]) -> None:
        super().__init__()
        for event in events:
            self.add(event)

    def add(self, event: AnyEvent) -> None:
        """Fold one more event in."""
        if self.last_at is not None and not isinstance(event, StudyResumed):
            self.seconds += max(0.0, event.at - self.last_at)
        self.last_at = event.at
        if not isinstance(event, WITHIN_CONFIRMATIONS):
            self.stopped_before = None
        getattr(self, f"_{event.kind}")(event)

    def _study_started(self, event: StudyStarted) -> None:
        self.start, self.commit, self.tree = event, event.commit, event.tree
        self.seeds.update((*event.seeds, *event.used_seeds))
        self.digests = {**event.earlier, event.digest: "the baseline"}

    def _study_resumed(self, _: StudyResumed) -> None:
        if self.confirming is None or self.stopped_before is None:  # otherwise it stopped within a manual confirmation
            self.stopped_before = self.stopped or self.stopped_before
        self.stopped = None

    def _study_stopped(self, event: StudyStopped) -> None:
        self.stopped = event

    def _turn_started(self, event: TurnStarted) -> None:
        self.unfinished = event
        self.calls = self.calls_of_ended_turns
        self.why_over = event.why

    def _model_called(self, event: ModelCalled) -> None:
        self.calls += 1
        self.usage += event.usage

    def _edit_checked(self, event: EditChecked) -> None:
        self.checked = event
        self.edits[event.turn] = event.digest
        self.news.append(event)

    def _attempt_launched(self, event: AttemptLaunched) -> None:
        self.launched, self.first, self.ended = event, None, None
        self.sandboxes |= {event.sandbox} - {""}
        run = self.runs.setdefault(event.run, Run(event.run))
        run.replicate_of, run.digest = event.replicate_of, event.digest
        self.seeds.update(event.seeds)
        self.wasted = 0

    def _confirmation_asked(self, event: ConfirmationAsked) -> None:
        self.confirming, self.fresh = event, []
        self.confirmations_asked += 1
        self.confirmations_by_hand += event.by_hand
        self.seeds.update(event.seeds)

    def _seeds_measured(self, event: SeedsMeasured) -> None:
        self.sandboxes |= {event.sandbox} - {""}
        self.fresh.append(event)
        self.fresh_launches.append(event)

    def _plots_drawn(self, event: PlotsDrawn) -> None:
        self.plots = event
        self.news.append(event)

    def _turn_ended(self, event: TurnEnded) -> None:
        self.turns.append(event)
        self.turn, self.unfinished = event, None
        self.usage += event.usage
        self.calls_of_ended_turns = self.calls
        self.checked = self.launched = self.first = self.ended = self.recorded = None
        self.plots = self.plots if event.status == "rejected" else None
        self.tree = event.tree
        self.news = [event]
        self.wasted += event.status != "done" and not (event.purpose == "finish" and event.status == "nothing")

    def _attempt_ended(self, event: AttemptEnded) -> None:
        self.sandboxes |= {event.sandbox} - {""}
        self.first = event if event.first else None
        if event.outcome != "lost" and self.launched:
            self.digests.setdefault(self.launched.digest, f"run {event.run}")
        if event.first:
            return
        run = self.runs[event.run]
        run.attempts.append(event)
        self.news.append(event)
        if event.outcome == "lost" and len(run.attempts) < self.begun.budget.attempts:
            self.launched = None  # nothing wrong with the code: launch it again
            return
        self.ended = event

    def _recorded(self, event: Recorded) -> None:
        self.commit, self.tree = event.commit, event.tree
        self.recorded = event
        if event.run is not None:
            if event.stopped and self.first is not None:
                self.runs[event.run].attempts.append(self.first)
                self.first = None
            self.runs[event.run].recorded = event
            self.news.append(event)
            if event.pooled:
                self.runs[self.original(event.run)].pooled = event.pooled

    def _confirmation_ended(self, event: ConfirmationEnded) -> None:
        self.sandboxes |= {event.sandbox} - {""}
        self.confirmations.append(event)
        if not event.run or (event.outcome == "lost" and not event.why):
            return  # older journals: the baseline, or a launch that was repeated
        self.commit, self.tree = event.commit, event.tree
        self.runs[event.run].confirmed = event
        self.news.append(event)
        self.confirming = None

    def fresh_values(self, baseline: bool) -> tuple[tuple[int, ...], Scores]:
        """The fresh seeds of the confirmation that were measured on one side, in their order, and the values."""
        launches = [event for event in self.fresh if event.baseline == baseline and event.outcome == "ok"]
        scores: Scores = launches[0].scores if launches else {}
        for event in launches[1:]:
            scores = pooled(scores, event.scores)
        return tuple(seed for event in launches for seed in event.seeds), scores

    def original(self, run: int) -> int:
        """The first run of the code that a replicate repeats; for any other run, the run itself."""
        while (earlier := self.runs[run].replicate_of) is not None:
            run = earlier
        return run

    def fresh_seeds(self, n: int) -> tuple[int, ...]:
        """`n` seeds that this study has never used."""
        first = max(self.seeds) + 1
        return tuple(range(first, first + n))

    @property
    def candidate(self) -> Run | None:
        """The run to confirm next: the best one that looks like a gain at all and is not confirmed yet."""
        left = [run for run in self.measured if run.hopeful_on and run.confirmed is None]
        return max(left, key=lambda run: run.promise, default=None)

    @property
    def begun(self) -> StudyStarted:
        """The study's first event; raises JournalCorrupt if it is missing."""
        if self.start is None:
            raise JournalCorrupt("the journal does not begin with study_started")
        return self.start

    def tree_of(self, run: int) -> str:
        """Git tree of the code that gave a run its result."""
        recorded = self.runs[run].recorded
        return recorded.tree if recorded else self.tree

    @property
    def finishing_turns(self) -> int:
        """How often the agent was asked for its notes and plots."""
        return sum(t.purpose == "finish" for t in self.turns)

    @property
    def measured(self) -> list[Run]:
        return [r for r in self.runs.values() if r.measured and r.recorded]

    @property
    def spent_runs(self) -> int:
        """Number of runs used up: measured or given up."""
        return sum(1 for r in self.runs.values() if r.recorded and (r.measured or r.recorded.abandoned))

    @property
    def just_measured(self) -> bool:
        """Whether the last event is the result of a run, confirmations by hand aside."""
        last = next((event for event in reversed(self.news) if not isinstance(event, ConfirmationEnded)), None)
        return isinstance(last, Recorded) and bool(last.comparisons)

    def next_attempt(self) -> tuple[int, int]:
        """The run number and attempt number of the next launch."""
        run = self.spent_runs + 1
        return run, len(self.runs[run].attempts) + 1 if run in self.runs else 1

    def elsewhere(self) -> dict[str, Machine]:
        """ "run 2" or "run 2 on fresh seeds" → its machine, if that is of a different kind than the baseline's."""
        home = self.begun.baseline_machine
        measured = [(f"run {run.number}", run.measured.machine) for run in self.measured if run.measured]
        older = [(e.run, e.machine) for e in self.confirmations]  # run 0 is the baseline
        fresh = [(0 if e.baseline else e.run, e.machine) for e in self.fresh_launches]
        names = {0: "the baseline on fresh seeds"}
        measured += [(names.get(run, f"run {run} on fresh seeds"), machine) for run, machine in (*older, *fresh)]
        return {what: machine for what, machine in measured if home and machine and machine != home}

    @property
    def machine_seconds(self) -> float:
        """Total duration of all launches, including failed ones and those on fresh seeds."""
        attempts = sum(a.seconds for run in self.runs.values() for a in run.attempts)
        attempts += self.first.seconds if self.first else 0.0
        return attempts + sum(event.seconds for event in (*self.confirmations, *self.fresh_launches))

    @property
    def saved(self) -> float:
        """Seconds of launches that were not needed, because their runs were stopped after their first seeds."""
        return sum(run.recorded.saved for run in self.measured if run.recorded)

    @property
    def status(self) -> str:
        return self.stopped.status if self.stopped else "running"
