"""The overhead of the harness over the model and the experiment: `python benchmarks/overhead.py [--small]`.

The real aider works on a template whose experiment does nothing, with a recording that is written here; the journal's
time stamps give the duration of each part. Then the commands that only read are timed on a project with many studies.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from harness.checks.types import errors
from harness.state.events import (
    AnyEvent,
    AttemptEnded,
    AttemptLaunched,
    EditChecked,
    ModelCalled,
    Recorded,
    StudyStarted,
    TurnEnded,
    TurnStarted,
)
from harness.state.journal import read

HERE = Path(__file__).parent
IDEAS = ("Add one to the constant", "Add one to the constant again")

Row = tuple[str, float, float | None]
"""What was measured, its seconds, and their limit."""


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    runs: int
    """Runs in the study of each idea."""
    studies: int
    """Studies in the project for the commands that only read."""
    repeats: int
    """Repetitions of everything that is not measured once per run."""


FULL = Size(runs=12, studies=100, repeats=9)
SMALL = Size(runs=2, studies=4, repeats=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="few runs and studies, and no limits on time")
    size = SMALL if parser.parse_args().small else FULL
    with tempfile.TemporaryDirectory(prefix="harness-overhead-") as scratch:
        project = Path(scratch)
        shutil.copytree(HERE / "overhead_template", project / "templates" / "overhead")
        harness(project, "baseline", "overhead")
        recording = write_recording(project / "recording.jsonl", size.runs)
        ideas = [argument for idea in IDEAS for argument in ("--idea", idea)]
        harness(project, "run", "overhead", *ideas, "--model", f"replay:{recording}", "--max-runs", str(size.runs))
        journals = map(read, project.glob("runs/*/.harness/journal.jsonl"))
        first, second = sorted(journals, key=lambda events: events[0].at)
        types = median(partial(errors, sys.executable, project / "templates" / "overhead"), size.repeats)
        rows = per_run([*first, *second], types)
        rows += [("first study: until the first model answer", until_first_call(first), None)]
        rows += [("second study of the same command: the same", until_first_call(second), None)]
        rows += commands(project, size)
    show(rows, size)


def harness(project: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "harness", "-C", project, *arguments], check=True, stdout=subprocess.DEVNULL)


def write_recording(path: Path, runs: int) -> Path:
    """One edit of a constant per run."""
    block = "experiment.py\n```python\n<<<<<<< SEARCH\nVALUE = {}\n=======\nVALUE = {}\n>>>>>>> REPLACE\n```\n"
    replies = [block.format(i, i + 1) for i in range(runs)]
    path.write_text("".join(json.dumps({"prompt": "", "reply": reply}) + "\n" for reply in replies))
    return path


def median(call: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def per_run(events: list[AnyEvent], types: float) -> list[Row]:
    """Medians over all runs, from the journal's time stamps."""
    parts: dict[str, list[float]] = {"prompt": [], "call": [], "edit": [], "checks": [], "launch": [], "record": []}
    before: AnyEvent | None = None
    for event in events:
        if before is not None:
            took = event.at - before.at
            match (before, event):
                case (Recorded(), TurnStarted()):
                    parts["prompt"].append(took)
                case (TurnStarted(purpose="next"), ModelCalled()):  # the first call waits for the import of aider
                    parts["call"].append(took - event.seconds)
                case (ModelCalled(), TurnEnded(status="edited")):
                    parts["edit"].append(took)
                case (TurnEnded(), EditChecked()):
                    parts["checks"].append(took)
                case (AttemptLaunched(), AttemptEnded()):
                    parts["launch"].append(took - event.seconds)
                case (AttemptEnded(), Recorded()):
                    parts["record"].append(took)
        before = event
    prompt, call, edit, checks, launch, record = (statistics.median(parts[name]) for name in parts)
    total = prompt + call + edit + checks + launch + record
    return [
        ("prompt: restore, write", prompt, None),
        ("call: all but the model's own time", call, None),
        ("edit: apply, scope, snapshot", edit, None),
        ("checks: no-op, lint, types", checks, None),
        ("  of which the type check", types, None),
        ("runner: start, collect, metrics", launch, None),
        ("record: verdict, commit, tag", record, None),
        ("harness time per run", total, 0.5),
        ("  without the type check", total - types, 0.25),
    ]


def until_first_call(events: list[AnyEvent]) -> float:
    started = next(event.at for event in events if isinstance(event, StudyStarted))
    return next(event.at for event in events if isinstance(event, ModelCalled)) - started


def commands(project: Path, size: Size) -> list[Row]:
    """Commands that only read, on a project with many studies (copies of the journals above)."""
    journals = sorted(project.glob("runs/*/.harness/journal.jsonl"))
    study = journals[0].parent.parent.name
    for number in range(size.studies - len(journals)):
        folder = project / "runs" / f"copy-{number:03d}" / ".harness"
        folder.mkdir(parents=True)
        shutil.copy(journals[number % len(journals)], folder)
    lines = [["--help"], ["status"], ["compare", study], ["diff", study, "1", "2"]]
    return [(f"harness {line[0]}", median(partial(harness, project, *line), size.repeats), 0.3) for line in lines]


def show(rows: list[Row], size: Size) -> None:
    title = f"{size.runs} runs in each of {len(IDEAS)} studies; {size.studies} studies for commands"
    table = Table("what", "median", "at most", "", title=title)
    for what, seconds, limit in rows:
        verdict = "" if limit is None or size is SMALL else "ok" if seconds <= limit else "too slow"
        table.add_row(what, f"{seconds * 1000:.0f} ms", "" if limit is None else f"{limit * 1000:.0f} ms", verdict)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
