"""What every agent must do. A test class per agent inherits this one and says how it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness import agents
from harness.agents import Agent, Instruction, Request, Setup
from harness.checks.scope import check_scope
from harness.paths import StudyPaths
from harness.records import Call, Purpose, Record, Reply
from harness.template.folder import Template
from harness.workspace import Workspace

BETTER = (0.5, 0.6, 0.55)


@dataclass
class Desk:
    """A study's worktree, a desk of it, and agents that work there."""

    name: str
    workspace: Workspace
    settings: Any
    model: str
    calls: list[Call] = field(default_factory=list)
    made: list[Agent] = field(default_factory=list)

    @property
    def paths(self) -> StudyPaths:
        return StudyPaths(self.workspace.root)

    def agent(self, calls: int = 0) -> Agent:
        """A new agent, for a study whose finished turns made that many model calls."""
        setup = Setup(
            paths=self.paths,
            template=self.workspace.template,
            settings=self.settings,
            model=self.model,
            prices={},
            timeout=60.0,
            retries=0,
            on_call=self.calls.append,
            on_note=lambda _: None,
            calls=calls,
        )
        self.made.append(agents.find(self.name)(setup))
        return self.made[-1]

    def turn(self, agent: Agent, history: Any, before: str, purpose: Purpose = "next") -> tuple[Reply, str]:
        """One turn on a desk that holds `before`: what the agent says, and the tree of the desk after it."""
        desk = self.workspace.desk(self.paths.desk)
        desk.lay_out(before, self.workspace.template.protected)
        reply = agent.edit(Instruction(purpose, f"Do turn {len(history.turns) + 1}.", history), desk.root)
        taken = desk.take()
        assert taken.problems == ()
        return reply, taken.tree


class AgentContract:
    """The study has two turns that edit the experiment, then one for its notes."""

    NAME = ""
    REPORTS_CALLS = False
    """Whether a turn is a model call that the agent reports."""

    @pytest.fixture
    def request_of(self, tmp_path: Path, workspace: Workspace) -> Request:
        """What a user asks for; the agent can do it."""
        raise NotImplementedError

    @pytest.fixture
    def desk(self, request_of: Request, workspace: Workspace) -> Iterator[Desk]:
        workspace.template.pin(StudyPaths(workspace.root).pinned)
        priced = agents.find(self.NAME).check(request_of)
        made = Desk(self.NAME, workspace, request_of.settings, priced.model)
        yield made
        for agent in made.made:
            agent.close()

    def test_its_class_says_what_it_needs(self) -> None:
        found = agents.find(self.NAME)
        assert issubclass(found.Settings, Record)
        assert isinstance(found.uses_model, bool)

    def test_it_chooses_a_model_exactly_when_it_uses_one(self, request_of: Request) -> None:
        found = agents.find(self.NAME)
        assert bool(found.check(request_of).model) == found.uses_model

    def test_how_it_wants_to_be_told_to_edit_is_plain_text(self, desk: Desk) -> None:
        told = desk.agent().how_to_edit
        assert isinstance(told, str)
        assert told == told.strip()

    def test_it_edits_its_desk_and_only_what_it_may(self, desk: Desk, story: Callable[[], Any]) -> None:
        before = desk.workspace.snapshot()
        reply, after = desk.turn(desk.agent(), story().history, before)
        assert (reply.problems, bool(reply.text)) == ((), True)
        changes = desk.workspace.changes(before, after, results=True)
        assert [c.path for c in changes] == ["experiment.py"]
        assert check_scope(changes, desk.workspace.template, "next") == ()
        assert desk.workspace.snapshot() == before, "the study's own files are untouched"

    def test_at_the_end_it_changes_no_code(self, desk: Desk, story: Callable[[], Any]) -> None:
        s, agent, tree = story(), desk.agent(), desk.workspace.snapshot()
        for _ in range(2):
            _, tree = desk.turn(agent, s.history, tree)
            s.run(BETTER)
        reply, after = desk.turn(agent, s.history, tree, "finish")
        assert reply.problems == ()
        assert check_scope(desk.workspace.changes(tree, after, results=True), desk.workspace.template, "finish") == ()

    def test_one_that_is_made_again_goes_on_as_the_first_would_have(self, desk: Desk, story: Callable[[], Any]) -> None:
        def trees(again: bool) -> list[str]:
            s, agent, tree, found = story(), desk.agent(), desk.workspace.snapshot(), []
            for turn in range(2):
                if again and turn:
                    agent = desk.agent(calls=turn if self.REPORTS_CALLS else 0)
                _, tree = desk.turn(agent, s.history, tree)
                s.run(BETTER)
                found.append(tree)
            return found

        assert trees(again=False) == trees(again=True)

    def test_what_it_used_is_reported(self, desk: Desk, story: Callable[[], Any]) -> None:
        reply, _ = desk.turn(desk.agent(), story().history, desk.workspace.snapshot())
        assert bool(desk.calls) == self.REPORTS_CALLS
        assert sum(call.usage.calls for call in desk.calls) + reply.usage.calls >= agents.find(self.NAME).uses_model

    def test_it_can_be_closed_at_any_time_and_leaves_no_process(self, desk: Desk, story: Callable[[], Any]) -> None:
        desk.agent().close()
        before = {p.pid for p in psutil.Process().children()}
        agent = desk.agent()
        desk.turn(agent, story().history, desk.workspace.snapshot())
        agent.close()
        agent.close()
        assert [p for p in psutil.Process().children() if p.pid not in before] == []


def settings(name: str, **values: Any) -> Any:
    return agents.find(name).Settings(**values)


def request(name: str, template: Template, model: str | None = None, **values: Any) -> Request:
    return Request(template, settings(name, **values), model)
