"""The command line: the only package that connects the others.

Exit codes: 0 success, 1 a study failed or paused, 2 user error (one line on stderr), 130 interrupted.
A command imports what it needs when it is called, so that commands that only read start fast.
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
    "power": ("power",),
    "audit": ("audit",),
    "doctor": ("doctor",),
}
"""Module → the commands that it registers on import, in the order of the help text."""


def main() -> None:
    """Entry point of the `harness` command."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        del os.environ[name]  # set if a git hook calls us; our git would then use that repository
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "±" gets a question mark
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")  # otherwise it searches all installed packages for plugins
    gc.set_threshold(100_000, 50, 50)  # with the defaults, a tenth of a short command is garbage collection
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
    """Print the error in one line and return the exit code."""
    match error:
        case click.UsageError():
            return _complain(error.format_message(), 2)
        case HarnessError():
            return _complain(str(error), error.exit_code)
        case BrokenPipeError():  # the reader of our output closed the pipe
            sys.stderr.close()
            return 0
        case OSError():  # a full disk, a folder that cannot be written
            return _complain(f"{error}; nothing recorded is lost, and studies can be resumed", 1)
        case _:
            return _complain("interrupted", 130)


def _modules(arguments: list[str]) -> list[str]:
    """The module of the named command; all modules if there is none, for help and error messages."""
    command = arguments[2:3] if arguments[:1] in (["-C"], ["--project"]) else arguments[:1]
    named = [module for module, names in COMMANDS.items() if {*command} & {*names}]
    return [f"harness.cli.{module}" for module in named or COMMANDS]


def _complain(text: str, code: int) -> int:
    from harness.text import printable

    print("harness: " + printable(" ".join(text.split())), file=sys.stderr)
    return code
