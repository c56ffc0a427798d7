"""The files on an agent's desk: takes a whole reply or nothing of it, and shows what a reply asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from harness.agents import edits
from harness.agents.replies import FORM, asked_for, parse
from harness.checks.scope import why_not_write
from harness.records import Purpose
from harness.template.folder import Template
from harness.template.text_file import NotText, TextFile, read_text

MOST_SHOWN = 30_000
"""Characters of a file that is shown because the model asks for it."""
_PROSE = (".md", ".txt", ".rst")


@dataclass(frozen=True)
class Taken:
    """What became of a reply."""

    text: str
    """The reply without thoughts."""
    problems: tuple[str, ...] = ()
    """Why nothing of it was written."""
    left_out: tuple[str, ...] = ()
    """Edits of notes that were not written, although code was."""
    answer: str = ""
    """What to tell a model that edited nothing and asked to see files."""


class DeskFiles:
    """Reads and writes the desk of one study."""

    def __init__(self, root: Path, template: Template) -> None:
        self._root = root
        self._template = template

    def take(self, reply: str, purpose: Purpose) -> Taken:
        """Write all edits of a reply to the desk, or none of them."""
        parsed = parse(reply, tuple(self._template.files))
        if parsed.problem:
            return Taken(parsed.text, (parsed.problem, FORM))
        if not parsed.edits:
            return self._without_edits(parsed.text, bool(parsed.snippets) and not parsed.done)
        done = edits.apply(
            parsed.edits,
            self._load,
            lambda path: why_not_write(self._template, path, purpose),
            finishing=purpose == "finish",
        )
        contents: dict[str, bytes] = {}
        for path, text in done.texts.items():
            try:
                contents[path] = self._file(path).written(text, path.endswith(".py"))
            except NotText as error:
                done.problems.append(f"{path} {error}")
        if done.problems:
            return Taken(parsed.text, tuple(done.problems))
        for path, content in contents.items():
            target = self._root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return Taken(parsed.text, left_out=tuple(done.left_out))

    def _without_edits(self, text: str, code: bool) -> Taken:
        if not text.strip():
            return Taken(text, ("Your reply holds nothing but thoughts." if text else "Your reply is empty.", FORM))
        if answer := self._answer(asked_for(text)):
            return Taken(text, answer=answer)
        if code and not re.search(r"^REPLICATE run_", text, re.MULTILINE):
            return Taken(text, ("The reply holds code, but does not say for which file.", FORM))
        return Taken(text)

    def _answer(self, names: list[str]) -> str:
        parts = []
        for name in names:
            shown = self._readable(name)
            parts.append(f"{name} is no file that you may read.\n" if shown is None else f"{name}\n````\n{shown}````\n")
        return "\n".join([*parts, "Now make the change."]) if parts else ""

    def _readable(self, name: str) -> str | None:
        """The text of a file of the study, or of a document of its template; None if the agent may not read it."""
        template = self._template
        places = [(self._root, self._root / name)]
        if name.endswith(_PROSE) and name not in template.kept_back:
            places.append((template.folder, template.folder / name))
        for root, path in places:
            inside = path.resolve().is_relative_to(root.resolve()) and not path.is_symlink()
            if ".." in Path(name).parts or not inside or not path.is_file():
                continue
            try:
                text = read_text(path)
            except (OSError, NotText):
                continue
            cut = "" if len(text) <= MOST_SHOWN else f"\n[cut: {len(text):,} characters]"
            text = text[:MOST_SHOWN] + cut
            return text if text.endswith("\n") else f"{text}\n"
        return None

    def _load(self, path: str) -> str | None:
        target = self._root / path
        if target.is_symlink():
            raise NotText("is a symbolic link")
        if target.is_dir():
            raise NotText("is a folder")
        return self._file(path).text if target.is_file() else None

    def _file(self, path: str) -> TextFile:
        target = self._root / path
        return TextFile.read(target.read_bytes(), path.endswith(".py")) if target.is_file() else TextFile()
