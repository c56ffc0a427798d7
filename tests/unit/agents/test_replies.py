"""A reply is read as whole edits of the files that it names, or refused."""

from __future__ import annotations

import pytest
from lab import edit

from harness.agents.replies import Block, Whole, asked_for, parse, says_done
from harness.agents.thoughts import without_thoughts

KNOWN = ("experiment.py", "notes.md", "net_model.py", "Makefile")
BLOCK = "<<<<<<< SEARCH\nLR = 0.1\n=======\nLR = 0.01\n>>>>>>> REPLACE\n"
LINES = ("LR = 0.1", "=======", "LR = 0.01")
CODE = "import os\n\nLR = 0.01\n"


def named(path: str) -> list[Block | Whole]:
    return [Block(path, LINES)]


@pytest.mark.parametrize(
    "reply",
    [
        edit("experiment.py", "LR = 0.1", "LR = 0.01"),
        f"experiment.py\n{BLOCK}",
        f"experiment.py\n\n```python\n{BLOCK}```\n",
        f"```python\nexperiment.py\n{BLOCK}```\n",
        f"```\nexperiment.py\n```\n```python\n{BLOCK}```\n",
        f"```python experiment.py\n{BLOCK}```\n",
        f'```python title="experiment.py"\n{BLOCK}```\n',
        f"**experiment.py**\n```python\n{BLOCK}```\n",
        f"### `experiment.py`:\n```python\n{BLOCK}```\n",
        f"1. File: `experiment.py`\n```python\n{BLOCK}```\n",
        f"I change `experiment.py` like this:\n```python\n{BLOCK}```\n",
        f"./experiment.py\n~~~\n{BLOCK}~~~\n",
        f"experiment.py\n```python\n{BLOCK}\nThe fence is never closed.\n",
        f"experiment.py\n```python\n{BLOCK.replace('SEARCH', 'SEARCH>').replace('<<<<<<<', '<<<<<')}```\n",
        f"- experiment.py\n  ```python\n  {BLOCK.strip().replace(chr(10), chr(10) + '  ')}\n  ```\n",
        edit("experiment.py", "LR = 0.1", "LR = 0.01").replace("\n", "\r\n"),
        "\ufeff" + edit("experiment.py", "LR = 0.1", "LR = 0.01"),
    ],
)
def test_a_block_is_read_in_every_form_that_names_its_file(reply: str) -> None:
    parsed = parse(reply, KNOWN)
    assert (parsed.problem, parsed.edits) == ("", named("experiment.py"))


@pytest.mark.parametrize("path", ["net_model2.py", "src/net_model.py", "Net_model.py", "net_model.py.bak", "../x.py"])
def test_a_block_belongs_to_the_file_that_it_names_and_to_no_similar_one(path: str) -> None:
    assert parse(f"{path}\n```python\n{BLOCK}```\n", KNOWN).edits == named(path)


def test_blocks_in_one_fence_belong_to_the_file_named_before_them() -> None:
    assert parse(f"experiment.py\n```python\n{BLOCK}\n{BLOCK}```\n", KNOWN).edits == 2 * named("experiment.py")
    later = f"experiment.py\n```python\n{BLOCK}```\nAnd further down:\n```python\n{BLOCK}```\n"
    assert parse(later, KNOWN).edits == 2 * named("experiment.py")


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (f"```python\n{BLOCK}```\n", "does not say which file"),
        (f"experiment.py\n```\n{BLOCK}```\nNow net_model2.py, too, as said:\n```\n{BLOCK}```\n", "which file"),
        ("experiment.py\n<<<<<<< SEARCH\nLR = 0.1\n=======\nLR = 0.01\n", "no line `>>>>>>> REPLACE`"),
        ("experiment.py\n```\nLR = 0.1\n=======\nLR = 0.01\n>>>>>>> REPLACE\n```\n", "no complete SEARCH/REPLACE"),
        ("experiment.py\n```\n<<<<<<< ORIGINAL\nLR = 0.1\n=======\nLR = 2\n>>>>>>> UPDATED\n```\n", "no complete"),
        ("experiment.py\n```\n<<< SEARCH\n=======\n>>>>>>> REPLACE\n```\n", "no complete SEARCH/REPLACE"),
        (f"experiment.py\n<<<<<<< SEARCH\nLR = 1\n{BLOCK}", "no line `>>>>>>> REPLACE`"),
        (f"experiment.py\n```python\nimport os\n{BLOCK}```\n", "outside the SEARCH/REPLACE blocks"),
        (f"experiment.py\n```python\n{BLOCK}import os\n```\n", "outside the SEARCH/REPLACE blocks"),
        ("```diff\n-LR = 0.1\n+LR = 0.01\n```\n", "holds a diff"),
        ("experiment.py\n```diff\n-LR = 0.1\n+LR = 0.01\n```\n", "holds a diff"),
        ("```\n--- a/experiment.py\n+++ b/experiment.py\n@@ -1 +1 @@\n-LR = 0.1\n+LR = 0.01\n```\n", "holds a diff"),
        ("diff --git a/x.py b/x.py\n", "holds a diff"),
        ("*** Begin Patch\n*** Update File: experiment.py\n", "no complete SEARCH/REPLACE"),
        (edit("experiment.py", "a", "b") + ">>>>>>> REPLACE\n", "no complete SEARCH/REPLACE"),
        (edit("experiment.py", "a", "b") + "```diff\n-c\n+d\n```\n", "holds a diff"),
        ("experiment.py\n```python\nimport os\n", "is not closed"),
        ("notes.md\n```\nText\n```\nMore\n```\nEnd\n", "not clear where notes.md ends"),
        (edit("experiment.py", "a", "b") + "<think>No, that is wrong.", "ends inside its thoughts"),
    ],
)
def test_what_looks_like_an_edit_and_is_none_refuses_the_reply(reply: str, told: str) -> None:
    parsed = parse(reply, KNOWN)
    assert parsed.edits == [] and told in parsed.problem


@pytest.mark.parametrize(
    "reply",
    [
        f"experiment.py\n```python\n{CODE}```\n",
        f"**experiment.py** (complete file)\n```python\n{CODE}```\n",
        f"```python:experiment.py\n{CODE}```\n",
        f"```experiment.py\n{CODE}```\n",
        f"Here it is.\n\n`experiment.py`:\n\n```py\n{CODE}```\nIt learns slowly.\n",
        "1. experiment.py\n   ```python\n   import os\n\n   LR = 0.01\n   ```\n",
    ],
)
def test_a_fence_with_the_name_of_a_file_is_the_whole_file(reply: str) -> None:
    assert parse(reply, KNOWN).edits == [Whole("experiment.py", CODE)]


def test_a_whole_file_may_hold_fences() -> None:
    notes = "# Report\n\n```python\nLR = 0.01\n```\n\nThe end.\n"
    assert parse(f"notes.md\n```markdown\n{notes}```\n", KNOWN).edits == [Whole("notes.md", notes)]
    assert parse(f"notes.md\n````\n{notes}````\n", KNOWN).edits == [Whole("notes.md", notes)]
    code = '"""How to use it:\n```\nrun()\n```\n"""\nLR = 0.01\n'
    assert parse(f"experiment.py\n```python\n{code}```\n", KNOWN).edits == [Whole("experiment.py", code)]


def test_a_file_named_in_the_first_line_of_its_fence_is_that_file() -> None:
    text = f"# experiment.py\n{CODE}"
    assert parse(f"```python\n{text}```\n", KNOWN).edits == [Whole("experiment.py", text)]


def test_code_in_a_fence_without_a_name_is_no_edit_but_seen() -> None:
    parsed = parse(f"Like this:\n```python\n{CODE}```\n", KNOWN)
    assert (parsed.edits, parsed.problem, parsed.snippets) == ([], "", 1)
    assert parse("It printed:\n```\nloss 0.3\n```\n", KNOWN).snippets == 0


def test_prose_with_an_underlined_heading_is_only_prose() -> None:
    parsed = parse("My plan\n=======\n\nLower LR.\n\n" + edit("experiment.py", "LR = 0.1", "LR = 0.01"), KNOWN)
    assert (parsed.problem, parsed.edits) == ("", named("experiment.py"))


GOOD = edit("experiment.py", "LR = 0.1", "LR = 0.01")
DRAFT = edit("experiment.py", "LR = 0.1", "LR = 9")


@pytest.mark.parametrize(
    "thoughts",
    [
        f"First idea:\n\n{DRAFT}\nThat is silly, drop it.\n</think>\n\n",
        f"{DRAFT}That is silly.</think>\n",
        f"<think>\n{DRAFT}</think>\n",
        f"<think>Short.</think>\n<think>{DRAFT}\n</think>\n",
        f"Hm.\n<thinking>\n{DRAFT}\n</thinking>\n",
        "experiment.py\n```python\n<<<<<<< SEARCH\nLR = 0.1\n=======\nno\n</think>\n",
        "```python\nprint(1)\n</think>\n",
        "Shall I say ALL_COMPLETED?\n</think>\n",
    ],
)
def test_an_edit_in_thoughts_is_no_edit(thoughts: str) -> None:
    parsed = parse(thoughts + GOOD, KNOWN)
    assert (parsed.problem, parsed.edits, parsed.done) == ("", named("experiment.py"), False)


@pytest.mark.parametrize(
    "code",
    ['text = text.split("</think>")[-1]', 'PROMPT = """\n<think>\n</think>\n"""', "# all before\n# </think>"],
)
def test_such_a_tag_in_code_is_code(code: str) -> None:
    reply = edit("experiment.py", "LR = 0.1", code)
    assert parse(reply, KNOWN).edits == [Block("experiment.py", ("LR = 0.1", "=======", *code.split("\n")))]
    whole = f"experiment.py\n```python\n{code}\n```\n"
    assert parse(whole, KNOWN).edits == [Whole("experiment.py", f"{code}\n")]


def test_a_tag_that_is_only_mentioned_ends_no_thoughts() -> None:
    reply = GOOD + "\nIt now cuts at `</think>` as the model does.\n"
    assert parse(reply, KNOWN).edits == named("experiment.py")
    assert without_thoughts("<think>never ended") == ("", True)


@pytest.mark.parametrize(
    ("text", "done"),
    [
        ("ALL_COMPLETED", True),
        ("Nothing more would help: ALL_COMPLETED.", True),
        ("**ALL_COMPLETED**", True),
        ("<think>ALL_COMPLETED?</think>Not yet.", False),
        ("ALL_COMPLETED\n</think>\nNot yet.", False),
        ("ALL_COMPLETED_RUNS", False),
        ("all completed", False),
    ],
)
def test_the_word_for_done_counts_wherever_it_stands_alone(text: str, done: bool) -> None:
    assert says_done(text) is done


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Please add README.md to the chat.", ["README.md"]),
        ("Could you share `data.py` and ./notes.md? Then I start.", ["data.py", "notes.md"]),
        ("I need to see evaluate.py first.", ["evaluate.py"]),
        ("I plan to change experiment.py next.", []),
        ("experiment.py is done.", []),
    ],
)
def test_a_request_for_files_is_understood(text: str, names: list[str]) -> None:
    assert asked_for(text) == names
