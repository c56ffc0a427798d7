"""harness audit --html: the page of an audit, read as a browser reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest

from .audits import Idea, audited

LONG = "validation_set_of_the_extended_corpus_with_unicode_punctuation"


@dataclass
class Cell:
    tag: str
    classes: list[str]
    label: str
    text: str = ""


@dataclass
class Page(HTMLParser):
    """The cells of all tables row by row, the legend, the style, and everything that can be read."""

    rows: list[list[Cell]] = field(default_factory=list)
    legend: dict[str, str] = field(default_factory=dict)
    style: str = ""
    text: str = ""
    inside: str = ""
    breaks: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.breaks += tag == "wbr"
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append(Cell(tag, (given.get("class") or "").split(), given.get("data-label") or ""))
        if tag in ("td", "th", "dt", "dd", "style"):
            self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = "" if tag == self.inside else self.inside

    def handle_data(self, data: str) -> None:
        if self.inside == "style":
            self.style += data
            return
        self.text += data
        if self.inside in ("td", "th"):
            self.rows[-1][-1].text += data
        if self.inside == "dt":
            self.legend[data] = ""
        if self.inside == "dd":
            self.legend[[*self.legend][-1]] += data

    def column(self, label: str) -> list[str]:
        return [cell.text for row in self.rows for cell in row if cell.label == label]

    def rule(self, selector: str) -> str:
        """The first style rule with this selector."""
        found = re.search(rf"^{re.escape(selector)} {{(.*?)}}", self.style, re.MULTILINE)
        assert found is not None, selector
        return found[1]


def opened(folder: Path, *options: str) -> Page:
    path = folder.parent.parent / "page.html"
    audited(folder, "--html", str(path), *options)
    page = Page()
    page.feed(path.read_text())
    return page


@pytest.fixture
def idea(tmp_path: Path) -> Idea:
    """Every verdict but "differs", on two datasets, the name of one of them long."""
    idea = Idea(tmp_path / "results" / "idea")
    values = {0: [1.0, 1.02, 0.98], 1: [0.5, 0.51, 0.52], 2: [1.5, 1.51, 1.52], 3: [0.9, 1.1, 1.0], 4: [9.0, 9.1, 9.2]}
    for run, each in values.items():
        entry = {"means": {"val_loss_mean": sum(each) / 3}, "final_info_dict": {"val_loss": each}}
        entries = {"moons": entry, LONG: entry if run else {"means": {"val_loss": 1.0}}}
        idea.run(run, entries | ({"new": entry} if run == 3 else {}), f"x = {min(run, 3)}\n" if run else None)
    return idea


def test_the_verdict_is_beside_the_run_and_stays_in_sight(idea: Idea) -> None:
    page = opened(idea.root)
    head, *rows = page.rows
    assert [cell.text for cell in head][:3] == ["run", "verdict", "dataset"]
    for row in page.rows:
        assert len(row) == len(head)
        assert ["run" in row[0].classes, "verdict" in row[1].classes] == [True, True]
    assert "position: sticky" in page.rule(".run, .verdict")
    assert "left: 0" in page.rule(".run")
    assert all(row[1].text for row in rows)
    assert [cell.label for cell in rows[0]][:9] == [cell.text for cell in head][:9]


def test_on_a_phone_a_row_is_a_paragraph_and_each_value_has_its_name(idea: Idea) -> None:
    page = opened(idea.root)
    narrow = page.style[page.style.index("@media (max-width") :]
    assert "display: block" in narrow
    assert "content: attr(data-label)" in narrow
    assert "td:empty { display: none; }" in narrow
    assert all(cell.label or not cell.text for row in page.rows for cell in row if cell.tag == "td")
    assert "prefers-color-scheme: dark" in page.style
    assert page.column("run") == ["0", "0", "1", "1", "2", "2", "3", "3", "3", "4", "4"]


def test_every_verdict_is_explained_in_a_sentence(idea: Idea) -> None:
    page = opened(idea.root)
    said = {text.split(":")[0] for text in page.column("verdict")}
    assert said == page.legend.keys() - {"differs", "no verdict", "no result"}
    assert all(sentence.endswith(".") for sentence in page.legend.values())
    for run, each in ((0, [1.0, 1.1, 1.2]), (1, [2.0, 2.1, 2.2])):
        idea.run(run, {"zorp": each})
    (idea.root / "run_5").mkdir()
    page = opened(idea.root, "--metric", "zorp")
    assert [*dict.fromkeys(page.column("verdict"))] == ["baseline", "differs", "no verdict", "no result"]
    assert set(page.column("verdict")) <= page.legend.keys()


def test_long_names_may_be_broken_and_stay_whole(idea: Idea) -> None:
    page = opened(idea.root)
    assert LONG in page.column("dataset")
    assert page.breaks >= 5 * LONG.count("_")
    assert "overflow-wrap: anywhere" in page.rule(".name")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.0, "0 %"),
        (1.0321, "+3.21 %"),
        (0.5, "-50 %"),
        (10.99, "+999 %"),
        (10.996, "+10×"),
        (13.5, "+12.5×"),
        (-123.0, "-124×"),
        (125.0, "+124×"),
        (12_401.0, "+12,400×"),
        (1e9, "+>1,000,000×"),
        (1.000001, "+<0.001 %"),
    ],
)
def test_changes_are_written_without_exponents(tmp_path: Path, value: float, shown: str) -> None:
    idea = Idea(tmp_path / "results" / "idea")
    idea.run(0, {"loss": [1.0, 1.0]})
    idea.run(1, {"loss": [value, value]})
    assert opened(idea.root).column("against run 0") == ["", shown]
    assert f"  {shown}  " in audited(idea.root).out


def test_no_number_of_ordinary_size_has_an_exponent(tmp_path: Path) -> None:
    idea = Idea(tmp_path / "results" / "idea")
    idea.run(0, {"tokens_per_second": [99.0, 101.0, 100.0]})
    for run in (1, 2):
        idea.run(run, {"tokens_per_second": [12_345.0 * run, 12_545.0 * run, 12_445.0 * run]}, "x = 1\n")
    page = opened(idea.root)
    assert page.column("mean ± sd") == ["100 ± 1", "12,445 ± 100", "24,890 ± 200"]
    assert "could pass for an improvement of 100 %" in page.text
    assert not re.search(r"\de[+-]?\d", "".join(page.column("against run 0") + page.column("95 % interval")))
