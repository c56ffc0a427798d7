"""The frozen records that travel between stages. They import nothing of the harness."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

Scores = dict[str, dict[str, tuple[float, ...]]]
"""dataset → metric → one value per seed."""

Goal = Literal["min", "max"]
Purpose = Literal["start", "next", "finish"]
Outcome = Literal["ok", "crashed", "timeout", "memory", "no-metrics", "tampered", "lost"]
"""What came of launching an experiment."""


class Record(BaseModel):
    """Immutable, and refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)  # built when used: commands start faster


class MetricSpec(Record):
    """`[metrics.NAME]` of template.toml."""

    goal: Goal
    primary: bool = False
    machine_bound: bool = False
    """Compared only with a baseline from the same machine."""


class Idea(Record):
    """What the researcher wants tried."""

    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
    """One line, shown wherever the study is listed."""
    prompt: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100_000)]
    """The whole text given to the agent. It is only ever text: never a command."""
    hypotheses: tuple[str, ...] = ()
    """What the researcher expects, so that the notes can answer it."""
    metrics: tuple[str, ...] = ()
    """Names of the metrics the idea should move."""


class Budget(Record):
    """What a study may spend. Checked before each model call and before each launch."""

    runs: int = Field(5, gt=0)
    """Numbered runs, baseline not counted."""
    confirm: int = Field(1, ge=0)
    """Runs, of those that look better, that are measured again on fresh seeds in the end; not counted above."""
    attempts: int = Field(4, gt=0)
    """Launches per run before the run is given up."""
    fixes: int = Field(5, gt=0)
    """Turns in a row that lead to no launch before the study stops."""
    dollars: float | None = Field(None, gt=0)
    """US dollars over all model calls, as priced by litellm."""
    tokens: int | None = Field(None, gt=0)
    """Tokens sent and received over all model calls."""
    hours: float | None = Field(None, gt=0)
    """Wall-clock hours while a controller works on the study; pauses do not count."""


class Usage(Record):
    """The account of one or many model calls."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
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
    """Empty for an agent that uses none."""
    prices: dict[str, float] = {}
    """Dollars per token, by litellm's names, at the time the study begins."""


class Call(Record):
    """One model call, as the recording keeps it."""

    prompt: str
    """The last user message of the call."""
    reply: str
    usage: Usage = Usage()
    seconds: float = 0.0
    note: str = ""
    """Where a replayed prompt differs from the recorded one, if it does."""


class Reply(Record):
    """What an agent says it did. What it *really* did is read from the working tree."""

    text: str
    problems: tuple[str, ...] = ()
    """Why its edits were not applied, if they were not: the whole reply is then void."""
    usage: Usage = Usage()
    """What the turn used, besides the model calls that the agent has reported one by one."""


class Machine(Record):
    """What the values of a run depend on besides its code and seeds.

    On equal machines equal code gives equal values, to the last digit. On others it does so only nearly.
    """

    system: str
    """Such as "Linux x86_64"."""
    processor: str
    """Its name, family and widest vector instructions."""
    threads: int
    """That numerical libraries use."""
    gpus: tuple[str, ...] = ()
    """Models of those that the run may use."""
    settings: dict[str, str] = {}
    """Variables by which a user has chosen the kernels of numerical libraries."""
    packages: dict[str, str] = {}
    """Versions of Python and of what it computes with."""

    def __str__(self) -> str:
        parts = [f"{self.threads} threads" if self.threads != 1 else "1 thread", *self.gpus]
        parts += [f"{name}={value}" for name, value in self.settings.items()]
        parts += [f"{name} {version}" for name, version in self.packages.items()]
        return f"{self.system}, {self.processor}; {', '.join(parts)}"

    @property
    def digest(self) -> str:
        """A short name for this kind of machine."""
        import hashlib  # not by commands that only read

        return hashlib.sha256(json.dumps(self._facts(), sort_keys=True).encode()).hexdigest()[:12]

    def differences(self, other: Machine) -> list[str]:
        """What is not the same on both, as phrases: "torch 2.9.1, not 2.13.0"."""
        mine, theirs = self._facts(), other._facts()
        names = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
        return [f"{name} {mine.get(name) or 'unset'}, not {theirs.get(name) or 'unset'}" for name in names]

    def _facts(self) -> dict[str, str]:
        facts = {"system": self.system, "processor": self.processor, "threads": str(self.threads)}
        return {**facts, "GPUs": ", ".join(self.gpus) or "none", **self.settings, **self.packages}


class Claim(Record):
    """One thing that is known about a correct build of a template, and what a run shows."""

    claim: str
    expected: str
    found: str
    holds: bool


class Finding(Record):
    """One thing a check holds against an edit."""

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
    """95 % Welch interval of the effect."""
    p: float | None = None
    """Two-sided Welch p value, uncorrected; None where the values cannot tell."""
    detectable: float | None = None
    """Smallest true effect that this many seeds would have shown with 80 % power at the corrected level."""
    note: str = ""
    exact: bool = True
    """Whether both sides come from the same kind of machine, so that equal code gives equal values."""

    @property
    def unchanged(self) -> bool:
        """Whether the values are the baseline's to the last digit, and vary: the change does not reach here."""
        same_spread = bool(self.sd) and self.sd == self.baseline_sd and self.n == self.baseline_n
        return self.exact and self.effect == 0 and same_spread


IN_PLAIN_WORDS = {
    "extra_forbidden": "unknown key",
    "missing": "is missing",
    "tuple_type": 'must be a list, such as ["a"]',
    "too_short": "must not be empty",
    "string_type": "must be text in quotes",
    "model_type": "must be a table",
    "dict_type": "must be a table",
}
"""What pydantic says in terms of Python's types, for people who write TOML."""


def one_line(error: ValidationError) -> str:
    """A pydantic error as one line: where and what."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    what = IN_PLAIN_WORDS.get(first["type"]) or first["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
