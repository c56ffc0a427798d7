"""Ideas: from a file, from the template's `ideas/`, or given as text."""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import IdeaError
from harness.files import parse_toml
from harness.records import Idea
from harness.template.folder import Template
from harness.validation import one_line


def read_idea(template: Template, text: str) -> Idea:
    """An idea from a file, from the template's `ideas/`, or from the text itself.

    Raises:
        IdeaError: the file is not TOML or JSON, or lacks a title or a prompt; the text is empty, or one word.
    """
    listed = template.ideas()
    if text in listed:
        return _idea_file(template, listed[text])
    if re.fullmatch(r"[^\n]{1,400}\.(toml|json)", text) or _is_file(text):
        return _idea_file(template, Path(text))
    if not text.strip():
        raise IdeaError("the idea is empty; describe what to try in a sentence or more")
    if re.fullmatch(r"[A-Za-z0-9_.-]+", text.strip()):
        close = difflib.get_close_matches(text, listed, n=1, cutoff=0.75)
        if close:
            raise IdeaError(f"{template.name} has no idea named {text[:80]!r}; did you mean {close[0]}?")
        raise IdeaError(
            f"{text[:80]!r} is one word, so it is read as the name of an idea; {template.name} ships "
            f"{', '.join(listed) or 'none'}. Describe the idea in several words"
        )
    title = text.strip().splitlines()[0][:120]
    return _idea(template, {"title": title, "prompt": text}, "the idea")


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a path, or contains NUL: the idea itself
        return False


def _idea_file(template: Template, path: Path) -> Idea:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        known = ", ".join(template.ideas()) or "none"
        raise IdeaError(f"cannot read the idea {path}: {error.strerror}; {template.name} ships: {known}") from error
    except UnicodeDecodeError as error:
        raise IdeaError(f"{path}: not text: {error}") from error
    return _idea(template, _parse(path, text), str(path))


def _parse(path: Path, text: str) -> Any:
    if path.suffix not in (".json", ".toml"):
        raise IdeaError(f"{path} is neither .toml nor .json; an idea file has a title and a prompt")
    try:
        return json.loads(text) if path.suffix == ".json" else parse_toml(text)
    except (ValueError, RecursionError) as error:
        raise IdeaError(f"{path}: not {path.suffix[1:].upper()}: {error}") from error


def _idea(template: Template, content: Any, where: str) -> Idea:
    try:
        idea = Idea.model_validate(content)
    except ValidationError as error:
        raise IdeaError(f"{where}: {one_line(error, Idea)}") from error
    unknown = sorted(set(idea.metrics) - set(template.manifest.metrics))
    if unknown:
        known = ", ".join(template.manifest.metrics)
        raise IdeaError(f"{where}: metrics: {template.name} has no metric {unknown[0]!r}; it has: {known}")
    return idea
