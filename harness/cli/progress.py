"""Progress output while an unmodified template runs: a spinner and messages."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.text import Text

from harness.cli.app import console
from harness.execution.executors import make
from harness.study.unmodified import Bench, Unsuccessful
from harness.text import duration, plain, printable

if TYPE_CHECKING:
    from harness.paths import ProjectPaths


@contextmanager
def bench(here: ProjectPaths, executor: str = "local", sandboxed: bool = True) -> Iterator[Bench]:
    """A bench that reports its progress on stderr, and the output of a run that fails."""
    out, runs_on = console(stderr=True), make(executor, here.settings)
    with out.status(Text("running the unmodified template")) as spinner:

        def building(line: str) -> None:
            spinner.update(Text(f"setting up · {plain(line)}"))

        def say(line: str) -> None:
            out.print(Text(f"  {plain(line, 600)}"), soft_wrap=True)

        def tick(seconds: float, line: str) -> None:
            spinner.update(Text(f"running the unmodified template · {duration(seconds)} · {plain(line)}"))

        try:
            yield Bench(here, runs_on, building, say, tick, sandboxed)
        except Unsuccessful as error:
            print(printable(error.log), file=sys.stderr)
            raise
