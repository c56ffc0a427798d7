"""The words by which a clause claims something: better, lower, halved, significantly, not. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Sense = Literal["better", "worse", "up", "down"]

_JUDGED: dict[Sense, str] = {
    "better": r"improve(?:s|d|ments?)?|outperform(?:s|ed)?|surpass(?:es|ed)?|superior|beats?|faster|quicker|better"
    r"|helps|helped|beneficial",
    "worse": r"worse(?:ned|ns)?|degrad(?:ed|es|ation)|deteriorat\w+|inferior|underperform(?:s|ed)?|hurts?|harm(?:s"
    r"|ed|ful)?|slower|falls? short|fell short",
}
_MOVED: dict[Sense, str] = {
    "up": r"increas(?:e|es|ed|ing)|raised|raises|rises?|rose|grows?|grew|grown|higher|larger|greater|lengthens?",
    "down": r"decreas(?:e|es|ed|ing)|reduc(?:e|es|ed|ing|tions?)|drop(?:s|ped|ping)?|falls?|fell|fallen|lower(?:s|ed)?"
    r"|shrinks?|shrank|smaller|declin\w+|fewer|shorter|cuts?",
}
_MAYBE: dict[Sense, str] = {"up": r"up|more|adds?|added", "down": r"down|less|below", "better": r"gain(?:s|ed)?"}
"""Words that count only next to a size, or with a word of certainty."""


@dataclass(frozen=True)
class Cue:
    start: int
    end: int
    word: str
    sense: Sense
    strength: Literal["judged", "moved", "size"]
    """Judged: good or bad. Moved: up or down. Size: says something only together with a number."""

    @property
    def speed(self) -> bool:
        return self.word.lower().startswith(("fast", "slow", "quick"))


def _all() -> Iterator[tuple[str, Sense, Literal["judged", "moved", "size"]]]:
    yield from ((words, sense, "judged") for sense, words in _JUDGED.items())
    yield from ((words, sense, "moved") for sense, words in _MOVED.items())
    yield from ((words, sense, "size") for sense, words in _MAYBE.items())


_KINDS = list(_all())
_CUE = re.compile("|".join(rf"(\b(?:{words})\b)" for words, _, _ in _KINDS), re.I)
_NO_CUE = re.compile(
    r"\b(?:(?:up|down) (?:to|and running|next)|(?:set|start|warm|speed|follow|end|ramp|ramped)[ -]?(?:up|down)"
    r"|up[ -]?down|better (?:understand\w*|suited|idea)|no more|more (?:or less|than)|at (?:least|most)|below (?:we|is"
    r"|are)|dropped? out|improv(?:ed|ements?) (?:version|variant|method|code|script|plots?|readability)|fall back)\b",
    re.I,
)
STEADY = re.compile(r"\b(?:unchanged|similar|comparable|stable|the same|constant|equal|stay(?:s|ed)|remain\w*)\b", re.I)
CERTAIN = re.compile(
    r"\b(?:(?:statistically )?significan(?:t|tly)|reliabl[ey]|confirm(?:ed|s)|robustly|conclusively|definitively)\b",
    re.I,
)
_DENIAL = re.compile(
    r"(?:\b(?:not(?! only)|no(?! doubt)|never|neither|nor|none|cannot|hardly|barely|little|lack of|rather than)\b"
    r"|n['’]t\b)(?:\s+[\w-]+){0,4}\s+$|\bwithout (?:\w+ )?$",
    re.I,
)
_UNSURE = re.compile(
    r"\b(?:inconclusive|within (?:the )?(?:noise|spread|error)|noise|promising|unconfirmed|await\w*|insignificant"
    r"|seem\w*|appear\w*|looks?|looking|tends?|trends?|suggest\w*|slight hint"
    r"|not (?:yet )?(?:been )?(?:statistically )?(?:significant\w*|confirmed)|to be confirmed|yet to)\b",
    re.I,
)
_GENERAL = re.compile(
    r"\b(?:lower|higher|smaller|larger|fewer|less|more|faster|shorter)\b(?:[ \w-]{0,40}?)(?:\b(?:is|are|means?"
    r"|indicat\w*|impl\w*)|=|:) *(?:\w+ )?(?:better|worse|improv\w+|faster|harder)\b|\b(?:indicat|denot|defin"
    r"|correspond)\w*\b",
    re.I,
)
_WITHIN_RUN = re.compile(
    r"\b(?:during|over (?:time|the course)|through(?:out)?|steadily|initially|at first|early|late[rt]?|gradually"
    r"|epochs?|converg\w*|curves?|half of|over training)\b",
    re.I,
)


def cues(text: str) -> list[Cue]:
    """All words of a clause that say which way something went."""
    blanked = _NO_CUE.sub(lambda match: " " * len(match[0]), text)
    found = []
    for match in _CUE.finditer(blanked):
        _, sense, strength = _KINDS[(match.lastindex or 1) - 1]
        found.append(Cue(match.start(), match.end(), match[0], sense, strength))
    return found


def denied(text: str, cue: Cue) -> bool:
    """Whether a word of negation stands before the cue."""
    return _DENIAL.search(text[max(0, cue.start - 60) : cue.start]) is not None


def is_unsure(text: str) -> bool:
    return _UNSURE.search(text) is not None


def is_general(text: str) -> bool:
    """Whether a clause explains what numbers mean instead of saying what they are."""
    return _GENERAL.search(text) is not None


def is_within_run(text: str) -> bool:
    """Whether something may have moved in the course of training rather than between two runs."""
    return _WITHIN_RUN.search(text) is not None


@dataclass(frozen=True)
class Factor:
    """A ratio of two values: "halved", "2.5x"."""

    start: int
    end: int
    text: str
    ratio: float
    sense: Sense | None
    """Which way it must have gone; None if that depends on the words around it."""
    exact: bool
    """Whether given in digits with decimals."""
    at_least: bool
    hedged: bool


_WORDS: dict[str, tuple[float, Sense | None]] = {
    r"(?:twice|double) as (?:fast|quick)": (2, "better"),
    r"(?:twice|double) as slow": (2, "worse"),
    r"halv(?:e|es|ed|ing)|(?:in|by) half|half (?:that|the|as)\b|half of(?= the)": (2, "down"),
    r"doubl(?:e|es|ed|ing)|twice": (2, "up"),
    r"tripl(?:e|es|ed|ing)": (3, "up"),
    r"quadrupl(?:e|es|ed|ing)": (4, "up"),
}
_FACTOR = re.compile(
    "|".join(rf"(\b(?:{words})\b)" for words in _WORDS)
    + r"|(?<![\w.,–-])(?<!\bto )(\d+(?:\.\d+)?)\s?(?:[×x]|-?fold|times)(?![\w×])"
    r"|(?<!\w)[×x]\s?(\d+(?:\.\d+)?)(?![\w.]*\d)|\bfactor of (\d+(?:\.\d+)?)",
    re.I,
)
BEHIND = 14
"""Maximum number of characters between a number and a word behind it that gives its direction."""
_AT_LEAST = re.compile(r"\b(?:more than|over|at least)\s*$", re.I)
_ROUGHLY = re.compile(r"(?:\b(?:approximately|roughly|about|around|nearly|almost|ca\.?)|[≈~])\s*$", re.I)


def factors(text: str) -> Iterator[Factor]:
    for match in _FACTOR.finditer(text):
        number = next((group for group in match.groups()[len(_WORDS) :] if group), None)
        ratio, sense = (float(number), None) if number else list(_WORDS.values())[(match.lastindex or 1) - 1]
        if 0 < ratio < 1e6:
            before = text[max(0, match.start() - 20) : match.start()]
            more, hedged = _AT_LEAST.search(before) is not None, _ROUGHLY.search(before) is not None
            yield Factor(match.start(), match.end(), match[0], ratio, sense, "." in (number or ""), more, hedged)


def is_rate(text: str, factor: Factor) -> bool:
    """Whether a factor tells how fast something is."""
    return re.match(r".{0,12}\b(?:fast|slow|quick)", text[factor.start : factor.end + 12], re.I) is not None


def sense_at(found: list[Cue], offset: int) -> Sense | None:
    """Which way a number that ends here went: by the word right behind it, otherwise by the last one before it."""
    at = bisect_right(found, offset, key=lambda cue: cue.start)
    if at < len(found) and (at == 0 or found[at].start - offset <= BEHIND):
        return found[at].sense
    return found[at - 1].sense if at else None


def of_sign(sign: str) -> Sense | None:
    return "up" if sign == "+" else "down" if sign else None
