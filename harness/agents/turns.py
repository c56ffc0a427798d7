"""Recorded turns: what an agent was told, what it said and what it changed, whichever agent it was.

A study keeps them in `.harness/turns.jsonl`, one JSON object per line, so that it can be replayed without its agent.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

from harness.errors import UserError
from harness.files import write_whole
from harness.records import Purpose, Usage


@dataclass(frozen=True)
class RecordedTurn:
    """One turn. A plain dataclass, because a patch may hold what pydantic does not take for text."""

    agent: str
    purpose: Purpose
    instruction: str
    text: str
    """What the agent said."""
    patch: str
    """What it changed on its desk, as `git diff --binary` prints it; bytes that are not UTF-8 are surrogates."""
    problems: tuple[str, ...] = ()
    """Why the agent could not apply its own edits, if it could not."""
    usage: dict[str, Any] = field(default_factory=dict)


def keep(path: Path, turn: RecordedTurn, earlier: int) -> None:
    """Add a turn to a file that should hold `earlier` turns; what a killed controller left after these is dropped."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    write_whole(path, "".join(f"{line}\n" for line in [*lines[:earlier], json.dumps(asdict(turn))]))


def read(path: Path) -> list[RecordedTurn]:
    """The recorded turns of a study.

    Raises:
        UserError: the file cannot be read, or a line is not a recorded turn.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the recorded turns in {path}: {error}") from error
    return [_turn(line, f"{path}, line {number}") for number, line in enumerate(lines, 1)]


def _turn(line: str, where: str) -> RecordedTurn:
    try:
        turn = RecordedTurn(**json.loads(line))
        texts = (turn.agent, turn.instruction, turn.text, turn.patch, *turn.problems)
        if not all(isinstance(text, str) for text in texts) or turn.purpose not in get_args(Purpose):
            raise ValueError("a field is of the wrong type")
        Usage.model_validate(turn.usage)
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{where}: not a recorded turn: {error}") from error
    return turn
