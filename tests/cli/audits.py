"""Results folders of another system, and what `harness audit` says about them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from lab import Project, Said

from .conftest import listing

PROMPT = "#### Run {run} completed. Here are the results:  \n#### {means}  \n####   \n\nNext.\n\n"
EDIT = "> Applied edit to {file}  \n\n"
PLOTS = "#### Great job! Please modify `plot.py` to generate the plots.  \n\n> Applied edit to plot.py  \n"
Values = Mapping[str, Sequence[float]]


def info(values: Values, dataset: str = "moons") -> dict[str, Any]:
    """A final_info.json as it should be."""
    n = {name: len(each) for name, each in values.items()}
    means = {name: sum(each) / n[name] for name, each in values.items()}
    return {dataset: {"means": means, "stderrs": {}, "final_info_dict": {k: list(v) for k, v in values.items()}}}


class Idea:
    """A results folder under construction."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)

    def run(self, number: int, values: Values | dict[str, Any] | str, code: str | None = None) -> None:
        (self.root / f"run_{number}").mkdir(exist_ok=True)
        text = values if isinstance(values, str) else json.dumps(info(values) if "moons" not in values else values)
        (self.root / f"run_{number}" / "final_info.json").write_text(text)
        if code is not None:
            (self.root / f"run_{number}.py").write_text(code)

    def told(self, run: int) -> str:
        """The prompt that announces a run's result."""
        content = json.loads((self.root / f"run_{run}" / "final_info.json").read_text())
        return PROMPT.format(run=run, means={name: body["means"] for name, body in content.items()})

    def chat(self, *parts: str) -> None:
        (self.root / "20240801_idea_aider.txt").write_text("\n# aider chat started\n\n" + "".join(parts))

    def file(self, name: str, text: str | bytes) -> None:
        (self.root / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def audited(folder: Path, *options: str) -> Said:
    """An audit that ends well and leaves the folder as it was."""
    before = listing(folder)
    said = Project(folder.parent).harness("audit", str(folder), *options)
    assert said.code == 0, said.err
    assert said.err == ""
    assert listing(folder) == before
    return said


def parsed(folder: Path, *options: str) -> Any:
    return json.loads(audited(folder, "--json", *options).out, parse_constant=pytest.fail)


def found(folder: Path, kind: str, *options: str) -> list[str]:
    """Messages of one kind over all ideas."""
    ideas = parsed(folder, *options)["ideas"]
    return [item["message"] for each in ideas for item in each["findings"] if item["kind"] == kind]


def said(folder: Path, run: int, *options: str) -> list[str]:
    """The verdicts of a run, one per dataset."""
    (only,) = parsed(folder, *options)["ideas"]
    return [j["word"] for r in only["runs"] if r["number"] == run for j in r["judgements"]]


def share(folder: Path, what: str) -> tuple[int, int]:
    row = next(row for row in parsed(folder)["totals"] if row["what"] == what)
    return row["count"], row["total"]


def parsed_without_listing(folder: Path) -> Any:
    """For folders with a pipe in them, which must not be read to be compared."""
    done = Project(folder.parent).harness("audit", str(folder), "--json")
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)
