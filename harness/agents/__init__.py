"""Who edits the experiment. An agent gets an instruction and the worktree, and changes files in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from harness.paths import StudyPaths
from harness.records import Call, PricedModel, Purpose, Reply
from harness.state.history import History
from harness.template.folder import Template
from harness.workspace import Workspace


@dataclass(frozen=True)
class Instruction:
    """What the agent is to do now."""

    purpose: Purpose
    text: str
    history: History
    """Everything so far, for agents that learn from numbers rather than words."""


@dataclass(frozen=True)
class Setup:
    """What an agent is made from."""

    paths: StudyPaths
    model: str
    prices: dict[str, float]
    """What its tokens cost when the study began; later price lists change nothing."""
    timeout: float
    """Seconds that one model call may take."""
    retries: int
    """How often a call that failed for a passing reason is tried again."""
    on_call: Callable[[Call], None]
    """Told of every model call as soon as it is answered."""
    on_note: Callable[[str], None]
    """Told of what a person may want to know while waiting for an answer."""
    calls: int
    """Model calls that earlier, finished turns of this study made."""


class Agent(Protocol):
    """Made with a `Setup`; may keep a process or a conversation until `close`."""

    @staticmethod
    def check(model: str | None, template: Template, priced: bool) -> PricedModel:
        """Refuse, before anything is written, what this agent cannot do; the model that it will use.

        Args:
            model: what the user asked for, if anything.
            priced: the budget is in dollars, so the model needs a known price.
        """

    def edit(self, instruction: Instruction, workspace: Workspace) -> Reply:
        """Change files of the worktree as instructed.

        Raises:
            StudyPaused: no answer could be had. What is in the worktree then does not count.
        """

    def close(self) -> None: ...


BUILT_IN = {
    "aider": "harness.agents.aider:AiderAgent",
    "tuner": "harness.agents.tuner:TunerAgent",
    "random": "harness.agents.tuner:RandomAgent",
}
WITHOUT_MODEL = ("tuner", "random")
"""Agents that search a template's constants: the controls."""
