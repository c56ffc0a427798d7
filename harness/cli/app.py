"""The typer application, its global options and what every command shares."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.text import HIDDEN, printable

if TYPE_CHECKING:
    from rich.console import Console

    from harness.paths import ProjectPaths

app = typer.Typer(
    name="harness",
    help="Run machine-learning experiments with a coding agent overnight, and trust the numbers in the morning.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_project: list[Path] = []


def _version(wanted: bool) -> None:
    if wanted:
        from harness import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def options(
    project: Annotated[
        Path,
        typer.Option("--project", "-C", envvar="HARNESS_PROJECT", help="Folder with templates/, baselines/ and runs/."),
    ] = Path(),
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version
    _project[:] = [project]


def project() -> ProjectPaths:
    """The project that this command works on."""
    from harness.paths import ProjectPaths

    return ProjectPaths.find(_project[0] if _project else Path())


def console(stderr: bool = False) -> Console:
    """A rich console; 160 columns wide if the output is not a terminal."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else 160)


def width() -> int:
    """Columns of the terminal; 160 if the output is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 160


def print_line(*parts: str | tuple[str, str]) -> None:
    """Print parts on one line; on a terminal, parts with a style such as "bold red" are coloured.

    This does not use rich, which is too slow to import for commands that only read.
    """
    pairs = [(part, "") if isinstance(part, str) else part for part in parts]
    typer.echo(" ".join(styled(printable(text, colours=False), style) for text, style in pairs))


def styled(text: str, style: str) -> str:
    """The text with terminal codes for a style; `typer.echo` strips them if the output is not a terminal."""
    words = set(style.split()) - {"default"}
    color = next(iter(words - {"bold", "dim"}), None)
    return typer.style(text, fg=color, bold="bold" in words or None, dim="dim" in words or None) if words else text


def print_json(value: Any, indent: int | None = 1) -> None:
    """Print a value as JSON; on one line if `indent` is None."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    print(
        re.sub(f"[\x7f-\x9f{HIDDEN}]", lambda found: json.dumps(found[0])[1:-1], text)
    )  # a terminal might interpret them
