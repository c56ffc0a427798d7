"""Errors of records in one line, in the words of somebody who writes TOML."""

from __future__ import annotations

import difflib
from types import NoneType
from typing import Any, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from harness.records import Record

IN_PLAIN_WORDS = {
    "extra_forbidden": "unknown key",
    "missing": "is missing",
    "tuple_type": 'must be a list, such as ["a"]',
    "too_short": "must not be empty",
    "string_type": "must be text in quotes",
    "model_type": "must be a table",
    "dict_type": "must be a table",
}
"""Type of a pydantic error → a message for users who write TOML."""


def first_error(error: ValidationError) -> ErrorDetails:
    """The error to report: an unknown key, which may be why another one is missing, otherwise the first."""
    found = error.errors(include_url=False)
    return next((each for each in found if each["type"] == "extra_forbidden"), found[0])


def one_line(error: ValidationError, kind: type[Record] | None = None) -> str:
    """A pydantic error as one line: where and what; for a record of that kind also what could be written instead."""
    first = first_error(error)
    where = ".".join(str(part) for part in first["loc"])
    what = IN_PLAIN_WORDS.get(first["type"]) or first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden" and kind is not None:
        what += _known(str(first["loc"][-1]), _type_at(kind, first["loc"][:-1]))
    elif first["type"] == "tuple_type" and int in get_args(_type_at(kind, first["loc"])):
        what = "must be a list, such as [0, 1, 2]"
    return f"{where}: {what}" if where else what


def _known(key: str, kind: Any) -> str:
    """The key that was meant, or those that the record has."""
    known = list(getattr(kind, "model_fields", ()))
    if close := difflib.get_close_matches(key, known, n=1):
        return f"; did you mean {close[0]}?"
    return f"; known: {', '.join(known)}" if known else ""


def _type_at(kind: Any, path: tuple[int | str, ...]) -> Any:
    """The type of what is at that path within a record; None if the record has no such place."""
    for part in path:
        fields = getattr(kind, "model_fields", {})
        kind = get_args(kind)[-1] if get_origin(kind) is dict else fields[part].annotation if part in fields else None
        kind = next((each for each in get_args(kind) if NoneType in get_args(kind) and each is not NoneType), kind)
    return kind
