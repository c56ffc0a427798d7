"""A plug-in is found by built-in name, package.module:Class or entry point; anything else gives a one-line error."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness import agents, plugins
from harness.agents.tuner import TunerAgent
from harness.errors import UnknownName, UserError
from harness.execution import executors
from harness.execution.executors.local import LocalExecutor


def test_every_built_in_part_exists() -> None:
    assert plugins.find("agent", "tuner", agents.BUILT_IN) is TunerAgent
    assert plugins.find("executor", "local", executors.BUILT_IN) is LocalExecutor
    assert plugins.find("agent", "aider", agents.BUILT_IN).__name__ == "AiderAgent"


def test_a_class_is_found_by_module_and_name() -> None:
    assert plugins.find("agent", "harness.agents.tuner:TunerAgent", {}) is TunerAgent


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownName, match=r"no agent named 'aidr'; known: .*aider.*tuner"):
        plugins.find("agent", "aidr", agents.BUILT_IN)


@pytest.mark.parametrize(
    "place", ["no.such.module:X", "collections:NoSuchClass", ":X", "collections:", "..x:Y", "a b:c"]
)
def test_a_place_that_does_not_exist_is_refused(place: str) -> None:
    with pytest.raises(UserError) as refused:
        plugins.find("agent", place, {})
    assert place in str(refused.value)


@pytest.mark.parametrize(("what", "place"), [("agent", "collections:OrderedDict"), ("executor", "json:dumps")])
def test_a_class_without_the_methods_of_a_plug_in_is_refused(what: str, place: str) -> None:
    with pytest.raises(UserError, match=f"{place} cannot be used as {what}"):
        plugins.find(what, place, {})


@pytest.mark.parametrize("source", ["def broken(:\n", "1 / 0\n", "import no_such_module\n"])
def test_a_plug_in_that_cannot_be_imported_is_refused_with_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    (tmp_path / "broken_plugin.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        with pytest.raises(UserError, match="broken_plugin:X"):
            plugins.find("agent", "broken_plugin:X", {})
    finally:
        sys.modules.pop("broken_plugin", None)
