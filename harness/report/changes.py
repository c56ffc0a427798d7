"""What each run changed, in the words of its agent."""

from __future__ import annotations

from collections.abc import Iterable

from harness.state.events import AnyEvent, Recorded, TurnEnded
from harness.text import plain


def changes(events: Iterable[AnyEvent]) -> dict[int, str]:
    """Run → the first sentence of every turn whose edit is part of it; runs without a result are left out.

    For the agents that search constants, the sentence lists the constants.
    """
    said: dict[int, str] = {}
    pending: list[str] = []
    found: dict[int, str] = {}
    for event in events:
        if isinstance(event, TurnEnded):
            said[event.turn] = plain(event.said)
        elif isinstance(event, Recorded):
            if event.came_to in ("attempt", "check") and event.outcome != "no-op":
                pending += [said[event.turn]] if said.get(event.turn) else []
            if event.run is not None and event.outcome == "ok":
                found[event.run] = "; then: ".join(dict.fromkeys(pending))
            if event.run is not None and (event.outcome == "ok" or event.abandoned):
                pending = []
    return found
