"""template.toml, as records.

Each setting has its documentation below it. An unknown key is an error.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from harness.records import MetricSpec, Record

SHARED_PLOTTING = "plotting.py"
"""What plot.py files share. It draws only: a run that imported it could change without being another one."""
FOR_PEOPLE = ("plot.py", SHARED_PLOTTING, "notes.md", "notes.txt", "README.md")
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


def _file_name(text: str) -> str:
    if text.startswith("/") or ".." in PurePosixPath(text).parts:
        raise ValueError(f"{text!r} is outside the template's folder")
    return text


def _includable(text: str) -> str:
    if PurePosixPath(text).name in ("", ".."):
        raise ValueError(f"{text!r} has no name that it could have in a study")
    return text


def _command(parts: tuple[str, ...]) -> tuple[str, ...]:
    if not any("{out_dir}" in part for part in parts[1:]):
        raise ValueError("the command must have an argument that contains {out_dir}")
    return parts


def _different(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("a seed is listed twice; a repeated seed is not a new sample")
    return seeds


FileName = Annotated[str, AfterValidator(_file_name)]
Duration = Annotated[str, AfterValidator(lambda t: _quantity(t, ("s", "m", "h")) and t)]
Memory = Annotated[str, AfterValidator(lambda t: _quantity(t, ("KiB", "MiB", "GiB")) and t)]


class About(Record):
    """`[template]`"""

    name: str
    summary: str
    editable: tuple[FileName, ...] = Field(min_length=1)
    """Files that the agent may change."""
    new_files: tuple[FileName, ...] = ()
    """Patterns of files that the agent may add; `*` does not cross a folder."""
    protected: tuple[FileName, ...] = ()
    """Files that must not change: evaluator, data, metrics."""
    include: tuple[Annotated[str, AfterValidator(_includable)], ...] = ()
    """Shared modules, or folders of them, relative to the template, copied into the study as protected files. A folder
    keeps its name and what is in it, apart from hidden and compiled files and links."""
    held_out: tuple[FileName, ...] = ()
    """Files for evaluate.py and known.py only, such as seeds and data of the evaluation. Studies do not get them."""

    @property
    def named(self) -> list[tuple[str, str]]:
        """The template's own files, each with the key that names it."""
        keys = {"editable": self.editable, "protected": self.protected, "held_out": self.held_out}
        return [(key, name) for key, names in keys.items() for name in names]

    @property
    def untouchable(self) -> tuple[str, ...]:
        """Names, in a study, of all that must not change: files, and included folders."""
        return (*self.protected, *(PurePosixPath(name).name for name in self.include))


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


class Dimension(Record):
    """`[search_space.CONSTANT]`: values that the tuner may give a module-level constant of experiment.py."""

    type: Literal["float", "int", "categorical"]
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[bool | int | float | str, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Dimension:
        if self.type == "categorical":
            if not self.choices:
                raise ValueError("a categorical dimension needs choices")
        elif self.low is None or self.high is None or not self.low < self.high:
            raise ValueError("low and high are required, and low must be below high")
        elif self.log and self.low <= 0:
            raise ValueError("a log dimension needs low > 0")
        return self


class Manifest(Record):
    """The whole of template.toml."""

    template: About
    run: RunSpec = RunSpec()
    smoke: SmokeSpec | None = None
    metrics: dict[str, MetricSpec]
    search_space: dict[str, Dimension] = {}

    @model_validator(mode="after")
    def _one_primary(self) -> Manifest:
        primary = [name for name, spec in self.metrics.items() if spec.primary]
        if len(primary) != 1:
            named = ", ".join(primary) or "none"
            raise ValueError(f"exactly one metric must have primary = true; found: {named}")
        return self

    @model_validator(mode="after")
    def _editable_or_protected(self) -> Manifest:
        if both := set(self.template.editable) & set(self.template.untouchable):
            raise ValueError(f"[template] {sorted(both)[0]} is both editable and protected")
        return self

    @model_validator(mode="after")
    def _included_once(self) -> Manifest:
        names = [PurePosixPath(name).name for name in self.template.include]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"[template] include names two things that a study would have as {twice[0]}")
        return self

    @model_validator(mode="after")
    def _plotting_is_protected(self) -> Manifest:
        if SHARED_PLOTTING in self.template.editable:
            raise ValueError(f"[template] {SHARED_PLOTTING} takes no part in runs, so it must be protected or included")
        return self

    @model_validator(mode="after")
    def _requirements_are_protected(self) -> Manifest:
        if self.run.requirements and self.run.requirements not in self.template.protected:
            raise ValueError(f"[run] python is {self.run.requirements}, which must be one of the protected files")
        return self

    @model_validator(mode="after")
    def _held_out_is_the_evaluators(self) -> Manifest:
        if shown := set(self.template.held_out) & {*self.template.editable, *self.template.untouchable}:
            raise ValueError(f"[template] held_out names {sorted(shown)[0]}, which every study gets")
        if self.template.held_out and not self.has_evaluator:
            raise ValueError("[template] held_out needs evaluate.py among the protected files")
        return self

    @property
    def has_evaluator(self) -> bool:
        return "evaluate.py" in self.template.untouchable

    @property
    def holds_out(self) -> bool:
        """Whether there is evaluation data that studies do not get."""
        return bool(self.template.held_out) or self.run.prepares_held_out

    @property
    def has_known(self) -> bool:
        return "known.py" in self.template.untouchable

    @property
    def has_plots(self) -> bool:
        return "plot.py" in (*self.template.editable, *self.template.untouchable)

    @property
    def for_the_end(self) -> tuple[str, ...]:
        """Editable files that do not affect runs: notes and plots."""
        return tuple(name for name in self.template.editable if not executed(name))

    @property
    def primary(self) -> str:
        return next(name for name, spec in self.metrics.items() if spec.primary)


def executed(name: str) -> bool:
    """Whether a study's file takes part in a run. Plots and notes do not, so changing them changes no result."""
    return name not in FOR_PEOPLE
