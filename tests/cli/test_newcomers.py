"""What somebody is told who uses the harness for the first time."""

from __future__ import annotations

from lab import Project


def test_an_agent_without_a_model_says_that_it_does_not_try_the_idea(project: Project) -> None:
    order = ("run", "tiny", "--agent", "tuner", "--max-runs", "1", "--confirm", "0")
    said = project.harness(*order, "--idea", "Use momentum")
    assert said.code == 0
    assert "the agent tuner uses no model: --idea only names the study, and is not tried" in said.err
    assert "--idea" not in project.harness(*order).err
