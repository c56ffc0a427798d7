"""Replays a study: makes the changes that an agent made, turn by turn, whichever agent it was."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from harness.agents import Instruction, Request, Setup, turns
from harness.errors import ModelFailed, UserError, WorkspaceError
from harness.models import difference
from harness.records import PricedModel, Record, Reply
from harness.workspace import apply_patch


class RecordedSettings(Record):
    """`[agent.recorded]`"""

    turns: Annotated[Path, AfterValidator(Path.absolute)]
    """File with recorded turns: `.harness/turns.jsonl` of a study."""


class RecordedAgent:
    """Its changes are those of the recording; what a changed harness, template or machine makes of them is new."""

    Settings = RecordedSettings
    uses_model = False
    how_to_edit = ""

    def __init__(self, setup: Setup) -> None:
        self._turns = turns.read(setup.settings.turns)
        self._note = setup.on_note
        self.how_to_edit = self._turns[0].how_to_edit

    @staticmethod
    def check(request: Request) -> PricedModel:
        """No model, but turns to replay."""
        if request.model:
            raise UserError(f"the recorded agent uses no model; leave out --model {request.model}")
        turns.read(request.settings.turns)
        return PricedModel()

    def edit(self, instruction: Instruction, desk: Path) -> Reply:
        number = len(instruction.history.turns)
        if number >= len(self._turns):
            raise ModelFailed(f"the recording holds {len(self._turns)} turns and this is turn {number + 1}")
        turn = self._turns[number]
        if what := difference(turn.instruction, instruction.text):
            self._note(f"turn {number + 1}: {what}")
        problems = turn.problems
        try:
            if turn.patch:
                apply_patch(turn.patch.encode(turn.encoding), desk)
        except (WorkspaceError, UnicodeError) as error:
            problems = (*problems, f"the recorded change does not fit: {error}")
        return Reply(text=turn.text, problems=problems, left_out=turn.left_out, usage=turn.usage)

    def close(self) -> None:
        pass
