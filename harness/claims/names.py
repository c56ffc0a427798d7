"""The names of an experiment's metrics, datasets and runs, as prose may spell them. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from harness.claims.prose import AFTER_VALUE, Mention, linked


@dataclass(frozen=True)
class Runs:
    """The runs that a clause names."""

    subject: tuple[int, ...] = ()
    """The run that it is about, or several in a list."""
    references: tuple[int, ...] = ()
    """What that run is compared with."""
    further: tuple[int, ...] = ()
    """Runs that are mentioned for another reason."""

    def __bool__(self) -> bool:
        return bool(self.subject or self.references)


_LIST = r"(?:(?:,? and (?:run[ _]?)?|, | ?& ?| ?[-–] ?| to )\d{1,4}(?![\w.]*\d)(?! ?(?:%|seeds?|points?|steps|x\b)))*"
_RUN = re.compile(
    r"(?:\b(?P<behind>than|over|to|vs\.?|versus|against|with|from|below|above|as|of|in|for|on|by|beat\w*|outperform\w*"
    r"|surpass\w*|exceed\w*)\s+(?:(?:both|either|that|those|the one|the same|in|of|for|with)\s+){0,2})?(?:the\s+)?"
    rf"(?:\bruns?[ _#]{{0,2}}(?P<number>\d{{1,4}}(?![\w.]*\d){_LIST})|\br(?P<short>\d{{1,2}})(?!\w)"
    r"|\b(?P<baseline>baseline)(?!\w))",
    re.I,
)
_COMPARING = re.compile(r"(?:than|over|to|vs\.?|versus|against|below|above|as|beat|outperform|surpass|exceed)", re.I)
_COMPARED_WITH = re.compile(r"\b(?:compar\w+|relative|contrast)\s*$", re.I)
_MOVED_FROM = re.compile(
    r"\b(?:improv\w+|chang\w+|up|down|r[io]se|dropp?\w*|f[ae]ll|increas\w+|decreas\w+|reduc\w+)\s*$", re.I
)
_AGAINST_NUMBER = re.compile(
    r"\b(?:vs\.?|versus|against|than|compared (?:to|with))\s[\d.,%\s±]*\d[\d.,%\s±]*(?:steps? )?$", re.I
)
_AND = re.compile(r"[\s)]*,?\s*(?:and|or)\s+(?:[\w-]+\s+){0,5}\(?")
_RATIO_OF = re.compile(
    r"\b(?:twice|half|times|third|quarter) (?:the|that|as)\b|\d\s?[x×](?: the)?\b|\b(?:short|ahead)\s*$", re.I
)
_BASELINE_FIRST = re.compile(r"\W*(?:(?:the|our|run 0|r0)[ :(]+)?baseline\b(?!['’]s)(?! by\b)", re.I)

_SPELLINGS = (
    "val(?:idation)?", "eval(?:uation)?", "train(?:ing)?", "acc(?:urac(?:y|ies))?", "err(?:ors?)?", "loss(?:es)?",
)  # fmt: skip
_LEFT_OUT = ("final", "best", "mean", "avg", "average", "total")
_UNITS = ("ms", "s", "sec", "secs", "seconds", "second", "minutes", "hours", "pct", "percent", "mb", "gb")
_EFFORT = ("steps", "samples", "epochs", "iterations", "batches", "tokens")
"""Prose counts these for many reasons ("after 100 steps"), so a metric of such a name is not looked for in it."""
_NOUN_BEHIND = (
    r"(?![ -](?:weights?|functions?|curves?|terms?|landscape|plots?|coefficients?|penalty|scal\w+|threshold|head)\b)"
)
_SPEED = re.compile(r"time|step|epoch|latency|second|speed|throughput|per_s\b|(?:^|_)m?s$", re.I)


class Vocabulary:
    """Finds names in a text."""

    def __init__(self, metrics: Collection[str], datasets: Collection[str]) -> None:
        meant: dict[str, set[str]] = {}
        for name in (metric for metric in metrics if metric not in _EFFORT):
            for spelled in _spelled(re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower())):
                meant.setdefault(spelled, set()).add(name)
        longest_first = sorted(meant, key=len, reverse=True)
        any_of_them = "|".join(f"({each})" for each in longest_first) or "(?!)"
        self._metric = re.compile(rf"(?<!\w)Δ?(?:{any_of_them})(?!\w){_NOUN_BEHIND}", re.I)
        self._meant = [frozenset(meant[each]) for each in longest_first]
        self.speeds = frozenset(name for name in metrics if _SPEED.search(name))
        self._datasets = {name: _of_dataset(name, any_of_them) for name in datasets if name.strip()}

    def meant(self, metrics: frozenset[str], *, speed: bool) -> frozenset[str]:
        """The metrics that a word is about: "faster" is about times."""
        return (metrics & self.speeds or self.speeds) if speed else metrics

    def metrics(self, text: str) -> list[Mention]:
        found = self._metric.finditer(text)
        return [Mention(m.start(), m.end(), self._meant[m.lastindex - 1]) for m in found if m.lastindex]

    def metrics_alone(self, text: str) -> frozenset[str]:
        """The metrics that a table cell names, if it contains nothing else."""
        rest = self._metric.sub(" ", text)
        for pattern in (_RUN, *(in_cell for _, in_cell in self._datasets.values())):
            rest = pattern.sub(" ", rest)
        return frozenset().union(*(m.metrics for m in self.metrics(text) if linked(rest, AFTER_VALUE)))

    def datasets(self, text: str) -> frozenset[str]:
        return frozenset(name for name, pattern in self._datasets.items() if pattern[0].search(text))

    def datasets_in_cell(self, text: str) -> frozenset[str]:
        return frozenset(name for name, pattern in self._datasets.items() if pattern[1].search(text))

    def runs(self, text: str) -> Runs:
        text = self._metric.sub(lambda match: " " * len(match[0]), text)
        subject: tuple[int, ...] = ()
        references: list[int] = []
        further: list[int] = []
        compared_until = -1
        for match in _RUN.finditer(text):
            named = _listed(match)
            again = set(named) <= set(references)
            joined = compared_until >= 0 and _AND.fullmatch(text, compared_until, match.start())
            if again or joined or _is_reference(match, text):
                references += () if again else named
                compared_until = match.end()
            elif subject or (match["baseline"] and not _BASELINE_FIRST.match(text)):
                further += named
            else:
                subject = named
        return Runs(subject, tuple(references), tuple(further))

    def without_names(self, text: str) -> str:
        """The text with the names of runs and datasets, and the numbers in them, blanked."""
        text = _RUN.sub(lambda match: (match["behind"] or "").ljust(len(match[0])), text)
        for pattern, _ in self._datasets.values():
            text = pattern.sub(lambda match: " " * len(match[0]), text)
        return text


def _is_reference(match: re.Match[str], text: str) -> bool:
    """Whether a run is named as what something is compared with."""
    before = text[max(0, match.start() - 60) : match.start()]
    if _AGAINST_NUMBER.search(before):
        return True
    preposition = (match["behind"] or "of").lower().split()[0]
    needed = {"of": _RATIO_OF, "with": _COMPARED_WITH, "from": _MOVED_FROM}.get(preposition)
    return (needed.search(before) if needed else _COMPARING.match(preposition)) is not None


def _listed(match: re.Match[str]) -> tuple[int, ...]:
    if match["baseline"]:
        return (0,)
    return tuple(int(number) for number in re.findall(r"\d+", match["number"] or match["short"]))


def _spelled(tokens: list[str]) -> set[str]:
    """Patterns for a metric's name: in full, without its unit, and its last word."""
    if not tokens:
        return set()
    rate = "per" in tokens
    without_unit = tokens[:-1] if len(tokens) > 1 and tokens[-1] in _UNITS and not rate else tokens
    short = [] if rate or without_unit[-1].isdigit() else without_unit[-1:]
    spelled = {_spelling(each) for each in (tokens, without_unit, short) if each}
    return {*spelled, "(?:(?:inference|training|generation) )?(?:speed|throughput)"} if rate else spelled


def _spelling(tokens: list[str]) -> str:
    """A pattern for some words: any separators, words in full or abbreviated, "final" and the like optional."""
    *words, last = [next((s for s in _SPELLINGS if re.fullmatch(s, token)), token) for token in tokens]
    pattern = "".join(rf"(?:{word}[\s_-]{{0,2}}){'?' if word in _LEFT_OUT else ''}" for word in words)
    return f"{pattern}{last}(?:_mean|s)?"


def _of_dataset(name: str, metric: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Patterns for a dataset's name in prose and in a table's cell.

    In prose one that may be an English word counts only in quotes or in a clear context.
    """
    word, quote = r"[\s_-]?".join(map(re.escape, re.findall(r"[^\W\d_]+|\d+", name))) or re.escape(name), "['\"`‘’“”*]"
    cell = re.compile(rf"(?<![^\W_]){word}(?![^\W_])", re.I)
    if not name.isalpha():
        return cell, cell
    metric = re.sub(r"\((?!\?)", "(?:", metric)
    return re.compile(
        rf"{quote}{word}{quote}|\b(?:on|for) (?:the )?{word}\b"
        rf"|\b{word}(?= (?:(?:data ?set|task|environment)s?|{metric})(?!\w))"
        rf"|\b{word}(?= ?:)|(?<=\()(?:the )?{word}\b(?=\))"
        rf"|(?:^|(?<=[,;] )|(?<= and ))\W{{0,3}}{word}(?=\s*(?:[,.;:(\d]|faster\b|slower\b|and\b|$))",
        re.I,
    ), cell
