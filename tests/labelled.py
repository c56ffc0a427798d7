"""What `unsupported` lists of the labelled notes in tests/data/claims: `python tests/labelled.py [held_back]`."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.claims.check import Known, unsupported
from harness.records import Finding

FOLDER = Path(__file__).parent / "data" / "claims"


@dataclass(frozen=True)
class Label:
    line: int
    text: str
    label: str
    kind: str
    why: str

    def covers(self, line: int) -> bool:
        return self.line <= line <= self.line + self.text.count("\n")


@dataclass(frozen=True)
class Outcome:
    """What was listed of one note."""

    note: str
    labels: list[Label]
    right: list[tuple[Finding, Label]]
    alarms: list[tuple[Finding, Label | None]]
    missed: list[Label]


def outcome(note: Path) -> Outcome:
    data: dict[str, Any] = json.loads(note.with_suffix(".json").read_text())
    labels = [Label(**label) for label in data["labels"]]
    known = Known(
        scores=_by_run({r: {d: _tuples(m) for d, m in of.items()} for r, of in data["scores"].items()}),
        verdicts=_by_run(data["verdicts"]),
        primary=data["primary"],
        goals=data["goals"],
        others={metric: frozenset(values) for metric, values in data["others"].items()},
    )
    pairs = [(finding, _meant(finding, labels)) for finding in unsupported(note.read_text(), known)]
    right = [(finding, label) for finding, label in pairs if label and label.label == "false"]
    return Outcome(
        note=note.stem,
        labels=labels,
        right=right,
        alarms=[(finding, label) for finding, label in pairs if not label or label.label != "false"],
        missed=[label for label in labels if label.label == "false" and label not in [found for _, found in right]],
    )


def _meant(finding: Finding, labels: list[Label]) -> Label | None:
    """The label of what is listed: on its line, with its words; a false claim if several are possible."""
    there = [label for label in labels if label.covers(finding.line or 0)]
    words = re.match(r'"(.+?)"|(.+?) (?:is|of|in)\b', finding.message)
    token = (words[1] or words[2]) if words else ""
    quoted = [label for label in there if token and token in label.text] or there
    return min(quoted, key=lambda label: label.label != "false", default=None)


def _by_run(of: dict[str, Any]) -> dict[int, Any]:
    return {int(run): value for run, value in of.items()}


def _tuples(metrics: dict[str, list[float]]) -> dict[str, tuple[float, ...]]:
    return {metric: tuple(values) for metric, values in metrics.items()}


def main(folder: Path) -> None:
    outcomes = [outcome(note) for note in sorted(folder.glob("*.md")) if note.with_suffix(".json").exists()]
    for each in outcomes:
        for finding, label in each.alarms:
            of = label.text if label else "no label"
            print(f"false alarm  {each.note}:{finding.line}: {finding.message}  [{of}]")
        for label in each.missed:
            print(f"missed       {each.note}:{label.line}: {label.text!r} ({label.kind}; {label.why})")
    false = Counter(label.kind for each in outcomes for label in each.labels if label.label == "false")
    missed = Counter(label.kind for each in outcomes for label in each.missed)
    alarms = Counter(label.kind if label else "no label" for each in outcomes for _, label in each.alarms)
    for kind in sorted({*false, *alarms}):
        print(f"{kind:12} found {false[kind] - missed[kind]} of {false[kind]}, false alarms {alarms[kind]}")
    listed = sum(len(each.right) + len(each.alarms) for each in outcomes)
    print(f"listed {listed}, false alarms {alarms.total()}, found {false.total() - missed.total()} of {false.total()}")


if __name__ == "__main__":
    main(FOLDER / (sys.argv[1] if len(sys.argv) > 1 else ""))
