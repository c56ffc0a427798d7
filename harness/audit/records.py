"""What an audit reads and what it finds, as frozen records."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator

from harness.records import Goal, Record

Kind = Literal["replicate", "unsnapshotted", "unseen", "failed launch", "no result", "numbers", "claim"]
"""replicate: code that had run before. unsnapshotted: only files changed that no snapshot keeps. unseen: a result that
the agent was never told. numbers: a claimed mean or standard error that its own values contradict. claim: a sentence
of the notes that the numbers do not support."""


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


Finite = Annotated[float | None, AfterValidator(_finite)]
"""A quotient or a bound, None where it is too large to be a number: JSON has no infinity."""

ARROWS: dict[Goal | None, str] = {"min": "↓", "max": "↑", None: ""}


class Metric(Record):
    """One metric of one run on one dataset, as its file has it."""

    values: tuple[float, ...]
    """One per seed; the mean alone where nothing else is recorded."""
    per_seed: bool
    """Whether `values` are those of seeds."""
    mean: float | None = None
    stderr: float | None = None
    """As claimed in the file."""


class Source(Record):
    """One run as it lies on disk."""

    number: int
    results: dict[str, dict[str, Metric]] = {}
    """dataset → metric → what is recorded."""
    unreadable: bool = False
    """Whether there is a final_info.json, or may be one, and it could not be used."""
    problems: tuple[str, ...] = ()
    """What of its files could not be used, and why."""
    code: str | None = None
    """Digest of the syntax tree of run_N.py."""

    @property
    def measured(self) -> bool:
        return bool(self.results)


class Text(Record):
    """A text file, as it is."""

    name: str
    content: str


class Material(Record):
    """One idea's folder as it was found; names and reasons are fit to be printed, the texts are not."""

    name: str
    folder: str
    runs: tuple[Source, ...]
    notes: Text | None = None
    log: Text | None = None
    chats: tuple[Text, ...] = ()
    chats_whole: bool = True
    """Whether all of them could be read."""
    missing: tuple[str, ...] = ()
    """Files that should be there and are not, each with what cannot be said without it."""
    skipped: tuple[str, ...] = ()
    """What is there and could not be read, or not wholly, each with the reason."""


class Item(Record):
    """One thing found, in words."""

    kind: Kind
    message: str
    run: int | None = None
    file: str = ""
    line: int | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        return f"{where}{self.message}"


class Spread(Record):
    """How far one metric differs between runs of the same code."""

    dataset: str
    metric: str
    goal: Goal | None
    means: tuple[float, ...]
    """One per run."""
    relative: Finite
    """(largest − smallest) / |first|; None where the first is 0."""
    gain: Finite
    """What would have been reported as the relative improvement of the best over the worst."""


class Replicates(Record):
    """Runs that executed the same code."""

    runs: tuple[int, ...]
    certain: bool
    """Whether the chat shows that no other code file changed in between."""
    spreads: tuple[Spread, ...]


class Judgement(Record):
    """The primary metric of one run on one dataset against run_0."""

    dataset: str
    word: str
    """A verdict; "differs" where it is unknown which direction is good."""
    n: int
    mean: float
    sd: float | None
    effect: float | None = None
    relative: Finite = None
    """The effect over |run_0's mean|."""
    low: Finite = None
    high: Finite = None
    p: float | None = None
    p_corrected: float | None = None
    detectable: Finite = None
    note: str = ""

    @property
    def said(self) -> str:
        """The verdict and, where it is none, why."""
        return self.note if self.word == "cannot tell" and self.note else self.word


class StandardErrors(Record):
    """How the claimed standard errors of an idea came about."""

    formula: str
    """The one that gives them, or "no known formula"."""
    count: int
    ratio: Finite
    """Claimed over right, median; None where no right one can be had."""
    right: bool
    """Whether this is the formula that gives the standard error of a mean."""


class RunReport(Record):
    """One run and what may be said of it."""

    number: int
    status: Literal["measured", "no result"]
    same_code_as: int | None = None
    """The first run that executed the same code."""
    snapshot: bool
    """Whether its code is there."""
    seen: bool | None
    """Whether the agent was told the result; None where that cannot be known."""
    judgements: tuple[Judgement, ...] = ()


class IdeaReport(Record):
    """Everything found in one idea's folder."""

    name: str
    folder: str
    primary: str | None
    goal: Goal | None
    chosen: str
    """How the primary metric and its goal were arrived at."""
    runs: tuple[RunReport, ...]
    failures_known: bool
    """Whether there is a chat or a log that would tell of failed launches."""
    replicates: tuple[Replicates, ...]
    standard_errors: tuple[StandardErrors, ...]
    findings: tuple[Item, ...]
    missing: tuple[str, ...]
    skipped: tuple[str, ...]


class Share(Record):
    """`count` of `total` things, and what holds for them."""

    things: str
    what: str
    count: int
    total: int | None
    """None where it is not known of how many."""

    def __str__(self) -> str:
        return f"{self.amount} {self.what}"

    @property
    def amount(self) -> str:
        """As in "3 of 30 runs (10 %)"."""
        if self.total is None:
            return f"{self.count:,} {self.things}"
        return f"{self.count:,} of {self.total:,} {self.things} ({100 * self.count / self.total:.0f} %)"


class Report(Record):
    """An audit of one folder."""

    folder: str
    ideas: tuple[IdeaReport, ...]
    totals: tuple[Share, ...]
    skipped: tuple[str, ...] = ()
