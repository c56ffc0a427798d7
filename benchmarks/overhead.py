"""What the harness costs beside the model and the experiment: `python benchmarks/overhead.py`.

A template whose experiment does nothing is worked by real aider through a recording written here; the journal's own
time stamps say how long each part took. Then the reading commands on a project of 100 studies.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from harness.events import (
    AnyEvent,
    AttemptEnded,
    AttemptLaunched,
    EditChecked,
    ModelCalled,
    Recorded,
    StudyStarted,
    TurnEnded,
)
from harness.journal import read

HERE = Path(__file__).parent
RUNS = 12
STUDIES = 100
REPEATS = 9


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="harness-overhead-") as scratch:
        project = Path(scratch)
        shutil.copytree(HERE / "overhead_template", project / "templates" / "overhead")
        harness(project, "baseline", "overhead")
        recording = write_recording(project / "recording.jsonl")
        two_ideas = ["--idea", "first", "--idea", "second", "--model", f"replay:{recording}", "--max-runs", str(RUNS)]
        harness(project, "run", "overhead", *two_ideas)
        first, second = (read(path) for path in sorted(project.glob("runs/*/.harness/journal.jsonl")))
        rows = per_run([*first, *second], type_check_seconds(project))
        rows += [("first study: until the first model answer", until_first_call(first), None)]
        rows += [("second study of the same command: the same", until_first_call(second), None)]
        rows += commands(project)
    show(rows)


def harness(project: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "harness", "-C", project, *arguments], check=True, stdout=subprocess.DEVNULL)


def write_recording(path: Path) -> Path:
    """RUNS edits of one constant, then the end."""
    block = "experiment.py\n```python\n<<<<<<< SEARCH\nVALUE = {}\n=======\nVALUE = {}\n>>>>>>> REPLACE\n```\n"
    replies = [block.format(i, i + 1) for i in range(RUNS)] + ["Nothing to note."]
    path.write_text("".join(json.dumps({"prompt": "", "reply": reply}) + "\n" for reply in replies))
    return path


def type_check_seconds(project: Path) -> float:
    from harness.checks.types import errors
    from harness.template import Template

    template = Template(project / "templates" / "overhead")
    return median(lambda: errors(template, template.folder))


def median(call: object) -> float:
    assert callable(call)
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def per_run(events: list[AnyEvent], types: float) -> list[tuple[str, float, float | None]]:
    """Medians over all runs, from the journal's time stamps."""
    parts: dict[str, list[float]] = {"edit": [], "checks": [], "launch": [], "record": []}
    before: AnyEvent | None = None
    for event in events:
        if before is not None:
            took = event.at - before.at
            match (before, event):
                case (ModelCalled(), TurnEnded(status="edited")):
                    parts["edit"].append(took)
                case (TurnEnded(), EditChecked()):
                    parts["checks"].append(took)
                case (AttemptLaunched(), AttemptEnded()):
                    parts["launch"].append(took - event.seconds)
                case (AttemptEnded(), Recorded()):
                    parts["record"].append(took)
        before = event
    edit, checks, launch, record = (statistics.median(parts[name]) for name in parts)
    total = edit + checks + launch + record
    return [
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


def commands(project: Path) -> list[tuple[str, float, float | None]]:
    """Reading commands on a project with many studies (copies of the journals above)."""
    journals = sorted(project.glob("runs/*/.harness/journal.jsonl"))
    study = journals[0].parent.parent.name
    for number in range(STUDIES - len(journals)):
        folder = project / "runs" / f"copy-{number:03d}" / ".harness"
        folder.mkdir(parents=True)
        shutil.copy(journals[number % len(journals)], folder)
    lines = [["--help"], ["status"], ["compare", study], ["diff", study, "1", "2"]]
    return [(f"harness {' '.join(line[:1])}", median(lambda line=line: harness(project, *line)), 0.3) for line in lines]


def show(rows: list[tuple[str, float, float | None]]) -> None:
    table = Table(
        "what", "median", "at most", "", title=f"{RUNS} runs in each of 2 studies; {STUDIES} studies for commands"
    )
    for what, seconds, limit in rows:
        verdict = "" if limit is None else "ok" if seconds <= limit else "too slow"
        table.add_row(what, f"{seconds * 1000:.0f} ms", "" if limit is None else f"{limit * 1000:.0f} ms", verdict)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
