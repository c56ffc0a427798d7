"""Find a plug-in by name, and its settings. A name is a built-in, `package.module:Class`, or an entry point."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import UnknownName, UserError
from harness.files import parse_toml
from harness.records import Record
from harness.validation import first_error, one_line

PARTS = {
    "agent": ("check", "edit", "close", "Settings", "uses_model", "how_to_edit"),
    "executor": ("submit", "find", "expected_machine", "Settings"),
    "strategy": ("base",),
}
"""Kind of plug-in → the attributes that it must have."""


class SettingsFile(Record):
    """harness.toml of a project: a table per plug-in with settings other than its defaults."""

    agent: dict[str, dict[str, Any]] = {}
    executor: dict[str, dict[str, Any]] = {}


def find(what: str, name: str, built_in: Mapping[str, str]) -> Any:
    """The class for `name`.

    Args:
        what: "agent", "executor" or "strategy"; entry points are looked up in the group `harness.<what>`.

    Raises:
        UnknownName: nothing has this name; the message lists the known names.
    """
    if name in built_in:
        return _load(what, built_in[name])
    if ":" in name:
        return _load(what, name)
    plugged = {point.name: point.value for point in metadata.entry_points(group=f"harness.{what}")}
    if name in plugged:
        return _load(what, plugged[name])
    raise UnknownName(what, name, [*built_in, *plugged])


def settings(what: str, name: str, built_in: Mapping[str, str], file: Path, changes: Iterable[str] = ()) -> Any:
    """The settings of a plug-in, as its `Settings` holds them: defaults, changed by `file`, changed by `changes`.

    Args:
        file: harness.toml with tables `[<what>.NAME]`; it may be missing.
        changes: `NAME=VALUE` each, a value written as in TOML; what is not TOML is text.

    Raises:
        UserError: no such plug-in, or a file or settings that cannot be used.
    """
    tables: dict[str, dict[str, Any]] = getattr(_read(file), what)
    for other in tables:
        try:
            find(what, other, built_in)  # otherwise a misspelled name would be ignored
        except UserError as error:
            raise UserError(f"{file}: [{what}.{other}]: {error}") from error
    changed = dict(_change(text) for text in changes)
    kind, values = find(what, name, built_in).Settings, {**tables.get(name, {}), **changed}
    found = checked(kind, values, f"{file}: [{what}.{name}]", changed)
    if checked(kind, found.model_dump(mode="json"), f"{file}: [{what}.{name}]") != found:
        raise UserError(f"{file}: [{what}.{name}] holds a value that a study cannot keep as JSON")
    return found


def checked(kind: type[Record], values: Mapping[str, Any], where: str, changed: Container[str] = ()) -> Any:
    """The settings in a plug-in's `Settings`.

    Raises:
        UserError: a value is wrong; the message says that it comes from `where`, or from --set if it is one of
            `changed`.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        name = next(iter(first_error(error)["loc"]), "")
        raise UserError(f"{'--set' if name in changed else where} {one_line(error, kind)}") from error


def _change(text: str) -> tuple[str, Any]:
    """The name and the value in `NAME=VALUE`."""
    name, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--set takes NAME=VALUE, not {text!r}")
    try:
        content = parse_toml(f"value = {value}")
    except (ValueError, RecursionError):
        content = {}
    return name.strip(), content["value"] if [*content] == ["value"] else value


def _read(file: Path) -> SettingsFile:
    try:
        return SettingsFile.model_validate(parse_toml(file.read_text(encoding="utf-8-sig")) if file.is_file() else {})
    except ValidationError as error:
        raise UserError(f"{file}: {one_line(error, SettingsFile)}") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: not TOML: {error}") from error


def _load(what: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except Exception as error:  # importing a plug-in may raise anything
        raise UserError(f"cannot load the {what} {place}: {type(error).__name__}: {error}") from error
    missing = [name for name in PARTS[what] if not hasattr(found, name)]
    if missing:
        raise UserError(f"{place} cannot be used as {what}: it has no {missing[0]}; docs/extending.md shows an example")
    return found
