"""The tuner finds constants, rewrites them and nothing else, and suggests the same again for the same history."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from harness.agents import Instruction, Request, Setup
from harness.agents.tuner import TunerAgent, TunerSettings, constants, with_constants
from harness.errors import TemplateError
from harness.paths import StudyPaths
from harness.records import Purpose
from harness.template.folder import Template
from harness.workspace import Workspace
from unit.conftest import Story

SOURCE = '''\
"""Doc with ümlauts and 日本."""

import math

# RATE = 9
NAME = "ünïcode"; RATE = 0.1; AFTER = 1  # the step, 0.1
WIDTH: int = (
    8  # wide
)
SHIFT =-1.5e-3
MODE = 'adam'
LAYERS = [1,
          2]
BARE: int


def main():
    RATE = 5  # a local one
    return RATE
'''


def test_constants_are_found_with_and_without_annotation() -> None:
    names = ("RATE", "WIDTH", "SHIFT", "MODE", "LAYERS", "NAME")
    assert constants(SOURCE, names) == {
        "RATE": 0.1,
        "WIDTH": 8,
        "SHIFT": -0.0015,
        "MODE": "adam",
        "LAYERS": [1, 2],
        "NAME": "ünïcode",
    }


@pytest.mark.parametrize(
    ("name", "value", "old", "new"),
    [
        ("RATE", 0.25, '"ünïcode"; RATE = 0.1; AFTER', '"ünïcode"; RATE = 0.25; AFTER'),
        ("WIDTH", 16, "(\n    8  # wide\n)", "(\n    16  # wide\n)"),
        ("SHIFT", 2.0, "SHIFT =-1.5e-3", "SHIFT =2.0"),
        ("MODE", "sgd", "MODE = 'adam'", "MODE = 'sgd'"),
        ("LAYERS", 3, "[1,\n          2]", "3"),
    ],
)
def test_one_value_is_written_and_every_other_character_stays(name: str, value: Any, old: str, new: str) -> None:
    assert SOURCE.count(old) == 1
    assert with_constants(SOURCE, {name: value}) == SOURCE.replace(old, new)


def test_all_values_are_written_at_once() -> None:
    values = {"NAME": "a longer name than before", "RATE": 1e-05, "AFTER": 22, "WIDTH": 1000, "SHIFT": 0.5, "MODE": "x"}
    for order in (values, dict(reversed(values.items()))):
        rewritten = with_constants(SOURCE, order)
        assert constants(rewritten, values) == values
        assert "# RATE = 9" in rewritten
        assert "RATE = 5  # a local one" in rewritten
        assert len(rewritten.splitlines()) == len(SOURCE.splitlines())


def test_values_already_there_change_nothing_but_their_spelling() -> None:
    values = constants(SOURCE, ("RATE", "WIDTH", "MODE"))
    assert with_constants(SOURCE, values) == SOURCE


@pytest.mark.parametrize(
    "source",
    [
        "",
        "OTHER = 1\n",
        "RATE = 1 / 10\n",
        "RATE = f(3)\n",
        "RATE = OTHER\n",
        "RATE = f'{1}'\n",
        "RATE: float\n",
        "RATE = 1\nRATE = 2\n",
        "A = RATE = 1\n",
        "if True:\n    RATE = 1\n",
        "def f():\n    RATE = 1\n",
        "class C:\n    RATE = 1\n",
        "RATE += 1\n",
        "RATE = {[1]: 2}\n",
    ],
)
def test_what_is_not_assigned_once_to_a_literal_is_refused_by_name(source: str) -> None:
    with pytest.raises(TemplateError, match=r"search_space\.RATE"):
        constants(source, ["RATE"])
    with pytest.raises(TemplateError, match=r"search_space\.RATE"):
        with_constants(source, {"RATE": 0.5})


def tuner(workspace: Workspace, **settings: Any) -> TunerAgent:
    return TunerAgent(
        Setup(
            paths=StudyPaths(workspace.root),
            template=workspace.template,
            settings=TunerSettings(**settings),
            model="",
            prices={},
            timeout=1.0,
            retries=0,
            on_call=lambda _: None,
            on_note=lambda _: None,
            calls=0,
        )
    )


@pytest.fixture
def agent(workspace: Workspace) -> TunerAgent:
    return tuner(workspace)


def suggested(agent: TunerAgent, workspace: Workspace, history: Any, purpose: Purpose = "next") -> dict[str, Any]:
    reply = agent.edit(Instruction(purpose, "", history), workspace.root)
    assert reply.problems == ()
    source = (workspace.root / "experiment.py").read_text()
    values = constants(source, workspace.template.manifest.search_space)
    assert all(f"{name} = {value!r}" in reply.text for name, value in values.items())
    return values


def test_suggestions_lie_in_the_space_and_only_the_constants_change(
    agent: TunerAgent, workspace: Workspace, story: type[Story]
) -> None:
    before = (workspace.root / "experiment.py").read_text()
    values = suggested(agent, workspace, story().history)
    assert 0.001 <= values["RATE"] <= 1.0
    assert isinstance(values["WIDTH"], int)
    assert 1 <= values["WIDTH"] <= 64
    assert (workspace.root / "experiment.py").read_text() == with_constants(before, values)


def test_the_same_history_gives_the_same_suggestion_and_another_turn_another(
    agent: TunerAgent, workspace: Workspace, story: type[Story]
) -> None:
    s, seen = story(), []
    for loss in (0.5, 0.4, 0.6, 0.3, 0.2, 0.45):
        values = suggested(agent, workspace, s.history)
        assert suggested(tuner(workspace), workspace, s.history) == values
        seen.append(tuple(values.values()))
        s.run((loss, loss + 0.01, loss + 0.02))
    assert len(set(seen)) == len(seen)


def test_results_steer_the_suggestions(agent: TunerAgent, workspace: Workspace, story: type[Story]) -> None:
    """Two studies whose results differ get different suggestions once the sampler has learnt."""
    good, bad = story(), story()
    for n in range(6):
        good.run((0.1 + n, 0.11 + n, 0.12 + n))
        bad.run((0.1 - n, 0.11 - n, 0.12 - n))
    assert suggested(agent, workspace, good.history) != suggested(agent, workspace, bad.history)


def test_failed_and_rejected_turns_are_learnt_from_as_failures(
    agent: TunerAgent, workspace: Workspace, story: type[Story]
) -> None:
    s = story().failed_run()
    first = suggested(agent, workspace, s.history)
    s.turn("rejected")
    assert suggested(agent, workspace, s.history) != first


def test_another_seed_makes_other_suggestions(workspace: Workspace, story: type[Story]) -> None:
    first = suggested(tuner(workspace), workspace, story().history)
    assert suggested(tuner(workspace, seed=1), workspace, story().history) != first
    with pytest.raises(ValidationError):
        TunerSettings(seed="1")  # type: ignore[arg-type]  # a text is no seed


def test_it_writes_no_notes(agent: TunerAgent, workspace: Workspace, story: type[Story]) -> None:
    before = workspace.snapshot()
    reply = agent.edit(Instruction("finish", "", story().history), workspace.root)
    assert reply.problems == ()
    assert workspace.snapshot() == before


def test_line_ends_are_kept(agent: TunerAgent, workspace: Workspace, story: type[Story]) -> None:
    path = workspace.root / "experiment.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    lines = path.read_bytes().count(b"\r\n")
    suggested(agent, workspace, story().history)
    assert path.read_bytes().count(b"\r\n") == path.read_bytes().count(b"\n") == lines


def test_a_template_without_a_search_space_cannot_be_tuned(toy: Path) -> None:
    manifest = toy / "template.toml"
    manifest.write_text(manifest.read_text().split("[search_space.RATE]")[0])
    with pytest.raises(TemplateError, match=r"no \[search_space\]"):
        TunerAgent.check(Request(Template(toy), TunerSettings()))


@pytest.mark.parametrize("present", ["'sgd'", "'rmsprop'", "None", "0.5"])
def test_a_present_value_outside_the_space_is_no_obstacle(
    toy: Path, workspace: Workspace, story: type[Story], present: str
) -> None:
    manifest = (
        toy / "template.toml"
    ).read_text() + '\n[search_space.MODE]\ntype = "categorical"\nchoices = ["adam", "sgd"]\n'
    (toy / "template.toml").write_text(manifest)
    for folder in (toy, workspace.root):
        script = folder / "experiment.py"
        script.write_text(script.read_text().replace("WIDTH: int = 8", f"WIDTH: int = 8\nMODE = {present}"))
    workspace.template = Template(toy)
    assert suggested(tuner(workspace), workspace, story().history)["MODE"] in ("adam", "sgd")
    ast.parse((workspace.root / "experiment.py").read_text())
