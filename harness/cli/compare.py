"""harness compare: runs compared with their baseline, as a table or, on narrow terminals, as a block per run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.app import app, print_json, print_line, project, width
from harness.cli.options import Json

if TYPE_CHECKING:
    from harness.paths import ProjectPaths, StudyPaths
    from harness.records import Comparison
    from harness.report.comparison import ComparisonRow
    from harness.state.history import History
    from harness.state.run import Run

ROOM = 130
"""Columns that the table needs; on narrower terminals it would cut numbers off."""
HEADS = ("run", "metric", "baseline ± sd", "run ± sd", "effect [95 % interval]", "p", "min. detectable", "verdict")
MEANING = "min. detectable: a true gain this large looks promising in 80 % of such runs; a smaller one can, too."


@app.command()
def compare(
    studies: Annotated[list[str] | None, typer.Argument(help="Names of studies. Default: the latest.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Show all metrics, not only the primary one.")] = False,
    as_json: Json = False,
) -> None:
    """Compare the runs of a study with its baseline."""
    from harness.errors import UserError
    from harness.state.journal import history

    here = project()
    known = here.studies()
    if not known:
        raise UserError("there are no studies yet; start one with: harness run TEMPLATE --idea …")
    chosen = [here.study(name) for name in studies or []] or [here.study_paths(_latest(here))]
    found = [(paths, history(paths)) for paths in chosen]
    if as_json:
        print_json([_study_json(p, h) for p, h in found])
        return
    for paths, state in found:
        _print_study(paths, state, every)


def _latest(here: ProjectPaths) -> str:
    studies = here.studies()
    own = [name for name in studies if not re.search(r"-control$|-replay(-\d+)?$", name)]
    return max(own or studies, key=lambda name: here.study_paths(name).journal.stat().st_mtime)


def _print_study(paths: StudyPaths, history: History, every: bool) -> None:
    """Print every run of a study compared with its baseline; only the primary metric unless `every`."""
    from harness.cli.formatting import print_warnings
    from harness.report import comparison
    from harness.report.summary import status_of
    from harness.text import plain

    title = f"{paths.name} · {history.begun.template} · {plain(history.begun.idea.title)}"
    print_line((title, "bold"), (f"[{status_of(paths, history)}]", "dim"))
    cells = _cells(comparison.rows(history, every), several=len(history.begun.baseline) > 1)
    if not cells:
        print_line(("no run was launched", "dim"))
    elif width() >= ROOM:
        _print_table(cells)
    else:
        _print_blocks(cells)
    print_warnings(comparison.disagreements(history), "bold red")
    _print_legend(history)
    print_warnings(comparison.stopped_early(history), "dim")
    print_warnings(comparison.repeated(history), "bold red")
    print_warnings(comparison.elsewhere(history), "yellow")
    if history.begun.seeding == "fixed":
        print_line(
            ("the template ignores HARNESS_SEEDS, so there are no fresh seeds and no run can be confirmed", "yellow")
        )
    elif any(run.promising for run in history.measured) and not any(run.confirmed for run in history.measured):
        print_line((f"Confirm a promising run on fresh seeds:  harness confirm {paths.name} [RUN]", "dim"))
    _print_control(paths, history)
    _print_changes(paths, history)


def _print_changes(paths: StudyPaths, history: History) -> None:
    """Print what the agent said of each run's edit, and the command that shows it."""
    from harness.report.changes import changes
    from harness.state.journal import read

    said = changes(read(paths.journal))
    if any(said.values()):
        print_line(("what the agent said of its edits:", "dim"))
    for run, sentence in said.items():
        if sentence:
            print_line(f"  run {run}: {sentence}")
    if history.measured:
        print_line((f"The whole change of a run:  harness diff {paths.name} RUN", "dim"))


def _print_legend(history: History) -> None:
    """Print how p values and intervals are to be read."""
    from harness.report import comparison

    tried = comparison.count_comparisons(history)
    if tried:
        over = f"the {tried} comparisons of this study" if tried > 1 else "one comparison"
        text = f"p: Welch's t test over seeds, Holm-corrected over {over}; intervals are not corrected."
        print_line((text, "dim"))
        print_line((MEANING, "dim"))
    for run in history.measured:
        fresh = run.confirmed.comparisons if run.confirmed else ()
        looked = next((c for c in fresh if c.look and c.primary), None)
        if looked is not None and run.confirmed is not None:
            seeds = f"seeds {run.confirmed.seeds[0]}–{run.confirmed.seeds[-1]}, look {looked.look}: {run.confirmed.why}"
            interval = f"{looked.confidence} interval".strip()
            text = f"{run.number} fresh: run and baseline on {seeds}; its {interval} holds over all looks."
            if looked.needed and looked.needed > looked.n and not run.confirmed.repeats:
                text += f" About {looked.needed:,} seeds per side would tell such an effect from zero."
            print_line((text, "dim"))


def _print_control(paths: StudyPaths, history: History) -> None:
    """Print the best value so far of a study and its control, if it has one."""
    from harness.cli.formatting import curves
    from harness.report.comparison import control_of

    control = control_of(paths, history)
    if control is None:
        return
    better = "lower" if control.goal == "min" else "higher"
    print_line((f"best so far on the study's seeds, {better} is better:", "dim"))
    for line in curves(control.ours, control.theirs, (history.begun.agent, f"control ({control.agent})")):
        print_line(f"  {line}")


def _cells(rows: list[ComparisonRow], several: bool) -> list[tuple[str, ...]]:
    """The cells of each row, in the order of HEADS; only a run's first row names it."""
    from harness.text import number

    found: list[tuple[str, ...]] = []
    before = ""
    for row in rows:
        c, name = row.comparison, f"{row.run} fresh" if row.fresh else str(row.run)
        shown, before = ("" if name == before else name), name
        if c is not None:
            p = number(row.p) if c.primary and row.verdict != "exploratory" and not c.look else ""
            found.append((shown, *_comparison_cells(c, several), p, _detectable(c), row.verdict))
        elif row.unchanged:
            where = f"on {row.unchanged} dataset{'s' if row.unchanged > 1 else ''}"
            found.append((shown, where, "the same values", "", "", "", "", row.verdict))
        else:
            found.append((shown, "no result", "", "", "", "", "", row.verdict))
    return found


def _comparison_cells(c: Comparison, several: bool) -> tuple[str, str, str, str]:
    from harness.text import number, plain

    metric = f"{plain(c.metric)} {'↓' if c.goal == 'min' else '↑'}"
    confidence = f" ({c.confidence})" if c.confidence else ""
    interval = "" if c.note else f" [{number(c.low)}, {number(c.high)}]{confidence}"
    return (
        metric + (f" {plain(c.dataset)}" if several else ""),
        f"{number(c.baseline_mean)} ± {number(c.baseline_sd)} (n={c.baseline_n})",
        f"{number(c.mean)} ± {number(c.sd)} (n={c.n})",
        f"{c.effect:+.3g}{interval}",
    )


def _detectable(c: Comparison) -> str:
    from harness.text import number

    if c.note:
        return c.note.split(": ")[-1].removeprefix("the values are ")
    return "" if c.look else number(c.detectable)


def _print_table(cells: list[tuple[str, ...]]) -> None:
    """Print aligned columns; the verdict, in the last one, is coloured."""
    from harness.cli.formatting import VERDICT_STYLES, columns

    lines = columns([list(HEADS[:-1]), *(list(row[:-1]) for row in cells)], ragged=False).splitlines()
    print_line((f"{lines[0]}  {HEADS[-1]}", "bold"))
    for line, row in zip(lines[1:], cells, strict=True):
        print_line(f"{line} ", (row[-1], VERDICT_STYLES.get(row[-1], "dim")))


def _print_blocks(cells: list[tuple[str, ...]]) -> None:
    from harness.cli.formatting import VERDICT_STYLES

    for run, metric, baseline, value, effect, p, detectable, word in cells:
        if run:
            print_line((f"run {run}", "bold"))
        print_line(f"  {metric} ", (word, VERDICT_STYLES.get(word, "dim")))
        details = {"run": value, "baseline": baseline, "effect": effect, "p": p, HEADS[6]: detectable}
        for head, cell in details.items():
            if cell:
                print_line(f"    {head:16}{cell}")


def _study_json(paths: StudyPaths, history: History) -> dict[str, Any]:
    from dataclasses import asdict

    from harness.report.comparison import control_of
    from harness.report.curves import differences
    from harness.report.facts import unsupported_claims
    from harness.report.summary import status_of

    home = history.begun.baseline_machine
    found: dict[str, Any] = {
        "study": paths.name,
        "status": status_of(paths, history),
        "runs": [_run_json(history, run) for run in history.runs.values()],
        "baseline_machine": home.model_dump(mode="json") if home else None,
        "unsupported_claims": unsupported_claims(paths, history),
    }
    control = control_of(paths, history)
    if control is not None:
        equal = differences(control.ours, control.theirs)
        found["control"] = {
            "study": control.study,
            "curve": [asdict(point) for point in control.ours],
            "control_curve": [asdict(point) for point in control.theirs],
            "differences": [{**asdict(d), "difference": d.difference} for d in equal],
        }
    return found


def _run_json(history: History, run: Run) -> dict[str, Any]:
    from harness.state.verdicts import disagreements, judge

    measured, recorded = run.measured, run.recorded
    return {
        "run": run.number,
        "outcome": run.outcome,
        "attempts": len(run.attempts),
        "replicate_of": run.replicate_of,
        "commit": recorded.commit if recorded else None,
        "stopped_early": recorded.stopped if recorded else "",
        "saved_seconds": recorded.saved if recorded else 0.0,
        "repeats_other_seeds": bool(recorded and recorded.repeats) or bool(run.confirmed and run.confirmed.repeats),
        "verdicts": {
            dataset: {"verdict": word, "p_corrected": p}
            for dataset, (word, p) in judge(history).get(run.number, {}).items()
        },
        "comparisons": [c.model_dump(mode="json") for c in run.comparisons],
        "machine": measured.machine.model_dump(mode="json") if measured and measured.machine else None,
        "reported_differs": disagreements(history, run),
        "confirmation": run.confirmed.model_dump(mode="json") if run.confirmed else None,
    }
