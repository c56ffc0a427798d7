"""What the commit of an edit says. Pure."""

from __future__ import annotations

from harness.state.events import ConfirmationEnded, Recorded
from harness.state.history import History
from harness.text import number


def message(recorded: Recorded, history: History) -> str:
    """Subject, what the agent said, and trailers that `git log` and `git interpret-trailers` understand."""
    turn = history.turn
    said = turn.said if turn else ""
    trailers = [f"Turn: {recorded.turn}"]
    if recorded.run is not None:
        trailers += [f"Run: {recorded.run}", f"Attempt: {recorded.attempt}"]
    trailers += [f"Outcome: {recorded.outcome}"]
    trailers += [f"Metric-{_key(c.metric, c.dataset, recorded)}: {c.mean:.6g}" for c in recorded.comparisons]
    return "\n\n".join(part for part in (_subject(recorded), said, "\n".join(trailers)) if part)


def confirmation_message(ended: ConfirmationEnded) -> str:
    """What the commit of a run's results on fresh seeds says."""
    results = [
        f"{c.metric} on {c.dataset} {number(c.mean)} (baseline {number(c.baseline_mean)})"
        for c in ended.comparisons
        if c.primary
    ]
    what = f"Seeds {', '.join(map(str, ended.seeds))}: {', '.join(results)}"
    return f"Run {ended.run} on fresh seeds\n\n{what}\n\nRun: {ended.run}\nOutcome: {ended.outcome}"


def _subject(recorded: Recorded) -> str:
    match recorded.came_to:
        case "notes":
            return "Notes and plots"
        case "check":
            return f"Not launched: {recorded.outcome} check"
        case "budget":
            return "Not launched: the budget is spent"
    start = f"Run {recorded.run}, attempt {recorded.attempt}: {recorded.outcome}"
    primary = [
        f"{c.metric} {number(c.mean)} (baseline {number(c.baseline_mean)})" for c in recorded.comparisons if c.primary
    ]
    return f"{start}, {', '.join(primary)}" if primary else start


def _key(metric: str, dataset: str, recorded: Recorded) -> str:
    several = len({c.dataset for c in recorded.comparisons}) > 1
    name = f"{dataset}-{metric}" if several else metric
    return "".join(ch if ch.isalnum() else "-" for ch in name)
