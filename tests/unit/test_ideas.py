"""Ideas as others write them: lists, AI-Scientist's keys, Markdown; and what is no idea is told in one line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from harness.errors import IdeaError
from harness.template.folder import Template
from harness.template.ideas import read_idea, read_ideas

THEIRS = {
    "Name": "wider",
    "Title": "Wider layers",
    "Experiment": "Double the width.",
    "Interestingness": 7,
    "Feasibility": 9,
    "Novelty": 3,
}
OURS = {"title": "Deeper", "prompt": "Add a layer."}


def file(folder: Path, content: Any, name: str = "ideas.json") -> str:
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(folder / name)


@pytest.mark.parametrize(
    ("content", "which", "title", "prompt"),
    [
        (THEIRS, "", "Wider layers", "Double the width."),
        ([THEIRS], "", "Wider layers", "Double the width."),
        ([OURS, THEIRS], "#wider", "Wider layers", "Double the width."),
        ([OURS, THEIRS], "#1", "Deeper", "Add a layer."),
        ({"Name": "a", "Experiments": ["x", "y"], "Short Hypothesis": "z"}, "", "a", "- x\n- y\n\nShort Hypothesis: z"),
    ],
)
def test_ideas_of_others_are_read(
    tmp_path: Path, template: Template, content: Any, which: str, title: str, prompt: str
) -> None:
    idea = read_idea(template, file(tmp_path, content) + which)
    assert (idea.title, idea.prompt) == (title, prompt)


def test_the_first_heading_of_markdown_is_the_title(tmp_path: Path, template: Template) -> None:
    idea = read_idea(template, file(tmp_path, "Some words.\n\n## Wider layers ##\n\nDouble it.\n", "idea.md"))
    assert idea.title == "Wider layers"
    assert "Double it." in idea.prompt


@pytest.mark.parametrize(
    ("content", "which", "said"),
    [
        ([OURS, THEIRS], "", "has 2 ideas; choose one with .*#NAME: Deeper, wider"),
        ([OURS, THEIRS], "#wide", "no idea named 'wide'"),
        ([], "", "empty list"),
        ([OURS, 3], "", "idea 2"),
        ({"title": "a \ud800 b", "prompt": "x"}, "", "title"),
        ("x" * 2**21, "", "larger than 1 MiB"),
    ],
)
def test_what_cannot_be_chosen_or_read_is_told_in_one_line(
    tmp_path: Path, template: Template, content: Any, which: str, said: str
) -> None:
    with pytest.raises(IdeaError, match=said) as refused:
        read_idea(template, file(tmp_path, content) + which)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["idea.toml", "pipe"])
def test_a_pipe_is_no_idea(tmp_path: Path, template: Template, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(IdeaError, match="not a regular file"):
        read_idea(template, str(tmp_path / name))


def test_a_template_may_ship_a_list(toy: Path, template: Template) -> None:
    (toy / "ideas").mkdir(exist_ok=True)
    file(toy / "ideas", [OURS, THEIRS], "many.json")
    assert [idea.title for idea in read_ideas(template, "many")] == ["Deeper", "Wider layers"]
    assert read_idea(template, "many#wider").title == "Wider layers"


def test_an_idea_with_a_hash_in_it_is_an_idea(template: Template) -> None:
    assert read_idea(template, "Use issue #3 as a guide").title == "Use issue #3 as a guide"
