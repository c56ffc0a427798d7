"""Recorded turns: what an agent was told, what it said and what it changed, whichever agent it was.

A study keeps them in `.harness/turns.jsonl`, one JSON object per line, so that it can be replayed without its agent.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from harness.errors import UserError
from harness.files import write_whole
from harness.records import Purpose, Record, Usage
from harness.validation import one_line


class RecordedTurn(Record):
    """One turn."""

    turn: int
    agent: str
    how_to_edit: str
    """What the agent's part of the first prompt was."""
    purpose: Purpose
    instruction: str
    text: str
    """What the agent said."""
    problems: tuple[str, ...] = ()
    """Why the edit was rejected, if it was."""
    left_out: tuple[str, ...] = ()
    """Edits of notes that were not applied, although the code was."""
    patch: str = ""
    """What was accepted, as `git diff --binary` prints it."""
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    """Of the patch's bytes: latin-1 if the changed files are not all UTF-8."""
    usage: Usage = Usage()
    """All that the turn used."""


def as_text(patch: bytes) -> tuple[str, Literal["utf-8", "latin-1"]]:
    """A patch as text, with the encoding that gives its bytes back."""
    try:
        return patch.decode(), "utf-8"
    except UnicodeDecodeError:
        return patch.decode("latin-1"), "latin-1"


def keep(path: Path, turn: RecordedTurn) -> None:
    """Add a turn to a recording; what a killed controller left of this turn and later ones is dropped."""
    lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    write_whole(path, "".join(f"{line}\n" for line in [*lines[: turn.turn - 1], turn.model_dump_json()] if line))


def read(path: Path) -> list[RecordedTurn]:
    """The recorded turns of a study.

    Raises:
        UserError: the file cannot be read, holds no turn, or a line is not the recorded turn that comes next.
    """
    try:
        lines = path.read_text(encoding="utf-8").strip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the recorded turns in {path}: {error}") from error
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(RecordedTurn.model_validate_json(line))
        except ValidationError as error:
            raise UserError(f"{path}, line {number}: not a recorded turn: {one_line(error)}") from error
        if found[-1].turn != number:
            raise UserError(f"{path}: turn {number} is missing")
    return found
