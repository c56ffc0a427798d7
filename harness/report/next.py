"""What a study will do next, in words."""

from __future__ import annotations

from harness import plugins
from harness.paths import StudyPaths
from harness.planning.next_step import next_step
from harness.planning.steps import (
    Ask,
    Check,
    Confirm,
    DrawPlots,
    EndConfirmation,
    Fresh,
    Measure,
    Record,
    Step,
    Stop,
)
from harness.planning.strategies import BUILT_IN
from harness.state.history import History
from harness.template.folder import Template


def next_of(paths: StudyPaths, history: History) -> str:
    """What a study will do when it continues."""
    strategy = plugins.find("strategy", history.begun.strategy, BUILT_IN)()
    return in_words(next_step(history, Template(paths.pinned).manifest, strategy))


def in_words(step: Step) -> str:
    if isinstance(step, Measure):
        return _launch(step)
    match step:
        case Ask(purpose="finish"):
            return "ask the agent for its notes and plots"
        case Ask():
            return "ask the agent for the next edit"
        case Check(turn):
            return f"check the edit of turn {turn.turn}"
        case Record(turn):
            return f"record the result of turn {turn.turn}"
        case Confirm(run) | EndConfirmation(run):
            return f"confirm run {run}"
        case DrawPlots():
            return "draw the plots"
        case Stop(status, reason):
            return f"stop ({status}: {reason})"


def _launch(step: Measure) -> str:
    of = step.of
    if isinstance(of, Fresh):
        return f"launch {'the baseline' if of.baseline else f'run {of.run}'} on fresh seeds"
    if of.part == "others":
        return f"launch or collect run {of.run}, attempt {of.attempt}, on its other seeds"
    return f"launch {'or collect ' if of.announced else ''}run {of.run}, attempt {of.attempt}"
