"""Find a plug-in by name: a built-in, `package.module:Class`, or an installed entry point."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module, metadata
from typing import Any

from harness.errors import UnknownName, UserError

METHODS = {
    "agent": ("check", "edit", "close"),
    "executor": ("submit", "find", "expected_machine", "Settings"),
    "strategy": ("base",),
}
"""Kind of plug-in → the attributes that it must have."""


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


def _load(what: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except Exception as error:  # importing a plug-in may raise anything
        raise UserError(f"cannot load the {what} {place}: {type(error).__name__}: {error}") from error
    lacking = [name for name in METHODS[what] if not callable(getattr(found, name, None))]
    if lacking:
        raise UserError(f"{place} is not a valid {what}: it has no method {lacking[0]}")
    return found
