"""A file is written back as it was: only the lines that an edit changes differ in their bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.template.folder import Template
from harness.template.text_file import NotText, TextFile

BOM = b"\xef\xbb\xbf"
LATIN = b'# -*- coding: latin-1 -*-\nNAME = "caf\xe9"\nLR = 0.1\n'


@pytest.mark.parametrize(
    "content",
    [
        b"a = 1\nLR = 0.1\nb = 2\n",
        b"a = 1\r\nLR = 0.1\r\nb = 2\r\n",
        BOM + b"LR = 0.1\nb = 2\n",
        BOM + b"LR = 0.1\r\nb = 2\r\n",
        LATIN,
        LATIN.replace(b"\n", b"\r\n"),
        b"# no coding line: caf\xe9\nLR = 0.1\n",
        b"# coding: cp1252\nNAME = '\x80'\nLR = 0.1\n",
        b"a = 1\r\nLR = 0.1\nb = 2\r\nc = 3\n",
        b"a = 1\rLR = 0.1\rb = 2\r",
        b"LR = 0.1\r\nb = 2",
        b"a = '\x0c'\nLR = 0.1\nb = '\xe2\x80\xa8'\n",
        b"# coding: nonsense\nLR = 0.1\n",
    ],
)
def test_a_change_of_one_line_changes_only_its_bytes(content: bytes) -> None:
    file = TextFile.read(content, python=True)
    assert "\r" not in file.text and not file.text.startswith("\ufeff")
    if b"nonsense" in content:
        with pytest.raises(NotText, match="nonsense"):
            file.written(file.text, python=True)
        return
    assert file.written(file.text, python=True) == content
    assert file.written(file.text.replace("LR = 0.1", "LR = 0.01"), python=True) == content.replace(b"0.1", b"0.01")


def test_new_lines_end_as_most_lines_of_the_file_do() -> None:
    file = TextFile.read(b"a\r\nb\r\nc\n", python=False)
    assert file.written("a\nnew\nb\nc\n", python=False) == b"a\r\nnew\r\nb\r\nc\n"
    assert TextFile().written("a\n", python=True) == b"a\n"


def test_a_character_that_the_encoding_does_not_have_is_refused_by_name() -> None:
    file = TextFile.read(LATIN, python=True)
    with pytest.raises(NotText, match="has no character '→'"):
        file.written(file.text + "# →\n", python=True)
    utf8 = file.text.replace("# -*- coding: latin-1 -*-\n", "") + "# →\n"
    assert file.written(utf8, python=True) == utf8.encode(), "without its coding line it is UTF-8"


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(NotText):
        TextFile.read(b"a\0b", python=False)


def test_a_template_toml_with_a_byte_order_mark_and_windows_line_ends_is_read(tmp_path: Path) -> None:
    toml = b'[template]\r\nname = "x"\r\nsummary = ""\r\neditable = ["experiment.py"]\r\n[metrics.loss]\r\n'
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "template.toml").write_bytes(BOM + toml + b'goal = "min"\r\nprimary = true\r\n')
    (folder / "experiment.py").write_bytes(b"")
    assert Template(folder).manifest.primary == "loss"
