"""Turns the tokens of a LaTeX file into lines of prose. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.audit.latex.lines import Line, Lines
from harness.audit.latex.tokens import OPTIONAL, Token, pairs, plain
from harness.audit.latex.vocabulary import (
    ALONE,
    ARGUMENTS,
    CHARACTERS,
    HEADINGS,
    HIDDEN,
    NO_PROSE,
    RUN_IN,
    SPOKEN,
    SYMBOLS,
    TABLES,
)

COLUMNS = 20
"""Maximum number of columns that one cell spans."""


class Reader:
    """Reads the tokens from the first to the last."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._closing = dict(pairs(tokens))
        self._at = 0
        self._out = Lines()
        self._tables = 0
        """How many tables this is inside of; those inside another are text of its cell."""
        self._line = 1
        self._ends: dict[int, tuple[str, int]] = {}
        """A closing brace → what ends there, and how many columns of a table it took beyond the first."""

    def lines(self) -> list[Line]:
        while self._at < len(self._tokens):
            token, at = self._tokens[self._at], self._at
            self._at, self._line = self._at + 1, token.line
            match token.kind:
                case "command":
                    self._command(token.text.removesuffix("*"))
                case "character":
                    self._character(token.text)
                case "sign":
                    self._sign(token.text, at)
                case "text" | "verbatim":
                    self._say(token.text)
        if self._tables:
            self._out.end_table()
        self._out.begin_paragraph()
        return self._out.found

    def _say(self, text: str) -> None:
        self._out.add(text, self._line)

    # Signs

    def _sign(self, sign: str, at: int) -> None:
        match sign:
            case "\n" if not self._tables and self._is_blank(self._at):
                self._out.begin_paragraph()
            case "\n" | "~":
                self._say(" ")
            case "&" if self._tables == 1:
                self._out.begin_cells()
            case "$":
                self._dollar()
            case "}":
                self._close(at)
            case "[" | "]":
                self._say(sign)

    def _is_blank(self, at: int) -> bool:
        """Whether a line that begins here is empty."""
        ahead = [token.text for token in self._tokens[at : at + 2]]
        return ahead[:1] == ["\n"] or (ahead[1:] == ["\n"] and not ahead[0].strip(" \t\r"))

    def _dollar(self) -> None:
        if self._at < len(self._tokens) and self._tokens[self._at].text == "$":
            self._at += 1
            self._until("sign", "$")
            if self._at < len(self._tokens) and self._tokens[self._at].text == "$":
                self._at += 1
        else:
            self._say(_formula(self._until("sign", "$")))

    def _until(self, kind: str, text: str) -> Sequence[Token]:
        """Read up to and with this token; no farther than to the end of the paragraph."""
        start = self._at
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if (token.kind, token.text) == (kind, text):
                self._at += 1
                return self._tokens[start : self._at - 1]
            if token.text == "\n" and token.kind == "sign" and self._is_blank(self._at + 1):
                break
            self._at += 1
        return self._tokens[start : self._at]

    def _character(self, character: str) -> None:
        match character:
            case "(":
                self._say(_formula(self._until("character", ")")))
            case "[":
                self._until("character", "]")
            case "\\" | "":
                self._skip_optional()
                if self._tables == 1 and character:
                    self._out.begin_row()
                else:
                    self._say(" ")
            case _:
                self._say(CHARACTERS.get(character, ""))

    # Commands

    def _command(self, name: str) -> None:
        match name:
            case "begin" | "end":
                self._environment(name)
            case "par" | "item":
                self._out.begin_paragraph("- " if name == "item" else "")
            case "multicolumn":
                columns = plain(self._tokens, self._at)
                self._skip_arguments(2)
                more = min(int(columns), COLUMNS) - 1 if re.fullmatch("[1-9][0-9]{0,3}", columns) else 0
                self._note_end("cell", more)
            case "footnote":
                self._say(" (")
                self._note_end("footnote")
            case "tabularnewline" if self._tables == 1:
                self._out.begin_row()
            case "def" | "iffalse":
                self._skip_unprinted(name)
            case _ if name in SYMBOLS:
                self._say(SYMBOLS[name])
            case _ if name in HEADINGS or name in ALONE or name in RUN_IN:
                self._skip_optional()
                self._out.begin_paragraph(HEADINGS.get(name, ""))
                self._note_end("run-in" if name in RUN_IN else "paragraph")
            case _:
                self._skip_optional()
                self._skip_arguments(1 if name in SPOKEN else HIDDEN.get(name, 0))
                self._say(SPOKEN.get(name, ""))

    def _note_end(self, what: str, more: int = 0) -> None:
        """Remember what ends with the argument that begins here."""
        if (end := self._closing.get(self._next())) is not None:
            self._ends[end] = what, more

    def _close(self, at: int) -> None:
        match self._ends.pop(at, ("", 0)):
            case "cell", more if self._tables == 1:
                self._out.begin_cells(more)
            case "run-in", _:
                self._say(" " if self._out.last_character in ".:?!" else ". ")
            case "footnote", _:
                self._say(") ")
            case "paragraph", _:
                self._out.begin_paragraph()

    def _environment(self, begin: str) -> None:
        name = plain(self._tokens, self._at)
        self._skip_arguments(1)
        if name in TABLES:
            self._begin_table(name) if begin == "begin" else self._end_table()
        elif begin == "end":
            self._out.begin_paragraph()
        elif name.removesuffix("*") in NO_PROSE:
            self._skip_to("end", name)
        else:
            self._out.begin_paragraph()
            self._skip_optional()
            self._skip_arguments(ARGUMENTS.get(name.removesuffix("*"), 0))

    def _begin_table(self, name: str) -> None:
        self._skip_optional()
        self._skip_arguments(TABLES[name])
        self._tables += 1
        if self._tables == 1:
            self._out.begin_table()

    def _end_table(self) -> None:
        if self._tables == 1:
            self._out.end_table()
        self._tables = max(0, self._tables - 1)

    # Arguments

    def _next(self) -> int:
        """The position of the next token on this line or the next that is not a space."""
        at = self._at
        while at < min(self._at + 3, len(self._tokens)) and not self._tokens[at].text.strip():
            at += 1
        return at

    def _skip_arguments(self, count: int) -> None:
        for _ in range(count):
            at = self._next()
            if at < len(self._tokens) and self._tokens[at].kind == "command" and count > 1:
                self._at = at + 1  # `\newcommand\name{…}`
            elif at in self._closing:
                self._at = self._closing[at] + 1
            self._skip_optional()

    def _skip_optional(self) -> None:
        at = self._at
        while at < len(self._tokens) and self._tokens[at].text == "[":
            end = at
            while end < min(at + OPTIONAL, len(self._tokens)) and self._tokens[end].text != "]":
                end = self._closing.get(end, end) + 1
            if end >= len(self._tokens) or self._tokens[end].text != "]":
                return
            at = self._at = end + 1

    def _skip_unprinted(self, name: str) -> None:
        if name == "iffalse":
            self._skip_to("fi")
            return
        while self._at < len(self._tokens) and self._tokens[self._at].text not in ("{", "\n"):
            self._at += 1
        self._skip_arguments(1)

    def _skip_to(self, command: str, argument: str = "") -> None:
        """Skip everything up to and with a command; to the end if it does not come."""
        while self._at < len(self._tokens):
            token, at = self._tokens[self._at], self._at
            self._at += 1
            if (token.kind, token.text) == ("command", command) and plain(self._tokens, at + 1) == argument:
                self._skip_arguments(1 if argument else 0)
                return


def _formula(tokens: Sequence[Token]) -> str:
    """An inline formula, as plain as it gets."""
    parts = {"command": SYMBOLS, "character": CHARACTERS}
    text = "".join(parts[t.kind].get(t.text, "") if t.kind in parts else t.text for t in tokens if t.kind != "comment")
    text = re.sub(r"[_^]\s?\{?\s?±", " ± ", text.replace("}{", "/"))
    return re.sub(r"[{}\n~&$]", lambda match: " " if match[0] in "\n~" else "", text)
