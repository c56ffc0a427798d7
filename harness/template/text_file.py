"""A file of an experiment as text, written back as it was: encoding, byte order mark and line ends are kept. Pure."""

from __future__ import annotations

import codecs
import io
import re
import tokenize
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

_LINE = re.compile(r"([^\r\n]*)(\r\n|\n|\r)|([^\r\n]+)")
_MOST_COMPARED = 20_000
"""Lines of a file with several kinds of line ends up to which each of them is kept."""


class NotText(ValueError):
    """The bytes are no text that could be edited, or a text cannot be written in its file's encoding."""


@dataclass(frozen=True)
class TextFile:
    """The content of a text file, and how it is stored."""

    text: str = ""
    """With `\\n` as the only line end and without a byte order mark."""
    encoding: str = "utf-8"
    bom: bool = False
    ends: tuple[str, ...] = ()
    """The line end of each line; the last one may be empty."""

    @classmethod
    def read(cls, content: bytes, python: bool) -> TextFile:
        """Decode a file: Python by its coding line, anything else as UTF-8, what is not UTF-8 as Latin-1.

        Raises:
            NotText: it contains null bytes.
        """
        if b"\0" in content:
            raise NotText("is not a text file")
        bom = content.startswith(codecs.BOM_UTF8)
        content = content.removeprefix(codecs.BOM_UTF8)
        encoding = _declared(content) if python and not bom else "utf-8"
        try:
            text = content.decode(encoding)
        except (UnicodeError, LookupError):
            encoding = "latin-1"
            text = content.decode(encoding)
        found = [(m[1], m[2]) if m[3] is None else (m[3], "") for m in _LINE.finditer(text)]
        ends = tuple(end for _, end in found)
        return cls("".join(line + ("\n" if end else "") for line, end in found), encoding, bom, ends)

    def written(self, text: str, python: bool) -> bytes:
        """The bytes of the file with another text: lines that are not new keep their line ends.

        Raises:
            NotText: the encoding has no such character.
        """
        encoding = self.encoding
        if python and not self.bom:
            declared = _declared(text.encode("utf-8", "replace"))
            encoding = declared if declared != "utf-8" or _declared(self.text.encode()) != "utf-8" else encoding
        try:
            content = self._with_ends(text).encode(encoding)
        except UnicodeEncodeError as error:
            raise NotText(
                f"is written in {encoding}, which has no character {text_of(error)!r}; use other characters"
            ) from error
        except LookupError as error:
            raise NotText(f"would have a coding line that Python does not know: {encoding}") from error
        return (codecs.BOM_UTF8 if self.bom else b"") + content

    def _with_ends(self, text: str) -> str:
        before, after = self.text.split("\n"), text.split("\n")
        counted = Counter(end for end in self.ends if end)
        usual = counted.most_common(1)[0][0] if counted else "\n"
        if self.ends and not self.ends[-1] and after[-1] == "" and len(after) > 1 and after[-2] == before[-1]:
            after.pop()  # the file has no line end at its end, and its last line is still there
        if len(counted) < 2 or len(before) + len(after) > _MOST_COMPARED:
            return usual.join(after)
        ends = [usual] * (len(after) - 1) + [""]
        for _, old, old_end, new, new_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
            for k in range(new_end - new if old_end - old == new_end - new else 0):
                if old + k < len(self.ends) and new + k < len(after) - 1:
                    ends[new + k] = self.ends[old + k] or usual
        return "".join(line + end for line, end in zip(after, ends, strict=True))


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        OSError: it cannot be read.
        NotText: it is no text.
    """
    return TextFile.read(path.read_bytes(), path.suffix == ".py").text


def text_of(error: UnicodeEncodeError) -> str:
    """The first character that cannot be encoded."""
    return str(error.object)[error.start : error.start + 1]


def _declared(content: bytes) -> str:
    """The encoding that a Python file says it has; UTF-8 if it says none, or one that Python does not know."""
    try:
        return tokenize.detect_encoding(io.BytesIO(content).readline)[0].removesuffix("-sig")
    except (SyntaxError, UnicodeError):
        cookie = re.match(rb"(?:[ \t\f]*#.*\r?\n)?[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", content)
        return cookie[1].decode("ascii", "replace") if cookie else "utf-8"
