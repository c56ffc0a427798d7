"""The part of a log that a prompt gets: what went wrong, without decoration."""

from __future__ import annotations

import pytest

from harness import text
from harness.execution.excerpt import failure

ROOT = "/runs/study"
TRACEBACK = f"""\
step 1
Traceback (most recent call last):
  File "{ROOT}/experiment.py", line 90, in <module>
    main()
  File "{ROOT}/experiment.py", line 80, in main
    train()
  File "/venv/lib/python3.11/site-packages/torch/optim/adam.py", line 3, in step
    raise ValueError("library source")
  File "/venv/lib/python3.11/site-packages/torch/optim/base.py", line 9, in wrapper
    return func()
           ^^^^^^
ValueError: bad shape
"""


def test_the_traceback_is_kept_with_the_experiments_own_frames_only() -> None:
    told = failure(TRACEBACK, ROOT)
    assert told.splitlines()[0] == "Traceback (most recent call last):"
    assert '  File "experiment.py", line 90, in <module>' in told
    assert "    train()" in told
    assert "library source" not in told
    assert "torch/optim" not in told
    assert "[2 frame(s) of library code left out]" in told
    assert told.splitlines()[-1] == "ValueError: bad shape"
    assert "step 1" not in told


def test_library_frames_between_own_ones_are_left_out_where_they_stood() -> None:
    log = TRACEBACK.replace(
        "ValueError: bad shape",
        f'  File "{ROOT}/experiment.py", line 7, in hook\n    1 / 0\nZeroDivisionError: by zero',
    )
    lines = failure(log, ROOT).splitlines()
    gap = lines.index("  [2 frame(s) of library code left out]")
    assert lines[gap + 1] == '  File "experiment.py", line 7, in hook'
    assert lines[-1] == "ZeroDivisionError: by zero"


def test_the_last_of_several_tracebacks_counts() -> None:
    told = failure(TRACEBACK + TRACEBACK.replace("bad shape", "the last one"), ROOT)
    assert "the last one" in told
    assert "bad shape" not in told


def test_a_folder_whose_name_begins_with_the_studys_is_not_the_studys() -> None:
    log = TRACEBACK.replace("/venv/lib/python3.11/site-packages/torch/optim/adam.py", f"{ROOT}-2/other.py")
    assert "other.py" not in failure(log, ROOT)


def test_frames_of_the_interpreter_itself_are_not_the_experiments() -> None:
    log = TRACEBACK.replace("/venv/lib/python3.11/site-packages/torch/optim/adam.py", "<frozen importlib._bootstrap>")
    assert "importlib" not in failure(log, ROOT)


def test_a_syntax_error_keeps_its_line_and_caret() -> None:
    log = f"  File \"{ROOT}/experiment.py\", line 3\n    x = (\n        ^\nSyntaxError: '(' was never closed\n"
    assert failure(log, ROOT).splitlines() == [
        '  File "experiment.py", line 3',
        "    x = (",
        "        ^",
        "SyntaxError: '(' was never closed",
    ]


def test_without_a_traceback_the_end_of_the_log_is_told() -> None:
    assert failure("one\n\ntwo\nKilled\n", ROOT) == "one\ntwo\nKilled"


def test_an_empty_log_tells_nothing() -> None:
    assert failure("", ROOT) == ""


@pytest.mark.parametrize(
    "noise",
    [
        " 42%|████▏     | 42/100 [00:01<00:02, 25.11it/s]",
        "100%|##########| 10/10 [00:03<00:00,  2.90s/it]",
        "12it [00:01, 11.5it/s]",
        "Epoch 1: 3/10 [00:01<00:02]",
        "/venv/lib/torch/x.py:12: UserWarning: careful",
        "/home/a b/venv/x.py:12: FutureWarning: careful",
        "experiment.py:3: DeprecationWarning: old",
        "  warnings.warn(",
    ],
)
def test_progress_bars_and_warnings_are_stripped(noise: str) -> None:
    assert failure(f"before\n{noise}\nafter\n", ROOT) == "before\nafter"


def test_what_a_progress_bar_overwrote_is_not_told() -> None:
    assert text.clean("10% done\r50% done\rfinal words\nnext") == ["final words", "next"]


@pytest.mark.parametrize("end", ["\r\n", "\r\r\n"])
def test_a_carriage_return_at_the_end_of_a_line_erases_nothing(end: str) -> None:
    assert text.clean(f"error: disk full{end}next") == ["error: disk full", "next"]


@pytest.mark.parametrize(
    "coloured",
    ["\x1b[1;31mred\x1b[0m", "\x1b[?25lred\x1b[?25h", "\x1b]0;title\x07red", "\x1b]8;;http://x\x1b\\red\x1b]8;;\x1b\\"],
)
def test_colours_titles_and_links_are_stripped(coloured: str) -> None:
    assert text.clean(coloured) == ["red"]


def test_an_escape_that_never_ends_swallows_no_traceback() -> None:
    assert "ValueError: bad shape" in failure("\x1b]0;title\n" + TRACEBACK + "\x07", ROOT)


def test_no_control_character_is_left() -> None:
    told = failure("a\x00b\x08c\x1bd\x7fe\x0bf\tg\n", ROOT)
    assert told == "abcdef\tg"


def test_a_long_log_is_bounded_and_ends_with_its_end() -> None:
    told = failure("x y\n" * 100_000 + "x" * 500_000 + "\nthe end", ROOT)
    assert len(told) <= text.LIMIT + 1
    assert told.startswith("…")
    assert told.endswith("the end")


def test_a_long_traceback_keeps_its_error() -> None:
    deep = TRACEBACK.replace(
        "    main()\n", "    main()\n" + f'  File "{ROOT}/experiment.py", line 1, in f\n    f()\n' * 900
    )
    told = failure(deep, ROOT)
    assert len(told) <= text.LIMIT + 1
    assert told.endswith("ValueError: bad shape")


@pytest.mark.parametrize(
    ("log", "line"),
    [("", ""), ("one\ntwo\n\n", "two"), ("10%\r20%\r", "20%"), ("\x1b[31mred\x1b[0m\n", "red"), ("\n\n", "")],
)
def test_the_last_line_that_says_something(log: str, line: str) -> None:
    assert text.last_line(log) == line


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        ("I make it wider.\n\nexperiment.py\n```python\n<<<<<<< SEARCH\na b\n", "I make it wider."),
        (
            "experiment.py\n```python\n<<<<<<< SEARCH\na = 1\n=======\na = 2\n>>>>>>> REPLACE\n```\nNow wider.",
            "Now wider.",
        ),
        ("```\nsome code here\n```\n\n  The plan is this.  \n", "The plan is this."),
        ("ALL_COMPLETED\n", ""),
        ("", ""),
        ("nul \x00 byte, bell \x07 and \x1b[2Jclear", "nul  byte, bell  and clear"),
        ("word " * 100, ("word " * 40).strip() + " "),
    ],
)
def test_the_first_sentence_of_a_reply_is_prose_without_control_characters(reply: str, sentence: str) -> None:
    assert text.first_sentence(reply) == sentence
    assert len(text.first_sentence(reply)) <= 200
