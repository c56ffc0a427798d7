"""Makes names and texts from outside safe to print anywhere, and writes numbers as people read them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

MULTIPLE, COUNTLESS = 9.995, 1e6
"""Relative changes from which on they are written as multiples, and are not written in full."""


def tame(text: str, limit: int = 300) -> str:
    """One line, never empty, of printable characters; cut at the limit with "…"."""
    line = " ".join(text.split())
    shown = line if len(line) <= limit else line[: limit - 1] + "…"
    return "".join(c if c.isprintable() else "?" for c in shown) or "?"


def listing(names: Sequence[str], limit: int = 1000) -> str:
    """ "a, b and c", or "a, b and 7 more"."""
    shown = names if len(names) <= limit else [*names[:limit], f"{len(names) - limit:,} more"]
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def plain_number(value: float) -> str:
    """Four significant digits, and no exponent from 0.0001 to 10 million."""
    if 1000 <= abs(value) < 1e7:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def change(relative: float) -> str:
    """A relative change: "+3.21 %", or "+124×" for one of 124 times the value that it is compared with."""
    sign = "+" if relative > 0 else "-" if relative < 0 else ""
    return sign + size_of_change(relative)


def size_of_change(relative: float) -> str:
    """Like `change`, without sign."""
    size = abs(relative)
    if size >= COUNTLESS:
        return f">{COUNTLESS:,.0f}×"
    if size >= MULTIPLE:
        return f"{size:,.0f}×" if size >= 99.95 else f"{size:.3g}×"
    return "<0.001 %" if 0 < size < 0.00001 else f"{100 * size:.3g} %"
