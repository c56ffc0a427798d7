"""Makes text from agents, experiments and logs safe to display, and formats numbers. Pure."""

from __future__ import annotations

import re
import time

LIMIT = 4000
"""Maximum characters of a log in a prompt."""
LINE = 2000
"""Maximum characters of a displayed line."""
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?")
HIDDEN = (
    "\\u00ad\\u061c\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb"
    "\\ud800-\\udfff\\U000e0000-\\U000e007f"
)
"""Characters that change the direction of text, that have no width, and halves of others, as ranges of a pattern."""
_HIDDEN = re.compile(f"[{HIDDEN}]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
PROGRESS = re.compile(r"(?<!\d)\d{1,3}%\|.*\||(?<!\d)\d{1,9}/\d{1,9} \[\d\d:\d\d|it/s[,\]]|s/it[,\]]")
_WARNING = re.compile(r"^[^:]*:\d+: \w*Warning: |^\s*warnings\.warn\(")


def clean(text: str) -> list[str]:
    """The lines of a log as a terminal would show them, without progress bars and warnings, cut to LINE characters."""
    lines = (line.rstrip("\r").rsplit("\r", 1)[-1][:LINE] for line in _ANSI.sub("", text).split("\n"))
    return [
        _visible(_CONTROL.sub("", line.rstrip()))
        for line in lines
        if not PROGRESS.search(line) and not _WARNING.search(line)
    ]


def printable(text: str, colours: bool = True) -> str:
    """Text with control and hidden characters escaped, except newline, tab and, unless not wanted, git's colours."""
    harmful = (r"(?!\x1b\[(?:1|3[126]|41)?m)" if colours else "") + r"[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    return _visible(re.sub(harmful, lambda found: repr(found[0])[1:-1], text))


def _visible(text: str) -> str:
    return text if text.isascii() else _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def has_hidden(name: str) -> bool:
    """Whether a name has a control character or one that is not seen."""
    return _CONTROL.search(name) is not None or _HIDDEN.search(name) is not None or "\n" in name or "\t" in name


def plain(text: str, most: int = 300) -> str:
    """One line without control characters, of bounded length."""
    joined = " ".join(part.strip() for part in clean(text[:4000]) if part.strip())
    return joined[:most]


def number(value: float | None) -> str:
    """Four significant digits; a dash for None."""
    return "–" if value is None else f"{value:.4g}"


def rough(value: float) -> str:
    """Two significant digits, for numbers that are known no better."""
    return f"{value:.0f}" if 9.5 <= abs(value) < 1e6 else f"{value:.2g}"


def percent(share: float) -> str:
    return f"{rough(100 * share)} %"


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def when(at: float) -> str:
    """Seconds since the epoch as local date and time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def last_line(text: str) -> str:
    """The last line that is not blank."""
    return next(
        (line.strip() for line in reversed(_ANSI.sub("", text).replace("\r", "\n").split("\n")) if line.strip()), ""
    )


def first_sentence(reply: str) -> str:
    """The first line of prose in an agent's reply, without its edits; at most 200 characters."""
    prose = re.sub(r"^```.*?^```|^<{5,9} SEARCH.*?^>{5,9} REPLACE", "", reply[:20_000], flags=re.DOTALL | re.MULTILINE)
    return next((line.strip() for line in clean(prose) if " " in line.strip()), "")[:200]
