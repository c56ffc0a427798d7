"""What an audit reads and what it finds, as frozen records."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator

from harness.records import Goal, Record

Kind = Literal["replicate", "unsnapshotted", "unseen", "failed launch", "no result", "numbers", "claim"]
"""replicate: code that had already run. unsnapshotted: only files outside the snapshot changed. unseen: a result that
the agent never saw. numbers: a claimed mean or standard error that its own values contradict. claim: a sentence of the
notes or of the paper that the numbers do not support."""


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


Finite = Annotated[float | None, AfterValidator(_finite)]
"""A float, or None if it is not finite: JSON has no infinity."""

ARROWS: dict[Goal | None, str] = {"min": "↓", "max": "↑", None: ""}


class Metric(Record):
    """One metric of one run on one dataset, as in its file."""

    values: tuple[float, ...]
    """One per seed; only the mean if nothing else is recorded."""
    per_seed: bool
    """Whether `values` has one value per seed."""
    mean: float | None = None
    stderr: float | None = None
    """As claimed in the file."""


class Source(Record):
    """One run as found on disk."""

    number: int
    results: dict[str, dict[str, Metric]] = {}
    """dataset → metric → what is recorded."""
    unreadable: bool = False
    """Whether a final_info.json exists, or may exist, but could not be used."""
    problems: tuple[str, ...] = ()
    """Which of its files could not be used, and why."""
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
    """One idea's folder as found; names and reasons are safe to print, texts are not."""

    name: str
    folder: str
    runs: tuple[Source, ...]
    notes: Text | None = None
    paper: tuple[Text, ...] = ()
    """The LaTeX files of the paper."""
    log: Text | None = None
    chats: tuple[Text, ...] = ()
    chats_whole: bool = True
    """Whether all of them could be read."""
    missing: tuple[str, ...] = ()
    """Missing files, each with what is unknown without it."""
    skipped: tuple[str, ...] = ()
    """What could not be read completely, each with the reason."""


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
    """The relative improvement of the best over the worst mean, as it might have been reported."""


class Replicates(Record):
    """Runs that executed the same code."""

    runs: tuple[int, ...]
    certain: bool
    """Whether the chat shows that no other code file changed in between."""
    spreads: tuple[Spread, ...]


class Judgement(Record):
    """The primary metric of one run on one dataset, compared with run_0."""

    dataset: str
    word: str
    """A verdict; "differs" if the direction of the metric is unknown."""
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
        """The verdict or, if there is none, the reason."""
        return self.note if self.word == "cannot tell" and self.note else self.word


class StandardErrors(Record):
    """How the claimed standard errors of an idea were computed."""

    formula: str
    """The matching formula, or "no known formula"."""
    count: int
    ratio: Finite
    """Median of claimed over correct; None if there is no correct one."""
    right: bool
    """Whether this is the formula that gives the standard error of a mean."""


class RunReport(Record):
    """The report on one run."""

    number: int
    status: Literal["measured", "no result"]
    same_code_as: int | None = None
    """The first run that executed the same code."""
    snapshot: bool
    """Whether its code was found."""
    seen: bool | None
    """Whether the agent saw the result; None if unknown."""
    judgements: tuple[Judgement, ...] = ()

    @property
    def unjudged(self) -> str:
        """What is said in place of a verdict if there are no judgements."""
        return "no verdict" if self.status == "measured" else self.status


class IdeaReport(Record):
    """Everything found in one idea's folder."""

    name: str
    folder: str
    primary: str | None
    goal: Goal | None
    chosen: str
    """How the primary metric and its goal were chosen."""
    runs: tuple[RunReport, ...]
    failures_known: bool
    """Whether there is a chat or a log, which would show failed launches."""
    replicates: tuple[Replicates, ...]
    standard_errors: tuple[StandardErrors, ...]
    findings: tuple[Item, ...]
    missing: tuple[str, ...]
    skipped: tuple[str, ...]


class Share(Record):
    """`count` of `total` things for which something holds."""

    things: str
    what: str
    count: int
    total: int | None
    """None if the total is not known."""

    def __str__(self) -> str:
        return f"{self.amount} {self.what}"

    @property
    def amount(self) -> str:
        """Such as "3 of 30 runs (10 %)"."""
        if self.total is None:
            return f"{self.count:,} {self.things}"
        return f"{self.count:,} of {self.total:,} {self.things} ({100 * self.count / self.total:.0f} %)"


class Report(Record):
    """An audit of one folder."""

    folder: str
    ideas: tuple[IdeaReport, ...]
    totals: tuple[Share, ...]
    skipped: tuple[str, ...] = ()
