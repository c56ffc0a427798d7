"""Limits on what a run may spend or be, such as its training steps: a run outside gets no result. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field, model_validator

from harness.errors import MetricsError
from harness.records import Record, Scores

Bound = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class Limit(Record):
    """`[limits] VALUE = { least, most }`: bounds of a value per seed. A value that equals a bound is allowed."""

    least: Bound | None = None
    most: Bound | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Limit:
        if self.least is None and self.most is None:
            raise ValueError("a limit needs least, most or both")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"least = {exact(self.least)} is more than most = {exact(self.most)}")
        return self

    def __str__(self) -> str:
        bounds = {"at least": self.least, "at most": self.most}
        return " and ".join(f"{words} {exact(bound)}" for words, bound in bounds.items() if bound is not None)

    def broken_by(self, value: float) -> str:
        """On which side a value lies outside, in words; empty if it does not."""
        if self.least is not None and not value >= self.least:
            return f"below the limit of {exact(self.least)}"
        if self.most is not None and not value <= self.most:
            return f"above the limit of {exact(self.most)}"
        return ""


Limits = Mapping[str, Limit]
"""Name of a value per seed → its limit."""


def exact(value: float) -> str:
    """A number in all its digits, whole ones without a fraction."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def refuse_missing(limits: Limits, scores: Scores, source: str) -> None:
    """Raise MetricsError if `source` did not give a value that a limit names, one per seed, on every dataset."""
    for dataset, values in scores.items():
        for name in limits:
            if name not in values:
                raise MetricsError(
                    f"{source} does not give {name!r} on {dataset!r}, one value per seed, which [limits] in "
                    "template.toml names, so the run does not count"
                )


def refuse_outside(limits: Limits, scores: Scores, seeds: Sequence[int]) -> None:
    """Raise MetricsError for the first value outside its limit. All values are there, one for each of `seeds`."""
    for dataset, values in scores.items():
        for name, limit in limits.items():
            for seed, value in zip(seeds, values[name], strict=True):
                if how := limit.broken_by(value):
                    raise MetricsError(
                        f"{name} on {dataset} is {exact(value)} for seed {seed}, {how} ([limits] in template.toml), "
                        "so the run does not count"
                    )
