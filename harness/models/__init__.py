"""Language models: which one to use, what a recording is, and the one gateway to litellm.

This file imports little: litellm takes seconds to import and is loaded only in the agent's worker process.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from harness.errors import UnknownName, UserError
from harness.files import read_regular, write_whole
from harness.records import Call, Usage

REPLAY = "replay:"
MANUAL = "manual"

DEFAULT_MODELS = {
    "ANTHROPIC_API_KEY": "anthropic/claude-sonnet-4-5",
    "OPENAI_API_KEY": "openai/gpt-5",
    "GEMINI_API_KEY": "gemini/gemini-2.5-pro",
    "DEEPSEEK_API_KEY": "deepseek/deepseek-chat",
    "OPENROUTER_API_KEY": "openrouter/anthropic/claude-sonnet-4.5",
}
"""Key in the environment → model taken when the user names none."""


def choose(model: str | None) -> str:
    """The model named, otherwise the default model of the first key that is set.

    Raises:
        UserError: no model named and no key found; says what was looked for and what works without a key.
    """
    if model:
        return _absolute(model)
    for variable, default in DEFAULT_MODELS.items():
        if os.environ.get(variable):
            return default
    raise UserError(
        f"no --model and no key: looked for {', '.join(DEFAULT_MODELS)}; without a key you can use "
        "--agent tuner (no language model), --model manual (paste prompts into any chat), "
        "--model replay:FILE (a recording) or --model ollama/NAME (a local model)"
    )


def _absolute(model: str) -> str:
    """A model of ours with its path spelled out, for a study may be resumed from another folder."""
    for prefix in (REPLAY, f"{MANUAL}:"):
        if model.startswith(prefix):
            return prefix + str(Path(model.removeprefix(prefix)).absolute())
    return model


@dataclass(frozen=True)
class RecordedCall:
    """One line of a recording."""

    prompt: str
    reply: str
    usage: Usage


def read_recording(path: Path) -> list[RecordedCall]:
    """The calls of a recording: JSON lines of `{"prompt": …, "reply": …, "usage": {…}}`.

    Raises:
        UserError: the file does not exist or a line is not such an object.
    """
    try:
        lines = read_regular(path).strip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the recording {path}: {error}") from error
    calls = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            calls.append(
                RecordedCall(str(row["prompt"]), str(row["reply"]), Usage.model_validate(row.get("usage", {})))
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(f"{path}, line {number}: no recorded call (prompt, reply, usage): {error}") from error
    return calls


def append_to_recording(path: Path, call: Call, kept: int) -> None:
    """Add a call to a recording that should hold `kept` calls; what a killed controller left after these is dropped."""
    lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    row = {"prompt": call.prompt, "reply": call.reply, "usage": call.usage.model_dump()}
    whole = [line for line in lines if line][:kept]
    write_whole(path, "\n".join([*whole, json.dumps(row, ensure_ascii=False), ""]))


def difference(recorded: str, now: str) -> str:
    """Where two prompts differ first; empty when they do not, or only in numbers.

    Timings and last digits depend on the machine, and differences in metrics are reported from the results. Text after
    the recorded prompt does not count: aider adds its own reminder there.
    """
    if now.startswith(recorded):
        return ""
    lines = recorded.splitlines()
    pairs = enumerate(zip_longest(lines, now.splitlines()[: len(lines)]), 1)
    for number, (a, b) in pairs:
        if a is None or b is None or _words(a) != _words(b):
            return f"the prompt differs from the recorded one at line {number}: {_short(b)} (recorded: {_short(a)})"
    return ""


def _words(line: str) -> str:
    """A line without its numbers, which depend on the machine."""
    return re.sub(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?", "#", line)


def _short(line: str | None) -> str:
    return "nothing" if line is None else repr(line[:80])


def check(model: str) -> None:
    """Raise UserError for a `replay:` model whose recording cannot be read, or a misspelt name of our own providers."""
    if model.startswith(REPLAY):
        read_recording(Path(model.removeprefix(REPLAY)))
    elif model.startswith(MANUAL) and model != MANUAL and not model.startswith("manual:"):
        raise UnknownName("model", model, [MANUAL, "manual:FOLDER"])
