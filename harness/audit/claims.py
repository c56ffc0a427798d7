"""Claims in an idea's notes and in its paper that the numbers do not support. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from harness.audit.latex import Line, prose
from harness.audit.records import Item, Text
from harness.claims.check import LINE, LINES, NAMES, PAIRED, SEEDS, Known, unsupported


def claims_of(notes: Text | None, paper: Sequence[Text], known: Known) -> tuple[list[Item], list[str]]:
    """Claims that the numbers do not support, and what was not checked."""
    claims: list[Item] = []
    unread: list[str] = []
    if not known.scores:
        return claims, unread
    texts = [] if notes is None else [(notes.name, [*map(Line, notes.content.split("\n"), count(1))])]
    for name, lines in (*texts, *((text.name, prose(text.content)) for text in paper)):
        found = unsupported("\n".join(line.text for line in lines), known)
        for each in found:
            if each.line is not None:
                claims.append(Item(kind="claim", file=name, line=lines[each.line - 1].number, message=each.message))
        left_out = [*_beyond(lines, known), *(each.message for each in found if each.line is None)]
        unread += [f"{name}: {line}" for line in left_out]
    return claims, unread


def _beyond(lines: Sequence[Line], known: Known) -> Iterator[str]:
    """The limits of the claim check that were reached."""
    datasets = [dataset for of_run in known.scores.values() for dataset in of_run.values()]
    counts = (
        ("lines", len(lines), LINES),
        ("characters of one line", max((len(line.text) for line in lines), default=0), LINE),
        ("metrics", len({name for metrics in datasets for name in metrics}), NAMES),
        ("datasets", len({name for of_run in known.scores.values() for name in of_run}), NAMES),
        ("runs to compare with each other", len(known.scores), PAIRED),
        ("values per seed", max(len(values) for metrics in datasets for values in metrics.values()), SEEDS),
    )
    for things, there, limit in counts:
        if there > limit:
            yield f"of {there:,} {things} only the first {limit:,} were checked for claims"
