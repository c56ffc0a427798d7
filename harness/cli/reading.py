"""Commands that only read: status, show, diff, compare."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.app import Json, app, print_json, print_line, project

if TYPE_CHECKING:
    from harness.paths import ProjectPaths, StudyPaths
    from harness.state.history import History, Run

BEST_FIRST = (
    "better",
    "promising, unconfirmed",
    "mixed",
    "not confirmed",
    "inconclusive",
    "unchanged",
    "worse",
    "cannot tell",
)
StudyName = Annotated[str, typer.Argument(help="Name of a study, or a beginning or end that no other name has.")]


@app.command()
def status(
    cost: Annotated[bool, typer.Option("--cost", help="What each study has cost, and all together.")] = False,
    as_json: Json = False,
) -> None:
    """List the studies of this project."""
    from harness.errors import JournalCorrupt
    from harness.state.journal import folded

    here = project()
    studies, bad = [], []
    for paths in (here.study_paths(name) for name in here.studies()):
        try:
            found = folded(paths.journal)
        except JournalCorrupt as error:
            bad.append(error)
        else:
            studies += [(paths, found)] if found.start is not None else []
    if studies or as_json or not bad:
        _print_cost(studies, as_json) if cost else _print_status(studies, as_json)
    if bad:
        raise JournalCorrupt("; ".join(map(str, bad)))


def _print_status(studies: list[tuple[StudyPaths, History]], as_json: bool) -> None:
    if as_json:
        print_json([_summary(paths, history) for paths, history in studies])
        return
    if not studies:
        print("No study yet. Begin one with: harness run TEMPLATE --idea …")
        return
    from harness.cli import words

    rows = [["study", "template", "agent", "status", "runs", "best", "spent"]]
    for row in (_summary(paths, history) for paths, history in studies):
        spent = words.duration(row["seconds"]) + (f", ${row['dollars']:.2f}" if row["dollars"] else "")
        rows.append([row["study"], row["template"], row["agent"], row["status"]])
        rows[-1] += [f"{row['runs']}/{row['max_runs']}", row["best"], spent]
    print(words.columns(rows))


def _print_cost(studies: list[tuple[StudyPaths, History]], as_json: bool) -> None:
    """The ledger: calls, tokens, dollars, machine time and GPU time, per study and in all."""
    from harness.cli import words

    rows = [_costs(paths.name, [history]) for paths, history in studies]
    rows.append(_costs("all", [history for _, history in studies]))
    if as_json:
        print_json(rows)
        return
    cells = [["study", "calls", "tokens in", "tokens out", "dollars", "machine", "GPU"]]
    for row in rows:
        numbers = [f"{row[name]:,}" for name in ("calls", "tokens_in", "tokens_out")]
        times = [words.duration(row[name]) for name in ("machine_seconds", "gpu_seconds")]
        cells.append([row["study"], *numbers, f"{row['dollars']:.4f}", *times])
    print(words.columns(cells))


def _costs(name: str, histories: list[History]) -> dict[str, Any]:
    return {
        "study": name,
        "calls": sum(h.usage.calls for h in histories),
        "tokens_in": sum(h.usage.tokens_in for h in histories),
        "tokens_out": sum(h.usage.tokens_out for h in histories),
        "dollars": round(sum(h.usage.dollars for h in histories), 6),
        "machine_seconds": round(sum(h.machine_seconds for h in histories), 1),
        "gpu_seconds": round(sum(h.machine_seconds * h.begun.gpus for h in histories), 1),
    }


def _summary(paths: StudyPaths, history: History) -> dict[str, Any]:
    from harness.execution import lock
    from harness.state.verdicts import in_one_word

    begun = history.begun
    words = in_one_word(history).values()
    best = next((word for word in BEST_FIRST if word in words), "–")
    return {
        "study": paths.name,
        "template": begun.template,
        "idea": begun.idea.title,
        "agent": begun.agent,
        "model": begun.model,
        "status": history.status if history.stopped or lock.holder(paths.lock) else "killed",
        "reason": history.stopped.reason if history.stopped else "",
        "runs": history.spent_runs,
        "max_runs": begun.budget.runs,
        "best": best,
        "seconds": round(history.seconds, 1),
        "dollars": round(history.usage.dollars, 6),
        "tokens": history.usage.tokens,
    }


@app.command()
def show(study: StudyName, as_json: Json = False) -> None:
    """Tell the story of one study, event by event."""
    from harness.state.journal import history, read

    paths = project().study(study)
    begun = history(paths).begun
    events = read(paths.journal)
    if as_json:
        print_json([event.model_dump(mode="json") for event in events])
        return
    from harness.cli import words
    from harness.planning import budget
    from harness.state.events import AttemptLaunched
    from harness.state.history import History

    state = History([])
    for event in events:
        state.add(event)
        if said := words.line(event, state):
            print_line((words.when(event.at), "dim"), said)
    used = sorted({e.sandbox for e in events if isinstance(e, AttemptLaunched)} or {begun.sandbox})
    sandbox = ", ".join(used).replace("none", "none (runs were not confined)")
    facts = {
        "agent": f"{begun.agent} {begun.model}".strip(),
        "seeds": ", ".join(map(str, begun.seeds)),
        "sandbox": sandbox,
        "baseline": f"measured on {begun.baseline_machine or 'a machine that is not known'}",
        "spent": f"{words.duration(state.seconds)}, {state.usage.tokens:,} tokens, ${state.usage.dollars:.4f}",
        "left": str(budget.left(state)),
        "notes": str(paths.root / "notes.md"),
        "logs": str(paths.private / "jobs"),
        "prompts": str(paths.private / "prompts"),
    }
    print_line()
    for key, value in facts.items():
        print_line(f"{key + ':':10}{words.plain(value, 1000)}")
    for sentence in words.elsewhere(state):
        print_line((sentence, "yellow"))
    for sentence in words.disagreements(state):
        print_line((sentence, "bold red"))
    for claim in _unsupported(paths, state):
        print_line((f"not supported by the results: {claim}", "yellow"))


def _unsupported(paths: StudyPaths, history: History) -> list[str]:
    """Claims in the notes that the results do not support, one line each."""
    from harness.claims import notes
    from harness.cli import words

    return [
        f"{name}:{finding.line}: {words.plain(finding.message)}" for name, finding in notes.audit(paths.root, history)
    ]


@app.command()
def diff(
    study: StudyName,
    first: Annotated[str | None, typer.Argument(help="A run's number; without it, what the study began with.")] = None,
    second: Annotated[str | None, typer.Argument(help="A run's number; without it, the study's last commit.")] = None,
    stat: Annotated[bool, typer.Option("--stat", help="Only the files and how many lines.")] = False,
    as_json: Json = False,
) -> None:
    """Show a study against its template, one run against the template, or two runs against each other."""
    from harness.text import printable
    from harness.workspace import Lab

    here = project()
    name = here.study(study).name
    lab = Lab(here.lab)
    if second is not None and first is not None:
        ends = (lab.resolve(name, first), lab.resolve(name, second))
    else:
        ends = (lab.resolve(name, "template"), lab.resolve(name, first) if first else lab.head(name))
    text = lab.diff(*ends, color=sys.stdout.isatty() and not as_json, stat=stat)
    if as_json:
        print_json({"study": name, "from": ends[0], "to": ends[1], "diff": text})
    else:
        print(printable(text) if text else "no difference")


@app.command()
def compare(
    studies: Annotated[list[str] | None, typer.Argument(help="Names of studies; without one, the latest.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every metric, not only the primary one.")] = False,
    as_json: Json = False,
) -> None:
    """Compare the runs of studies with their baselines."""
    from harness.cli.comparison import print_comparison
    from harness.errors import UserError
    from harness.state.journal import history

    here = project()
    known = here.studies()
    if not known:
        raise UserError("there is no study yet; begin one with: harness run TEMPLATE --idea …")
    chosen = [here.study(name) for name in studies or []] or [here.study_paths(_latest(here))]
    found = [(paths, history(paths)) for paths in chosen]
    if as_json:
        print_json([_study_json(p, h) for p, h in found])
        return
    for paths, state in found:
        print_comparison(paths, state, every)


def _latest(here: ProjectPaths) -> str:
    studies = here.studies()
    own = [name for name in studies if not re.search(r"-control$|-replay(-\d+)?$", name)]
    return max(own or studies, key=lambda name: here.study_paths(name).journal.stat().st_mtime)


def _study_json(paths: StudyPaths, history: History) -> dict[str, Any]:
    from dataclasses import asdict

    from harness.cli.comparison import control_of
    from harness.report.curves import curve, differences

    found: dict[str, Any] = {"study": paths.name, "runs": [_run_json(history, run) for run in history.runs.values()]}
    home = history.begun.baseline_machine
    found["baseline_machine"] = home.model_dump(mode="json") if home else None
    found["unsupported_claims"] = _unsupported(paths, history)
    beside = control_of(paths)
    if beside is not None and (ours := curve(history)) and (theirs := curve(beside)):
        found["control"] = {
            "study": beside.begun.study,
            "curve": [asdict(point) for point in ours],
            "control_curve": [asdict(point) for point in theirs],
            "differences": [{**asdict(d), "difference": d.difference} for d in differences(ours, theirs)],
        }
    return found


def _run_json(history: History, run: Run) -> dict[str, Any]:
    from harness.state.verdicts import disagreements, judge

    verdicts = judge(history).get(run.number, {})
    return {
        "run": run.number,
        "outcome": run.outcome,
        "attempts": len(run.attempts),
        "replicate_of": run.replicate_of,
        "commit": run.recorded.commit if run.recorded else None,
        "verdicts": {dataset: {"verdict": word, "p_corrected": p} for dataset, (word, p) in verdicts.items()},
        "comparisons": [c.model_dump(mode="json") for c in run.comparisons],
        "machine": run.measured.machine.model_dump(mode="json") if run.measured and run.measured.machine else None,
        "reported_differs": disagreements(history, run),
        "confirmation": run.confirmed.model_dump(mode="json") if run.confirmed else None,
    }
