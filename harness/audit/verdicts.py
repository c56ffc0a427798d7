"""Compares each run's primary metric with run_0: Welch's test over seeds, Holm-corrected over the idea. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from harness.audit.metric_names import Wanted, likeliest
from harness.audit.records import Judgement, Metric, Source
from harness.records import Comparison, Goal, MetricSpec
from harness.results.compare import compare, holm, verdict
from harness.results.final_info import deviation, mean


def primary_of(measured: Mapping[int, Source], wanted: Wanted) -> tuple[str | None, Goal | None, str]:
    """The primary metric, its goal, and how they were chosen."""
    names_of = [dict.fromkeys(m for each in run.results.values() for m in each) for run in measured.values()]
    counts = Counter(name for names in names_of for name in names)
    if wanted.metric is not None:
        if wanted.metric not in counts:
            return None, None, f"no run has a metric {wanted.metric}"
        name, how = wanted.metric, "as requested"
    else:
        chosen = likeliest([n for n in counts if counts[n] == max(counts.values())])
        if chosen is None:
            return None, None, "no run recorded a metric"
        name = chosen
        how = "the only metric" if len(counts) == 1 else "chosen by name; override with --metric"
    goal = wanted.goal(name)
    if goal is None:
        how += "; its direction is unknown, set it with --goal"
    return name, goal, how


def judgements_of(
    measured: Mapping[int, Source], primary: str, goal: Goal | None, repeated: Collection[int]
) -> dict[int, list[Judgement]]:
    """The primary metric of every run on every dataset, compared with run_0; p values are corrected together."""
    baseline = measured[0].results if 0 in measured else {}
    pairs = [
        (number, dataset, metrics[primary])
        for number, run in measured.items()
        for dataset, metrics in run.results.items()
        if primary in metrics
    ]
    tried = [(n, d, m) for n, d, m in pairs if n and n not in repeated and primary in baseline.get(d, {})]
    compared = {
        (n, d): compare(
            dataset=d,
            metric=primary,
            spec=MetricSpec(goal=goal or "min", primary=True),
            baseline=baseline[d][primary].values,
            values=m.values,
            tried=len(tried),
        )
        for n, d, m in tried
    }
    p_values = {key: c.p for key, c in compared.items() if c.p is not None and not math.isnan(c.p)}
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    found: dict[int, list[Judgement]] = {}
    for n, d, m in pairs:
        if (c := compared.get((n, d))) is not None:
            said = _verdict_fields(c, adjusted.get((n, d)), goal)
        else:
            said = {"word": "baseline" if n == 0 else "replicate" if n in repeated else "nothing to compare with"}
        difference = _difference(m, baseline.get(d, {}).get(primary)) if n else {}
        judgement = Judgement(
            dataset=d, n=len(m.values), mean=mean(m.values), sd=deviation(m.values), **difference, **said
        )
        found.setdefault(n, []).append(judgement)
    return found


def _difference(metric: Metric, baseline: Metric | None) -> dict[str, Any]:
    if baseline is None:
        return {}
    base = mean(baseline.values)
    effect = mean(metric.values) - base
    return {"effect": effect, "relative": effect / abs(base) if base else None}


def _verdict_fields(c: Comparison, adjusted: float | None, goal: Goal | None) -> dict[str, Any]:
    word: str = verdict(c, adjusted)
    return {
        "word": "differs" if goal is None and word in ("better", "worse") else word,
        "low": c.low,
        "high": c.high,
        "p": c.p if adjusted is not None else None,
        "p_corrected": adjusted,
        "detectable": c.detectable,
        "note": c.note,
    }
