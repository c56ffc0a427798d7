"""A control is worth something only if it makes runs of its own."""

from __future__ import annotations

import pytest
from lab import Project


@pytest.mark.parametrize("control", ["random", "tuner"])
def test_a_control_does_not_repeat_the_runs_of_its_study(project: Project, control: str) -> None:
    order = ("run", "tiny", "--agent", "tuner", "--max-runs", "2", "--confirm", "0", "--name", "s")
    said = project.harness(*order, "--control", control)
    assert said.code == 0, said.err
    study, other = project.study("s").launches, project.study("s-control").launches
    assert (len(study), len(other)) == (2, 2)
    assert not {launch.digest for launch in study} & {launch.digest for launch in other}


def test_a_control_with_a_seed_of_its_own_keeps_it(project: Project) -> None:
    (project.root / "harness.toml").write_text("[agent.random]\nseed = 7\n")
    order = ("run", "tiny", "--agent", "tuner", "--max-runs", "1", "--confirm", "0", "--name", "s")
    assert project.harness(*order, "--control", "random").code == 0
    assert project.study("s-control").history.begun.agent_settings == {"seed": 7}
