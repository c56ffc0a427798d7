"""A template: an experiment that already runs, and template.toml which says how. Layer 2."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from harness.errors import IdeaError, TemplateError, UnknownName
from harness.records import Goal, Idea, Record

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MANIFEST = "template.toml"
UNITS = {"s": 1, "m": 60, "h": 3600, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def _quantity(text: str, units: tuple[str, ...]) -> float:
    match = re.fullmatch(rf"([0-9]+(?:\.[0-9]+)?)\s*({'|'.join(units)})", text)
    if match is None:
        raise ValueError(
            f"{text!r} is no quantity; write a number and one of {', '.join(units)}, such as 20{units[-1]}"
        )
    if not float(match[1]):
        raise ValueError(f"{text!r} is nothing; give a quantity above 0")
    return float(match[1]) * UNITS[match[2]]


def _file_name(text: str) -> str:
    if text.startswith("/") or ".." in PurePosixPath(text).parts:
        raise ValueError(f"{text!r} leaves the template's folder")
    return text


def _command(parts: tuple[str, ...]) -> tuple[str, ...]:
    if not any("{out_dir}" in part for part in parts[1:]):
        raise ValueError("the command must have an argument with {out_dir} in it")
    return parts


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
    include: tuple[str, ...] = ()
    """Shared modules, relative to the template, copied into the study as protected files."""


class RunSpec(Record):
    """`[run]`"""

    command: Annotated[tuple[str, ...], AfterValidator(_command)] = ("python", "experiment.py", "--out_dir={out_dir}")
    python: str = "auto"
    """"auto": the harness's own interpreter; else the path of one."""
    timeout: Duration = "20m"
    seeds: tuple[int, ...] = Field((0, 1, 2), min_length=1)
    confirm_seeds: int = Field(5, ge=0)
    memory: Memory = "4GiB"
    gpus: int = Field(0, ge=0)
    network: bool = False

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


class MetricSpec(Record):
    """`[metrics.NAME]`"""

    goal: Goal
    primary: bool = False
    machine_bound: bool = False
    """Compared only with a baseline from the same machine."""


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

    @property
    def primary(self) -> str:
        return next(name for name, spec in self.metrics.items() if spec.primary)


class Template:
    """A template folder that has been read and found sound."""

    def __init__(self, folder: Path) -> None:
        """Read and check `folder`.

        Raises:
            TemplateError: what is wrong, in which table of template.toml.
        """
        self.folder = folder
        self.manifest = _read_manifest(folder / MANIFEST)
        about = self.manifest.template
        if about.name != folder.name and folder.name != "template":
            raise TemplateError(f"{folder / MANIFEST}: [template] name is {about.name!r}, the folder {folder.name!r}")
        for name in (*about.editable, *about.protected):
            if not (folder / name).is_file():
                raise TemplateError(f"{folder / MANIFEST}: [template] names {name}, which does not exist in {folder}")
        for name, path in self._included.items():
            if not path.is_file():
                raise TemplateError(f"{folder / MANIFEST}: [template] include names {name}, which does not exist")

    @property
    def name(self) -> str:
        return self.manifest.template.name

    @cached_property
    def files(self) -> dict[str, Path]:
        """Every file of a study of this template: name in the study → where it is now."""
        about = self.manifest.template
        own = {name: self.folder / name for name in (*about.editable, *about.protected)}
        return {**own, **self._included}

    @property
    def _included(self) -> dict[str, Path]:
        """Shared modules: name in the study → where it is. A pinned template has them beside its own files."""
        named = {Path(name).name: self.folder / name for name in self.manifest.template.include}
        return {name: path if path.is_file() else self.folder / name for name, path in named.items()}

    @cached_property
    def protected(self) -> tuple[str, ...]:
        about = self.manifest.template
        return (*about.protected, *(Path(name).name for name in about.include))

    @property
    def has_evaluator(self) -> bool:
        return "evaluate.py" in self.protected

    def executed(self, name: str) -> bool:
        """Whether a study's file takes part in a run. Plots and prose do not, so changing them changes no result."""
        return name != "plot.py" and PurePosixPath(name).suffix not in (".md", ".txt")

    @property
    def python(self) -> str:
        return sys.executable if self.manifest.run.python == "auto" else self.manifest.run.python

    def command(self, out_dir: Path) -> list[str]:
        """The run command with the interpreter and the output folder put in."""
        first, *rest = (part.replace("{out_dir}", str(out_dir)) for part in self.manifest.run.command)
        return [self.python if first == "python" else first, *rest]

    def ideas(self) -> dict[str, Path]:
        return {p.stem: p for p in sorted((self.folder / "ideas").glob("*")) if p.suffix in (".toml", ".json")}

    def pin(self, target: Path) -> str:
        """Copy everything that a study needs into `target`; returns the digest of the copy."""
        shutil.copytree(self.folder, target, ignore=shutil.ignore_patterns("__pycache__", "recordings", "ideas"))
        for name in self.manifest.template.include:
            shutil.copy(self.folder / name, target / Path(name).name)
        return digest_of(target)


def _read_manifest(path: Path) -> Manifest:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return Manifest.model_validate(content)
    except FileNotFoundError as error:
        raise TemplateError(f"{path.parent} has no {MANIFEST}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TemplateError(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        raise TemplateError(f"{path}: {one_line(error)}") from error


def one_line(error: ValidationError) -> str:
    """A pydantic error as one line: where and what."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    what = "unknown key" if first["type"] == "extra_forbidden" else what
    return f"{where}: {what}" if where else what


def digest_of(folder: Path) -> str:
    """One digest for a folder's files, names included."""
    sha = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        sha.update(f"{path.relative_to(folder).as_posix()}\0{digest_of_file(path)}\0".encode())
    return sha.hexdigest()


def digest_of_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load(templates: Path, name: str) -> Template:
    """The template of that name under `templates`, or the one in a folder that `name` is the path of."""
    if "/" in name and (Path(name) / MANIFEST).is_file():
        return Template(Path(name).resolve())
    known = sorted(p.parent.name for p in templates.glob(f"*/{MANIFEST}"))
    if name not in known:
        raise UnknownName("template", name, known)
    return Template(templates / name)


def read_idea(template: Template, text: str) -> Idea:
    """An idea from a file, from the template's `ideas/`, or from the text itself.

    Raises:
        IdeaError: the file is not TOML or JSON, or lacks a title or a prompt.
    """
    listed = template.ideas()
    if text in listed:
        return _idea_file(template, listed[text])
    if re.fullmatch(r"[^\n]{1,400}\.(toml|json)", text) or _is_file(text):
        return _idea_file(template, Path(text))
    title = text.strip().splitlines()[0][:120] if text.strip() else ""
    return _idea(template, {"title": title, "prompt": text}, "the idea")


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a path, or with a NUL in it: an idea, then
        return False


def _idea_file(template: Template, path: Path) -> Idea:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        known = ", ".join(template.ideas()) or "none"
        raise IdeaError(f"cannot read the idea {path}: {error.strerror}; {template.name} ships: {known}") from error
    except UnicodeDecodeError as error:
        raise IdeaError(f"{path}: not text: {error}") from error
    return _idea(template, _parse(path, text), str(path))


def _parse(path: Path, text: str) -> Any:
    import json

    if path.suffix not in (".json", ".toml"):
        raise IdeaError(f"{path} is neither .toml nor .json; an idea file has a title and a prompt")
    try:
        return json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise IdeaError(f"{path}: not {path.suffix[1:].upper()}: {error}") from error


def _idea(template: Template, content: Any, where: str) -> Idea:
    try:
        idea = Idea.model_validate(content)
    except ValidationError as error:
        raise IdeaError(f"{where}: {one_line(error)}") from error
    unknown = sorted(set(idea.metrics) - set(template.manifest.metrics))
    if unknown:
        known = ", ".join(template.manifest.metrics)
        raise IdeaError(f"{where}: metrics: {template.name} has no metric {unknown[0]!r}; it has: {known}")
    return idea
