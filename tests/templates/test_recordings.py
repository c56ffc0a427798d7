"""Recordings that come with templates still apply, reply by reply."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from harness.agents.edits import apply
from harness.agents.replies import parse
from harness.checks.scope import why_not_write
from harness.models import read_recording
from harness.template.folder import Template
from harness.template.text_file import read_text

TEMPLATES = Path(__file__).parents[2] / "templates"
REFUSED = {"sae_hierarchy": ["ended in half a line"], "sae_lm": ["a little differently"]}
"""Templates whose recording holds edits that do not fit → what the reply after each of them says."""


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*/recordings/*.jsonl")), ids=lambda path: path.parts[-3])
def test_every_edit_of_a_recording_applies_unless_its_next_reply_corrects_it(path: Path) -> None:
    template = Template(path.parents[1])
    texts = {name: read_text(place) for name, place in template.files.items()}
    replies = [call.reply for call in read_recording(path)]
    refused = []
    for number, reply in enumerate(replies):
        parsed = parse(reply, tuple(template.files))
        assert parsed.problem == "" and (parsed.edits or parsed.done)
        finishing = all(edit.path in template.manifest.for_the_end for edit in parsed.edits)
        done = apply(parsed.edits, texts.get, partial(why_not_write, template, purpose="next"), finishing=finishing)
        if done.problems:
            refused.append(replies[number + 1])
        texts |= done.texts
    expected = REFUSED.get(template.name, [])
    assert len(refused) == len(expected)
    assert all(word in reply for word, reply in zip(expected, refused, strict=True))
