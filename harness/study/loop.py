"""One idea, start to finish. Read this file first.

A study is a journal, a git branch and a folder. `work` takes it from where its journal ends to the end of the study,
one step at a time: the agent edits, the edit is checked, the experiment is launched, the result is judged and
committed, and the next prompt reports it. The next step follows from the journal's events alone and is decided in one
place (`planning/next_step.py`). This module does the steps and writes an event after each. So a study that was killed
at any point is resumed by calling `work` again.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress

from harness import prompts
from harness.agents import Instruction, turns
from harness.agents.turns import RecordedTurn
from harness.checks import Check as EditCheck
from harness.checks import first_findings
from harness.checks.heldout import HeldOutCheck
from harness.checks.lint import LintCheck
from harness.checks.noop import NoOpCheck
from harness.checks.smoke import SmokeCheck
from harness.errors import HarnessError, TemplateFault, WorkerDied, WorkspaceError
from harness.execution import process
from harness.files import write_whole
from harness.planning import budget, confirming
from harness.planning.next_step import is_under_way
from harness.planning.steps import Ask, Check, Confirm, DrawPlots, EndConfirmation, Measure, Record, Step, Stop
from harness.records import Reply
from harness.state.events import (
    AttemptEnded,
    ConfirmationAsked,
    EditChecked,
    PlotsDrawn,
    Recorded,
    StudyStopped,
    TurnEnded,
    TurnStarted,
)
from harness.study.commits import message
from harness.study.judging import compare_attempt, compare_pooled, repeats_earlier_seeds
from harness.study.measure import end_confirmation, measure
from harness.study.study import Study
from harness.study.taking import take
from harness.text import LINE
from harness.workspace import Desk

MOST_PLOTS = 100
"""Names of plots that the journal keeps."""
RESULTS = ("final_info.json", "verified.json")
"""Files of a run that are committed with the code that made them."""


def work(study: Study) -> StudyStopped:
    """Work until the study is done, the budget is spent, the model does not answer or the user stops it."""
    try:
        while not isinstance(step := study.next_step(), Stop):
            do(study, step)
        study.workspace.desk(study.paths.desk).remove()
        stopped = StudyStopped(status=step.status, reason=step.reason)
    except KeyboardInterrupt:
        stopped = StudyStopped(status="interrupted", reason="stopped by the user")
    except TemplateFault as error:
        stopped = StudyStopped(status="failed", reason=str(error))
    except HarnessError as error:
        stopped = StudyStopped(status="paused", reason=str(error))
    with suppress(WorkspaceError):  # what made a study pause can be that git fails
        study.workspace.point_at(study.history.commit)
        study.workspace.restore(study.history.tree)
    study.happened(stopped)
    return stopped


def do(study: Study, step: Step) -> None:
    """Do one step, and write the event that it ends with to the journal."""
    match step:
        case Ask():
            ask(study, step)
        case Check(turn):
            check(study, turn)
        case Measure():
            measure(study, step)
        case Record():
            record(study, step)
        case Confirm():
            study.happened(ConfirmationAsked(**vars(step)))
        case EndConfirmation():
            end_confirmation(study, step)
        case DrawPlots():
            draw_plots(study)


def ask(study: Study, step: Ask) -> None:
    """Prompt the agent, and accept its whole edit or none of it."""
    history, workspace, base = study.history, study.workspace, step.base
    before = history.tree if base is None else workspace.with_code_of(base, history.tree)
    desk = workspace.desk(study.paths.desk)
    desk.lay_out(before, study.template.protected)
    turn = len(history.turns) + 1
    text = prompt(study, step)
    write_whole(study.paths.prompt(turn), text)
    study.doing(f"turn {turn}: asking {history.begun.model or history.begun.agent}")
    study.happened(TurnStarted(turn=turn, purpose=step.purpose, why=step.why or "", base=base))
    used = history.usage
    reply = edit(study, Instruction(step.purpose, text, history), desk)
    ended = take(study, turn, step.purpose, before, desk.take(), reply)
    patch, encoding = turns.as_text(
        workspace.exact_patch(before, ended.tree) if ended.status in ("edited", "done") else b""
    )
    recorded = RecordedTurn(
        turn=turn,
        agent=history.begun.agent,
        how_to_edit=study.agent.how_to_edit,
        purpose=step.purpose,
        instruction=text,
        text=process.redacted(reply.text),
        problems=ended.problems,
        left_out=ended.left_out,
        patch=patch,
        encoding=encoding,
        usage=history.usage - used + reply.usage,
    )
    turns.keep(study.paths.turns, recorded)
    study.happened(ended)


def edit(study: Study, instruction: Instruction, desk: Desk) -> Reply:
    """Have the agent edit; an agent that fails in any way pauses the study.

    Raises:
        StudyPaused: there is no answer.
    """
    try:
        return study.agent.edit(instruction, desk.root)
    except HarnessError:
        raise
    except Exception as error:  # an agent may be anybody's code
        what = process.redacted(f"{type(error).__name__}: {error}")
        raise WorkerDied(f"the agent {study.history.begun.agent} failed: {what[:LINE]}") from error


def prompt(study: Study, step: Ask) -> str:
    """The instruction for the agent's next turn, without anything that looks like one of our keys."""
    history, manifest = study.history, study.template.manifest
    if step.purpose == "start":
        text = prompts.start(history, manifest, budget.left(history), study.agent.how_to_edit)
    elif step.purpose == "next":
        text = prompts.following(history, budget.left(history), step.base)
    else:
        text = prompts.finish(history, manifest, step.why or "")
    return process.redacted(text)


def check(study: Study, turn: TurnEnded) -> None:
    """Check the edit, the cheapest check first."""
    study.doing(f"checking the edit of turn {turn.turn}")
    study.workspace.restore(turn.tree)
    digest = study.workspace.executed_digest()
    findings = first_findings(checks(study, turn), study.workspace)
    study.happened(EditChecked(turn=turn.turn, findings=findings, digest=digest))


def checks(study: Study, turn: TurnEnded) -> list[EditCheck]:
    """The checks that an edit must pass. A replicate may run code that ran before."""
    found: list[EditCheck] = [NoOpCheck(study.history.digests)] if turn.replicate_of is None else []
    found += [LintCheck(), HeldOutCheck()]
    if study.template.manifest.smoke is None:
        return [*found, study.type_check]
    name, tick = f"smoke-turn_{turn.turn}", study.ticker("smoke run")
    return [*found, SmokeCheck(study.launcher, name, tick, study.type_check)]


def record(study: Study, step: Record) -> None:
    """Commit an edit with its result and judge the result. Doing it again gives the same commit."""
    history, workspace, ended = study.history, study.workspace, step.ended
    recorded = Recorded(
        turn=step.turn.turn,
        came_to=step.came_to,
        outcome=step.outcome,
        commit="",
        stopped=step.stopped,
        saved=step.saved,
    )
    if ended is not None:
        recorded = _judge(study, recorded, ended)
    gave_result = ended is not None and ended.outcome == "ok"
    results = [f"run_{recorded.run}/{name}" for name in RESULTS] if gave_result else []
    tree = workspace.with_results(step.turn.tree, results)
    commit = workspace.commit(tree, history.commit, message(recorded, history), step.at)
    if gave_result:
        workspace.tag(f"run_{recorded.run}", commit)
    study.happened(recorded.model_copy(update={"commit": commit, "tree": tree, "at": time.time()}))


def _judge(study: Study, recorded: Recorded, ended: AttemptEnded) -> Recorded:
    """What is recorded of an attempt. The output of a failed attempt is moved out of the way of the next."""
    history, metrics = study.history, study.template.manifest.metrics
    more: dict[str, object] = {"run": ended.run, "attempt": ended.attempt}
    if ended.outcome == "ok":
        more["comparisons"] = compare_attempt(ended, history, metrics)
        more["repeats"] = repeats_earlier_seeds(ended, history, metrics)
        more["pooled"] = () if more["repeats"] else compare_pooled(ended, history, metrics)
    else:
        more["abandoned"] = ended.attempt >= history.begun.budget.attempts
        out_dir, kept = study.paths.run(ended.run), study.paths.failed_output(ended.run, ended.attempt)
        if out_dir.exists() and not kept.exists():
            shutil.move(out_dir, kept)
    return recorded.model_copy(update=more)


def draw_plots(study: Study) -> None:
    """Plot what the runs saved."""
    if not study.template.manifest.has_plots:
        study.happened(PlotsDrawn())
        return
    paths, tree = study.paths, study.history.tree
    study.workspace.restore(tree)
    job = paths.job(f"plot-turn_{len(study.history.turns)}")
    wrong = study.launcher.plot(paths.root, job, paths.plots, study.ticker("plot.py"))
    figures = job.with_name(f"{job.name}-figures")
    if failed := study.launcher.figures(paths.root, figures, paths.plots, study.ticker("figures.py")):
        study.watcher.note(failed)  # the agent cannot mend it
    study.workspace.restore(tree)
    names = sorted(path.name for path in paths.plots.iterdir()) if paths.plots.is_dir() else []
    files = tuple(os.fsencode(name).decode(errors="replace") for name in names[:MOST_PLOTS])
    study.happened(PlotsDrawn(files=files, message=wrong))


def confirm(study: Study, run: int | None) -> int:
    """Confirm a run of a study that is not running, or finish a confirmation, and leave the study as it was.

    Returns:
        The run.

    Raises:
        UserError: the run cannot be confirmed, see `confirming.choose`.
        TemplateFault: the run could not be measured; confirming can be tried again.
    """
    history = study.history
    try:
        number = confirming.choose(history, run, is_under_way(history))
        if history.confirming is None:
            do(study, confirming.plan(history, study.template.manifest, number, by_hand=True))
        while (asked := history.confirming) is not None:
            try:
                do(study, study.next_step())
            except TemplateFault as error:
                end_confirmation(study, EndConfirmation(asked.run, "crashed", str(error)))
                raise
    except KeyboardInterrupt:
        if history.confirming is not None:
            study.happened(StudyStopped(status="interrupted", reason="stopped by the user during a confirmation"))
        raise
    finally:
        study.workspace.restore(history.tree)
        if history.confirming is None and (before := history.stopped_before) is not None:
            study.happened(before.model_copy(update={"at": time.time()}))
    return number
