"""Ideas: from a file, from the template's `ideas/`, or given as text."""

from __future__ import annotations

import difflib
import json
import re
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import IdeaError
from harness.files import parse_toml
from harness.records import Idea
from harness.template.folder import Template
from harness.text import printable
from harness.validation import one_line

FOREIGN = {"Title": "title", "Name": "title", "Experiment": "prompt", "Experiments": "prompt"}
"""Keys of AI-Scientist's ideas → ours; of two for the same, the first one that is there."""
SCORES = ("Interestingness", "Feasibility", "Novelty", "novel", "Related Work")
"""Keys that are no part of what to do."""
SUFFIXES = (".toml", ".json", ".md")
SIZE_LIMIT = 2**20
"""Maximum size of an idea file in bytes."""


def read_idea(template: Template, text: str) -> Idea:
    """An idea from a file, from the template's `ideas/`, or from the text itself.

    A file with a list of ideas is followed by `#` and the name or number of one: `ideas.json#wider`.

    Raises:
        IdeaError: the file is not TOML, JSON or Markdown, or lacks a title or a prompt; the text is empty, or one word.
    """
    listed = template.ideas()
    name, _, chosen = text.rpartition("#") if _names_one(text, listed) else (text, "", "")
    if name in listed:
        return _one(_idea_file(template, listed[name]), chosen, name)
    if re.fullmatch(r"[^\n]{1,400}\.(toml|json|md)", name, re.IGNORECASE) or _is_file(name):
        return _one(_idea_file(template, Path(name)), chosen, name)
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


def read_ideas(template: Template, name: str) -> list[Idea]:
    """All ideas of a file in the template's `ideas/`.

    Raises:
        IdeaError: as for `read_idea`.
    """
    return [idea for _, idea in _idea_file(template, template.ideas()[name])]


def _names_one(text: str, listed: Collection[str]) -> bool:
    """Whether this is the name of a file, `#` and which of its ideas."""
    return text not in listed and re.fullmatch(r"[^\n#]{1,400}#[^\n#]{1,100}", text) is not None and not _is_file(text)


def _one(found: list[tuple[str, Idea]], chosen: str, where: str) -> Idea:
    """The chosen one of a file's ideas, by name or by number from 1."""
    names = [name for name, _ in found]
    if len(found) == 1 and not chosen:
        return found[0][1]
    if chosen.isdecimal() and 1 <= int(chosen[:9]) <= len(found):
        return found[int(chosen) - 1][1]
    if chosen in names:
        return found[names.index(chosen)][1]
    known = ", ".join(printable(name)[:60] for name in names[:20]) + (", …" if len(names) > 20 else "")
    wrong = f"no idea named {chosen[:80]!r}" if chosen else f"{len(found)} ideas"
    raise IdeaError(f"{where} has {wrong}; choose one with {where}#NAME: {known}")


def _is_file(text: str) -> bool:
    """Whether this names something that exists and is no folder; a pipe is refused when it is read."""
    try:
        found = Path(text)
        return found.exists() and not found.is_dir()
    except (OSError, ValueError):  # too long for a path, or contains NUL: the idea itself
        return False


def _idea_file(template: Template, path: Path) -> list[tuple[str, Idea]]:
    """The ideas of a file, each with its name."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise IdeaError(f"{path} is not a regular file")
        if found.st_size > SIZE_LIMIT:
            raise IdeaError(f"{path} is larger than {SIZE_LIMIT >> 20} MiB")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        known = ", ".join(template.ideas()) or "none"
        raise IdeaError(f"cannot read the idea {path}: {error.strerror}; {template.name} ships: {known}") from error
    except UnicodeDecodeError as error:
        raise IdeaError(f"{path}: not text: {error}") from error
    content = _parse(path, text)
    if not isinstance(content, list):
        return [(_name(content, 1), _idea(template, _translated(content), str(path)))]
    if not content:
        raise IdeaError(f"{path} is an empty list; it needs ideas with a title and a prompt")
    return [
        (_name(each, at), _idea(template, _translated(each), f"{path}, idea {at}"))
        for at, each in enumerate(content, 1)
    ]


def _name(content: Any, at: int) -> str:
    """What an idea of a list is called: its name, its title or its number."""
    named = (content.get(key) for key in ("Name", "name", "Title", "title")) if isinstance(content, dict) else ()
    return next((str(name) for name in named if name), str(at))


def _translated(content: Any) -> Any:
    """An idea as AI-Scientist writes it, with our keys: what it says beside the experiment goes into the prompt."""
    if not isinstance(content, dict) or not {"Experiment", "Experiments"} & set(content):
        return content
    ours: dict[str, str] = {}
    for theirs, key in FOREIGN.items():
        if key not in ours and content.get(theirs):
            ours[key] = _as_text(content[theirs])
    said = {key: value for key, value in content.items() if key not in (*FOREIGN, *SCORES) and value}
    more = "\n\n".join(f"{key}: {_as_text(value)}" for key, value in said.items())
    return {**ours, "prompt": "\n\n".join(part for part in (ours.get("prompt", ""), more) if part)}


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(f"- {_as_text(each)}" for each in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _parse(path: Path, text: str) -> Any:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise IdeaError(f"{path} is neither .toml, .json nor .md; an idea file has a title and a prompt")
    if suffix == ".md":
        return {"title": _heading(text), "prompt": text}
    try:
        return json.loads(text) if suffix == ".json" else parse_toml(text)
    except (ValueError, RecursionError) as error:
        raise IdeaError(f"{path}: not {suffix[1:].upper()}: {error}") from error


def _heading(text: str) -> str:
    """The first heading of Markdown, otherwise its first line."""
    filled = [line.strip() for line in text.splitlines() if line.strip()]
    headings = [line.strip("# ") for line in filled if re.match(r"#{1,6} +\S", line)]
    return next(iter(headings or filled), "")[:300]


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
