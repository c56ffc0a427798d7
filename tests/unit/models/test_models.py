"""Which model is used, and recordings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness import models
from harness.errors import UnknownName, UserError
from harness.models import append_to_recording, choose, difference, read_recording
from harness.records import Call, Usage

ODD = 'line\u2028separator, next\x85line, \x0cfeed, "quotes"\\ and\nnewline \U0001f600'


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in models.DEFAULT_MODELS:
        monkeypatch.delenv(name, raising=False)


def test_the_model_named_is_taken_whatever_keys_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    assert choose("ollama/qwen3") == "ollama/qwen3"


@pytest.mark.parametrize(("variable", "default"), models.DEFAULT_MODELS.items())
def test_a_key_chooses_its_default(monkeypatch: pytest.MonkeyPatch, variable: str, default: str) -> None:
    monkeypatch.setenv(variable, "x")
    assert choose(None) == default


def test_an_empty_key_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")
    with pytest.raises(UserError):
        choose(None)


def test_without_model_and_key_the_variables_and_the_ways_out_are_named() -> None:
    with pytest.raises(UserError) as refused:
        choose(None)
    message = str(refused.value)
    for part in (*models.DEFAULT_MODELS, "--agent tuner", "--model manual", "--model replay:", "--model ollama/"):
        assert part in message
    assert "\n" not in message


def call(reply: str, prompt: str = "p") -> Call:
    return Call(prompt=prompt, reply=reply, usage=Usage(calls=1, tokens_in=3, tokens_out=4, dollars=0.5), seconds=1.0)


def test_a_recording_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    for number, reply in enumerate((ODD, "two", ODD)):
        append_to_recording(path, call(reply, prompt=ODD), number)
    calls = read_recording(path)
    assert [c.reply for c in calls] == [ODD, "two", ODD]
    assert [c.prompt for c in calls] == [ODD] * 3
    assert calls[0].usage == Usage(calls=1, tokens_in=3, tokens_out=4, dollars=0.5)
    assert len(path.read_bytes().splitlines()) == 3


def test_calls_beyond_those_that_count_are_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    for number, reply in enumerate(("one", "two", "three")):
        append_to_recording(path, call(reply), number)
    append_to_recording(path, call("new"), 1)
    assert [c.reply for c in read_recording(path)] == ["one", "new"]
    append_to_recording(path, call("again"), 0)
    assert [c.reply for c in read_recording(path)] == ["again"]


def test_a_torn_line_beyond_those_that_count_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    append_to_recording(path, call("one"), 0)
    with path.open("a") as file:
        file.write('{"prompt": "p", "rep')
    append_to_recording(path, call("two"), 1)
    assert [c.reply for c in read_recording(path)] == ["one", "two"]


def test_a_recording_that_lost_calls_can_still_be_read(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    append_to_recording(path, call("one"), 0)
    append_to_recording(path, call("three"), 2)
    assert [c.reply for c in read_recording(path)] == ["one", "three"]


def test_usage_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "by_hand.jsonl"
    path.write_text(json.dumps({"prompt": "p", "reply": "r"}) + "\n")
    assert read_recording(path)[0].usage == Usage()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"prompt": "p", "reply": "r"}\nnot json\n', "line 2"),
        (b'{"prompt": "p"}\n', "line 1"),
        (b'{"prompt": "p", "reply": "r", "usage": {"cals": 1}}\n', "line 1"),
        (b'{"prompt": "p", "reply": "r", "usage": 3}\n', "line 1"),
        (b"[1]\n", "line 1"),
        (b'"text"\n', "line 1"),
        (b"null\n", "line 1"),
        (b"", "recording.jsonl"),
        (b"\n\n", "recording.jsonl"),
        (b"\xff\xfe", "cannot read the recording"),
    ],
)
def test_a_recording_that_is_none_is_refused_with_file_and_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "recording.jsonl"
    path.write_bytes(content)
    with pytest.raises(UserError) as refused:
        read_recording(path)
    assert str(path) in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize("place", ["gone.jsonl", "."])
def test_a_recording_that_is_no_file_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(UserError, match="cannot read the recording"):
        read_recording(tmp_path / place)


def test_prompts_that_agree_differ_in_nothing_and_what_stands_behind_does_not_count() -> None:
    assert difference("a\nb\n", "a\nb\n") == ""
    assert difference("a\nb\n", "a\nb\nreminder of aider\n") == ""


def test_the_first_line_that_differs_is_told_with_both() -> None:
    assert difference("a\nold\nc", "a\nnew\nc") == (
        "the prompt differs from the recorded one at line 2: 'new' (recorded: 'old')"
    )
    assert "at line 2: nothing (recorded: 'old')" in difference("a\nold", "a")


def test_other_numbers_are_no_difference() -> None:
    """They are the machine's; what differs in metrics is reported from the results."""
    recorded = "failed after 4 s\n| loss | 0.003992 ± 3.394e-05 |\nend"
    assert difference(recorded, "failed after 13 s\n| loss | 0.00399 ± 1e-7 |\nend") == ""
    assert "at line 3" in difference(recorded, "failed after 13 s\n| loss | 0.00399 ± 1e-7 |\nover")


def test_white_space_within_a_line_counts() -> None:
    assert "at line 1" in difference("a \nb", "a\nb")


@pytest.mark.parametrize("model", ["manual", "manual:/tmp/x", "openai/gpt-5", "anything"])
def test_names_that_are_not_ours_are_left_to_litellm(model: str) -> None:
    models.check(model)


def test_a_misspelt_name_of_ours_is_refused() -> None:
    with pytest.raises(UnknownName, match="manual:FOLDER"):
        models.check("manually")


def test_a_replay_model_needs_its_recording(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read the recording .*gone\.jsonl"):
        models.check(f"replay:{tmp_path / 'gone.jsonl'}")
