"""Is a run better than the baseline, or is it noise? scipy is imported only when a run is measured.

One comparison is Welch's unequal-variance t test over seeds (Welch 1947, Biometrika 34). The primary metric's p values
of all runs and datasets of a study are corrected together by Holm's step-down method (Holm 1979, Scand. J. Statist. 6),
because among twenty runs one will look "significant" by chance. Other metrics get intervals and no verdict.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from harness.records import Comparison, MetricSpec, Scores
from harness.results.final_info import deviation, mean
from harness.results.sequential import estimate

ALPHA = 0.05
POWER = 0.8
DRAWS = 4_000

Verdict = Literal[
    "better",
    "better, but less than is worth it",
    "guard not held",
    "promising, unconfirmed",
    "not confirmed",
    "no difference worth it",
    "worse",
    "not promising",
    "inconclusive",
    "unchanged",
    "cannot tell",
    "cannot be confirmed",
    "replicate",
]


def compare(
    *,
    dataset: str,
    metric: str,
    spec: MetricSpec,
    baseline: tuple[float, ...],
    values: tuple[float, ...],
    tried: int = 1,
    same_machine: bool = True,
) -> Comparison:
    """Compare one metric of a run with the baseline.

    Args:
        baseline, values: one value per seed.
        tried: the number of comparisons that share the error rate at which `detectable` must show. One if the
            uncorrected interval decides, as it does in screening.
        same_machine: whether both were measured on the same kind of machine; only then may values be compared exactly.
    """
    low, high, p, detectable, note = _welch(baseline, values, tried, same_machine)
    return Comparison(
        dataset=dataset,
        metric=metric,
        goal=spec.goal,
        primary=spec.primary,
        baseline_mean=mean(baseline),
        baseline_sd=deviation(baseline),
        baseline_n=len(baseline),
        mean=mean(values),
        sd=deviation(values),
        n=len(values),
        effect=_effect(baseline, values),
        low=low,
        high=high,
        level=ALPHA,
        p=p,
        detectable=detectable,
        note=note,
        exact=same_machine,
    )


def against_baseline(
    scores: Scores, baseline: Scores, metrics: Mapping[str, MetricSpec], *, same_machine: bool
) -> tuple[Comparison, ...]:
    """Every metric of a run on every dataset of the baseline; machine-bound ones only on the baseline's machine."""
    return tuple(
        compare(
            dataset=dataset,
            metric=name,
            spec=spec,
            baseline=baseline[dataset][name],
            values=scores[dataset][name],
            same_machine=same_machine,
        )
        for dataset in baseline
        for name, spec in metrics.items()
        if same_machine or not spec.machine_bound
    )


def _welch(
    baseline: tuple[float, ...], values: tuple[float, ...], tried: int, same_machine: bool
) -> tuple[float | None, float | None, float | None, float | None, str]:
    """Interval, p value, minimum detectable effect and note for `mean(values) - mean(baseline)`."""
    if min(len(baseline), len(values)) < 2:
        return None, None, None, None, "cannot tell: one value"
    if not _vary(baseline, values):
        if not same_machine:
            return None, None, None, None, "cannot tell: no spread, and the baseline is from another kind of machine"
        effect = _effect(baseline, values)
        return effect, effect, 0.0 if effect else 1.0, 0.0, "no spread: the values are compared exactly"
    found = estimate(values, baseline, paired=False)
    low, high = found.interval(ALPHA)
    return low, high, found.p, minimum_detectable_effect(baseline, values, ALPHA / tried), ""


def _vary(baseline: tuple[float, ...], values: tuple[float, ...]) -> bool:
    return len({*baseline}) > 1 or len({*values}) > 1


def _effect(baseline: tuple[float, ...], values: tuple[float, ...]) -> float:
    """`mean(values) - mean(baseline)`; exact for constants, whose computed mean may be off by rounding."""
    return mean(values) - mean(baseline) if _vary(baseline, values) else values[0] - baseline[0]


def minimum_detectable_effect(baseline: tuple[float, ...], values: tuple[float, ...], level: float) -> float:
    """The minimum detectable effect of Welch's test at `level` and POWER, if the true spreads are the observed ones.

    Simulated with a fixed seed: with three or five seeds, Welch's degrees of freedom vary so much from sample to sample
    that the textbook formulas promise a power of 80 % where it is 70 %. A draw detects every effect above
    `critical * error - difference`, so the result is a quantile over draws.
    """
    from scipy import stats

    difference, variances = 0.0, []
    for stream, sample in enumerate((baseline, values)):
        n, spread = len(sample), deviation(sample) or 0.0
        difference = difference + spread / math.sqrt(n) * stats.norm.rvs(size=DRAWS, random_state=2 * stream)
        variances.append(spread**2 / n * stats.chi2.rvs(n - 1, size=DRAWS, random_state=2 * stream + 1) / (n - 1))
    total = variances[0] + variances[1]
    df = total**2 / (variances[0] ** 2 / (len(baseline) - 1) + variances[1] ** 2 / (len(values) - 1))
    needed = sorted(stats.t.ppf(1 - level / 2, df) * total**0.5 - difference)
    return float(needed[math.ceil(POWER * DRAWS) - 1])


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def verdict(comparison: Comparison, adjusted_p: float | None) -> Verdict:
    """The verdict on a primary metric, given its p value corrected over all comparisons."""
    if adjusted_p is None or math.isnan(adjusted_p):
        return "cannot tell"
    if adjusted_p >= ALPHA:
        return "inconclusive"
    return "better" if is_gain(comparison) else "worse"


def screening(comparison: Comparison, adjusted_p: float | None) -> Verdict:
    """The verdict on a run before it is confirmed on fresh seeds; never "better".

    A run whose interval lies on the good side of zero is worth confirming. It need not pass the correction, because the
    error rate is controlled by the confirmation: one test on values that played no part in the choice.
    """
    if comparison.unchanged:
        return "unchanged"
    word = verdict(comparison, adjusted_p)
    return "promising, unconfirmed" if word == "better" or looks_better(comparison) else word


def unconfirmable(comparison: Comparison, adjusted_p: float | None) -> Verdict:
    """The same for a template with seeds of its own: there are no fresh seeds that could confirm a run."""
    word = screening(comparison, adjusted_p)
    return "cannot be confirmed" if word == "promising, unconfirmed" else word


def after_first_seeds(word: Verdict) -> Verdict:
    """The verdict on a run that was stopped after its first seeds, given what they alone would show."""
    return "worse" if word == "worse" else "not promising"


def without_verdict(comparison: Comparison, why: str) -> Comparison:
    """A comparison that tells nothing, and why."""
    return comparison.model_copy(
        update={"low": None, "high": None, "p": None, "detectable": None, "note": f"cannot tell: {why}"}
    )


def confirmation(comparison: Comparison, adjusted_p: float | None) -> Verdict:
    """The verdict on a promising run after its fresh seeds, given the p value corrected over all confirmations."""
    word = verdict(comparison, adjusted_p)
    return word if word in ("better", "cannot tell") else "not confirmed"


def looks_better(comparison: Comparison) -> bool:
    """Whether the uncorrected interval of the effect lies entirely on the good side of zero."""
    return comparison.p is not None and comparison.p < ALPHA and is_gain(comparison)


def is_gain(comparison: Comparison) -> bool:
    return comparison.effect != 0 and (comparison.effect < 0) == (comparison.goal == "min")


def relative_gain(comparison: Comparison) -> float:
    """The improvement over the baseline, relative to it; negative if the run is worse."""
    better = -comparison.effect if comparison.goal == "min" else comparison.effect
    return better / (abs(comparison.baseline_mean) or 1.0)


def standardized_gain(comparison: Comparison) -> float:
    """The improvement in standard deviations of the baseline between seeds; infinite if there is no spread."""
    better = -comparison.effect if comparison.goal == "min" else comparison.effect
    return better / comparison.baseline_sd if comparison.baseline_sd else math.copysign(math.inf, better)


def first_seeds(scores: Scores, n: int) -> Scores:
    """The values of the first `n` seeds."""
    return {d: {metric: values[:n] for metric, values in metrics.items()} for d, metrics in scores.items()}


def pooled(first: Scores, second: Scores) -> Scores:
    """The values of both, for the datasets and metrics that both have."""
    return {
        dataset: {
            metric: values + second[dataset][metric] for metric, values in metrics.items() if metric in second[dataset]
        }
        for dataset, metrics in first.items()
        if dataset in second
    }
