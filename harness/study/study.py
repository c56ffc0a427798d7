"""A study that is open: its folder, branch and journal, and the parts that work on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from harness.agents import Agent
from harness.checks.types import TypeCheck, accepted_errors
from harness.execution.launcher import Launcher, Tick
from harness.models import append_to_recording
from harness.paths import StudyPaths
from harness.planning.next_step import next_step
from harness.planning.steps import Step
from harness.planning.strategies import Strategy
from harness.records import Call
from harness.state.events import AnyEvent, ModelCalled
from harness.state.heartbeat import Pulse
from harness.state.history import History
from harness.state.journal import Journal
from harness.template.folder import Template
from harness.workspace import Workspace


class Watcher(Protocol):
    """Shows a study's progress while it runs."""

    def happened(self, event: AnyEvent, history: History) -> None: ...

    def running(self, what: str, seconds: float, last_line: str, history: History) -> None: ...

    def note(self, text: str) -> None: ...


@dataclass
class Study:
    """All that the steps of a study need. Its state changes only through `happened`."""

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
        self._pulse = Pulse(self.paths.heartbeat)

    def doing(self, what: str) -> None:
        """Say what is being done now, for other processes."""
        self._pulse.beat(what)

    def next_step(self) -> Step:
        return next_step(self.history, self.template.manifest, self.strategy)

    def happened(self, event: AnyEvent) -> None:
        """Write an event to the journal, then update everything that depends on it."""
        self.journal.append(event)
        self.history.add(event)
        self.watcher.happened(event, self.history)

    def model_called(self, call: Call) -> None:
        """Called by the agent after every model call, as soon as it is answered."""
        append_to_recording(self.paths.recording, call, self.history.calls)
        turn = len(self.history.turns) + 1
        number = self.history.calls + 1
        self.happened(ModelCalled(turn=turn, call=number, usage=call.usage, seconds=call.seconds, note=call.note))

    def ticker(self, what: str) -> Tick:
        """A function to call while a job runs; it shows the progress here and to other processes."""

        def tick(seconds: float, line: str) -> None:
            self._pulse.beat(what, line)
            self.watcher.running(what, seconds, line, self.history)

        return tick

    @cached_property
    def type_check(self) -> TypeCheck:
        """The type check, which accepts the errors that the template itself has."""
        python = self.launcher.jobs.environment.python
        return TypeCheck(python, accepted_errors(python, self.paths.pinned))
