"""Reads and validates final_info.json. Pure, except that it reads the given file.

The format is that of AI-Scientist templates:
`{dataset: {"means": {metric: x}, "stderrs": {metric: s}, "final_info_dict": {metric: [value per seed]}}}`.
Only the values per seed are used; means and standard errors are computed here. Some templates write a metric's mean as
`METRIC_mean` and its standard error as `METRIC_stderr`; `metric_names` pairs these with the values per seed.
"""

from __future__ import annotations

import json
import math
import stat
import statistics
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from harness.errors import MetricsError
from harness.records import Scores
from harness.text import printable

TOLERANCE, USUAL, ROUNDING = 0.05, 1.5, 1e-12
"""Allowed error of a reported mean: relative to the means, as a multiple of the baseline's error, and absolute."""
LARGEST = 1e75
"""A value beyond this means that training diverged."""
EXPECTED = '{"DATASET": {"means": {"METRIC": 0.5}, "final_info_dict": {"METRIC": [0.4, 0.6]}}}, one value per seed'
MOST_METRICS = 2000
"""Maximum number of metrics over all datasets: each is stored, compared and shown."""
SIZE_LIMIT = 16 * 2**20
"""Maximum size of final_info.json in bytes."""


def read(path: Path, wanted: Collection[str] | None, seeds: int, complete: bool = True) -> Scores:
    """Parse and check a final_info.json.

    Args:
        path: the file.
        wanted: metrics that every dataset must have; None for all that the file has.
        seeds: how many values each of them must have.
        complete: whether all of them must be there; otherwise `refuse_incomplete` is for later.

    Returns:
        dataset → metric → one float per seed, every metric of the file that is a number.

    Raises:
        MetricsError: missing file, wrong shape, missing metric, or a value that is not a finite number.
    """
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise MetricsError(f"{path.name} is not a regular file")
        if found.st_size > SIZE_LIMIT:
            raise MetricsError(f"{path.name} is larger than {SIZE_LIMIT >> 20} MiB")
        content = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(content, ensure_ascii=False).encode()  # refuses names that are not valid text (lone surrogates)
    except FileNotFoundError as error:
        raise MetricsError(f"the script ended without writing {path.parent.name}/{path.name}") from error
    except (ValueError, OSError, RecursionError) as error:
        raise MetricsError(f"{path.name} is not readable JSON: {error}") from error
    if not isinstance(content, dict) or not content:
        raise MetricsError(f"{path.name} must be an object with one entry per dataset: {EXPECTED}")
    _refuse_long_names(content)
    _refuse_other_counts(content, wanted or (), seeds)
    scores = {str(name): _dataset(str(name), body, wanted, seeds, complete) for name, body in content.items()}
    if (count := sum(len(each) for each in scores.values())) > MOST_METRICS:
        raise MetricsError(f"{path.name} has {count:,} metrics over all datasets; at most {MOST_METRICS:,} are kept")
    return scores


def _refuse_other_counts(content: dict[str, Any], wanted: Collection[str], seeds: int) -> None:
    """Say so if each dataset has its own number of seeds, as in some templates of AI-Scientist."""
    counts: dict[str, int] = {}
    for dataset, body in content.items():
        listed = body.get("final_info_dict") if isinstance(body, dict) else None
        values = [v for k, v in listed.items() if {k, f"{k}_mean"} & set(wanted)] if isinstance(listed, dict) else []
        if values and isinstance(values[0], list):
            counts[str(dataset)] = len(values[0])
    if len(set(counts.values())) > 1:
        shown = ", ".join(f"{printable(name)[:60]} {count}" for name, count in list(counts.items())[:20])
        raise MetricsError(
            f"the datasets have different numbers of seeds ({shown}); run every dataset on all {seeds} of HARNESS_SEEDS"
        )


def _refuse_long_names(content: dict[str, Any]) -> None:
    bodies = [body["means"] for body in content.values() if isinstance(body, dict) and "means" in body]
    metrics = [name for means in bodies if isinstance(means, dict) for name in means]
    for name in (*content, *metrics):
        if len(str(name)) > 100:
            raise MetricsError(f"a dataset's or metric's name is longer than 100 characters: {printable(name[:40])} …")


def _dataset(
    name: str, body: Any, wanted: Collection[str] | None, seeds: int, complete: bool
) -> dict[str, tuple[float, ...]]:
    if not isinstance(body, dict) or not isinstance(body.get("means"), dict):
        raise MetricsError(f'dataset {name!r} has no "means" object; expected {EXPECTED}')
    per_seed = body.get("final_info_dict")
    seeds_of = per_seed if isinstance(per_seed, dict) else {}
    values = {}
    for full, metric in metric_names(body).items():
        listed = seeds_of.get(metric, [body["means"][full]])
        values[full if wanted is not None and full in wanted else metric] = listed
    wanted = list(values) if wanted is None else wanted
    missing = sorted(set(wanted) - set(values))
    if missing and complete:
        raise MetricsError(f"dataset {name!r} lacks the metric {missing[0]!r} (it has: {_names(values)})")
    checked = {str(m): _values(name, str(m), v) for m, v in values.items() if m in wanted or _is_numbers(v)}
    for metric in (each for each in wanted if each not in missing):
        if len(checked[metric]) != seeds:
            raise MetricsError(
                f"metric {metric!r} of dataset {name!r} must be a list with one value per seed in final_info_dict: "
                f"HARNESS_SEEDS has {seeds}, found {len(checked[metric])}"
            )
    return checked


def metric_names(body: Mapping[str, Any]) -> dict[str, str]:
    """How each mean of a dataset is named in "means" → the name of its metric.

    `NAME_mean` is the metric `NAME` if that has values per seed, or a standard error `NAME_stderr`; but not if there is
    a mean `NAME`, or if `NAME_mean` itself has values per seed.
    """
    means, stderrs, seeds = (
        each if isinstance(each, dict) else {} for each in map(body.get, ("means", "stderrs", "final_info_dict"))
    )
    names = {}
    for full in means:
        bare = str(full).removesuffix("_mean")
        paired = bare not in means and full not in seeds and (bare in seeds or f"{bare}_stderr" in stderrs)
        names[full] = bare if paired else full
    return names


def _names(values: Collection[str]) -> str:
    """The first of some names, safe to print."""
    shown = ", ".join(printable(str(name))[:60] for name in sorted(values)[:20])
    return shown + (", …" if len(values) > 20 else "")


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_finite(v) for v in value)


def _is_finite(value: Any) -> bool:
    """Whether this is a number so small that its fourth power, the square of a variance, is finite too."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST < value < LARGEST


def _values(dataset: str, metric: str, value: Any) -> tuple[float, ...]:
    items = value if isinstance(value, list) else [value]
    for position, item in enumerate(items):
        if not _is_finite(item):
            shown = json.dumps(item)[:40]
            raise MetricsError(
                f"metric {metric!r} of dataset {dataset!r}, value {position}: {shown} is not a finite number"
            )
    return tuple(float(item) for item in items)


def overlay(reported: Scores, verified: Scores, decisive: Collection[str]) -> Scores:
    """The official scores: the evaluator's values where it gives some, otherwise the reported ones.

    Raises:
        MetricsError: the two name different datasets, or the evaluator does not give a metric that decides.
    """
    for dataset in dict.fromkeys((*reported, *verified)):
        if dataset not in verified:
            raise MetricsError(
                f"evaluate.py does not measure the dataset {dataset!r} (it measures: {_names(verified)})"
            )
        if dataset not in reported:
            raise MetricsError(
                f"evaluate.py measures {dataset!r}, which is not reported (reported: {_names(reported)})"
            )
        if lacking := [name for name in decisive if name not in verified[dataset]]:
            given = _names(verified[dataset])
            raise MetricsError(f"evaluate.py does not give {lacking[0]!r} on {dataset!r} (it gives: {given})")
    return {dataset: {**reported[dataset], **verified[dataset]} for dataset in reported}


def refuse_incomplete(scores: Scores, wanted: Collection[str]) -> None:
    """Raise MetricsError unless every dataset has every metric, reported or verified."""
    for dataset, metrics in scores.items():
        if missing := sorted(set(wanted) - set(metrics)):
            raise MetricsError(
                f"dataset {dataset!r} lacks the metric {missing[0]!r}, which neither final_info.json nor evaluate.py "
                f"gives (they give: {_names(metrics)})"
            )


def as_json(scores: Scores) -> dict[str, Any]:
    """Scores as the content of a final_info.json."""
    return {
        dataset: {
            "means": {metric: mean(values) for metric, values in metrics.items()},
            "stderrs": {metric: standard_error(values) or 0.0 for metric, values in metrics.items()},
            "final_info_dict": {metric: list(values) for metric, values in metrics.items()},
        }
        for dataset, metrics in scores.items()
    }


def mean(values: tuple[float, ...]) -> float:
    return statistics.fmean(values)


def deviation(values: tuple[float, ...]) -> float | None:
    """Sample standard deviation (n − 1 in the denominator), None for one value."""
    return statistics.stdev(values) if len(values) > 1 else None


def standard_error(values: tuple[float, ...]) -> float | None:
    """Standard error of the mean, `std(ddof=1) / sqrt(n)`, None for one value."""
    spread = deviation(values)
    return None if spread is None else spread / math.sqrt(len(values))


def disagreements(reported: Scores, verified: Scores, usual: tuple[Scores, Scores] = ({}, {})) -> list[str]:
    """Metrics whose reported mean differs from the verified one by more than TOLERANCE, as sentences.

    Honest estimates differ too: at random, or consistently because they use other data. So a difference counts only if
    it also exceeds the spread of the differences over seeds, and USUAL times the unmodified template's difference.

    Args:
        usual: what the unmodified template reported, and what was verified.
    """
    found = []
    for dataset, metrics in verified.items():
        for metric, values in metrics.items():
            claimed = reported.get(dataset, {}).get(metric)
            if claimed is None:
                continue
            off = _differences(claimed, values)
            by_design = mean(_differences(*(scores.get(dataset, {}).get(metric, ()) for scores in usual)) or (0.0,))
            relative = TOLERANCE * max(abs(mean(claimed)), abs(mean(values)))
            if abs(mean(off)) > max(relative, deviation(off) or 0.0, USUAL * abs(by_design), ROUNDING):
                found.append(f"{metric} on {dataset}: reported {mean(claimed):.6g}, verified {mean(values):.6g}")
    return found


def _differences(first: tuple[float, ...], second: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(a - b for a, b in zip(first, second, strict=False))
