"""Numbers in prose, and whether they are given as values of a metric or as changes of one. Pure.

A number belongs to a metric if there are only linking words between the two ("the loss fell from 0.52 to 0.42", "a
19 % reduction in loss") and no other noun follows it (not so for 500 in "loss of 0.42 in 500 epochs"). Any other word,
such as the name of a setting, breaks the link: if in doubt, the patterns match nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

REACH = 120
"""Maximum number of characters between a metric and its value."""

_CHANGE = r"""of|in|on|the|relative|absolute|percent\w*|slight|significant|clear|notable|substantial|further|effect|mean
    |final|best|lower|higher|smaller|larger|better|worse|less|more|fewer|faster|slower|up|down|drop(?:s|ped)?|falls?|rises?
    |gain(?:s|ed)?|points?|reduc\w+|decreas\w+|increas\w+|improv\w+|degrad\w+|worsen\w*|chang\w+|differ\w+|cuts?
    |overall|whopping|mere|\w+ly"""
_LINK = rf"""{_CHANGE}|an?|its?|this|these|that|which|we|i|and|or|e|as|to|from|at|by|for|with|after|before|when|while
    |but|where|is|are|was|were|be|been|has|have|had|still|now|then|here|both|all|about|around|ca|approx|than|vs|versus
    |against|compared|baseline|values?|std|sd|se|sem|stderr|median|datasets?|results?|runs?|fell|rose|went|goes|grew|grows
    |shrank|lowered|raised|made|moved|stay\w+|remain\w+|reach\w*|achiev\w+|got|gets|saw|see|observed|obtain\w*|gave|gives
    |giv\w+|yield\w*|measured|show\w*|ends?|ended|came|out|comes|again|also|too|only|just|even|each|there|hurts?|lost|lose
    |worth|equals?|so|because|generat\w+|process\w+|needs?|needed|takes?|took|costs?"""
_BEFORE_METRIC = re.compile(_CHANGE, re.I | re.X)
GENERIC = re.compile(
    rf"{_LINK}|performance|quality|models?|approach\w*|methods?|variants?|changes?|agents?|one|it|s|t|they|did|does|do"
    rf"|not|no|never"
    rf"|became|become\w*|reliable|robust|confirm\w*|dramatic|definite|say|would|even|much|any\w*|nothing"
    rf"|experiment\w*|choice|version|overall",
    re.I | re.X,
)
BEFORE_VALUE = re.compile(_LINK, re.I | re.X)
AFTER_VALUE = re.compile(
    rf"{_LINK}|below|above|nats|bits|points?|pp|[mµ]?s|sec|seconds|minutes|hours|[kmg]i?b|db|dollars", re.I | re.X
)

_WORD = re.compile(r"[^\W\d]\w*|(?<![-=])[<>≤≥]")
_WORD_OR_MARK = re.compile(r"[^\W\d]\w*|[^\s-]")
_NEXT = re.compile(r"[\s-]+[^\W\d]\w*")
_NUMBER = re.compile(
    r"(?<![\w./^@])(?<!\w[-–])(?<!\d of )(?P<sign>[+−-]?)(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d*\.\d+"
    r"|\d+)(?:[eE](?P<power>[+-]?\d{1,3}))?(?P<percent>\s?(?:%"
    r"|percent(?!age)\b))?(?P<points>[\s-]?(?:percentage[\s-])?points?\b|\s?percentage points?\b|\s?pp\b)?(?![\w%/]"
    r"|\.\d|-\d)(?!(?:\s?(?:to|[-–])\s?[\d.]+)?[\s-]?(?:[×*]|x\b|\\?times\b|fold\b))"
)
_HEDGE = re.compile(r"(?:[~≈]|\b(?:about|around|roughly|approximately|nearly|almost|ca\.?))\s*$", re.I)
_MORE = re.compile(r"\b(?:more than|over|at least)\s*$", re.I)
_DIFFERENCE_BEFORE = re.compile(
    r"(?:\b(?:by|up|down|gain(?:s|ed)?|dropp?(?:s|ed)?|fell|rose|cuts?|adds?|added|reduced|increased|decreased"
    r"|improved|lost|loses?|higher|lower)|\b(?:gain|drop|reduction|increase|decrease|improvement|change|rise|fall"
    r"|difference|effect) of)(?: (?:an?|about|around|roughly|nearly|almost|more|than|over|another|only|just|ca\.?"
    r"|approximately))*\s*[~≈]?\s*$",
    re.I,
)
_DIFFERENCE_BEHIND = re.compile(
    r"(?: of)?[\s-]{1,2}(?:(?:relative|absolute|overall|further|full|whole) )?(?:[a-z]+ )?(?:higher|lower|less|more"
    r"|fewer|better|worse|faster|slower|larger|smaller|longer|shorter|reduc\w+|increas\w+|decreas\w+|improve\w+|gain"
    r"|drop|rise|(?:below|above|under|over) (?:the |our )?(?:baseline|run|that))\b",
    re.I,
)
_TO_ANOTHER = re.compile(r"\s*(?:→|[-=]>|to\b)\s*[+-]?[\d.]*\d(?P<percent>\s?%)?")
_BY = re.compile(r"\bby\b\D*$")
_BOUND = re.compile(
    r"\b(?:up to|at (?:most|least)|exceed\w*|above|below|under|over|beyond|than)\s*$|(?<![-=])[<>≤≥]\s*$", re.I
)
_TO_REACH = re.compile(
    r"\bto (?:reach|hit|attain|get to) (?P<first>\d+(?:\.\d+)?)\s?%|\b(?:reach|hit|attain|achiev|pass"
    r"|cross)\w* (?P<second>\d+(?:\.\d+)?)\s?%[^.;]{0,50}\b(?:faster|slower|earlier|later|sooner|quicker|quickly|steps"
    r"|epochs|iterations)\b",
    re.I,
)
_REACHED = re.compile(
    r"(?<![\w.])\d+(?:\.\d+)?\s?(?:%|percent)\s+(?:[\w-]+\s+){0,3}?(?:in|after|within|at)\s+(?:about |only "
    r"|just )?(?P<count>\d[\d,]*)\s+(?P<unit>step|epoch|iteration|update|episode|second|minute)s?\b",
    re.I,
)


class Mention(NamedTuple):
    """A metric named in a text, or several that may be meant."""

    start: int
    end: int
    metrics: frozenset[str]


@dataclass(frozen=True)
class Number:
    """A number as printed."""

    start: int
    end: int
    text: str
    value: float
    unit: float
    """The value of one unit in its last printed digit."""
    digits: int
    """The number of significant digits."""
    sign: str
    percent: bool
    points: bool
    count: bool
    """Whether it may count something: no decimals, no power, no percent."""
    hedged: bool
    """Whether the text marks it as approximate."""

    def is_print_of(self, value: float) -> bool:
        """Whether `value` gives this number when rounded or truncated."""
        off = abs(value - self.value) / self.unit
        cut = abs(value) >= abs(self.value) and value * self.value >= 0
        return off <= (1 if self.hedged else 0.5) + 1e-9 or (cut and off < 1 - 1e-9)


def numbers(text: str) -> Iterator[Number]:
    for match in _NUMBER.finditer(text):
        digits, power = match["digits"].replace(",", ""), int(match["power"] or 0)
        whole, _, decimals = digits.partition(".")
        if abs(power) > 150 or len(digits) > 30:
            continue
        yield Number(
            start=match.start(),
            end=match.end(),
            text=match[0].strip(),
            value=float(f"{digits}e{power}") * (-1 if match["sign"] in ("-", "−") else 1),
            unit=10.0 ** (power - len(decimals)),
            digits=len((whole + decimals).lstrip("0")),
            sign=match["sign"],
            percent=match["percent"] is not None,
            points=match["points"] is not None,
            count=not (decimals or match["power"] or match["percent"] or match["points"]),
            hedged=_HEDGE.search(_before(text, match.start())) is not None,
        )


def _before(text: str, end: int) -> str:
    return text[max(0, end - 40) : end]


def is_difference(number: Number, text: str) -> bool:
    """Whether a number tells how far something moved, not where it ended."""
    if number.points or (number.sign and number.percent):
        return True
    before = _before(text, number.start)
    pair = _TO_ANOTHER.match(text, number.end)
    if pair and bool(pair["percent"]) == number.percent and not _BY.search(before):
        return False
    return _DIFFERENCE_BEFORE.search(before) is not None or (
        number.percent and _DIFFERENCE_BEHIND.match(text, number.end) is not None
    )


def is_bound(number: Number, text: str) -> bool:
    """Whether a number is a limit or a threshold."""
    return _BOUND.search(_before(text, number.start)) is not None


def reached(text: str) -> Iterator[tuple[tuple[int, int], str, str]]:
    """Levels reached after so many steps: where the phrase is, the count and its unit."""
    for match in _REACHED.finditer(text):
        yield match.span(), match["count"], match["unit"].lower()


def thresholds(text: str) -> list[tuple[int, int]]:
    """Where levels are named that something reached sooner or later."""
    return [match.span("first" if match["first"] else "second") for match in _TO_REACH.finditer(text)]


def is_value(number: Number, text: str, named: Sequence[Mention]) -> bool:
    """Whether a number belongs to a metric that the text names or, if it names none, to the topic."""
    at = bisect_left(named, number.start, key=lambda mention: mention.start)
    if at or not named:
        before, after = text[named[at - 1].end if at else 0 : number.start], _NEXT.match(text, number.end)
        if linked(before, BEFORE_VALUE) and (after is None or linked(after[0], AFTER_VALUE)):
            return not number.count or (number.digits > 1 and at > 0)
    if at == len(named):
        return False
    before, between = text[max(0, number.start - 20) : number.start], text[number.end : named[at].start]
    if number.count and (number.digits == 1 or between.strip()):
        return False
    return linked("".join(before.split()[-1:]), BEFORE_VALUE) and linked(between, _BEFORE_METRIC, _WORD_OR_MARK)


def is_about(start: int, end: int, text: str, named: Sequence[Mention], links: re.Pattern[str] = BEFORE_VALUE) -> bool:
    """Whether words are about a metric: only links are between the two or, if no metric is named, around the words."""
    if not named:
        return linked(text[:start], links) and linked(text[end:], links)
    at = bisect_left(named, start, key=lambda mention: mention.start)
    return any(linked(text[min(end, m.end) : max(start, m.start)], links) for m in named[max(0, at - 1) : at + 1])


def linked(text: str, links: re.Pattern[str], word: re.Pattern[str] = _WORD) -> bool:
    return len(text) <= REACH and all(links.fullmatch(each) for each in word.findall(text))
