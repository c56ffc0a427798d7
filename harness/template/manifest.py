"""template.toml, as records.

Each setting has its documentation below it. An unknown key is an error.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from harness.records import MetricSpec, Record
from harness.results.limits import Limit
from harness.template.run_spec import RunSpec, SmokeSpec

SHARED_PLOTTING = "plotting.py"
"""What plot.py files share. It draws only: a run that imported it could change without being another one."""
FOR_PEOPLE = ("plot.py", "figures.py", SHARED_PLOTTING, "notes.md", "notes.txt", "README.md")


def _file_name(text: str) -> str:
    if text.startswith("/") or ".." in PurePosixPath(text).parts:
        raise ValueError(f"{text!r} is outside the template's folder")
    return text


def _includable(text: str) -> str:
    if PurePosixPath(text).name in ("", ".."):
        raise ValueError(f"{text!r} has no name that it could have in a study")
    return text


FileName = Annotated[str, AfterValidator(_file_name)]


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
    """Files for evaluate.py, known.py and figures.py only, such as seeds and data of the evaluation."""
    answers: tuple[FileName, ...] = ()
    """Files that say what a run is to find out, such as a true dictionary: for these scripts, and for `[run] sampler`.
    Studies get neither these nor the held-out ones."""

    @property
    def named(self) -> list[tuple[str, str]]:
        """The template's own files, each with the key that names it."""
        keys = {
            "editable": self.editable,
            "protected": self.protected,
            "held_out": self.held_out,
            "answers": self.answers,
        }
        return [(key, name) for key, names in keys.items() for name in names]

    @property
    def untouchable(self) -> tuple[str, ...]:
        """Names, in a study, of all that must not change: files, and included folders."""
        return (*self.protected, *(PurePosixPath(name).name for name in self.include))


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
    limits: dict[str, Limit] = {}
    """Bounds of values per seed that the evaluator gives (without one, the script), whether or not they are metrics.
    A run outside gets no result."""
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
    def _what_is_kept_back_is_the_evaluators(self) -> Manifest:
        about = self.template
        for key, names in (("held_out", about.held_out), ("answers", about.answers)):
            if shown := set(names) & {*about.editable, *about.untouchable}:
                raise ValueError(f"[template] {key} names {sorted(shown)[0]}, which every study gets")
            if names and not self.has_evaluator:
                raise ValueError(f"[template] {key} needs evaluate.py among the protected files")
        if both := set(about.held_out) & set(about.answers):
            raise ValueError(f"[template] {sorted(both)[0]} is both in held_out and in answers")
        return self

    @model_validator(mode="after")
    def _figures_are_beside_plots(self) -> Manifest:
        if self.has_figures and not self.has_plots:
            raise ValueError("[template] figures.py adds to what plot.py draws, so it needs a plot.py")
        return self

    @property
    def has_evaluator(self) -> bool:
        return "evaluate.py" in self.template.untouchable

    @property
    def holds_out(self) -> bool:
        """Whether there is something for evaluators that studies do not get."""
        return bool(self.template.held_out or self.template.answers) or self.run.prepares_held_out

    @property
    def has_known(self) -> bool:
        return "known.py" in self.template.untouchable

    @property
    def has_plots(self) -> bool:
        return "plot.py" in (*self.template.editable, *self.template.untouchable)

    @property
    def has_figures(self) -> bool:
        """Whether there is a figures.py, for figures that need what studies do not get."""
        return "figures.py" in self.template.untouchable

    @property
    def for_the_end(self) -> tuple[str, ...]:
        """Editable files that do not affect runs: notes and plots."""
        return tuple(name for name in self.template.editable if not executed(name))

    @property
    def primary(self) -> str:
        return next(name for name, spec in self.metrics.items() if spec.primary)

    @property
    def decisive(self) -> tuple[str, ...]:
        """Metrics that a verdict depends on: the primary one and the guards. An evaluator must give them."""
        guards = (name for name, spec in self.metrics.items() if spec.guard is not None and not spec.primary)
        return (self.primary, *guards)


def executed(name: str) -> bool:
    """Whether a study's file takes part in a run. Plots and notes do not, so changing them changes no result."""
    return name not in FOR_PEOPLE
