"""Who edits the experiment. Touches the agent's desk, a model or an agent's own process; never a study's worktree."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from harness import plugins
from harness.paths import StudyPaths
from harness.records import Call, PricedModel, Purpose, Record, Reply
from harness.state.history import History
from harness.template.folder import Template

BUILT_IN = {
    "aider": "harness.agents.aider:AiderAgent",
    "tuner": "harness.agents.tuner:TunerAgent",
    "random": "harness.agents.tuner:RandomAgent",
    "recorded": "harness.agents.recorded:RecordedAgent",
}


def find(name: str) -> Any:
    """The class of the agent with that name."""
    return plugins.find("agent", name, BUILT_IN)


def settings(name: str, file: Path, changes: Iterable[str] = ()) -> Any:
    """The settings of that agent: its defaults, changed by harness.toml and by `changes` (`NAME=VALUE` each)."""
    return plugins.settings("agent", name, BUILT_IN, file, changes)


@dataclass(frozen=True)
class Request:
    """What a user asks of an agent, before a study begins."""

    template: Template
    settings: Any
    """An instance of the agent's `Settings`."""
    model: str | None = None
    """The model named by the user, if any."""
    priced: bool = False
    """The budget is in dollars, so the model needs a known price."""


@dataclass(frozen=True)
class Setup:
    """What an agent is made from."""

    paths: StudyPaths
    template: Template
    """The study's own copy."""
    settings: Any
    """An instance of the agent's `Settings`."""
    model: str
    prices: dict[str, float]
    """Dollars per token when the study began; later price lists change nothing."""
    timeout: float
    """Seconds that one model call may take."""
    retries: int
    """How often a call is repeated after a temporary error."""
    on_call: Callable[[Call], None]
    """To be called after every model call, as soon as it is answered."""
    on_note: Callable[[str], None]
    """To be called with messages for a person who waits for the answer."""
    calls: int
    """Model calls that earlier, finished turns of this study made."""


@dataclass(frozen=True)
class Instruction:
    """What the agent is to do now."""

    purpose: Purpose
    text: str
    history: History
    """Everything so far, for agents that learn from numbers rather than words."""


class Agent(Protocol):
    """Made with a `Setup`; may keep a process or a conversation until `close`.

    A study can be stopped at any moment and resumed with a new agent, made with the same `Setup`. The new agent must
    continue as the old one would have, from the history in its instructions and what it keeps in the study's folder.
    """

    Settings: ClassVar[type[Record]]
    """What may be set in `[agent.NAME]` of harness.toml and with `--set`; kept in the journal."""
    uses_model: ClassVar[bool]
    """Whether it needs a language model, and an idea to work on."""
    how_to_edit: str
    """What the first prompt says about how to send edits; may be empty."""

    @staticmethod
    def check(request: Request) -> PricedModel:
        """The model that this agent will use, and what it costs.

        Raises:
            UserError: it cannot do what is asked. Nothing has been written yet.
        """

    def edit(self, instruction: Instruction, desk: Path) -> Reply:
        """Change files in `desk`, a copy of the study's files, as instructed.

        Raises:
            StudyPaused: there is no answer. What is on the desk then does not count.
        """

    def close(self) -> None:
        """End every process of its own; may be called more than once."""
