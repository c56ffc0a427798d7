"""The Python environment of a template: the harness's own, another interpreter, or one built for the template.

If `[run] python` names a requirements file, the template gets its own virtual environment, built once. It falls back on
the harness's packages, so that PyTorch is not installed twice; the packages installed into it are visible only to this
template's scripts. Then the template's `prepare` command downloads models or texts. Both steps use the network; runs
do not have to.
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import site
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.errors import EnvironmentFault
from harness.execution import lock, process
from harness.files import digest_of, digest_of_file
from harness.template.folder import Template
from harness.template.manifest import executed

Say = Callable[[str], None]
"""Called with each line that pip or the template's `prepare` prints."""
ASSETS, HELD_OUT = "HARNESS_ASSETS", "HARNESS_HELD_OUT"
"""Variables with the folders that `prepare` filled: for every script, and for evaluators only."""
DATA = "HARNESS_DATA"
"""Variable with the folder that the template's sampler filled for one launch."""
INSTALLED = "installed"
PIP = ("-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off", "-r")


@dataclass(frozen=True)
class Environment:
    """What the jobs of a template run with."""

    python: str = sys.executable
    assets: str = ""
    """Folder that `prepare` filled for every script; empty if there is none."""
    held_out: str = ""
    """Folder that `prepare` filled for evaluators only; empty if there is none."""
    readable: tuple[str, ...] = ()
    """Folders of packages that a sandboxed job must see in addition to the interpreter's own."""

    @property
    def held_out_digest(self) -> str:
        """One digest for all of the held-out data; empty if there is none."""
        return digest_of(Path(self.held_out)) if self.held_out else ""


def ready(template: Template, environments: Path, say: Say) -> Environment:
    """The template's environment; builds it if necessary.

    Raises:
        EnvironmentFault: pip or `prepare` failed, or another process is building it.
    """
    run = template.manifest.run
    made = place_of(template, environments)
    if not run.requirements:
        return made
    folder = _folder(template, environments)
    if not (folder / INSTALLED).is_file():
        with _building(folder, template):
            _install(folder, template.files[run.requirements], say)
    if run.prepare and not (stamp := _stamp(template, folder)).is_file():
        with _building(folder, template):
            _prepare(template, folder, made, say)
            stamp.touch()
    return made


def is_ready(template: Template, environments: Path) -> bool:
    """Whether `ready` would have nothing to build and nothing to fetch."""
    run = template.manifest.run
    if not run.requirements:
        return True
    folder = _folder(template, environments)
    return (folder / INSTALLED).is_file() and (not run.prepare or _stamp(template, folder).is_file())


def place_of(template: Template, environments: Path) -> Environment:
    """The template's environment, as it is or will be once it is built."""
    run = template.manifest.run
    if not run.requirements:
        return Environment(sys.executable if run.python == "auto" else run.python)
    folder = _folder(template, environments)
    return Environment(
        python=str(folder / "venv" / "bin" / "python"),
        assets=str(folder / "assets") if run.prepare else "",
        held_out=str(folder / "held_out") if run.prepares_held_out else "",
        readable=(str(folder / "venv"), sys.prefix, sys.base_prefix),
    )


def _folder(template: Template, environments: Path) -> Path:
    return environments / f"{template.name}-{_digest(template)}"


def _stamp(template: Template, folder: Path) -> Path:
    """The file that says that `prepare` was run."""
    return folder / f"prepared-{_prepared_by(template)}"


def _digest(template: Template) -> str:
    """Digest of what an environment depends on: the requirements and the Python that it is based on."""
    requirements = template.files[template.manifest.run.requirements].read_bytes()
    return hashlib.sha256(b"\0".join((requirements, sys.version.encode(), sys.prefix.encode()))).hexdigest()[:12]


def _prepared_by(template: Template) -> str:
    """Digest of the protected files other than plots: `prepare` runs again when one of them changes."""
    names = sorted(name for name in template.protected if executed(name))
    files = "".join(f"{name}\0{digest_of_file(template.files[name])}\0" for name in names)
    return hashlib.sha256(files.encode()).hexdigest()[:12]


@contextmanager
def _building(folder: Path, template: Template) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with lock.held(folder / "lock") as ours:
        if not ours:
            other = lock.holder(folder / "lock")
            raise EnvironmentFault(
                f"process {other} is building the environment of {template.name}; wait until it has finished"
            )
        yield


def _install(folder: Path, requirements: Path, say: Say) -> None:
    say("creating a virtual environment")
    venv = folder / "venv"
    _follow([sys.executable, "-m", "venv", str(venv)], folder, say)
    own = next(venv.glob("lib/python3*/site-packages"))
    (own / "harness-packages.pth").write_text("".join(f"{path}\n" for path in site.getsitepackages()))
    _follow([str(venv / "bin" / "python"), *PIP, str(requirements)], folder, say)
    (folder / INSTALLED).touch()


def _prepare(template: Template, folder: Path, made: Environment, say: Say) -> None:
    code = folder / "template"
    shutil.rmtree(code, ignore_errors=True)
    template.pin(code)
    for place in filter(None, (made.assets, made.held_out)):
        Path(place).mkdir(exist_ok=True)
    command = template.manifest.run.prepare
    first, *rest = (part.replace("{assets}", made.assets).replace("{held_out}", made.held_out) for part in command)
    _follow([made.python if first == "python" else first, *rest], folder, say, cwd=code)
    shutil.rmtree(code)


def _follow(argv: list[str], folder: Path, say: Say, cwd: Path | None = None) -> None:
    """Run a step to completion; its output goes line by line to `say` and to build.log."""
    log = folder / "build.log"
    ours = {**process.thread_limits(), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    with log.open("a", encoding="utf-8", buffering=1) as file:

        def on_line(line: str) -> None:
            file.write(line + "\n")
            say(line)

        try:
            code = process.follow(argv, process.download_variables(ours), cwd or folder, on_line)
        except OSError as error:
            raise EnvironmentFault(f"{argv[0]}: {error}") from error
    if code != 0:
        end = "\n".join(log.read_text(encoding="utf-8").splitlines()[-8:])
        raise EnvironmentFault(f"{shlex.join(argv[1:])} ended with exit code {code}; {log} ends with:\n{end}")
