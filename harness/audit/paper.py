"""Reads the LaTeX files of a paper: `latex/template.tex`, and the files in `latex/` that it includes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from harness.audit.latex import inputs
from harness.audit.opening import Unusable, entries_of, read_text
from harness.audit.records import Text
from harness.audit.words import listing, tame

FOLDER, MAIN = "latex", "template.tex"
FILES, DEPTH, ENTRIES = 50, 5, 1000
"""Maximum number of files of a paper, of files that include each other, and of entries of its folder."""
FILE_LIMIT, PAPER_LIMIT = 2**19, 2**20
"""Maximum bytes of one file, and of all files of a paper; a paper has 50 KB."""


def read_paper(folder: Path, entries: Mapping[str, os.DirEntry[str]], skipped: list[str]) -> tuple[Text, ...]:
    """The files of the paper, each after the one that includes it.

    If there is no template.tex, every other .tex file is taken for a paper.
    """
    if FOLDER not in entries:
        return ()
    if not entries[FOLDER].is_dir(follow_symlinks=False):
        skipped.append(f"{FOLDER}: is a link or not a folder, skipped")
        return ()
    try:
        names = [name for name in entries_of(folder / FOLDER, FOLDER, ENTRIES, skipped) if name.endswith(".tex")]
    except OSError as error:
        skipped.append(f"{FOLDER}: {tame(str(error.strerror or error))}")
        return ()
    if not names:
        skipped.append(f"{FOLDER}: contains no .tex file")
    reader = _Reader(folder, skipped)
    for name in [MAIN] if MAIN in names else names:
        reader.read(PurePosixPath(name), 0)
    others = [name for name in names if PurePosixPath(name) not in reader.seen]
    if others:
        skipped.append(f"{FOLDER}: not part of the paper: {listing([tame(name) for name in others], 5)}")
    return tuple(reader.found)


class _Reader:
    def __init__(self, folder: Path, skipped: list[str]) -> None:
        self._folder = folder
        self._skipped = skipped
        self._left = PAPER_LIMIT
        self.found: list[Text] = []
        self.seen: set[PurePosixPath] = set()

    def read(self, path: PurePosixPath, depth: int) -> None:
        """Read a file in the paper's folder, and those that it includes."""
        if path in self.seen:
            return
        self.seen.add(path)
        shown = f"{FOLDER}/{tame(str(path))}"
        if len(self.seen) > FILES or depth > DEPTH:
            limit = f"{FILES} files were" if depth <= DEPTH else f"{DEPTH} levels of included files were"
            self._skipped.append(f"{shown}: only the first {limit} read")
            return
        if link := next((part for part in (*path.parents, path) if (self._folder / FOLDER / part).is_symlink()), None):
            self._skipped.append(f"{FOLDER}/{tame(str(link))}: a link, not followed")
            return
        text = read_text(self._folder, f"{FOLDER}/{path}", min(FILE_LIMIT, self._left), self._skipped)
        if text is None:
            return
        self._left -= len(text.content.encode())
        self.found.append(text)
        for name in dict.fromkeys(inputs(text.content)):
            try:
                included = _inside(name)
            except Unusable as error:
                self._skipped.append(f"{shown}: includes {tame(name, 100)}, {error}")
            else:
                self.read(included, depth + 1)


def _inside(name: str) -> PurePosixPath:
    """The file that is meant, as a path inside the paper's folder.

    Raises:
        Unusable: it is not in that folder.
    """
    path = PurePosixPath(name if name.endswith(".tex") else f"{name}.tex")
    if path.is_absolute() or ".." in path.parts or "\0" in name or name.startswith(("~", "|")):
        raise Unusable("which is not in the folder of the paper, not read")
    return path
