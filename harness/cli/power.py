"""harness power: what a study of a template will be able to show."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import app, print_json, print_line, project
from harness.cli.options import Json

if TYPE_CHECKING:
    from harness.planning.power import DatasetPower, Outlook


@app.command()
def power(
    template: Annotated[str, typer.Argument(help="Name or folder of a template.")],
    effect: Annotated[
        str | None,
        typer.Option(help='A gain that you want to see: in per cent of the baseline ("1%") or in the metric\'s unit.'),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say which gains a study could show, and how many seeds a wanted one takes. Runs nothing."""
    from harness.errors import UserError
    from harness.planning.power import outlook, why_nothing_to_plan
    from harness.report.power import warnings
    from harness.template import baseline
    from harness.template import folder as templates

    wanted = None if effect is None else _amount(effect)
    here = project()
    chosen = templates.load(here.templates, template)
    stored = baseline.load(here.baselines, chosen)
    why = why_nothing_to_plan(chosen.manifest, stored.scores, stored.seeding)
    if why is not None:
        raise UserError(f"{chosen.name}: {why}")
    found = outlook(chosen.manifest, stored.scores, stored.seconds, effect=wanted)
    if as_json:
        print_json({**found.model_dump(mode="json"), "warnings": warnings(found)})
    else:
        _print(found, effect)


def _amount(text: str) -> float | str:
    """The effect that `--effect` names: a number, or a percentage as [metrics.x] has it."""
    from harness.errors import UserError

    number = text.strip()
    try:
        value = float(number.removesuffix("%"))
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise UserError(f"--effect {text}: write a gain above zero, such as 0.01, or 1% of the baseline's mean")
    return number if number.endswith("%") else value


def _print(found: Outlook, effect: str | None) -> None:
    from harness.cli.formatting import columns, print_warnings
    from harness.report.power import warnings

    heads = ["dataset", "baseline ± sd", f"screening ({found.seeds} seeds)"]
    heads += [f"confirmation (up to {found.looks[-1]})"] if found.looks else []
    heads += ["left to gain"] if any(row.left is not None for row in found.datasets) else []
    heads += ["worth it"] if any(row.worth for row in found.datasets) else []
    arrow = "↓" if found.goal == "min" else "↑"
    print_line((f"{found.template} · {found.metric} {arrow} · smallest gain that is seen with 80 % power", "bold"))
    _print_table(columns([heads, *(_cells(found, row, heads) for row in found.datasets)]))
    if effect is not None and found.looks:
        _print_wanted(found, effect)
    print_warnings(warnings(found), "yellow")
    print_line("")
    for line in _notes(found):
        print_line((line, "dim"))


def _print_table(table: str) -> None:
    head, *lines = table.splitlines()
    print_line((head, "bold"))
    for line in lines:
        print_line(line)


def _cells(found: Outlook, row: DatasetPower, heads: list[str]) -> list[str]:
    from harness.report.power import seen
    from harness.text import number, plain

    cells = [plain(row.dataset), f"{number(row.baseline_mean)} ± {number(row.baseline_sd)} (n={row.baseline_n})"]
    cells += [seen(row, row.screening)]
    cells += [seen(row, row.confirmation)] if found.looks else []
    cells += [seen(row, row.left)] if "left to gain" in heads else []
    return cells + ([seen(row, row.worth or None)] if "worth it" in heads else [])


def _print_wanted(found: Outlook, effect: str) -> None:
    """Print what it takes to confirm a gain of the wanted size."""
    from harness.cli.formatting import columns
    from harness.planning.power import WantedEffect
    from harness.report.power import seen
    from harness.text import duration, percent, plain

    most = found.looks[-1]

    def cells(row: DatasetPower, w: WantedEffect) -> list[str]:
        seeds = "more than 10,000" if w.seeds is None else f"{w.seeds:,}"
        average = "–" if w.expected_seeds is None else f"{w.expected_seeds:,.0f}"
        time = "–" if w.seconds is None else duration(w.seconds)
        return [plain(row.dataset), seen(row, w.effect), percent(w.power or 0.0), seeds, average, time]

    heads = [
        "dataset",
        "gain",
        f"power with {most} seeds",
        "seeds for 80 %",
        "on average",
        f"time with {found.runs} runs",
    ]
    rows = [cells(row, row.wanted) for row in found.datasets if row.wanted]
    print_line(("\n" + f"To confirm a gain of {effect}, in fresh seeds per side (run and baseline)", "bold"))
    _print_table(columns([heads, *rows]))
    larger = [(w.seeds, w.first, row.dataset) for row in found.datasets if (w := row.wanted) and (w.seeds or 0) > most]
    if larger:
        seeds, first, dataset = max(larger)
        on = f" for {plain(dataset)}" if len(found.datasets) > 1 else ""
        confirm = f"[run] confirm = {{ first = {first}, most = {seeds} }}"
        print_line((f"More than {most} seeds must be allowed in template.toml{on}: {confirm}", "dim"))


def _notes(found: Outlook) -> list[str]:
    """What the numbers mean, and what they rest on."""
    from harness.results.power import spread_bounds
    from harness.text import duration, rough

    n, several = found.seeds, len(found.datasets) > 1
    said = [f"Screening: with {n} seeds, a run with this true gain looks promising in four of five cases."]
    if found.looks:
        looks = ", ".join(map(str, found.looks))
        said.append(
            f"Confirmation: on fresh seeds, with looks at {looks} per side, it is called better in four of five cases."
        )
    else:
        said.append("The template confirms no run: [run] confirm = { most = 0 }.")
    if found.looks and several:
        said.append("Datasets that are confirmed together share the error rate, and then need more.")
    if found.screening_seconds is not None:
        cost = f"Machine time: about {duration(found.screening_seconds)} for {found.runs} runs"
        longest = found.confirmation_seconds
        said.append(f"{cost}, and at most {duration(longest)} for a confirmation." if longest else f"{cost}.")
    low, high = spread_bounds(n)
    said.append(
        f"The sd over {n} seeds is a rough estimate: the true one, and so every gain above, may be {rough(low)} to "
        f"{rough(high)} times as large (95 %)."
    )
    independent = "Run and baseline are taken to vary independently (r = 0), each as the baseline does"
    said.append(f"{independent}; paired seeds that move together show less." if found.paired else f"{independent}.")
    return said
