"""What a sentence of somebody's notes mentions: numbers, metrics, datasets, runs, words of praise. Layer 1: pure.

Prose is read with patterns. They are built to find nothing where they are not sure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

Polarity = Literal["better", "worse"]
CLAUSE = 3000
"""Characters that are read as one clause at most."""

_SPELLINGS = {
    "val": "val(?:idation)?",
    "validation": "val(?:idation)?",
    "acc": "acc(?:urac(?:y|ies))?",
    "accuracy": "acc(?:urac(?:y|ies))?",
    "eval": "eval(?:uation)?",
    "evaluation": "eval(?:uation)?",
    "train": "train(?:ing)?",
    "training": "train(?:ing)?",
    "err": "err(?:ors?)?",
    "error": "err(?:ors?)?",
    "loss": "loss(?:es)?",
    "ppl": "(?:ppl|perplexity)",
}
_LEFT_OUT_IN_PROSE = {"final", "best", "mean", "avg", "average", "total"}
_SETTING = re.compile(
    r"(?i:\b(?:learning[ _-]rate|lr|weight[ _-]decay|dropout|momentum|batch[ _-]size|epochs?|probabilit(?:y|ies)"
    r"|thresholds?|temperature|alpha|beta\d?|gamma|eps(?:ilon)?|lambda|warm-?up|factors?|coefficients?|margin|depth"
    r"|width|seeds?|version|hidden|dim\w*|sigma|tau|exponent|init\w*|fraction|rang(?:e|es|ing)|between|axis|axes"
    r"|interval|confidence|significance|level|python|torch)\b)"
    r"|\b[A-Z][A-Z0-9_]+\b`?(?=\s*(?:=|:|to\b|of\b|from\b|at\b|is\b|was\b|\d))"
    r"|\b[A-Za-z]\w*_\w+\b"
)
_SETTING_BEHIND = re.compile(
    r"^\W{0,3}(?:(?:dropout|learning[ _-]rate|weight[ _-]decay|probability|momentum|threshold|warm-?up|epochs?|layers?"
    r"|seeds?|runs?|confidence|interval|power)\b|of (?:the )?(?:data|training|steps|samples)\b)",
    re.IGNORECASE,
)
_RANGE = re.compile(r"(?<![\d.])0(?:\.0)?\s?(?:to|-|–|…)\s?$")
_NUMBER = re.compile(
    r"(?<![\w./^])(?<!\w[-–])(?P<sign>[+−-]?)(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+|\.\d+|\d+)"
    r"(?:[eE](?P<power>[+-]?\d{1,3}))?(?P<unit>\s?%|\s?percent\b|(?:ms|s|x|×)(?!\w))?(?![\w%/]|\.\d|-\d)"
)
_HEDGE = re.compile(
    r"(?:~|≈|\b(?:about|around|roughly|approximately|nearly|almost|over|under|more than|less than))\s*$", re.IGNORECASE
)
_DIFFERENCE = re.compile(
    r"(?:\bby|\b(?:differences?|gains?|reductions?|improvements?|increases?|decreases?|drops?|changes?|effects?)"
    r"(?:\s+(?:of|is|was|in|on|for|[a-z_]+)){0,4}|±|\[[^\]]*)\W*$",
    re.IGNORECASE,
)
_COMPARES = re.compile(
    r"\b(?:improv|increas|decreas|reduc|better|wors|higher|lower|gain|drop|fell|rose|faster|slower|outperform|degrad"
    r"|chang|differ|vs\b|versus\b|than\b)",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"(?<=[.;!?])\s+|,?\s+(?:but|while|whereas|however|although|though)\b,?\s*", re.IGNORECASE)
_RUN = re.compile(r"\bruns?[ _#]{0,2}(\d{1,4})(?![\w.]*\d)", re.IGNORECASE)
_BETTER = re.compile(
    r"\bimprov(?:e[sd]?|ing|ements?)\b|\boutperform(?:s|ed|ing)?\b|\bsuperior\b|\bsurpass(?:es|ed)?\b"
    r"|\b(?:is|are|was|were|perform\w*|\w+ly|much|still|even)\s+better\b"
    r"|\bbetter\b(?=\s*(?:than|performance|results?|final|on\b|$|[,.;:)]))",
    re.IGNORECASE,
)
_WORSE = re.compile(
    r"\bworse(?:n\w*)?\b|\bdegrad(?:e[sd]?|ing|ation)\b|\bdeteriorat\w+|\binferior\b|\bunderperform\w*", re.IGNORECASE
)
_UNMEANT = re.compile(
    r"(?:\b(?:not|no|never|neither|nor|without|cannot|could|may|might|can|would|should|will|if|whether|any|to|how"
    r"|potential(?:ly)?|possibl[ey]|expect(?:ed)?|aims?|hop\w+|for|towards?|further|room|areas?|try|inconclusive)\b"
    r"|n't\b)(?:\s+\S+){0,2}\s*$",
    re.IGNORECASE,
)
_RESULT_OF = re.compile(
    r"\b(?:lead(?:s|ing)?|led|contribut\w+|due|compared|equal|similar)\s+to(?:\s+\S+){0,2}\s*$", re.IGNORECASE
)
_RULE_OF_THUMB = re.compile(
    r"\b(?:lower|higher|smaller|larger|shorter|steeper|fewer|less|more)\b.{0,80}"
    r"\b(?:indicat\w*|means?|(?:is|are) better)\b",
    re.IGNORECASE,
)
_ABOUT_RESULTS = re.compile(
    r"\b(?:performance|results?|loss(?:es)?|accurac\w*|quality|baseline|runs?|datasets?|metrics?)\b", re.IGNORECASE
)
_PREVIOUS = re.compile(r"\b(?:previous|prior|earlier|last) runs?\b", re.IGNORECASE)
_BASELINE = re.compile(r"\bbaseline\b|\brun[ _]?0\b", re.IGNORECASE)


@dataclass(frozen=True)
class Mention:
    """A metric, or a setting of the experiment, somewhere in a text."""

    start: int
    end: int
    metrics: frozenset[str]
    """The metrics that may be meant; none for a setting."""


@dataclass(frozen=True)
class Number:
    """A number as it is printed."""

    start: int
    end: int
    text: str
    value: float
    unit: float
    """What its last printed digit is worth."""
    kind: Literal["integer", "decimal", "percent", "times"]
    digits: int
    """How many are significant."""
    hedged: bool
    """Whether it says of itself that it is approximate."""

    def is_print_of(self, value: float) -> bool:
        """Whether `value` gives this number when it is rounded or cut off."""
        off = abs(value - self.value)
        cut = abs(value) >= abs(self.value) and value * self.value >= 0
        return off <= self.unit * (1 if cut or self.hedged else 0.5) * (1 + 1e-9)

    @property
    def reach(self) -> tuple[float, float]:
        """Values outside of this are not this number."""
        return self.value - 1.01 * self.unit, self.value + 1.01 * self.unit


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
            kind=_kind((match["unit"] or "").strip(), bool(decimals or match["power"])),
            digits=len((whole + decimals).lstrip("0")),
            hedged=_HEDGE.search(text[max(0, match.start() - 20) : match.start()]) is not None,
        )


def _kind(unit: str, decimal: bool) -> Literal["integer", "decimal", "percent", "times"]:
    if unit in ("%", "percent"):
        return "percent"
    if unit in ("x", "×"):
        return "times"
    return "decimal" if decimal else "integer"


def is_difference(text: str, number: Number) -> bool:
    """Whether a number says how far apart two values are."""
    return _DIFFERENCE.search(text[max(0, number.start - 60) : number.start]) is not None


def is_setting(text: str, number: Number) -> bool:
    """Whether what stands next to a number says that it is a setting or a range: "0.1 dropout", "(0 to 1.05)"."""
    return (
        _SETTING_BEHIND.match(text[number.end :]) is not None
        or _RANGE.search(text[max(0, number.start - 10) : number.start]) is not None
    )


def clauses(text: str) -> Iterator[str]:
    """Sentences, and the parts of them that "but" and the like divide; long ones in pieces."""
    start = 0
    for match in _CLAUSE_END.finditer(text):
        yield from _pieces(text[start : match.start()])
        start = match.end()
    yield from _pieces(text[start:])


def _pieces(text: str) -> Iterator[str]:
    """A clause of bounded length, or pieces of it, cut behind a comma or at least between words."""
    while len(text) > CLAUSE:
        cut = max(text.rfind(", ", 0, CLAUSE), 0) or max(text.rfind(" ", 0, CLAUSE), 0) or CLAUSE
        yield text[:cut]
        text = text[cut + 1 :]
    if text.strip():
        yield text


def runs(text: str) -> list[int]:
    return [int(number) for number in _RUN.findall(text)]


def compares(text: str) -> bool:
    """Whether a clause compares anything."""
    return _COMPARES.search(text) is not None


def speaks_of_results(text: str) -> bool:
    return _ABOUT_RESULTS.search(text) is not None


def names_baseline(text: str) -> bool:
    return _BASELINE.search(text) is not None


def names_previous_run(text: str) -> bool:
    return _PREVIOUS.search(text) is not None


def praise(text: str) -> tuple[Polarity, str] | None:
    """What a clause says of a result, and the word it uses; None for wishes, denials and rules of thumb."""
    if _RULE_OF_THUMB.search(text):
        return None
    meant: list[tuple[int, Polarity, str]] = []
    words: tuple[tuple[Polarity, re.Pattern[str]], ...] = (("better", _BETTER), ("worse", _WORSE))
    for polarity, pattern in words:
        for match in pattern.finditer(text):
            before = text[max(0, match.start() - 60) : match.start()]
            if not _UNMEANT.search(before) or _RESULT_OF.search(before):
                meant.append((match.start(), polarity, match[0]))
    if len({polarity for _, polarity, _ in meant}) != 1:
        return None
    _, polarity, word = min(meant)
    return polarity, word.strip()


class Vocabulary:
    """The names of an experiment's metrics and datasets, as prose may spell them."""

    def __init__(self, metrics: Collection[str], datasets: Collection[str]) -> None:
        self._metrics: list[tuple[re.Pattern[str], frozenset[str]]] = []
        heads: dict[str, set[str]] = {}
        for name in metrics:
            tokens = _tokens(name)
            if tokens:
                self._metrics.append((_spelled(tokens), frozenset([name])))
                heads.setdefault(_SPELLINGS.get(tokens[-1], re.escape(tokens[-1])), set()).add(name)
        for head, named in heads.items():
            if not re.fullmatch(r"\d+", head):
                self._metrics.append((_bounded(head), frozenset(named)))
        self._datasets = [(_of_dataset(name), name) for name in datasets if name.strip()]

    def mentions(self, text: str) -> list[Mention]:
        """Metrics and settings in the order of the text; of those that overlap the longest, metrics first."""
        found = [Mention(m.start(), m.end(), named) for pattern, named in self._metrics for m in pattern.finditer(text)]
        kept: list[Mention] = []
        for mention in sorted(found, key=lambda m: (m.start - m.end, m.start)):
            same = next((k for k in kept if (k.start, k.end) == (mention.start, mention.end)), None)
            if same is not None:
                kept[kept.index(same)] = Mention(same.start, same.end, same.metrics | mention.metrics)
            elif all(mention.end <= k.start or mention.start >= k.end for k in kept):
                kept.append(mention)
        named = [(name.start(), name.end()) for pattern, _ in self._datasets for name in pattern.finditer(text)]
        taken = [*((k.start, k.end) for k in kept), *named]
        kept += [
            Mention(m.start(), m.end(), frozenset())
            for m in _SETTING.finditer(text)
            if all(m.end() <= start or m.start() >= end for start, end in taken)
        ]
        return sorted(kept, key=lambda m: m.start)

    def datasets(self, text: str) -> list[tuple[int, str]]:
        """Where datasets are named, in the order of the text."""
        return sorted((match.start(), name) for pattern, name in self._datasets for match in pattern.finditer(text))


def _tokens(name: str) -> list[str]:
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return re.findall(r"[a-z0-9]+", parted.lower())


def _spelled(tokens: list[str]) -> re.Pattern[str]:
    """A metric's name with spaces, hyphens or underscores, words written out, and without "final" and the like."""
    kept = [(_SPELLINGS.get(t, re.escape(t)), t in _LEFT_OUT_IN_PROSE) for t in tokens]
    if all(optional for _, optional in kept):
        kept = [(spelling, False) for spelling, _ in kept]
    pattern = ""
    for spelling, optional in kept:
        part = rf"{spelling}[\s_-]{{0,2}}"
        pattern += f"(?:{part})?" if optional else part
    return _bounded(pattern.removesuffix(r"[\s_-]{0,2}") + r"(?:[\s_-]mean)?")


def _bounded(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE)


def _of_dataset(name: str) -> re.Pattern[str]:
    """A dataset's name; one that could be an English word only in quotes, behind "on" or before "dataset"."""
    escaped = re.escape(name)
    if re.search(r"[\W\d_]", name):
        return re.compile(rf"(?<!\w){escaped}(?!\w)", re.IGNORECASE)
    quotes = "['\"`‘’“”]"
    quoted, before = rf"(?<={quotes}){escaped}(?={quotes})", rf"\b{escaped}(?= (?:dataset|task))"
    return re.compile(rf"{quoted}|(?<=\bon ){escaped}\b|(?<=\bfor ){escaped}\b|{before}", re.IGNORECASE)
