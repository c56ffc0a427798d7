"""Every agent keeps the contract of all agents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.agents import Request, turns
from harness.agents.turns import RecordedTurn
from harness.records import Purpose
from harness.workspace import Workspace

from .contract import AgentContract, request

BLOCK = "{path}\n```python\n<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n```\n"
EDITS = (
    ("experiment.py", "RATE = 0.1  # the step", "RATE = 0.2  # the step"),
    ("experiment.py", "RATE = 0.2  # the step", "RATE = 0.3  # the step"),
    ("notes.md", "# Notes", "# Notes\n\nIt got worse."),
)


class TestTuner(AgentContract):
    NAME = "tuner"

    @pytest.fixture
    def request_of(self, workspace: Workspace) -> Request:
        return request("tuner", workspace.template)


class TestRandom(AgentContract):
    NAME = "random"

    @pytest.fixture
    def request_of(self, workspace: Workspace) -> Request:
        return request("random", workspace.template, seed=3)


class TestAider(AgentContract):
    NAME = "aider"
    REPORTS_CALLS = True

    @pytest.fixture
    def request_of(self, tmp_path: Path, workspace: Workspace) -> Request:
        recording = tmp_path / "recording.jsonl"
        replies = [f"I change it.\n\n{BLOCK.format(path=path, old=old, new=new)}" for path, old, new in EDITS]
        recording.write_text("".join(json.dumps({"prompt": "", "reply": reply}) + "\n" for reply in replies))
        return request("aider", workspace.template, f"replay:{recording}")


class TestRecorded(AgentContract):
    NAME = "recorded"

    @pytest.fixture
    def request_of(self, tmp_path: Path, workspace: Workspace) -> Request:
        file, before = tmp_path / "turns.jsonl", workspace.snapshot()
        tree = before
        for number, (path, old, new) in enumerate(EDITS):
            target = workspace.root / path
            target.write_text(target.read_text().replace(old, new))
            after = workspace.snapshot()
            purpose: Purpose = "finish" if path == "notes.md" else "next"
            turn = RecordedTurn("tuner", purpose, "Do it.", "I change it.", workspace.exact_patch(tree, after))
            turns.keep(file, turn, number)
            tree = after
        workspace.restore(before)
        return request("recorded", workspace.template, turns=file)
