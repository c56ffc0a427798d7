"""Sentences and their clauses, without questions, plans, hypotheses and other people's results. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Sentence(NamedTuple):
    start: int
    text: str
    claims: bool
    """Whether it may claim something; a question only tells what the next sentences are about."""


_END = re.compile(
    r"(?<=[.;!?])[)\"”]?(?<!\b(?:vs|al|ca)\.)(?<!\b(?:i\.e|e\.g)\.)(?<!\bcf\.)(?<!\bapprox\.)\s+|(?<=\}),\s+", re.I
)
_QUESTION = re.compile(r"\?[\s)*_\"”]*$")
_ASKED = re.compile(r"^\W*(?:\d\d:\d\d\W+)?(?:Q\d?|question|open)\s*:", re.I)
_PLANNED = re.compile(
    r"^\W*(?:\d\d:\d\d\W+)?(?:plan(?:ned)?|next(?: steps?)?|to ?do|ideas?|hypothes[ie]s|goals?|targets?|motivation"
    r"|expect(?:ed|ation)|outlook|future work)\s*[:–-]\s",
    re.I,
)
_ORDERED = re.compile(
    r"^\W*(?:(?:run|step) ?\d+: )?(?:get|improve|reduce|lower|increase|raise|try|test|check|make|aim|keep|stop|abort"
    r"|use|add|combine|repeat|see|run)\s+(?!\d)",
    re.I,
)
_ON_CONDITION = re.compile(r"\b(?:if|unless|whether|assuming|suppose|provided that)\b", re.I)
_SUPPOSED = re.compile(
    r"\b(?:could|would(?! (?:even |also )?(?:say|argue|claim))|should|might|may(?:be)?|can|will|expect\w*|hop(?:e|es"
    r"|ed|ing)|aim\w*|targets?(?= (?:is|was|of|for|value)\b|:)|goal|ideal\w*|potential\w*|possibl[ey]|theor\w+"
    r"|predict\w*|hypothes\w+|conjectur\w+|suspect\w*|believ\w+|presum\w+|perhaps|probably|plan(?:s|ned|ning)?"
    r"|intend\w*|want\w*|propos\w+|next|future|in order to|so that|going to|until|once|as soon as|stop(?:s"
    r"|ped)? (?:when|as|once|early|tuning)|count(?:s|ed)? as|regard\w*|requir\w+|criterion|to (?:improve|reduce|lower"
    r"|increase|raise|make|boost|achieve)|axis|axes|smoke|reports?|paper|literature|et al)\b",
    re.I,
)
_SPLIT = re.compile(
    r"(?:,\s*|\s+[–—-]+\s+|\s+|;\s*)(?:but(?! not)|while|whereas|although|though|however|yet|and|because|since)\s+"
    r"|,\s+|\s+[–—]\s+",
    re.I,
)
_LEADS = re.compile(r"(?:on|for|in|with|at|compared|relative)\b", re.I)
"""What starts like this belongs to the part behind it."""
_EXCEPT = re.compile(r"(?:,\s*)?\b(?:but not|except|unlike|not (?:on|for|in)|nor)\b.*", re.I | re.S)

_CONCLUDES = re.compile(
    r"\W*(?:bottom line|overall|in (?:short|summary|conclusion|total|all)|to (?:sum up|summari[sz]e)|summary"
    r"|conclusions?|all in all|results?)\b",
    re.I,
)
_NOT_RESULTS = re.compile(
    r"^\W*(?:[\d.]+\s*)?(?:next\b|to ?do\b|(?:future|open)\b|plans?\b|planned|outlook|ideas?\b|hypothes|motivation"
    r"|terms\b|glossary|definitions?|metrics?\b|goals?\b|aims?\b|background|related work|introduction|set-?up"
    r"|methods?\b|methodology|plots?\b|figures?\b|plot descriptions?|visuali[sz]ations?|questions?\b|expected)",
    re.I,
)


def not_results(heading: str) -> bool:
    """Whether a section of this heading is about something else than results."""
    return _NOT_RESULTS.match(heading) is not None


def planned(text: str) -> bool:
    """Whether a paragraph as a whole is marked as a plan, a hypothesis or a question."""
    return _PLANNED.match(text) is not None


def concludes(text: str) -> bool:
    """Whether a paragraph is about results, whatever its section is about."""
    return _CONCLUDES.match(text) is not None


def sentences(text: str) -> Iterator[Sentence]:
    """The sentences, each up to the first word that marks the rest as hypothetical, hoped for or another's result."""
    start = 0
    for end in (*(match.start() for match in _END.finditer(text)), len(text)):
        sentence = text[start:end]
        asked = (_QUESTION.search(sentence) or _ASKED.match(sentence)) is not None
        if asked or not (_ON_CONDITION.search(sentence) or planned(sentence) or _ORDERED.match(sentence)):
            yield Sentence(start, _SUPPOSED.split(sentence, maxsplit=1)[0], claims=not asked)
        start = end


def clauses(sentence: Sentence, says: Callable[[str], bool]) -> Iterator[tuple[int, str]]:
    """A sentence is split where a conjunction or a comma stands between two parts that both say something."""
    text, inside = sentence.text, _brackets(sentence.text)
    cuts = [match.span() for match in _SPLIT.finditer(text) if not inside[match.start()]]
    begin, spoken, waiting = 0, False, -1
    for start, end in zip([0, *(end for _, end in cuts)], [*(start for start, _ in cuts), len(text)], strict=True):
        if not says(text[start:end]):
            if spoken and waiting < 0 and _LEADS.match(text, start):
                waiting = start
            continue
        if spoken:
            cut = waiting if waiting >= 0 else start
            yield sentence.start + begin, _EXCEPT.sub("", text[begin:cut])
            begin = cut
        spoken, waiting = True, -1
    yield sentence.start + begin, _EXCEPT.sub("", text[begin:])


def _brackets(text: str) -> list[bool]:
    """For each place of a text, whether it is within brackets."""
    inside, depth = [], 0
    for character in text:
        depth = max(0, depth + (character in "([") - (character in ")]"))
        inside.append(depth > 0)
    return inside
