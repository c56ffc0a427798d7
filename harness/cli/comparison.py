"""How `harness compare` shows a study: a table where there is room for one, else a block per run."""

from __future__ import annotations

from harness.cli import words
from harness.cli.app import print_line, width
from harness.paths import StudyPaths
from harness.prompts import number
from harness.records import Comparison
from harness.report.curves import curve
from harness.state.history import History
from harness.state.journal import history as read_history
from harness.state.verdicts import judge_confirmed, screen

ROOM = 130
"""Columns that the table needs; cut-off numbers would be worse than none."""
HEADS = ("run", "metric", "baseline ± sd", "run ± sd", "effect [95 % interval]", "p", "could have seen", "verdict")


def print_comparison(paths: StudyPaths, history: History, every: bool) -> None:
    """Every run of a study against its baseline; the primary metric only, unless `every`."""
    title = f"{paths.name} · {history.begun.template} · {words.plain(history.begun.idea.title)}"
    print_line((title, "bold"), (f"[{history.status}]", "dim"))
    rows = _rows(history, every)
    if not rows:
        print_line(("no run was launched", "dim"))
    elif width() >= ROOM:
        _print_table(rows)
    else:
        _print_blocks(rows)
    for sentence in words.disagreements(history):
        print_line((sentence, "bold red"))
    tried = sum(p is not None for of_run in screen(history).values() for _, p in of_run.values())
    if tried:
        over = f"the {tried} comparisons of this study" if tried > 1 else "one comparison"
        print_line((f"p: Welch's t test over seeds, Holm-corrected over {over}.", "dim"))
    for sentence in words.elsewhere(history):
        print_line((sentence, "yellow"))
    if any(run.promising and not run.confirmed for run in history.measured):
        print_line((f"Measure a promising run on fresh seeds:  harness confirm {paths.name} [RUN]", "dim"))
    _print_control(paths, history)
    lab = paths.root.parent / "lab.git"
    for run in history.measured:
        command = f"git -C '{lab}' diff {paths.name}/template {paths.name}/run_{run.number}"
        print_line(command)


def _print_control(paths: StudyPaths, history: History) -> None:
    """Best so far of a study and of its control, where it has one."""
    beside = control_of(paths)
    if beside is None or not (ours := curve(history)) or not (theirs := curve(beside)):
        return
    goal = history.measured[0].primary[0].goal
    title = f"best so far on the study's seeds, {'lower' if goal == 'min' else 'higher'} is better:"
    print_line((title, "dim"))
    names = (history.begun.agent, f"control ({beside.begun.agent})")
    for line in words.curves(ours, theirs, names):
        print_line(f"  {line}")


def control_of(paths: StudyPaths) -> History | None:
    """The control of a study, if it has one."""
    beside = StudyPaths(paths.root.with_name(f"{paths.name}-control"))
    if not beside.journal.is_file():
        return None
    found = read_history(beside)
    return found if found.begun.control_of == paths.name else None


def _rows(history: History, every: bool) -> list[tuple[str, ...]]:
    """One row per run and metric, in the order of HEADS."""
    rows: list[tuple[str, ...]] = []
    verdicts, fresh = screen(history), judge_confirmed(history)
    several = len(history.begun.baseline) > 1
    for run in history.runs.values():
        name = str(run.number)
        if not run.comparisons:
            rows.append((name, "no result", "", "", "", "", "", run.outcome))
        for c in run.comparisons:
            if every or (c.primary and not (several and c.unchanged)):
                word, p = verdicts[run.number][c.dataset] if c.primary else ("exploratory", None)
                rows.append((name, *_cells(c, several), number(p) if c.primary else "", _seen(c), word))
                name = ""
        if several and not every and (same := [c for c in run.primary if c.unchanged]):
            where = f"{words.plain(same[0].metric)} on {len(same)} dataset{'s' if len(same) > 1 else ''}"
            rows.append((name, where, "the same values", "", "", "", "", "unchanged"))
        name = f"{run.number} fresh"
        for c in run.confirmed.comparisons if run.confirmed else ():
            judged = c.primary and c.dataset in fresh.get(run.number, {})
            if judged or every:
                word, p = fresh[run.number][c.dataset] if judged else ("exploratory", None)
                rows.append((name, *_cells(c, several), number(p) if judged else "", _seen(c), word))
                name = ""
    return rows


def _cells(c: Comparison, several: bool) -> tuple[str, str, str, str]:
    metric = f"{words.plain(c.metric)} {'↓' if c.goal == 'min' else '↑'}"
    interval = "" if c.note else f" [{number(c.low)}, {number(c.high)}]"
    return (
        metric + (f" {words.plain(c.dataset)}" if several else ""),
        f"{number(c.baseline_mean)} ± {number(c.baseline_sd)} (n={c.baseline_n})",
        f"{number(c.mean)} ± {number(c.sd)} (n={c.n})",
        f"{c.effect:+.3g}{interval}",
    )


def _seen(c: Comparison) -> str:
    return c.note.split(": ")[-1].removeprefix("the values are ") if c.note else number(c.detectable)


def _style(word: str) -> str:
    return words.VERDICT_STYLE.get(word, "dim")


def _print_table(rows: list[tuple[str, ...]]) -> None:
    """Columns below each other; the last one, which is the verdict, in its colour."""
    cells = words.columns([list(HEADS[:-1]), *(list(row[:-1]) for row in rows)], ragged=False).splitlines()
    print_line((f"{cells[0]}  {HEADS[-1]}", "bold"))
    for line, row in zip(cells[1:], rows, strict=True):
        print_line(f"{line} ", (row[-1], _style(row[-1])))


def _print_blocks(rows: list[tuple[str, ...]]) -> None:
    for run, metric, baseline, value, effect, p, seen, word in rows:
        if run:
            print_line((f"run {run}", "bold"))
        print_line(f"  {metric} ", (word, _style(word)))
        details = {"run": value, "baseline": baseline, "effect": effect, "p": p, "could have seen": seen}
        for head, cell in details.items():
            if cell:
                print_line(f"    {head:16}{cell}")
