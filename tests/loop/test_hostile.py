"""Hostile content: names and text that hide something, sizes and depths that nobody expects."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from lab import DONE, Project, edit, in_real_runs, scale

from harness.errors import MetricsError
from harness.execution.outputs import remove
from harness.files import remove_tree
from harness.results import final_info
from harness.text import clean, has_hidden, plain, printable

DEEP = "import os\nfor n in range(3000):\n    os.mkdir('d')\n    os.chdir('d')\n"
REVERSED = "\u202e"


@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\ud800", "\U000e0041", "\u00ad"])
def test_characters_that_hide_something_are_shown(hidden: str) -> None:
    said = hidden.encode("unicode_escape").decode()
    assert printable(f"x = 1 {hidden}# y") == f"x = 1 {said}# y"
    assert clean(f"a{hidden}b") == [f"a{said}b"]
    assert plain(f"a{hidden}b") == f"a{said}b"
    assert has_hidden(f"a{hidden}.py")


def test_ordinary_text_of_any_language_is_left_alone() -> None:
    text = "naïve “quotes” ½ Δ 損失 потеря خسارة 🙂"
    assert printable(text) == text
    assert not has_hidden(text)


def test_without_colours_not_even_those_of_git_are_passed_on() -> None:
    assert printable("\x1b[31mred", colours=False) == "\\x1b[31mred"


@pytest.mark.parametrize("empty", [remove, remove_tree])
def test_three_thousand_nested_folders_are_removed(tmp_path: Path, empty: object) -> None:
    assert callable(empty)
    here = Path.cwd()
    (tmp_path / "out").mkdir()
    try:
        os.chdir(tmp_path / "out")
        exec(DEEP)
        Path("file").write_text("x")
    finally:
        os.chdir(here)
    empty(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_too_many_metrics_are_refused_in_one_line(tmp_path: Path) -> None:
    body = {"loss": [1.0], **{f"m{n}": [1.0] for n in range(400_000)}}
    content = {"toy": {"means": dict.fromkeys(body, 1.0), "final_info_dict": body}}
    (tmp_path / "final_info.json").write_text(json.dumps(content))
    with pytest.raises(MetricsError, match="at most 2,000 are kept"):
        final_info.read(tmp_path / "final_info.json", ["loss"], 1)


def test_a_study_goes_on_after_names_and_text_that_hide_something(project: Project) -> None:
    replies = [
        edit(f"{REVERSED}gp.py", "", "X = 1"),
        edit("a" * 300 + ".py", "", "X = 1"),
        "half \ud800 a character\n" + scale(2.0) + edit("more.py", "", f"X = '{REVERSED}'"),
        DONE,
    ]
    study = project.run(replies, "--max-runs", "1", "--confirm", "0")

    assert [turn.status for turn in study.turns][:3] == ["rejected", "rejected", "edited"], study.said
    assert "does not say which file it is for" in study.turns[0].problems[0], "such a name is none"
    assert study.outcomes == [(1, 1, "ok")]
    shown = project.harness("diff", "s").out + project.harness("show", "s").out
    assert REVERSED not in shown
    assert "\\u202e" in shown


def test_a_study_goes_on_after_a_run_that_nests_folders(project: Project) -> None:
    nest = in_real_runs("os.chdir(out_dir)\n" + DEEP.replace("import os\n", "") + "raise SystemExit(1)")
    study = project.run([nest, DONE], "--max-runs", "1", "--confirm", "0")
    assert study.outcomes == [(1, 1, "crashed")], study.said
    again = project.run([scale(2.0), DONE], "--max-runs", "1", "--confirm", "0", name="t")
    assert again.outcomes == [(1, 1, "ok")]
    remove_tree(project.root)  # pytest cannot


def test_a_pipe_is_no_recording(project: Project) -> None:
    os.mkfifo(project.root / "pipe")
    said = project.harness("run", "tiny", "--idea", "nearer", "--model", f"replay:{project.root / 'pipe'}")
    assert said.code != 0
    assert "not a regular file" in said.err
