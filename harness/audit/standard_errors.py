"""Compares claimed means and standard errors with those of the values per seed. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from harness.audit.records import Item, Metric, Source, StandardErrors
from harness.results.final_info import deviation, mean, standard_error

TOLERANCE = 1e-4
"""Relative difference up to which a claimed mean or standard error counts as correct."""
RIGHT = "std(ddof=1)/sqrt(n)"
UNKNOWN = "no known formula"


def check(measured: Mapping[int, Source]) -> tuple[tuple[StandardErrors, ...], list[Item]]:
    """Compare claimed means and standard errors with those of the values per seed."""
    found: list[Item] = []
    ratios: dict[str, list[float | None]] = {}
    for number, run in measured.items():
        for dataset, metrics in run.results.items():
            seeds = max((len(m.values) for m in metrics.values() if m.per_seed), default=0)
            for name, metric in metrics.items():
                if not metric.per_seed:
                    continue
                where = f"run {number}, {name} on {dataset}"
                found += _check_mean(metric, where, number, seeds)
                if metric.stderr is not None and (formula := formula_of(metric)) is not None:
                    right = standard_error(metric.values)
                    ratios.setdefault(formula, []).append(metric.stderr / right if right else None)
    errors = tuple(
        StandardErrors(formula=formula, count=len(each), ratio=_median(each), right=formula == RIGHT)
        for formula, each in ratios.items()
    )
    return errors, [*_describe_errors(errors), *found]


def _check_mean(metric: Metric, where: str, number: int, seeds: int) -> list[Item]:
    found = []
    right = mean(metric.values)
    if metric.mean is not None and not math.isclose(metric.mean, right, rel_tol=TOLERANCE, abs_tol=1e-12):
        text = f"{where}: claims a mean of {metric.mean:.6g}, its values give {right:.6g}"
        found.append(Item(kind="numbers", run=number, message=text))
    if len(metric.values) < seeds:
        text = f"{where}: a mean over {len(metric.values)} of {seeds} seeds; seeds without a value were left out"
        found.append(Item(kind="numbers", run=number, message=text))
    return found


def formula_of(metric: Metric) -> str | None:
    """How a claimed standard error was computed from the values; None if none is claimed or all formulas agree."""
    n, claimed = len(metric.values), metric.stderr
    if claimed is None:
        return None
    if n == 1:
        return None if not claimed else UNKNOWN
    sample, population = deviation(metric.values) or 0.0, statistics.pstdev(metric.values)
    if not sample:
        return None if abs(claimed) < 1e-12 else UNKNOWN
    ways = {
        RIGHT: sample / math.sqrt(n),
        "std(ddof=0)/sqrt(n)": population / math.sqrt(n),
        "std(ddof=0)/n": population / n,
        "std(ddof=1)/n": sample / n,
        "std(ddof=0)": population,
        "std(ddof=1)": sample,
    }
    return next((way for way, value in ways.items() if math.isclose(claimed, value, rel_tol=TOLERANCE)), UNKNOWN)


def _median(ratios: Sequence[float | None]) -> float | None:
    known = [ratio for ratio in ratios if ratio is not None]
    return statistics.median(known) if known else None


def _describe_errors(errors: Sequence[StandardErrors]) -> list[Item]:
    total = sum(each.count for each in errors)
    return [
        Item(
            kind="numbers",
            message=f"{each.count} of {total} claimed standard errors are "
            + ("from no known formula" if each.formula == UNKNOWN else each.formula)
            + (f", {each.ratio:.2g} times the right ones ({RIGHT})" if each.ratio is not None else ""),
        )
        for each in errors
        if each.formula != RIGHT
    ]
