"""Edits are applied exactly, each to the file that it names; what is ambiguous is refused."""

from __future__ import annotations

import pytest
from lab import edit

from harness.agents.edits import Applied, apply
from harness.agents.replies import parse

CODE = """import os

LR = 0.1


def train(seed):
    loss = seed * LR
    return loss


def main():
    train(0)
"""
FILES = {"experiment.py": CODE, "notes.md": "# Notes\n", "twice.py": "a = 1\nb = 2\na = 1\n", "net_model.py": "x = 1\n"}


def applied(reply: str, finishing: bool = False, **files: str) -> Applied:
    parsed = parse(reply, tuple(FILES))
    assert not parsed.problem, parsed.problem
    texts = FILES | {name.replace("_md", ".md").replace("_py", ".py"): text for name, text in files.items()}
    return apply(
        parsed.edits, texts.get, lambda path: "is protected" if path == "evaluate.py" else None, finishing=finishing
    )


def changed(reply: str, path: str = "experiment.py", **files: str) -> str:
    done = applied(reply, False, **files)
    assert done.problems == [] and list(done.texts) == [path]
    return done.texts[path]


def refused(reply: str, told: str, **files: str) -> None:
    done = applied(reply, False, **files)
    assert done.texts == {} and told in "\n".join(done.problems), done


def test_a_block_replaces_whole_lines_exactly() -> None:
    assert changed(edit("experiment.py", "LR = 0.1", "LR = 0.01")) == CODE.replace("0.1", "0.01")
    refused(edit("experiment.py", "LR = 0.2", "LR = 0.01"), "no lines that match this SEARCH block exactly")
    refused(edit("experiment.py", "LR = 0.1  ", "LR = 0.01"), "The most similar lines are:\nLR = 0.1")
    refused(edit("experiment.py", "loss = seed*LR", "loss = 0"), "no lines that match")


def test_lines_that_are_all_indented_differently_match_and_are_indented_as_in_the_file() -> None:
    block = edit("experiment.py", "loss = seed * LR\nreturn loss", "if seed:\n    return 0\nreturn seed * LR")
    assert "    if seed:\n        return 0\n    return seed * LR\n" in changed(block)
    deeper = edit("experiment.py", "    def main():\n        train(0)", "    def main():\n        train(1)")
    assert changed(deeper).endswith("\ndef main():\n    train(1)\n")
    refused(edit("experiment.py", "def main():\n  train(0)", "def main():\n  train(1)"), "no lines that match")


def test_lines_that_occur_more_than_once_are_ambiguous() -> None:
    refused(edit("twice.py", "a = 1", "a = 2"), "has these lines 2 times")
    assert changed(edit("twice.py", "b = 2\na = 1", "a = 2"), "twice.py") == "a = 1\na = 2\n"


def test_a_line_of_equal_signs_in_a_block_cuts_nothing_off() -> None:
    report = edit("notes.md", "# Notes", "Report\n=======\n\nIt fell.\n\nRuns\n=====\n\nOne.")
    assert changed(report, "notes.md") == "Report\n=======\n\nIt fell.\n\nRuns\n=====\n\nOne.\n"
    again = edit("notes.md", "Report\n=======\n\nold", "Report\n=======\n\nnew")
    assert changed(again, "notes.md", notes_md="Report\n=======\n\nold\n") == "Report\n=======\n\nnew\n"
    table = edit("experiment.py", "LR = 0.1", 'LR = 0.01\nHEAD = """\nloss\n=======\n"""')
    assert 'LR = 0.01\nHEAD = """\nloss\n=======\n"""\n' in changed(table)
    new = edit("new.md", "", "Title\n=======\n\nText\n=====\n")
    assert changed(new, "new.md") == "Title\n=======\n\nText\n=====\n\n"


def test_a_block_that_could_be_cut_at_several_such_lines_is_refused() -> None:
    unended = edit("experiment.py", "LR = 0.1", "LR = 0.01\n=======\nLR = LR * 0.5")
    refused(unended, "not clear which of them ends its SEARCH part")
    both = edit("notes.md", "A", "B\n=======\nC")
    refused(both, "not clear which", notes_md="A\n=======\nB\n")
    refused("experiment.py\n<<<<<<< SEARCH\nLR = 0.1\n>>>>>>> REPLACE\n", "without a line `=======`")


def test_an_empty_search_part_makes_a_file_and_never_appends_to_one() -> None:
    assert changed(edit("net_model2.py", "", "y = 2"), "net_model2.py") == "y = 2\n"
    assert changed(edit("notes.md", "", "Text."), "notes.md", notes_md="\n") == "Text.\n"
    refused(edit("experiment.py", "", "print(LR)"), "exists already")
    refused(edit("notes.md", "", "More."), "exists already")
    whole = CODE.replace("0.1", "0.01").rstrip("\n")
    assert changed(edit("experiment.py", "", whole)) == whole + "\n"
    refused(edit("experiment.py", "", "LR = 0.01"), "exists already")
    refused(edit("nowhere.py", "a = 1", "a = 2"), "does not exist")


def test_a_whole_file_replaces_one_unless_it_is_a_part() -> None:
    assert changed("experiment.py\n```python\nimport os\n\n\ndef main():\n    pass\n\n\ndef train():\n    pass\n```\n")
    refused("experiment.py\n```python\nLR = 0.01\n```\n", "sent 1 as the whole file")
    rest = CODE.replace("LR = 0.1", "LR = 0.01\n# ... rest of the code unchanged")
    refused(f"experiment.py\n```python\n{rest}```\n", "stands for others")
    refused(edit("experiment.py", "    return loss", "    # ... existing code\n    return 0"), "stands for others")
    assert changed("notes.md\n```markdown\n# Report\n```\n", "notes.md", notes_md="x\n" * 40) == "# Report\n"
    assert applied("experiment.py\n```python\n\n```\n").problems


def test_a_file_is_sent_in_one_form_only() -> None:
    whole = f"experiment.py\n```python\n{CODE}```\n"
    refused(whole + edit("experiment.py", "LR = 0.1", "LR = 0.01"), "send it once")
    refused(whole + whole.replace("0.1", "0.2"), "send it once")
    assert changed(whole + whole) == CODE


def test_code_is_one_transaction_and_notes_another() -> None:
    good, stale = edit("experiment.py", "LR = 0.1", "LR = 0.01"), edit("notes.md", "No such line.", "Text.")
    done = applied(good + stale)
    assert list(done.texts) == ["experiment.py"] and done.problems == []
    assert done.left_out[0].startswith("notes.md has no lines that match")
    assert applied(stale).problems and not applied(stale).left_out
    bad = edit("net_model.py", "No such line.", "x = 2")
    done = applied(good + bad + edit("notes.md", "# Notes", "Text."))
    assert done.texts == {} and done.left_out == [] and len(done.problems) == 1
    finishing = applied(edit("plot.py", "", "a = 1") + stale, finishing=True)
    assert finishing.texts == {} and finishing.problems


def test_one_file_that_may_not_be_written_refuses_all() -> None:
    refused(edit("experiment.py", "LR = 0.1", "LR = 1.0") + edit("evaluate.py", "a", "b"), "evaluate.py is protected")
    refused(edit("experiment.py", "LR = 0.1", "LR = 1.0") + "evaluate.py\n```python\na = 1\n```\n", "is protected")


def test_the_end_of_a_file_without_a_newline_stays_so() -> None:
    assert (
        changed(edit("net_model.py", "x = 1", "x = 2"), "net_model.py", net_model_py="x = 1\ny = 1") == "x = 2\ny = 1"
    )


@pytest.mark.parametrize("search", ["LR = 0.1", "    loss = seed * LR"])
def test_an_empty_replacement_deletes_lines(search: str) -> None:
    assert search not in changed(edit("experiment.py", search, ""))


def test_a_file_is_never_emptied() -> None:
    refused(edit("net_model.py", "x = 1", ""), "would be empty")
