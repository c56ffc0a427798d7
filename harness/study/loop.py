"""One idea, start to finish. Read this file first.

A study is a journal, a git branch and a folder. `work` takes it from wherever its journal stands to its end, one step
at a time: the agent edits, the edit is checked, the experiment is launched, the result is judged and committed, and
what came of it is the next prompt. Every step writes an event when it is done, and the next step follows from the
events alone (`history.stage`), so a study that was killed anywhere is resumed by simply working on.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from harness import prompts
from harness.agents import Agent, Instruction
from harness.checks import Check, first_findings
from harness.checks.heldout import HeldOutCheck
from harness.checks.lint import LintCheck
from harness.checks.noop import NoOpCheck
from harness.checks.scope import ScopeCheck
from harness.checks.smoke import SmokeCheck
from harness.checks.types import TypeCheck, accepted_errors
from harness.errors import HarnessError, TemplateFault
from harness.execution import process
from harness.execution.executors import is_under_way
from harness.execution.launcher import Launcher, Tick, Trial
from harness.models import append_to_recording
from harness.paths import StudyPaths
from harness.planning import budget
from harness.planning.strategies import Strategy
from harness.records import Call, Comparison, Purpose, Reply, Scores, write_whole
from harness.results.compare import against_baseline, pooled
from harness.state.events import (
    AnyEvent,
    AttemptEnded,
    AttemptLaunched,
    EditChecked,
    ModelCalled,
    PlotsDrawn,
    Recorded,
    StudyStopped,
    TurnEnded,
    TurnStarted,
    TurnStatus,
)
from harness.state.history import History
from harness.state.journal import Journal
from harness.study import confirm
from harness.study.commits import message
from harness.template.folder import Template
from harness.text import first_sentence
from harness.workspace import Workspace

MOST_PLOTS = 100
"""Names of plots that the journal keeps."""
FINISHING_TURNS = 3
"""How often the agent may try to get its notes and plots right."""


class Watcher(Protocol):
    """Whoever looks on while a study is worked on."""

    def happened(self, event: AnyEvent, history: History) -> None: ...

    def running(self, what: str, seconds: float, last_line: str, history: History) -> None: ...

    def note(self, text: str) -> None: ...


@dataclass
class Study:
    """A study that is being worked on."""

    paths: StudyPaths
    template: Template
    """The pinned copy, not the project's."""
    workspace: Workspace
    journal: Journal
    agent: Agent
    strategy: Strategy
    launcher: Launcher
    watcher: Watcher
    history: History = field(init=False)

    def __post_init__(self) -> None:
        self.history = History(self.journal.events)
        self.budget = self.history.begun.budget

    def work(self) -> StudyStopped:
        """Go on until there is nothing left to do, no budget, no answer from the model, or the user says stop."""
        try:
            while (ending := self.step()) is None:
                pass
        except KeyboardInterrupt:
            ending = StudyStopped(status="interrupted", reason="stopped by the user")
        except TemplateFault as error:
            ending = StudyStopped(status="failed", reason=str(error))
        except HarnessError as error:
            ending = StudyStopped(status="paused", reason=str(error))
        self.happened(ending)
        return ending

    def step(self) -> StudyStopped | None:
        """Do the one thing that comes next; a value means that the study is over."""
        match self.history.stage:
            case "ask":
                return self.ask_or_stop()
            case "check":
                self.check()
            case "launch":
                self.launch_or_leave()
            case "record":
                self.record()
            case "confirm":
                confirm.step(self)
            case "plot":
                self.plot()
            case "over":
                return self.ending()
        return None

    def ask_or_stop(self) -> StudyStopped | None:
        """Another turn of the agent, unless enough is done: then its notes, the plots, the end."""
        enough = budget.enough(self.budget, self.history)
        if not enough:
            self.ask("next" if self.history.turns else "start")
        elif not self.history.measured:
            return self.ending()
        elif (promising := confirm.due(self)) is not None:
            confirm.ask(self, promising)
        elif self.may_finish():
            self.ask("finish")
        elif self.history.plots is None:
            self.plot()
        else:
            return self.ending()
        return None

    def may_finish(self) -> bool:
        """Whether the agent is asked (again) for notes and plots: where there are such files, and money to ask."""
        asked_enough = self.history.finishing_turns >= FINISHING_TURNS
        files = self.template.manifest.for_the_end
        return bool(files) and not asked_enough and not budget.spent(self.budget, self.history)

    def ask(self, purpose: Purpose) -> None:
        """Prompt the agent; keep its edit whole, or nothing of it."""
        base = self.strategy.base(self.history) if purpose == "next" and self.history.just_measured else None
        before = self.history.tree if base is None else self.workspace.with_code_of(base, self.history.tree)
        self.workspace.restore(before)
        turn = len(self.history.turns) + 1
        text = self.prompt(purpose, base)
        write_whole(self.paths.prompt(turn), text)
        why = budget.enough(self.budget, self.history) if purpose == "finish" else ""
        self.happened(TurnStarted(turn=turn, purpose=purpose, why=why, base=base))
        reply = self.agent.edit(Instruction(purpose, text, self.history), self.workspace)
        self.happened(self.settled(turn, purpose, before, reply))

    def settled(self, turn: int, purpose: Purpose, before: str, reply: Reply) -> TurnEnded:
        """What a reply really did to the worktree, after anything that is not allowed was rolled back."""
        after = self.workspace.snapshot()
        outside = ScopeCheck(before, purpose).check(self.workspace)
        problems = (*reply.problems, *map(str, outside))
        changed = tuple(change.path for change in self.workspace.changes(before, after))
        status: TurnStatus = "edited"
        if problems:
            status = "rejected"
            write_whole(self.paths.rejected(turn), self.workspace.patch(before, after))
            self.workspace.restore(before)
        elif not changed:
            status = "done" if prompts.says_done(reply.text) else "nothing"
        may_repeat = purpose != "finish" and not problems and not changed
        replicate = self.replicate_asked(reply.text) if may_repeat else None
        if replicate is not None:
            status, after = "replicate", self.workspace.with_code_of(replicate, before)
        return TurnEnded(
            turn=turn,
            purpose=purpose,
            status=status,
            tree=after if status in ("edited", "replicate") else before,
            changed=changed,
            problems=problems,
            said=first_sentence(reply.text),
            replicate_of=replicate,
        )

    def replicate_asked(self, text: str) -> int | None:
        """The run that the agent wants run once more to see its noise, if it asks for one that there is."""
        asked = re.search(r"^REPLICATE run_(\d{1,6})\s*$", text, re.MULTILINE)
        run = int(asked[1]) if asked else -1
        return run if run in {r.number for r in self.history.measured} else None

    def check(self) -> None:
        """Hold the edit against every check, cheapest first."""
        turn = self.current_turn
        self.workspace.restore(turn.tree)
        digest = self.workspace.executed_digest()
        findings = first_findings(self.checks(turn), self.workspace)
        self.happened(EditChecked(turn=turn.turn, findings=findings, digest=digest))

    def checks(self, turn: TurnEnded) -> list[Check]:
        checks: list[Check] = [NoOpCheck(self.history.digests)] if turn.replicate_of is None else []
        checks += [LintCheck(), HeldOutCheck(), self.type_check]
        if self.template.manifest.smoke is not None:
            checks.append(SmokeCheck(self.launcher, f"smoke-turn_{turn.turn}", self.ticker("smoke run")))
        return checks

    def launch_or_leave(self) -> None:
        """Launch what passed the checks, if there is anything left to spend; else only commit it."""
        turn = self.current_turn
        if self.history.launched is None and budget.spent(self.budget, self.history):
            self.commit(Recorded(turn=turn.turn, outcome="budget", commit=""), turn.at)
        else:
            self.launch()

    def launch(self) -> None:
        """Run the experiment, or take up the launch that an earlier controller did not see the end of."""
        launched = self.history.launched or self.announce()
        if not is_under_way(self.job_of(launched)):
            self.workspace.restore(launched.tree)
        trial = self.untampered(launched.tree, self.trial(launched))
        self.happened(  # before anything is put back, so that what a run did is known after a crash too
            AttemptEnded(
                run=launched.run,
                attempt=launched.attempt,
                outcome=trial.outcome,
                seconds=round(trial.seconds, 3),
                peak_memory=trial.peak_memory,
                message=trial.message,
                reported=trial.reported,
                scores=trial.scores,
                machine=trial.machine,
            )
        )
        self.workspace.restore(launched.tree)

    def announce(self) -> AttemptLaunched:
        run, attempt = self.history.next_attempt()
        checked = self.history.checked
        assert checked is not None, "only a checked edit is launched"
        turn = self.current_turn
        launched = AttemptLaunched(
            run=run,
            attempt=attempt,
            tree=turn.tree,
            digest=checked.digest,
            replicate_of=turn.replicate_of,
            seeds=() if turn.replicate_of is None else self.history.fresh_seeds(len(self.history.begun.seeds)),
            sandbox=self.launcher.confinement,
        )
        self.happened(launched)
        return launched

    def trial(self, launched: AttemptLaunched) -> Trial:
        out_dir = self.paths.run(launched.run)
        what = f"run {launched.run}, attempt {launched.attempt}"
        job = self.job_of(launched)
        return self.complete(self.launcher.run(self.paths.root, job, out_dir, self.ticker(what), launched.seeds))

    def complete(self, trial: Trial) -> Trial:
        """The trial, unless it lacks a dataset of the baseline."""
        missing = sorted(set(self.history.begun.baseline) - set(trial.scores))
        if trial.outcome == "ok" and missing:
            message = f"final_info.json lacks the dataset {missing[0]!r}, which the baseline has"
            return Trial("no-metrics", trial.seconds, trial.peak_memory, message)
        return trial

    def untampered(self, tree: str, trial: Trial) -> Trial:
        """The trial, unless the experiment changed the code while it ran: then its metrics are worth nothing."""
        touched = self.workspace.touched(tree)
        if not touched:
            return trial
        message = f"while it ran, the experiment changed files of the study ({touched}); its results do not count"
        return Trial("tampered", trial.seconds, trial.peak_memory, message)

    def record(self) -> None:
        """Commit the edit with what came of it, and judge it if it gave a result."""
        history, turn = self.history, self.current_turn
        if turn.purpose == "finish":
            self.commit(Recorded(turn=turn.turn, outcome="notes", commit=""), turn.at)
        elif history.launched is None:
            checked = history.checked
            assert checked is not None and checked.findings
            self.commit(Recorded(turn=turn.turn, outcome=checked.findings[0].check, commit=""), checked.at)
        else:
            ended = history.runs[history.launched.run].attempts[-1]
            if ended.outcome != "ok":
                self.keep_failed_output(history.launched)
            recorded = Recorded(
                turn=turn.turn,
                outcome=ended.outcome,
                commit="",
                run=ended.run,
                attempt=ended.attempt,
                comparisons=self.judge(ended) if ended.outcome == "ok" else (),
                pooled=self.pool(ended) if ended.outcome == "ok" else (),
                abandoned=ended.outcome != "ok" and ended.attempt >= self.budget.attempts,
            )
            self.commit(recorded, ended.at)

    def judge(self, ended: AttemptEnded) -> tuple[Comparison, ...]:
        """Every metric of a run against the baseline."""
        begun = self.history.begun
        return self.compared(ended.scores, begun.baseline, self.budget.runs, ended.machine == begun.baseline_machine)

    def pool(self, ended: AttemptEnded) -> tuple[Comparison, ...]:
        """For a replicate: all values of its code against the baseline."""
        history = self.history
        if history.runs[ended.run].replicate_of is None:
            return ()
        original, scores, machines = history.original(ended.run), ended.scores, [ended.machine]
        for run in history.measured:
            if run.measured and history.original(run.number) == original:
                scores = pooled(run.measured.scores, scores)
                machines.append(run.measured.machine)
        same_machine = all(machine == history.begun.baseline_machine for machine in machines)
        return self.compared(scores, history.begun.baseline, self.budget.runs, same_machine)

    def compared(self, scores: Scores, baseline: Scores, tried: int, same_machine: bool) -> tuple[Comparison, ...]:
        """Every metric against the baseline's; `tried` runs share the error rate, on every dataset."""
        tried *= len(baseline)
        metrics = self.template.manifest.metrics
        return against_baseline(scores, baseline, metrics, tried=tried, same_machine=same_machine)

    def commit(self, recorded: Recorded, at: float) -> None:
        """Commit the turn's code with the run's results, the same way however often it is done."""
        results = (
            []
            if recorded.run is None
            else [f"run_{recorded.run}/{name}" for name in ("final_info.json", "verified.json")]
        )
        tree = self.workspace.with_results(self.current_turn.tree, results if recorded.outcome == "ok" else ())
        sha = self.workspace.commit(tree, self.history.commit, message(recorded, self.history), at)
        if recorded.outcome == "ok":
            self.workspace.tag(f"run_{recorded.run}", sha)
        self.happened(recorded.model_copy(update={"commit": sha, "tree": tree, "at": time.time()}))

    def keep_failed_output(self, launched: AttemptLaunched) -> None:
        """Failed attempts are kept, out of the way of the next one."""
        out_dir, kept = self.paths.run(launched.run), self.job_of(launched) / "out"
        if out_dir.exists() and not kept.exists():
            shutil.move(out_dir, kept)

    def plot(self) -> None:
        """Draw what the runs saved."""
        if not self.template.manifest.has_plots:
            self.happened(PlotsDrawn())
            return
        self.workspace.restore(self.history.tree)
        job = self.paths.job(f"plot-turn_{len(self.history.turns)}")
        wrong = self.launcher.plot(self.paths.root, job, self.paths.plots, self.ticker("plot.py"))
        self.workspace.restore(self.history.tree)
        names = sorted(path.name for path in self.paths.plots.iterdir()) if self.paths.plots.is_dir() else []
        files = tuple(os.fsencode(name).decode(errors="replace") for name in names[:MOST_PLOTS])
        self.happened(PlotsDrawn(files=files, message=wrong))

    def ending(self) -> StudyStopped:
        self.workspace.restore(self.history.tree)
        why = budget.enough(self.budget, self.history)
        if not self.history.measured:
            return StudyStopped(status="failed", reason=f"no run gave a result: {why}")
        return StudyStopped(status="done", reason=why)

    def prompt(self, purpose: Purpose, base: int | None = None) -> str:
        """The instruction for the agent's next turn, with nothing in it that looks like one of our keys."""
        left = budget.left(self.budget, self.history)
        if purpose == "start":
            text = prompts.start(self.history, self.template.manifest, left)
        elif purpose == "next":
            text = prompts.following(self.history, left, base)
        else:
            text = prompts.finish(self.history, self.template.manifest, budget.enough(self.budget, self.history))
        return process.redacted(text)

    @cached_property
    def type_check(self) -> TypeCheck:
        python = self.launcher.environment.python
        return TypeCheck(python, accepted_errors(python, self.paths.pinned))

    @property
    def current_turn(self) -> TurnEnded:
        assert self.history.turn is not None, "this stage follows a turn"
        return self.history.turn

    def job_of(self, launched: AttemptLaunched) -> Path:
        return self.paths.job(f"run_{launched.run}-attempt_{launched.attempt}")

    def ticker(self, what: str) -> Tick:
        return lambda seconds, line: self.watcher.running(what, seconds, line, self.history)

    def called(self, call: Call) -> None:
        """Told by the agent of every model call, as soon as it is answered."""
        append_to_recording(self.paths.recording, call, self.history.calls)
        turn = len(self.history.turns) + 1
        number = self.history.calls + 1
        self.happened(ModelCalled(turn=turn, call=number, usage=call.usage, seconds=call.seconds, note=call.note))

    def happened(self, event: AnyEvent) -> None:
        """Journal first, then everything else."""
        self.journal.append(event)
        self.history.add(event)
        self.watcher.happened(event, self.history)
