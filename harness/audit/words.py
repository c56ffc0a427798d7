"""Makes names and texts from outside safe to print anywhere. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def tame(text: str, limit: int = 300) -> str:
    """One line, never empty, of printable characters; cut at the limit with "…"."""
    line = " ".join(text.split())
    shown = line if len(line) <= limit else line[: limit - 1] + "…"
    return "".join(c if c.isprintable() else "?" for c in shown) or "?"


def listing(names: Sequence[str], limit: int = 1000) -> str:
    """ "a, b and c", or "a, b and 7 more"."""
    shown = names if len(names) <= limit else [*names[:limit], f"{len(names) - limit:,} more"]
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
