"""template.toml, as records.

Settings sit beside what they set, each with its meaning below it; an unknown key is an error.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from harness.records import MetricSpec, Record

SHARED_PLOTTING = "plotting.py"
"""What plot.py files share. It draws only: a run that imported it could change without being another one."""
FOR_PEOPLE = ("plot.py", SHARED_PLOTTING, "notes.md", "notes.txt", "README.md")
UNITS = {"s": 1, "m": 60, "h": 3600, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def _quantity(text: str, units: tuple[str, ...]) -> float:
    match = re.fullmatch(rf"([0-9]+(?:\.[0-9]+)?)\s*({'|'.join(units)})", text)
    if match is None:
        raise ValueError(f"{text!r} is no quantity; write a number and one of {', '.join(units)}, such as 20{units[1]}")
    if not float(match[1]):
        raise ValueError(f"{text!r} is nothing; give a quantity above 0")
    return float(match[1]) * UNITS[match[2]]


def _file_name(text: str) -> str:
    if text.startswith("/") or ".." in PurePosixPath(text).parts:
        raise ValueError(f"{text!r} leaves the template's folder")
    return text


def _includable(text: str) -> str:
    if PurePosixPath(text).name in ("", ".."):
        raise ValueError(f"{text!r} has no name that it could have in a study")
    return text


def _command(parts: tuple[str, ...]) -> tuple[str, ...]:
    if not any("{out_dir}" in part for part in parts[1:]):
        raise ValueError("the command must have an argument with {out_dir} in it")
    return parts


def _different(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("a seed is named twice; the same seed again is no new sample")
    return seeds


def _none_or_several(seeds: int) -> int:
    if seeds == 1:
        raise ValueError("one seed shows no spread, so no run could be confirmed: take 2 or more, or 0 for never")
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
    """Files that nobody changes: evaluator, data, metrics."""
    include: tuple[Annotated[str, AfterValidator(_includable)], ...] = ()
    """Shared modules and folders of such, relative to the template, copied into the study as protected files. A folder
    keeps its name and what is in it, apart from hidden and compiled files and links."""
    held_out: tuple[FileName, ...] = ()
    """Files that only evaluate.py and known.py are given: seeds and data of the evaluation. No study gets them."""

    @property
    def untouchable(self) -> tuple[str, ...]:
        """Names, in a study, of all that nobody changes: files, and included folders."""
        return (*self.protected, *(PurePosixPath(name).name for name in self.include))


class RunSpec(Record):
    """`[run]`"""

    command: Annotated[tuple[str, ...], AfterValidator(_command)] = ("python", "experiment.py", "--out_dir={out_dir}")
    python: str = "auto"
    """"auto": the harness's own interpreter; a path: that one; a protected requirements file (`*.txt`): an environment
    built for the template."""
    prepare: tuple[str, ...] = ()
    """Command that fetches what no package is (models, texts) into `{assets}`, and what only the evaluator may read
    into `{held_out}`; run once, with network, in the built environment. It is run again when a protected file changed,
    and should keep what is still good."""
    timeout: Duration = "20m"
    seeds: Annotated[tuple[int, ...], AfterValidator(_different)] = Field((0, 1, 2), min_length=1)
    confirm_seeds: Annotated[int, AfterValidator(_none_or_several)] = Field(5, ge=0)
    """Fresh seeds that a winner is confirmed on; 0: none ever is."""
    memory: Memory = "4GiB"
    gpus: int = Field(0, ge=0)
    network: bool = False

    @property
    def requirements(self) -> str:
        """Name of the requirements file to build an environment from, or nothing."""
        return self.python if self.python.endswith(".txt") else ""

    @model_validator(mode="after")
    def _prepared_somewhere(self) -> RunSpec:
        if self.prepare and not self.requirements:
            raise ValueError("prepare needs python = a requirements file, for the environment it runs in")
        return self

    @property
    def prepares_held_out(self) -> bool:
        """Whether `prepare` fetches something for evaluators alone."""
        return any("{held_out}" in part for part in self.prepare)

    @property
    def timeout_seconds(self) -> float:
        return _quantity(self.timeout, ("s", "m", "h"))

    @property
    def memory_bytes(self) -> int:
        return int(_quantity(self.memory, ("KiB", "MiB", "GiB")))


class SmokeSpec(Record):
    """`[smoke]`: the same command, tiny."""

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
            raise ValueError("low and high are needed, low below high")
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
            raise ValueError(f"exactly one metric must say primary = true; here: {named}")
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
            raise ValueError(f"[template] held_out names {sorted(shown)[0]}, which every study is given")
        if self.template.held_out and not self.has_evaluator:
            raise ValueError("[template] held_out is for evaluate.py, which is not among the protected files")
        return self

    @property
    def has_evaluator(self) -> bool:
        return "evaluate.py" in self.template.untouchable

    @property
    def holds_out(self) -> bool:
        """Whether there is anything to measure on that studies are not given."""
        return bool(self.template.held_out) or self.run.prepares_held_out

    @property
    def has_known(self) -> bool:
        return "known.py" in self.template.untouchable

    @property
    def has_plots(self) -> bool:
        return "plot.py" in (*self.template.editable, *self.template.untouchable)

    @property
    def for_the_end(self) -> tuple[str, ...]:
        """Editable files that take no part in runs: notes, and plots."""
        return tuple(name for name in self.template.editable if not executed(name))

    @property
    def primary(self) -> str:
        return next(name for name, spec in self.metrics.items() if spec.primary)


def executed(name: str) -> bool:
    """Whether a study's file takes part in a run. Plots and notes do not, so changing them changes no result."""
    return name not in FOR_PEOPLE
