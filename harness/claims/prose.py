"""What a sentence of notes mentions: numbers, metrics, datasets, runs, praise. Pure.

A number counts as a value of a metric if there are only linking words between the two ("the loss fell from 0.52 to
0.42", "a 19 % reduction in loss") and no other noun follows it (not so for 500 in "loss of 0.42 in 500 epochs"). Any
other word, such as the name of a setting, breaks the link: if in doubt, the patterns match nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

Polarity = Literal["better", "worse"]
REACH = 120
"""Maximum number of characters between a metric and its value."""

_CHANGE = r"""of|in|on|the|relative|absolute|percent\w*|slight|significant|clear|notable|substantial|further|effect|mean
    |final|best|lower|higher|smaller|larger|better|worse|less|more|faster|slower|drop(?:s|ped)?|falls?|rises?|gain(?:s|ed)?
    |reduc\w+|decreas\w+|increas\w+|improv\w+|degrad\w+|worsen\w*|chang\w+|differ\w+|\w+ly"""
_LINK = rf"""{_CHANGE}|an?|its?|this|these|that|which|we|and|or|i|e|as|to|from|at|by|for|with|after|before|when|while
    |but|where|is|are|was|were|be|been|has|have|had|still|now|then|here|both|all|about|around|ca|approx|than|vs|versus
    |against|compared|baseline|values?|std|sd|se|sem|stderr|median|datasets?|results?|runs?|fell|rose|went|goes|grew|shrank
    |lowered|raised|moved|stay\w+|remain\w+|reach\w*|achiev\w+|got|saw|observed|obtained|gave|gives|measured|show\w*"""
_BEFORE_METRIC = re.compile(_CHANGE, re.I | re.X)
_BEFORE_VALUE = re.compile(_LINK, re.I | re.X)
_AFTER_VALUE = re.compile(rf"{_LINK}|below|above|nats|bits", re.I | re.X)

_WORD = re.compile(r"[^\W\d]\w*|(?<![-=])[<>≤≥]")
_WORD_OR_MARK = re.compile(r"[^\W\d]\w*|[^\s-]")
_NEXT = re.compile(r"[\s-]+[^\W\d]\w*")
_NUMBER = re.compile(
    r"(?<![\w./^@])(?<!\w[-–])(?<!\d of )(?P<sign>[+−-]?)(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d*\.\d+|\d+)"
    r"(?:[eE](?P<power>[+-]?\d{1,3}))?(?P<percent>\s?(?:%|percent(?:age points)?\b|pp\b))?(?![\w%/]|\.\d|-\d)"
    r"(?!(?:\s?(?:to|[-–])\s?[\d.]+)?[\s-]?(?:[×*]|x\b|\\?times\b|fold\b))"
)
_HEDGE = re.compile(r"(?:[~≈]|\b(?:about|around|roughly|approximately|nearly|almost|ca\.?))\s*$", re.I)
_SENTENCE_END = re.compile(r"(?<=[.;!?])(?<!\b(?:vs|al)\.)(?<!\b(?:i\.e|e\.g)\.)\s+", re.I)
_SUPPOSED = re.compile(
    r"\b(?:could|would|should|might|may|can|will|if|whether|expect\w*|hop(?:e|ed|ing)|aim\w*|targets?|goal|ideal\w*"
    r"|potential\w*|possibl[ey]|theor\w+|predict\w*|hypothes\w+|axis|axes|smoke|reports?|paper|literature|et al)\b",
    re.I,
)
_RUN = re.compile(
    r"(?:\b(?P<behind>than|over|to|vs\.?|versus|against|with|from|as|of|in|for|outperform\w*)\s+)?(?:the\s+)?"
    r"\bruns?[ _#]{0,2}(?P<number>\d{1,4})(?![\w.]*\d)(?:(?:,? and |, | ?[-–] ?| to )\d{1,4}(?![\w.]*\d))*",
    re.I,
)
_BETTER = re.compile(
    r"\b(?:improv(?:ed|es|ements?)|outperform(?:s|ed)|surpass(?:es|ed)|superior|better (?:than|performance|results?))\b"
    r"|\b(?:is|are|was|were|perform\w*) (?:\w+ )?better\b",
    re.I,
)
_WORSE = re.compile(r"\b(?:worse(?:ned|ns)?|degrad(?:ed|es|ation)|deteriorat\w+|inferior|underperform(?:s|ed))\b", re.I)
_DENIED = re.compile(
    r"\b(?:not|no|never|neither|nor|without|cannot|any|little|indicat\w*"
    r"|(?:lower|higher)(?: \w+){0,2} (?:is|are|means?)|(?:for|towards?)(?: \w+)?(?= (?:improve|better)))\b|n['’]t\b",
    re.I,
)
_UNSURE = re.compile(
    r"\b(?:inconclusive|noise|spread|promising|\w*confirm\w*|seem\w*|appear\w*|looks?|insignificant"
    r"|not (?:statistically )?significant\w*)\b",
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
    percent: bool
    count: bool
    """Whether it may count something: no decimals, no power, no percent."""
    hedged: bool
    """Whether the text marks it as approximate."""

    def is_print_of(self, value: float) -> bool:
        """Whether `value` gives this number when rounded or truncated."""
        cut = abs(value) >= abs(self.value) and value * self.value >= 0
        return abs(value - self.value) <= self.unit * (1 if cut or self.hedged else 0.5) * (1 + 1e-9)


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
            percent=match["percent"] is not None,
            count=not (decimals or match["power"] or match["percent"]),
            hedged=_HEDGE.search(text[max(0, match.start() - 20) : match.start()]) is not None,
        )


def is_value(number: Number, text: str, named: list[Mention]) -> bool:
    """Whether a sentence gives a number as a value of a metric that it names or, if it names none, of its topic."""
    at = bisect_left(named, number.start, key=lambda mention: mention.start)
    if at or not named:
        before, after = text[named[at - 1].end if at else 0 : number.start], _NEXT.match(text, number.end)
        if _linked(before, _BEFORE_VALUE) and (after is None or _linked(after[0], _AFTER_VALUE)):
            return not number.count or (number.digits > 1 and at > 0)
    if at == len(named) or number.count:
        return False
    before, between = text[max(0, number.start - 20) : number.start], text[number.end : named[at].start]
    return _linked("".join(before.split()[-1:]), _BEFORE_VALUE) and _linked(between, _BEFORE_METRIC, _WORD_OR_MARK)


def _linked(text: str, links: re.Pattern[str], word: re.Pattern[str] = _WORD) -> bool:
    return len(text) <= REACH and all(links.fullmatch(each) for each in word.findall(text))


def sentences(text: str) -> Iterator[str]:
    """The sentences, each up to the first word that marks the rest as hypothetical, hoped for or another's result."""
    for sentence in _SENTENCE_END.split(text):
        yield _SUPPOSED.split(sentence, maxsplit=1)[0]


def runs(text: str) -> list[tuple[int, str]]:
    """Runs in the order of the text, each with the preposition before it."""
    return [(int(match["number"]), (match["behind"] or "").lower()) for match in _RUN.finditer(text)]


def praise(text: str) -> tuple[Polarity, str] | None:
    """Whether a sentence calls a result better or worse, and in which word; None if negated, doubted or both."""
    meant = "" if _UNSURE.search(text) else _DENIED.split(text, maxsplit=1)[0]
    better, worse = _BETTER.search(meant), _WORSE.search(meant)
    if better and not worse:
        return "better", better[0]
    return ("worse", worse[0]) if worse and not better else None


class Vocabulary:
    """The names of an experiment's metrics and datasets, as prose may spell them."""

    def __init__(self, metrics: Collection[str], datasets: Collection[str]) -> None:
        meant: dict[str, set[str]] = {}
        for name in metrics:
            tokens = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower())
            for spelled in (tokens, tokens[-1:]):
                if spelled and (spelled == tokens or not spelled[0].isdigit()):
                    meant.setdefault(_spelling(spelled), set()).add(name)
        longest_first = sorted(meant, key=len, reverse=True)
        any_of_them = "|".join(f"({each})" for each in longest_first) or "(?!)"
        self._metric = re.compile(rf"(?<!\w)(?:{any_of_them})(?!\w)", re.I)
        self._meant = [frozenset(meant[each]) for each in longest_first]
        self._datasets = {name: _of_dataset(name) for name in datasets if name.strip()}

    def metrics(self, text: str) -> list[Mention]:
        found = self._metric.finditer(text)
        return [Mention(m.start(), m.end(), self._meant[m.lastindex - 1]) for m in found if m.lastindex]

    def metrics_alone(self, text: str) -> frozenset[str]:
        """The metrics that a table cell names, if it contains nothing else."""
        rest = self._metric.sub(" ", self.without_names(text))
        return frozenset().union(*(m.metrics for m in self.metrics(text) if _linked(rest, _BEFORE_VALUE)))

    def datasets(self, text: str) -> frozenset[str]:
        return frozenset(name for name, pattern in self._datasets.items() if pattern.search(text))

    def without_names(self, text: str) -> str:
        """The text with the names of runs and datasets, and the numbers in them, blanked."""
        for pattern in (_RUN, *self._datasets.values()):
            text = pattern.sub(lambda match: " " * len(match[0]), text)
        return text


_SPELLINGS = ("val(?:idation)?", "eval(?:uation)?", "train(?:ing)?", "acc(?:uracy)?", "err(?:or)?", "loss(?:es)?")
_LEFT_OUT = ("final", "best", "mean", "avg", "average", "total")


def _spelling(tokens: list[str]) -> str:
    """A pattern for a metric's name: any separators, words in full or abbreviated, "final" and the like optional."""
    *words, last = [next((s for s in _SPELLINGS if re.fullmatch(s, token)), token) for token in tokens]
    pattern = "".join(rf"(?:{word}[\s_-]{{0,2}}){'?' if word in _LEFT_OUT else ''}" for word in words)
    return f"{pattern}{last}(?:_mean)?"


def _of_dataset(name: str) -> re.Pattern[str]:
    """A pattern for a dataset's name; one that may be an English word counts only in quotes or in a clear context."""
    word, quote = re.escape(name), "['\"`‘’“”*]"
    if not name.isalpha():
        return re.compile(rf"(?<!\w){word}(?!\w)", re.I)
    return re.compile(rf"{quote}{word}{quote}|\b(?:on|for) (?:the )?{word}\b|\b{word}(?= (?:dataset|task))", re.I)
