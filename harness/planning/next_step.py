"""What a study does next, given everything that has happened to it. Pure, and the only place that decides this.

To resume a study that was killed at any point, ask again: the answer depends only on the journal's events.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from harness.errors import JournalCorrupt
from harness.planning import budget, confirming, racing
from harness.planning.steps import Ask, Attempt, Check, DrawPlots, Measure, Record, Step, Stop
from harness.planning.strategies import Strategy
from harness.state.events import AttemptEnded, AttemptLaunched, EditChecked, TurnEnded
from harness.state.history import History
from harness.template.manifest import Manifest

FINISHING_TURNS = 3
"""How often the agent may try to get its notes and plots right."""


def next_step(history: History, manifest: Manifest, strategy: Strategy) -> Step:
    """The one step that comes next.

    Args:
        history: of the study; why it was stopped does not matter.
        manifest: of the pinned template.
        strategy: chooses the code that the next run starts from.
    """
    if history.confirming is not None:
        return confirming.next_launch(history, manifest, history.confirming)
    turn = history.turn
    if turn is not None and history.unfinished is None:  # an interrupted turn is repeated
        step = _after(turn, history, manifest)
        if step is not None:
            return step
    return _next_turn(history, manifest, strategy)


def is_under_way(history: History) -> bool:
    """Whether there is an accepted edit whose outcome is not recorded yet."""
    turn = history.turn
    return turn is not None and history.unfinished is None and _is_edit(turn) and history.recorded is None


def _after(turn: TurnEnded, history: History, manifest: Manifest) -> Step | None:
    """What a finished turn leads to; None if it leads to nothing more than the next turn."""
    finishing = turn.purpose == "finish"
    if _is_edit(turn) and history.recorded is None:
        return Record(turn, "notes", "notes", turn.at) if finishing else _after_edit(turn, history, manifest)
    if not finishing and turn.status == "done" and turn.changed and history.recorded is None:
        return Record(turn, "notes", "notes", turn.at)
    if not finishing or turn.status == "rejected":
        return None
    if history.plots is None:
        return DrawPlots()
    agent_broke_them = history.plots.message and turn.status == "edited"
    return None if agent_broke_them else _end(history)


def _is_edit(turn: TurnEnded) -> bool:
    return turn.status in ("edited", "replicate")


def _after_edit(turn: TurnEnded, history: History, manifest: Manifest) -> Step:
    """Check, launch and record; an edit with findings is recorded at once."""
    checked = history.checked
    if checked is None:
        return Check(turn)
    if checked.findings:
        return Record(turn, "check", checked.findings[0].check, checked.at)
    if history.ended is not None:
        return Record(turn, "attempt", history.ended.outcome, history.ended.at, history.ended)
    if history.first is not None:
        return _after_first_seeds(turn, history.first, history, manifest)
    if history.launched is None and budget.why_spent(history):
        return Record(turn, "budget", "budget", turn.at)
    return _launch(turn, checked, history, manifest)


def _launch(turn: TurnEnded, checked: EditChecked, history: History, manifest: Manifest) -> Measure:
    """The launch for an edit, which an earlier controller may already have begun."""
    launched = history.launched
    if launched is not None:
        of, seeds = _announced(launched), launched.seeds
    else:
        of = Attempt(*history.next_attempt(), turn.tree, checked.digest, turn.replicate_of)
        again = turn.replicate_of is not None
        seeds = history.fresh_seeds(len(history.begun.seeds)) if again else racing.first_seeds(history, manifest)
    part: Literal["first", "whole"] = "first" if seeds and of.replicate_of is None else "whole"
    return Measure(replace(of, part=part), seeds, f"run_{of.run}-attempt_{of.attempt}")


def _announced(launched: AttemptLaunched) -> Attempt:
    run, attempt, replicate_of = launched.run, launched.attempt, launched.replicate_of
    return Attempt(run, attempt, launched.tree, launched.digest, replicate_of, announced=True)


def _after_first_seeds(turn: TurnEnded, first: AttemptEnded, history: History, manifest: Manifest) -> Step:
    """The launch on a run's other seeds, or its end without them."""
    stop = racing.early_stop(history, manifest, first)
    if stop is not None:
        return Record(turn, "attempt", first.outcome, first.at, first, stop.why, stop.saved)
    if history.launched is None:
        raise JournalCorrupt(f"run {first.run} has a result on its first seeds and was not launched")
    of = replace(_announced(history.launched), part="others")
    return Measure(of, racing.other_seeds(history), f"run_{of.run}-attempt_{of.attempt}-other_seeds")


def _next_turn(history: History, manifest: Manifest, strategy: Strategy) -> Step:
    """Another turn of the agent or, if there are no more runs: confirmations, notes, plots and the end."""
    why = budget.why_no_more_runs(history)
    if why is None and not history.turns:
        return Ask("start")
    if why is None:
        return Ask("next", base=strategy.base(history) if history.just_measured else None)
    if not history.measured:
        return _end(history)
    confirmation = confirming.next_confirmation(history, manifest)
    if confirmation is not None:
        return confirmation
    if manifest.for_the_end and history.finishing_turns < FINISHING_TURNS and not budget.why_spent(history):
        return Ask("finish", why=why)
    return DrawPlots() if history.plots is None else _end(history)


def _end(history: History) -> Stop:
    why = budget.why_no_more_runs(history) or "nothing is left to do"
    if not history.measured:
        return Stop("failed", f"no run gave a result: {why}")
    return Stop("done", why)
