"""Events and numbers as a person reads them. Text from agents and experiments is made harmless here."""

from __future__ import annotations

import time
from collections import Counter

from harness.prompts import number
from harness.records import Comparison
from harness.report.curves import Point, differences
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
    StudyResumed,
    StudyStarted,
    StudyStopped,
    TurnEnded,
    TurnStarted,
)
from harness.state.history import History
from harness.text import clean

BAR = 24
REASON = 2000
"""Characters of the reason why a study stopped that are shown."""
GOOD, BAD, PLAIN, DIM = "green", "red", "default", "dim"
VERDICT_STYLE = {
    "better": "bold green",
    "promising, unconfirmed": "green",
    "not confirmed": "yellow",
    "worse": "bold red",
    "inconclusive": "yellow",
}


def line(event: AnyEvent, history: History) -> tuple[str, str] | None:
    """One line for an event and its style; None for events that nobody needs to see."""
    match event:
        case StudyStarted():
            return f"study {event.study}: {plain(event.idea.title)}", "bold"
        case StudyResumed():
            return "resumed", DIM
        case ModelCalled():
            dollars = f", ${event.usage.dollars:.4f}" if event.usage.dollars else ""
            return f"  model call {event.call}: {event.usage.tokens:,} tokens{dollars}, {event.seconds:.1f} s", DIM
        case TurnEnded():
            return _turn(event)
        case EditChecked():
            return _checked(event)
        case AttemptLaunched():
            return f"  run {event.run}, attempt {event.attempt}: launched", PLAIN
        case AttemptEnded() if event.outcome != "ok":
            last = plain(event.message.strip().splitlines()[-1]) if event.message.strip() else ""
            return (
                f"  run {event.run}, attempt {event.attempt}: {event.outcome} after {event.seconds:.1f} s: {last}",
                BAD,
            )
        case Recorded():
            return _recorded(event, history)
        case ConfirmationAsked():
            return f"  run {event.run}: measured again on fresh seeds {_span(event.seeds)}", PLAIN
        case ConfirmationEnded():
            return _confirmation(event, history)
        case PlotsDrawn():
            if event.message:
                return f"  plot.py failed: {plain(event.message)}", BAD
            return (f"  {len(event.files)} plots drawn", DIM) if event.files else None
        case StudyStopped():
            return f"{event.status}: {plain(event.reason, REASON)}", GOOD if event.status == "done" else BAD
        case AttemptEnded() | TurnStarted():
            return None


def _turn(event: TurnEnded) -> tuple[str, str] | None:
    if event.purpose == "finish" and event.status == "nothing":
        return None
    if event.status == "rejected":
        return f"  turn {event.turn}: edit rolled back: {plain(event.problems[0])}", BAD
    what = {
        "edited": f"edited {', '.join(plain(name) for name in event.changed)}",
        "nothing": "no file changed",
        "done": "the agent is done",
        "replicate": f"asks to repeat run {event.replicate_of}",
    }[event.status]
    said = f" — {plain(event.said)[:100]}" if event.said else ""
    return f"  turn {event.turn}: {what}{said}", PLAIN


def _checked(event: EditChecked) -> tuple[str, str] | None:
    if not event.findings:
        return None
    first = event.findings[0]
    return f"  not launched, {first.check}: {plain(str(first))}", BAD


def _recorded(event: Recorded, history: History) -> tuple[str, str] | None:
    if event.run is None or not event.comparisons:
        return None
    return _judged(f"run {event.run}", event.run, event.comparisons, history)


def _confirmation(event: ConfirmationEnded, history: History) -> tuple[str, str]:
    what = f"run {event.run}" if event.run else "the baseline"
    if event.outcome != "ok":
        return f"  {what} on fresh seeds: {event.outcome}: {plain(event.message)}", BAD
    if not event.run:
        return f"  the baseline on fresh seeds {_span(event.seeds)}: {duration(event.seconds)}", PLAIN
    return _judged(f"run {event.run} on fresh seeds", event.run, event.comparisons, history)


def _judged(what: str, run: int, comparisons: tuple[Comparison, ...], history: History) -> tuple[str, str]:
    """The primary metric on every dataset with its verdict; of several datasets, those without news are counted."""
    words = {dataset: word for dataset, (word, _) in verdicts.judge(history).get(run, {}).items()}
    primary = [c for c in comparisons if c.primary and c.dataset in words]
    told = [c for c in primary if len(primary) == 1 or words[c.dataset] not in ("inconclusive", "unchanged")]
    parts = [
        f"{c.metric}{f' on {plain(c.dataset)}' if len(primary) > 1 else ''} {number(c.mean)}, "
        f"baseline {number(c.baseline_mean)}: {words[c.dataset]}"
        for c in told
    ]
    others = Counter(words[c.dataset] for c in primary if c not in told)
    parts += [f"{count} dataset{'s' if count > 1 else ''} {word}" for word, count in others.items()]
    return f"  {what}: {'; '.join(parts)}", VERDICT_STYLE.get(verdicts.in_one_word(history)[run], PLAIN)


def disagreements(history: History) -> list[str]:
    """Where experiments reported other values than the evaluator found, a line each."""
    return [
        f"run {run.number}: reported and verified differ: {plain(sentence)}"
        for run in history.measured
        for sentence in verdicts.disagreements(history, run)
    ]


def elsewhere(history: History) -> list[str]:
    """What was measured on another kind of machine than the baseline, a line for each kind."""
    home, kinds = history.begun.baseline_machine, history.elsewhere()
    if home is None:
        return []
    by_difference: dict[str, list[str]] = {}
    for what, machine in kinds.items():
        by_difference.setdefault("; ".join(machine.differences(home)), []).append(what)
    return [
        f"{', '.join(what)}: measured on another kind of machine than the baseline ({plain(difference)}), "
        "so equal values are no proof of equal code"
        for difference, what in by_difference.items()
    ]


def curves(study: list[Point], control: list[Point], names: tuple[str, str]) -> list[str]:
    """Best so far of a study and its control, run by run, and their difference at equal cost."""
    values = [point.best for point in (*study, *control)]
    low, high = min(values), max(values)

    def cell(points: list[Point], run: int) -> str:
        value = next((p.best for p in points if p.run == run), None)
        if value is None:
            return ""
        length = round(1 + (BAR - 1) * (value - low) / (high - low)) if high > low else BAR
        return f"{number(value):10} {'█' * length}"

    last = max(study[-1].run, control[-1].run)
    rows = [["run", *names], *([str(run), cell(study, run), cell(control, run)] for run in range(last + 1))]
    equal = [
        f"{d.at}: {number(d.study)} against {number(d.control)}, a difference of {d.difference:+.3g}"
        for d in differences(study, control)
    ]
    return [*columns(rows).splitlines(), *equal]


def _span(seeds: tuple[int, ...]) -> str:
    return f"{seeds[0]}–{seeds[-1]}" if len(seeds) > 1 else str(seeds[0])


def plain(text: str, most: int = 300) -> str:
    """One line without control characters, of bounded length."""
    joined = " ".join(part.strip() for part in clean(text[:4000]) if part.strip())
    return joined[:most]


def columns(rows: list[list[str]], ragged: bool = True) -> str:
    """Rows with their cells one below the other; `ragged` without spaces at their ends."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() if ragged else line for line in lines)


def when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
