"""The labelled notes: few false alarms, and nearly every false claim is found."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from labelled import FOLDER, outcome

NOTES = sorted(note for note in FOLDER.rglob("*.md") if note.with_suffix(".json").exists())


def test_the_labelled_notes_have_few_false_alarms_and_hide_few_false_claims() -> None:
    outcomes = [outcome(note) for note in NOTES]
    alarms = [f"{each.note}:{finding.line}: {finding.message}" for each in outcomes for finding, _ in each.alarms]
    missed = [f"{each.note}:{label.line}: {label.text}" for each in outcomes for label in each.missed]
    listed = sum(len(each.right) for each in outcomes) + len(alarms)
    false = sum(label.label == "false" for each in outcomes for label in each.labels)
    assert len(alarms) <= 0.1 * listed, alarms
    assert len(missed) <= 0.1 * false, missed


@pytest.mark.parametrize("note", NOTES, ids=lambda note: note.stem)
def test_every_label_stands_on_its_line(note: Path) -> None:
    text = note.read_text()
    lines = text.split("\n")
    for label in outcome(note).labels:
        assert label.text.split("\n")[0] in lines[label.line - 1]
        assert label.text in text


def test_the_labelled_notes_hold_enough_of_every_kind() -> None:
    labels = Counter(label.label for note in NOTES for label in outcome(note).labels)
    assert set(labels) == {"true", "false", "not a claim"}
    assert min(labels.values()) >= 0.2 * labels.total() - 1
