"""Summaries of studies: status and cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from harness.execution import lock
from harness.paths import StudyPaths
from harness.records import Record
from harness.state.heartbeat import Heartbeat, read_heartbeat
from harness.state.history import History
from harness.state.verdicts import in_one_word

BEST_FIRST = (
    "better",
    "better, but less than is worth it",
    "promising, unconfirmed",
    "mixed",
    "guard not held",
    "not confirmed",
    "no difference worth it",
    "inconclusive",
    "cannot be confirmed",
    "unchanged",
    "not promising",
    "worse",
    "cannot tell",
)
Status = Literal["running", "done", "failed", "paused", "interrupted", "killed"]


class StudySummary(Record):
    """One study in a list."""

    study: str
    template: str
    idea: str
    agent: str
    model: str
    status: Status
    reason: str
    """Why it stopped; empty while it runs."""
    runs: int
    """Run numbers used so far."""
    max_runs: int
    best: str
    """The best verdict of its runs; a dash if there is none."""
    seconds: float
    """Wall-clock time during which a controller worked on it."""
    dollars: float
    tokens: int
    now: Heartbeat | None = None
    """What its controller is doing, while it runs."""


class Cost(Record):
    """The cost of one or several studies."""

    study: str
    calls: int
    tokens_in: int
    tokens_out: int
    dollars: float
    machine_seconds: float
    gpu_seconds: float


def status_of(paths: StudyPaths, history: History) -> Status:
    """The status of a study. It was killed if it has not stopped and no process works on it."""
    if history.stopped is not None:
        return history.stopped.status
    return "running" if lock.holder(paths.lock) else "killed"


def summarize(paths: StudyPaths, history: History) -> StudySummary:
    begun, status = history.begun, status_of(paths, history)
    words = in_one_word(history).values()
    return StudySummary(
        study=paths.name,
        template=begun.template,
        idea=begun.idea.title,
        agent=begun.agent,
        model=begun.model,
        status=status,
        reason=history.stopped.reason if history.stopped else "",
        runs=history.spent_runs,
        max_runs=begun.budget.runs,
        best=next((word for word in BEST_FIRST if word in words), "–"),
        seconds=round(history.seconds, 1),
        dollars=round(history.usage.dollars, 6),
        tokens=history.usage.tokens,
        now=read_heartbeat(paths.heartbeat) if status == "running" else None,
    )


def best_run(history: History) -> int | None:
    """The run to look at first: one that is confirmed to be better, otherwise the one with the best primary metric."""
    words = in_one_word(history)
    runs = [run for run in history.measured if run.replicate_of is None]
    best = max(runs, key=lambda run: (words.get(run.number) == "better", run.complete, run.gain), default=None)
    return best.number if best else None


def cost(name: str, histories: Sequence[History]) -> Cost:
    """The cost of one study or the total of several."""
    return Cost(
        study=name,
        calls=sum(h.usage.calls for h in histories),
        tokens_in=sum(h.usage.tokens_in for h in histories),
        tokens_out=sum(h.usage.tokens_out for h in histories),
        dollars=round(sum(h.usage.dollars for h in histories), 6),
        machine_seconds=round(sum(h.machine_seconds for h in histories), 1),
        gpu_seconds=round(sum(h.machine_seconds * h.begun.gpus for h in histories), 1),
    )


def ledger(studies: Sequence[tuple[StudyPaths, History]]) -> list[Cost]:
    """One row per study and one for the total."""
    return [
        *(cost(paths.name, [history]) for paths, history in studies),
        cost("all", [history for _, history in studies]),
    ]
