"""A template: a folder with an experiment that already runs, and what its template.toml says."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from harness.errors import TemplateError, UnknownName
from harness.files import digest_of, parse_toml
from harness.template.manifest import Manifest
from harness.validation import one_line

MANIFEST = "template.toml"
PINNED = "template"
"""Name of the folder of a study's own copy of its template."""


class Template:
    """A template folder that has been read and validated."""

    def __init__(self, folder: Path) -> None:
        """Read and check `folder`.

        Raises:
            TemplateError: names the problem and the table of template.toml.
        """
        self.folder = folder
        self.manifest = _read_manifest(folder / MANIFEST)
        about = self.manifest.template
        if about.name != folder.name and not self._is_pinned:
            raise TemplateError(
                f"{folder / MANIFEST}: [template] name is {about.name!r}, but the folder is {folder.name!r}"
            )
        for key, name in about.named:
            if not (folder / name).is_file():
                raise TemplateError(
                    f"{folder / MANIFEST}: [template] {key} names {name}, which does not exist in {folder}"
                )
        if (folder / "evaluate.py").is_file() and not self.manifest.has_evaluator:
            raise TemplateError(f"{folder / MANIFEST}: evaluate.py would never run; add it to the protected files")
        for name, place in self._shared.items():
            if not place.exists():
                raise TemplateError(f"{folder / MANIFEST}: [template] include names {name}, which does not exist")
            if place.is_dir() and not _files_in(place):
                raise TemplateError(f"{folder / MANIFEST}: [template] include names {name}, a folder without files")
        for _, name in about.named:
            if self._in_shared_folder(name):
                raise TemplateError(f"{folder / MANIFEST}: [template] {name} would lie in an included folder")

    @property
    def name(self) -> str:
        return self.manifest.template.name

    @cached_property
    def files(self) -> dict[str, Path]:
        """All files of a study of this template: name in the study → current path."""
        about = self.manifest.template
        own = {name: self.folder / name for name in (*about.editable, *about.protected)}
        return {**own, **self._included}

    @property
    def _shared(self) -> dict[str, Path]:
        """What is included: name in the study → file or folder. A pinned template has it next to its own files."""
        named = {Path(name).name: self.folder / name for name in self.manifest.template.include}
        own = {name: self.folder / name for name in named} if self._is_pinned else {}
        return {name: own[name] if name in own and own[name].exists() else place for name, place in named.items()}

    @property
    def _is_pinned(self) -> bool:
        """Whether this is a study's copy, which holds all that it includes."""
        return self.folder.name == PINNED

    @cached_property
    def _included(self) -> dict[str, Path]:
        """The same, file by file: an included folder keeps its structure."""
        found: dict[str, Path] = {}
        for name, place in self._shared.items():
            found |= (
                {f"{name}/{inner}": place / inner for inner in _files_in(place)} if place.is_dir() else {name: place}
            )
        return found

    @property
    def protected(self) -> tuple[str, ...]:
        """Names, in a study, of the files that nobody changes."""
        return (*self.manifest.template.protected, *self._included)

    def protects(self, name: str) -> bool:
        """Whether nobody may write a file of that name in a study; nor may anything be added to an included folder."""
        return name in self.protected or name in self.kept_back or self._in_shared_folder(name)

    def _in_shared_folder(self, name: str) -> bool:
        """Whether it lies in an included folder, or beside it as a module that Python might take for the folder."""
        folders = [shared for shared, place in self._shared.items() if place.is_dir()]
        return any(name == f"{folder}.py" or PurePosixPath(name).is_relative_to(folder) for folder in folders)

    @property
    def kept_back(self) -> dict[str, Path]:
        """Files that studies do not get, held out or answers: name → path."""
        about = self.manifest.template
        return {name: self.folder / name for name in (*about.held_out, *about.answers)}

    def command(self, python: str, out_dir: Path) -> list[str]:
        """The run command with the interpreter and the output folder filled in."""
        return _filled_in(self.manifest.run.command, python, out_dir)

    def sampler_command(self, python: str, out_dir: Path) -> list[str]:
        """The same for the sampler; empty if there is none."""
        return _filled_in(self.manifest.run.sampler, python, out_dir)

    def ideas(self) -> dict[str, Path]:
        """Name → file with an idea, or with several."""
        found = sorted((self.folder / "ideas").glob("*"))
        return {p.stem: p for p in found if p.suffix in (".toml", ".json", ".md") and p.name != "README.md"}

    def lay_out(self, target: Path) -> None:
        """Copy the files of a study into `target`: what the agent and the experiment see."""
        _copy(self.files, target)

    def pin(self, target: Path) -> str:
        """Copy everything that evaluators need into `target`; returns the digest of the copy."""
        shutil.copytree(self.folder, target, ignore=shutil.ignore_patterns("__pycache__", "recordings", "ideas"))
        _copy(self._included, target)
        return digest_of(target)


def _filled_in(command: tuple[str, ...], python: str, out_dir: Path) -> list[str]:
    parts = [part.replace("{out_dir}", str(out_dir)) for part in command]
    return [python if part == "python" and n == 0 else part for n, part in enumerate(parts)]


def _copy(files: Mapping[str, Path], target: Path) -> None:
    for name, source in files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target / name)


def _files_in(folder: Path) -> list[str]:
    """Names of the files of an included folder, those in its folders too. No link is followed, nothing hidden or
    compiled is taken."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    names = [path.relative_to(folder) for path in found]
    return [n.as_posix() for n in names if not any(p.startswith(".") or p == "__pycache__" for p in n.parts)]


def _read_manifest(path: Path) -> Manifest:
    if not path.is_file():
        raise TemplateError(f"{path.parent} has no {MANIFEST}")
    try:
        return Manifest.model_validate(parse_toml(path.read_text(encoding="utf-8-sig")))
    except ValidationError as error:
        raise TemplateError(f"{path}: {one_line(error, Manifest)}") from error
    except (OSError, ValueError) as error:
        raise TemplateError(f"{path}: not TOML: {error}") from error


def load(templates: Path, name: str) -> Template:
    """The template named `name` in `templates`, or the one in the folder `name`."""
    if "/" in name and (Path(name) / MANIFEST).is_file():
        return Template(Path(name).resolve())
    known = sorted(p.parent.name for p in templates.glob(f"*/{MANIFEST}"))
    if name not in known and (templates / name).is_dir() and name.isidentifier():
        raise TemplateError(f"{templates / name} has no {MANIFEST}; docs/templates.md shows a minimal one")
    if name not in known:
        raise UnknownName("template", name, known)
    return Template(templates / name)
