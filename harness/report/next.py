"""What a study will do next, in words."""

from __future__ import annotations

from harness import plugins
from harness.paths import StudyPaths
from harness.planning.next_step import next_step
from harness.planning.steps import (
    Ask,
    Attempt,
    Check,
    Confirm,
    DrawPlots,
    GiveUpConfirmation,
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
    match step:
        case Ask(purpose="finish"):
            return "ask the agent for its notes and plots"
        case Ask():
            return "ask the agent for the next edit"
        case Check(turn):
            return f"check the edit of turn {turn.turn}"
        case Measure(of=Attempt() as of):
            return f"launch {'or collect ' if of.announced else ''}run {of.run}, attempt {of.attempt}"
        case Measure(of=of):
            return f"launch {f'run {of.run}' if of.run else 'the baseline'} on fresh seeds"
        case Record(turn):
            return f"record the result of turn {turn.turn}"
        case Confirm(run) | GiveUpConfirmation(run):
            return f"confirm run {run}"
        case DrawPlots():
            return "draw the plots"
        case Stop(status, reason):
            return f"stop ({status}: {reason})"
