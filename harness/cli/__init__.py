"""The command line: the only place where the parts are put together.

Exit codes: 0 done, 1 a study failed or paused, 2 the user's mistake (one line on stderr), 130 interrupted.
Each command imports what it needs when it is called, so that reading commands start fast.
"""

from __future__ import annotations

import gc
import io
import os
import sys
from importlib import import_module

import click

from harness.cli.app import app
from harness.cli.signals import stop_on_signals
from harness.errors import HarnessError

COMMANDS = {
    "run": ("run", "resume"),
    "stop": ("stop",),
    "status": ("status",),
    "compare": ("compare",),
    "show": ("show",),
    "diff": ("diff",),
    "confirm": ("confirm",),
    "replay": ("replay",),
    "template": ("template",),
    "baseline": ("baseline",),
    "audit": ("audit",),
    "doctor": ("doctor",),
}
"""Module → the commands that it registers when it is imported, in the order in which help lists them."""


def main() -> None:
    """Entry point of the `harness` command."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        del os.environ[name]  # set by a git hook that calls us, they would lead our git into its repository
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "±" gets a question mark
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")  # else it looks through all installed packages for some
    gc.set_threshold(100_000, 50, 50)  # the default spends a tenth of a short command on looking for garbage
    for module in _modules(sys.argv[1:]):
        import_module(module)
    try:
        with stop_on_signals():
            code = app(standalone_mode=False, prog_name="harness")
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        code = 2
    except (click.UsageError, click.exceptions.Abort, HarnessError, KeyboardInterrupt, OSError) as error:
        code = _explain(error)
    sys.exit(code)


def _explain(error: BaseException) -> int:
    """Say in one line what went wrong; gives the exit code."""
    match error:
        case click.UsageError():
            return _complain(error.format_message(), 2)
        case HarnessError():
            return _complain(str(error), error.exit_code)
        case BrokenPipeError():  # the reader of our output has seen enough
            sys.stderr.close()
            return 0
        case OSError():  # a full disk, a folder that cannot be written
            return _complain(f"{error}; nothing that was recorded is lost, a study can be resumed", 1)
        case _:
            return _complain("interrupted", 130)


def _modules(arguments: list[str]) -> list[str]:
    """The module of the command that is named first; all of them where none is, for help and for mistakes."""
    command = arguments[2:3] if arguments[:1] in (["-C"], ["--project"]) else arguments[:1]
    named = [module for module, names in COMMANDS.items() if {*command} & {*names}]
    return [f"harness.cli.{module}" for module in named or COMMANDS]


def _complain(text: str, code: int) -> int:
    from harness.text import printable

    print("harness: " + printable(" ".join(text.split())), file=sys.stderr)
    return code
