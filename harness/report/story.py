"""The story of a study: one line for each event worth showing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from harness.results.final_info import mean
from harness.state import verdicts
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
)
from harness.state.history import History
from harness.text import duration, number, plain

REASON = 2000
"""Characters shown of the reason why a study stopped."""
Tone = Literal["title", "plain", "aside", "good", "bad", "verdict"]
"""How to style a line; "verdict" lines are styled by their verdict."""


@dataclass(frozen=True)
class StoryLine:
    """One line of a study's story, safe to display anywhere."""

    at: float
    """Seconds since the epoch."""
    text: str
    tone: Tone = "plain"
    verdict: str = ""
    """The verdict that the line reports, if any."""


def tell(events: list[AnyEvent]) -> list[StoryLine]:
    """The whole story so far."""
    state, lines = History([]), []
    for event in events:
        state.add(event)
        if entry := line(event, state):
            lines.append(entry)
    return lines


def line(event: AnyEvent, history: History) -> StoryLine | None:
    """The line for an event, given the state after it; None for events that are not shown."""
    describe = LINES.get(type(event))
    return None if describe is None else describe(event, history)


def _started(event: StudyStarted, _: History) -> StoryLine:
    return StoryLine(event.at, f"study {event.study}: {plain(event.idea.title)}", "title")


def _resumed(event: StudyResumed, _: History) -> StoryLine:
    return StoryLine(event.at, "resumed", "aside")


def _model_called(event: ModelCalled, _: History) -> StoryLine:
    dollars = f", ${event.usage.dollars:.4f}" if event.usage.dollars else ""
    text = f"  model call {event.call}: {event.usage.tokens:,} tokens{dollars}, {event.seconds:.1f} s"
    return StoryLine(event.at, text, "aside")


def _launched(event: AttemptLaunched, _: History) -> StoryLine:
    return StoryLine(event.at, f"  run {event.run}, attempt {event.attempt}: launched")


def _ended(event: AttemptEnded, history: History) -> StoryLine | None:
    if event.first:
        n = len(history.launched.seeds) if history.launched else 0
        which = f"first {n} of {len(history.begun.seeds)} seeds"
        return StoryLine(event.at, f"  run {event.run}: its {which} took {event.seconds:.1f} s")
    if event.outcome == "ok":
        return None
    last = plain(event.message.strip().splitlines()[-1]) if event.message.strip() else ""
    what = f"  run {event.run}, attempt {event.attempt}"
    return StoryLine(event.at, f"{what}: {event.outcome} after {event.seconds:.1f} s: {last}", "bad")


def _confirmation_asked(event: ConfirmationAsked, _: History) -> StoryLine:
    if not event.looks:
        return StoryLine(event.at, f"  run {event.run}: re-run on fresh seeds {_span(event.seeds)}")
    looks = ", ".join(map(str, event.looks))
    text = f"  run {event.run} and the baseline: measured on fresh seeds from {event.seeds[0]} on, in looks at {looks}"
    return StoryLine(event.at, f"{text} seeds")


def _seeds_measured(event: SeedsMeasured, history: History) -> StoryLine:
    what = "the baseline" if event.baseline else f"run {event.run}"
    if event.outcome != "ok":
        text = f"  {what} on fresh seeds {_span(event.seeds)}: {event.outcome}: {plain(event.message)}"
        return StoryLine(event.at, text, "bad")
    metric = _primary_means(event, history)
    return StoryLine(event.at, f"  {what} on fresh seeds {_span(event.seeds)}: {metric}, {duration(event.seconds)}")


def _primary_means(event: SeedsMeasured, history: History) -> str:
    """The mean of the primary metric on each dataset that is confirmed."""
    run = history.runs.get(event.run)
    primary = next((c.metric for c in run.primary), "") if run else ""
    shown = {dataset: scores[primary] for dataset, scores in event.scores.items() if primary in scores}
    parts = [f"{f'{plain(d)} ' if len(shown) > 1 else ''}{number(mean(values))}" for d, values in [*shown.items()][:3]]
    more = f", … ({len(shown)} datasets)" if len(shown) > len(parts) else ""
    return f"{plain(primary)} {', '.join(parts)}{more}"


def _plots(event: PlotsDrawn, _: History) -> StoryLine | None:
    if event.message:
        return StoryLine(event.at, f"  plot.py failed: {plain(event.message)}", "bad")
    return StoryLine(event.at, f"  {len(event.files)} plots drawn", "aside") if event.files else None


def _stopped(event: StudyStopped, _: History) -> StoryLine:
    tone: Tone = "good" if event.status == "done" else "bad"
    return StoryLine(event.at, f"{event.status}: {plain(event.reason, REASON)}", tone)


def _turn(event: TurnEnded, _: History) -> StoryLine | None:
    if event.purpose == "finish" and event.status == "nothing":
        return None
    if event.status == "rejected":
        return StoryLine(event.at, f"  turn {event.turn}: edit rolled back: {plain(event.problems[0])}", "bad")
    what = {
        "edited": f"edited {', '.join(plain(name) for name in event.changed)}",
        "nothing": "no file changed",
        "done": "the agent is done"
        + (f" and edited {', '.join(plain(n) for n in event.changed)}" if event.changed else ""),
        "replicate": f"asks to repeat run {event.replicate_of}",
    }[event.status]
    said = f" — {plain(event.said)[:100]}" if event.said else ""
    return StoryLine(event.at, f"  turn {event.turn}: {what}{said}")


def _checked(event: EditChecked, _: History) -> StoryLine | None:
    if not event.findings:
        return None
    first = event.findings[0]
    return StoryLine(event.at, f"  not launched, {first.check}: {plain(str(first))}", "bad")


def _recorded(event: Recorded, history: History) -> StoryLine | None:
    if event.run is None or not event.comparisons:
        return None
    what = f"run {event.run}" + (f" ({event.stopped}; {duration(event.saved)} saved)" if event.stopped else "")
    return _judged(event, what, event.run, history)


def _confirmation(event: ConfirmationEnded, history: History) -> StoryLine:
    what = f"run {event.run}" if event.run else "the baseline"
    if event.outcome != "ok":
        return StoryLine(event.at, f"  {what} on fresh seeds: {event.outcome}: {plain(event.message)}", "bad")
    if not event.run:
        text = f"  the baseline on fresh seeds {_span(event.seeds)}: {duration(event.seconds)}"
        return StoryLine(event.at, text)
    looked = next((c for c in event.comparisons if c.look and c.primary), None)
    where = "fresh seeds" if looked is None else f"{looked.n} fresh seeds (look {looked.look}: {event.why})"
    return _judged(event, f"run {event.run} on {where}", event.run, history)


def _judged(event: Recorded | ConfirmationEnded, what: str, run: int, history: History) -> StoryLine:
    """The primary metric and its verdict on each dataset; datasets with nothing notable are only counted."""
    judged = verdicts.judge_confirmed(history) if isinstance(event, ConfirmationEnded) else verdicts.judge(history)
    words = {dataset: word for dataset, (word, _) in judged.get(run, {}).items()}
    primary = [c for c in event.comparisons if c.primary and c.dataset in words]
    shown = [c for c in primary if len(primary) == 1 or words[c.dataset] not in ("inconclusive", "unchanged")]
    parts = [
        f"{c.metric}{f' on {plain(c.dataset)}' if len(primary) > 1 else ''} {number(c.mean)}, "
        f"baseline {number(c.baseline_mean)}: {words[c.dataset]}"
        for c in shown
    ]
    others = Counter(words[c.dataset] for c in primary if c not in shown)
    parts += [f"{count} dataset{'s' if count > 1 else ''} {word}" for word, count in others.items()]
    verdict = verdicts.in_one_word(history)[run]
    why = " (the values are exactly those of other seeds again: HARNESS_SEEDS has no effect)" if event.repeats else ""
    return StoryLine(event.at, f"  {what}: {'; '.join(parts)}{why}", "verdict", verdict)


def _span(seeds: tuple[int, ...]) -> str:
    return f"{seeds[0]}–{seeds[-1]}" if len(seeds) > 1 else str(seeds[0])


LINES: dict[type, Callable[[Any, History], StoryLine | None]] = {
    StudyStarted: _started,
    StudyResumed: _resumed,
    ModelCalled: _model_called,
    TurnEnded: _turn,
    EditChecked: _checked,
    AttemptLaunched: _launched,
    AttemptEnded: _ended,
    Recorded: _recorded,
    ConfirmationAsked: _confirmation_asked,
    SeedsMeasured: _seeds_measured,
    ConfirmationEnded: _confirmation,
    PlotsDrawn: _plots,
    StudyStopped: _stopped,
}
"""Type of event → the function that describes it."""
