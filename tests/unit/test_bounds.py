"""Text from generated code is bounded in time, in length, and in what it can do to a terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.checks import MOST, first_findings
from harness.checks.lint import LintCheck
from harness.errors import MetricsError
from harness.results import final_info
from harness.text import LINE, clean, printable
from harness.workspace import Workspace

FAR_TOO_LONG = 20.0
"""Seconds. What is tested here takes none of them; it once took minutes."""


def lengths(text: str, *expressions: str) -> list[int]:
    """How long each expression of `text` is, from a process that is killed when it takes too long."""
    script = (
        "import sys\n"
        "from harness.text import plain\n"
        "from harness.execution.excerpt import failure\n"
        "from harness.text import clean, first_sentence, last_line\n"
        "text = sys.stdin.read()\n"
        f"print({', '.join(f'len({expression})' for expression in expressions)})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=text, capture_output=True, text=True, timeout=FAR_TOO_LONG, check=True
    )
    return [int(length) for length in done.stdout.split()]


@pytest.mark.parametrize("text", ["1" * 2**18, "1/" * 2**17, "1%|" * 2**16, "\x1b[" * 2**17, "a:1 " * 2**16])
def test_a_long_line_is_dealt_with_at_once(text: str) -> None:
    found = lengths(text, "failure(text, '/study')", "first_sentence('I: ' + text)", "plain(last_line(text))")
    assert len(found) == 3
    assert max(found) <= LINE


def test_a_long_reply_of_broken_edits_is_dealt_with_at_once() -> None:
    (length,) = lengths("<<<<<<< SEARCH\n" * 2**15 + "the end", "first_sentence(text)")
    assert length <= 200


def test_a_line_is_cut_and_what_stands_on_the_next_one_is_kept() -> None:
    assert [len(line) for line in clean("1" * 2**16 + "\nend")] == [LINE, 3]


def test_of_many_findings_the_first_are_told_and_the_rest_counted(workspace: Workspace) -> None:
    (workspace.root / "experiment.py").write_text("".join(f"x{i} = y{i}\n" for i in range(3000)))
    findings = first_findings([LintCheck()], workspace)
    assert len(findings) == MOST + 1
    assert "y0" in findings[0].message
    assert findings[-1].message == f"… and {3000 - MOST} more"
    assert findings[-1].check == "lint"


def test_the_message_of_a_finding_is_cut(workspace: Workspace) -> None:
    (workspace.root / "experiment.py").write_text("y" * 200_000 + "\n")
    (finding,) = first_findings([LintCheck()], workspace)
    assert "Undefined name" in finding.message
    assert len(finding.message) <= 10_000


def refusal(tmp_path: Path, info: object) -> str:
    """Why a final_info.json is refused."""
    (tmp_path / "final_info.json").write_text(json.dumps(info))
    with pytest.raises(MetricsError) as refused:
        final_info.read(tmp_path / "final_info.json", ["loss"], seeds=1)
    return str(refused.value)


def test_of_many_metrics_the_first_names_are_told(tmp_path: Path) -> None:
    message = refusal(tmp_path, {"toy": {"means": {f"m{i:06}": 1.0 for i in range(100_000)}}})
    assert "m000000" in message
    assert "…" in message
    assert len(message) < LINE


@pytest.mark.parametrize(
    "info",
    [
        {"toy": {"means": {"m" * 1_000_000: 1.0}}},
        {"d" * 1_000_000: {"means": {"other": 1.0}}},
        {"d" * 1_000_000: {"means": {"loss": "low"}}},
        {"d" * 1_000_000: 1},
    ],
    ids=["metric", "dataset", "dataset of a bad value", "dataset without means"],
)
def test_a_long_name_is_cut_in_the_message_that_tells_of_it(tmp_path: Path, info: object) -> None:
    assert len(refusal(tmp_path, info)) < LINE


def test_names_in_a_message_hold_no_control_character(tmp_path: Path) -> None:
    message = refusal(tmp_path, {"toy\x1b]0;d\x07": {"means": {"m\x1b]0;pwned\x07": 1.0, "n\x9b2J": 1.0}}})
    assert "pwned" in message
    assert all(character.isprintable() for character in message)


@pytest.mark.parametrize("harmful", ["\x1b]0;pwned\x07", "\x1b[2J", "\x9b2J", "\x00", "\x7f", "\r", "\x08", "\x1bc"])
def test_what_could_drive_a_terminal_is_shown_instead(harmful: str) -> None:
    shown = printable(f"+TITLE = '{harmful}'\n\tnext")
    assert all(character.isprintable() or character in "\n\t" for character in shown)
    assert repr(harmful[0])[1:-1] in shown
    assert shown.startswith("+TITLE = '") and shown.endswith("'\n\tnext")


def test_text_and_colours_of_git_are_left_alone() -> None:
    text = "\x1b[1mdiff\x1b[m\n\x1b[32m+ naïve “quotes”\t½\x1b[m\n"
    assert printable(text) == text


def test_an_agent_cannot_hide_a_line_of_the_diff_by_concealing_it() -> None:
    assert "\x1b[8m" not in printable("\x1b[32m+x = 1\x1b[8m; evil()\x1b[m\n")
