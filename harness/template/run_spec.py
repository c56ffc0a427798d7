"""`[run]` and `[smoke]` of template.toml."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from harness.records import Record

UNITS = {"s": 1, "m": 60, "h": 3600, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def _quantity(text: str, units: tuple[str, ...]) -> float:
    match = re.fullmatch(rf"([0-9]+(?:\.[0-9]+)?)\s*({'|'.join(units)})", text)
    if match is None:
        raise ValueError(
            f"{text!r} is not a quantity; write a number and one of {', '.join(units)}, such as 20{units[1]}"
        )
    if not float(match[1]):
        raise ValueError(f"{text!r} must be above zero")
    return float(match[1]) * UNITS[match[2]]


def _command(parts: tuple[str, ...]) -> tuple[str, ...]:
    if not any("{out_dir}" in part for part in parts[1:]):
        raise ValueError("the command must have an argument that contains {out_dir}")
    return parts


def _different(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("a seed is listed twice; a repeated seed is not a new sample")
    return seeds


Duration = Annotated[str, AfterValidator(lambda t: _quantity(t, ("s", "m", "h")) and t)]
Memory = Annotated[str, AfterValidator(lambda t: _quantity(t, ("KiB", "MiB", "GiB")) and t)]


class ConfirmSpec(Record):
    """`[run] confirm`: how many fresh seeds a run and the baseline are measured on.

    They are looked at after `first` seeds, after twice as many, and so on up to `most`.
    """

    first: int = Field(5, ge=2)
    most: int = Field(40, ge=0)
    """0 to confirm no run."""

    @model_validator(mode="after")
    def _most_is_most(self) -> ConfirmSpec:
        if self.most and self.most < self.first:
            raise ValueError(f"most = {self.most} is less than first = {self.first}; use 0 to confirm no run")
        return self

    def looks(self, most: int | None = None) -> tuple[int, ...]:
        """Numbers of seeds after which to look; no more than `most`, if it is given."""
        last = self.most if most is None else min(self.most, most)
        sizes = [min(self.first, last)]
        while sizes[-1] * 2 < last:
            sizes.append(sizes[-1] * 2)
        return (*sizes, last) if last > sizes[-1] else tuple(sizes)


class RunSpec(Record):
    """`[run]`"""

    command: Annotated[tuple[str, ...], AfterValidator(_command)] = ("python", "experiment.py", "--out_dir={out_dir}")
    python: str = "auto"
    """"auto" is the harness's own interpreter. Otherwise the path of one, or a protected requirements file (`*.txt`) to
    build an environment from."""
    sampler: Annotated[tuple[str, ...], AfterValidator(lambda parts: parts and _command(parts))] = ()
    """Command that writes the data of the seeds in HARNESS_SEEDS into `{out_dir}`, before each launch. Unlike the
    script, which reads them in HARNESS_DATA, it can read the template's answers."""
    prepare: tuple[str, ...] = ()
    """Command that downloads models or texts into `{assets}`, and data for the evaluator only into `{held_out}`. It
    runs with network in the built environment: once, and again when a protected file changes. It should then keep what
    is still valid."""
    timeout: Duration = "20m"
    seeds: Annotated[tuple[int, ...], AfterValidator(_different)] = Field((0, 1, 2), min_length=1)
    seed_cost: Literal["fixed", "proportional"] = "fixed"
    """"fixed" if a launch costs the same for fewer seeds, because it trains all side by side. If "proportional", a run
    is launched on its first seeds, and on the others only if there is hope."""
    confirm: ConfirmSpec = ConfirmSpec()
    paired: bool = True
    """Whether a run and the baseline are compared seed by seed in a confirmation."""
    memory: Memory = "4GiB"
    gpus: int = Field(0, ge=0)
    network: bool = False

    @model_validator(mode="before")
    @classmethod
    def _one_look(cls, fields: Any) -> Any:
        """`confirm_seeds = n`, of older templates, is one look at n seeds."""
        if not isinstance(fields, dict) or "confirm_seeds" not in fields or "confirm" in fields:
            return fields
        rest = {name: value for name, value in fields.items() if name != "confirm_seeds"}
        n = fields["confirm_seeds"]
        return {**rest, "confirm": {"first": n, "most": n} if n else {"most": 0}}

    @property
    def requirements(self) -> str:
        """Name of the requirements file to build an environment from, or an empty string."""
        return self.python if self.python.endswith(".txt") else ""

    @model_validator(mode="after")
    def _prepared_somewhere(self) -> RunSpec:
        if self.prepare and not self.requirements:
            raise ValueError("prepare runs in a built environment, so python must name a requirements file")
        return self

    @property
    def prepares_held_out(self) -> bool:
        """Whether `prepare` downloads something for evaluators only."""
        return any("{held_out}" in part for part in self.prepare)

    @property
    def timeout_seconds(self) -> float:
        return _quantity(self.timeout, ("s", "m", "h"))

    @property
    def memory_bytes(self) -> int:
        return int(_quantity(self.memory, ("KiB", "MiB", "GiB")))


class SmokeSpec(Record):
    """`[smoke]`: the same command on a tiny scale."""

    timeout: Duration = "60s"

    @property
    def timeout_seconds(self) -> float:
        return _quantity(self.timeout, ("s", "m", "h"))
