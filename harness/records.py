"""The frozen records that all packages share. This module imports nothing from the harness."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

Scores = dict[str, dict[str, tuple[float, ...]]]
"""dataset → metric → one value per seed."""

Goal = Literal["min", "max"]
Purpose = Literal["start", "next", "finish"]
Outcome = Literal["ok", "crashed", "timeout", "memory", "no-metrics", "tampered", "lost"]
"""The outcome of launching an experiment."""


class Record(BaseModel):
    """Immutable, and refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)  # built on first use, to start faster


def _amount(amount: float | str) -> float | str:
    text = amount.removesuffix("%") if isinstance(amount, str) and amount.endswith("%") else amount
    try:
        value = float(text)
    except ValueError as error:
        raise ValueError(f'{amount!r} is not an amount; write a number, or a percentage such as "1 %"') from error
    if isinstance(amount, str) and not amount.endswith("%"):
        raise ValueError(f'{amount!r} is not an amount; write a number without quotes, or a percentage such as "1 %"')
    if not 0 <= value < float("inf"):
        raise ValueError(f"{amount!r} is not an amount; it must not be negative")
    return amount


Amount = Annotated[float | str, AfterValidator(_amount)]
"""A number in the metric's unit, or a percentage of the baseline's mean such as "1 %"."""


class MetricSpec(Record):
    """`[metrics.NAME]` of template.toml."""

    goal: Goal
    primary: bool = False
    machine_bound: bool = False
    """Compared only with a baseline from the same kind of machine."""
    worth: Amount = 0.0
    """Of the primary metric: the smallest gain that matters."""
    best: float | None = Field(None, allow_inf_nan=False)
    """The best possible value, such as 1.0 for an accuracy; None if there is none."""
    guard: Amount | None = None
    """Of another metric: how much worse it may become in a run that is called better."""

    @model_validator(mode="after")
    def _worth_is_the_primarys(self) -> MetricSpec:
        if self.primary and self.guard is not None:
            raise ValueError("guard is for metrics other than the primary one")
        if not self.primary and self.worth:
            raise ValueError("worth is for the primary metric; use guard for others")
        return self

    @staticmethod
    def amount(amount: float | str, baseline: float) -> float:
        """An amount in the metric's unit, given the baseline's mean."""
        if isinstance(amount, str):
            return float(amount.removesuffix("%")) / 100 * abs(baseline)
        return float(amount)


class Idea(Record):
    """What the researcher wants to try."""

    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
    """One line, shown in lists of studies."""
    prompt: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100_000)]
    """The full text given to the agent. It is never executed."""
    hypotheses: tuple[str, ...] = ()
    """What the researcher expects; the agent's notes should answer it."""
    metrics: tuple[str, ...] = ()
    """Names of the metrics the idea should move."""


class Budget(Record):
    """What a study may spend. It is checked before each model call and each launch."""

    runs: int = Field(5, gt=0)
    """Numbered runs, not counting the baseline."""
    confirm: int = Field(1, ge=0)
    """How many of the best promising runs are re-run on fresh seeds at the end; not counted in `runs`."""
    confirm_seeds: int | None = Field(None, ge=2)
    """Fresh seeds per side that a confirmation may use; None for as many as the template allows."""
    confirm_hours: float | None = Field(None, gt=0)
    """Hours of launches after which a confirmation takes no further look."""
    attempts: int = Field(4, gt=0)
    """Launches per run before giving up on it."""
    fixes: int = Field(5, gt=0)
    """Consecutive turns without a launch before the study stops."""
    dollars: float | None = Field(None, gt=0)
    """US dollars over all model calls, as priced by litellm."""
    tokens: int | None = Field(None, gt=0)
    """Tokens sent and received over all model calls."""
    hours: float | None = Field(None, gt=0)
    """Wall-clock hours while a controller works on the study; pauses do not count."""


class Usage(Record):
    """Tokens and cost of one or more model calls."""

    calls: int = Field(0, ge=0)
    tokens_in: int = Field(0, ge=0)
    tokens_out: int = Field(0, ge=0)
    dollars: float = Field(0.0, ge=0, allow_inf_nan=False)

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            calls=self.calls + other.calls,
            tokens_in=self.tokens_in + other.tokens_in,
            tokens_out=self.tokens_out + other.tokens_out,
            dollars=self.dollars + other.dollars,
        )

    def __sub__(self, other: Usage) -> Usage:
        return Usage(
            calls=self.calls - other.calls,
            tokens_in=self.tokens_in - other.tokens_in,
            tokens_out=self.tokens_out - other.tokens_out,
            dollars=max(0.0, self.dollars - other.dollars),
        )

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out


class PricedModel(Record):
    """The model that an agent will use, and what it costs."""

    model: str = ""
    """Empty for an agent without a model."""
    prices: dict[str, float] = {}
    """litellm's name of a price → dollars per token at the start of the study."""


class Call(Record):
    """One model call, as the recording keeps it."""

    prompt: str
    """The last user message of the call."""
    reply: str
    usage: Usage = Usage()
    seconds: float = 0.0
    note: str = ""
    """Where a replayed prompt differs from the recorded one, if anywhere."""


DONE = "ALL_COMPLETED"
"""What an agent says when it wants no further run."""


class Reply(Record):
    """What an agent says it did. What it actually did is read from the worktree."""

    text: str
    problems: tuple[str, ...] = ()
    """Why its edits were not applied; if there are any, the whole reply is rejected."""
    left_out: tuple[str, ...] = ()
    """Edits of notes that were not applied, although the code of the same reply was."""
    usage: Usage = Usage()
    """What the turn used besides the model calls that the agent reported one by one."""


class Machine(Record):
    """What the values of a run depend on in addition to its code and seeds.

    On equal machines, equal code gives exactly equal values; on different ones, only approximately equal values.
    """

    system: str
    """Such as "Linux x86_64"."""
    processor: str
    """Its name, family and widest vector instructions."""
    threads: int
    """Threads that numerical libraries use."""
    gpus: tuple[str, ...] = ()
    """Models of the GPUs that the run may use."""
    settings: dict[str, str] = {}
    """Environment variables that choose the kernels of numerical libraries."""
    packages: dict[str, str] = {}
    """Versions of Python and its numerical packages."""

    def __str__(self) -> str:
        parts = [f"{self.threads} threads" if self.threads != 1 else "1 thread", *self.gpus]
        parts += [f"{name}={value}" for name, value in self.settings.items()]
        parts += [f"{name} {version}" for name, version in self.packages.items()]
        return f"{self.system}, {self.processor}; {', '.join(parts)}"

    @property
    def digest(self) -> str:
        """A short name for this kind of machine."""
        import hashlib  # not needed by commands that only read

        return hashlib.sha256(json.dumps(self._facts(), sort_keys=True).encode()).hexdigest()[:12]

    def differences(self, other: Machine) -> list[str]:
        """The differences as phrases, such as "torch 2.9.1, not 2.13.0"."""
        mine, theirs = self._facts(), other._facts()
        names = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
        return [f"{name} {mine.get(name) or 'unset'}, not {theirs.get(name) or 'unset'}" for name in names]

    def _facts(self) -> dict[str, str]:
        facts = {"system": self.system, "processor": self.processor, "threads": str(self.threads)}
        return {**facts, "GPUs": ", ".join(self.gpus) or "none", **self.settings, **self.packages}


class Claim(Record):
    """A known result of a correct build of a template, and what a run gave."""

    claim: str
    expected: str
    found: str
    holds: bool


class Finding(Record):
    """One problem that a check found in an edit."""

    check: str
    message: str
    file: str = ""
    line: int | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        return f"{where}{self.message}"


class Comparison(Record):
    """One metric of one run against the baseline, before correction for the number of runs tried."""

    dataset: str
    metric: str
    goal: Goal
    primary: bool
    baseline_mean: float
    baseline_sd: float | None
    baseline_n: int
    mean: float
    sd: float | None
    n: int
    effect: float
    """Run mean minus baseline mean, in the metric's own unit."""
    low: float | None = None
    high: float | None = None
    """Interval of the effect: Welch's 95 % one or, on fresh seeds, one over all looks with the error rate `level`."""
    level: float | None = None
    """The error rate of the interval, over all looks; None in older journals."""
    p: float | None = None
    """Two-sided Welch p value, uncorrected; None if it cannot be computed."""
    detectable: float | None = None
    """Minimum detectable effect: the smallest true effect that this number of seeds would detect with 80 % power."""
    note: str = ""
    look: int = 0
    """On fresh seeds, for metrics that decide: number of the look after which this was computed, 1 for the first. Its
    interval then is the one that goes with the design."""
    worth: float = 0.0
    """The smallest gain that matters, in the metric's unit."""
    margin: float | None = None
    """For a guard metric: how much worse it may be, in its unit."""
    needed: int | None = None
    """On fresh seeds: about how many seeds per side would tell the effect from zero, if it is as large as it looks."""
    exact: bool = True
    """Whether equal values prove equal code: both sides come from the same kind of machine and, on fresh seeds, the
    values are not so coarse that equal ones may be chance."""

    @property
    def confidence(self) -> str:
        """The coverage of the interval, such as "97.5 %"; empty if it is the usual 95 %, or in an older journal."""
        return "" if self.level in (None, 0.05) else f"{100 * (1 - (self.level or 0.0)):.5g} %"

    @property
    def unchanged(self) -> bool:
        """Whether the values vary over seeds and equal the baseline's exactly: the change has no effect here."""
        same_spread = bool(self.sd) and self.sd == self.baseline_sd and self.n == self.baseline_n
        return self.exact and self.effect == 0 and same_spread
