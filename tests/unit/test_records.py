"""The records, and files that are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.files import write_json, write_whole
from harness.records import Finding, Idea, Usage


def test_records_cannot_be_changed_and_refuse_unknown_fields() -> None:
    idea = Idea(title="t", prompt="p")
    with pytest.raises(ValidationError):
        idea.title = "other"  # type: ignore[misc]  # the record is frozen
    with pytest.raises(ValidationError):
        Idea(title="t", prompt="p", unheard_of=1)  # type: ignore[call-arg]  # there is no such field


def test_accounts_add_up() -> None:
    one, two = Usage(calls=1, tokens_in=10, tokens_out=5, dollars=0.25), Usage(calls=2, tokens_in=1, dollars=0.5)
    assert one + two == Usage(calls=3, tokens_in=11, tokens_out=5, dollars=0.75)
    assert (one + two).tokens == 16


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (Finding(check="lint", message="m", file="a.py", line=3), "a.py:3: m"),
        (Finding(check="scope", message="m", file="a.py"), "a.py: m"),
        (Finding(check="no-op", message="m"), "m"),
    ],
)
def test_a_finding_says_where(finding: Finding, text: str) -> None:
    assert str(finding) == text


def test_a_file_is_written_with_its_folders_and_nothing_next_to_it(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b" / "file.txt", "grüße\n")
    assert (tmp_path / "a" / "b" / "file.txt").read_text(encoding="utf-8") == "grüße\n"
    assert [p.name for p in (tmp_path / "a" / "b").iterdir()] == ["file.txt"]


def test_a_file_is_replaced_and_readers_of_the_old_one_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_whole(path, "old")
    with path.open() as reader:
        write_whole(path, "new")
        assert reader.read() == "old"
    assert path.read_text() == "new"


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.txt"
    write_whole(path, "old")

    def full(_: int) -> None:
        raise OSError("no space left on the device")

    monkeypatch.setattr("harness.files.os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_whole(path, "new")
    assert path.read_text() == "old"


def test_half_a_character_is_written_as_its_number(tmp_path: Path) -> None:
    write_whole(tmp_path / "file.txt", "new \ud800")
    assert (tmp_path / "file.txt").read_text() == "new \\ud800"


def test_json_keeps_its_letters(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"é": [1, None]})
    assert '"é"' in (tmp_path / "x.json").read_text(encoding="utf-8")
