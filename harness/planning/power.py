"""What a study of a template will be able to show, from its baseline alone. Pure.

The statistics are in results/power.py.
"""

from __future__ import annotations

from harness.errors import UserError
from harness.records import Amount, Budget, Goal, MetricSpec, Record, Scores
from harness.results.compare import ALPHA, minimum_detectable_effect
from harness.results.final_info import deviation, mean
from harness.results.power import seeds_for, simulate
from harness.results.seeds import Seeding
from harness.template.manifest import Manifest


class WantedEffect(Record):
    """What it takes to show an effect on one dataset with 80 % power."""

    effect: float
    """In the metric's unit."""
    power: float | None
    """The probability that the template's confirmation shows it; None if it confirms nothing."""
    first: int | None
    """Fresh seeds per side at the first look of a confirmation that shows it."""
    seeds: int | None
    """Fresh seeds per side by which it shows it; None if more than 10,000 are needed, or nothing is confirmed."""
    expected_seeds: float | None
    """The same, on average with early stopping."""
    seconds: float | None
    """Of machine time, expected: all runs, and the confirmation of one of them."""


class DatasetPower(Record):
    """What can be seen on one dataset, in the primary metric's unit."""

    dataset: str
    baseline_mean: float
    baseline_sd: float
    baseline_n: int
    screening: float | None
    """Minimum detectable effect of a run on the study's seeds, for it to be promising; None without spread."""
    confirmation: float | None
    """The same of a confirmation with all its seeds; None without spread, or if nothing is confirmed."""
    worth: float
    """The smallest gain that matters; 0 if the template names none."""
    left: float | None
    """What is left to gain until the best possible value; None if the metric has none."""
    wanted: WantedEffect | None = None

    def share(self, amount: float) -> float | None:
        """An amount as a share of the baseline's mean; None if that is zero."""
        return amount / abs(self.baseline_mean) if self.baseline_mean else None


class Outlook(Record):
    """What a study of a template will be able to show."""

    template: str
    metric: str
    goal: Goal
    seeds: int
    """Of each run, in screening."""
    looks: tuple[int, ...]
    """Fresh seeds per side of a confirmation; empty if nothing is confirmed."""
    level: float
    """Two-sided error rate of the confirmation of one dataset."""
    paired: bool
    runs: int
    screening_seconds: float | None
    """Of machine time, for all runs."""
    confirmation_seconds: float | None
    """The same for one confirmation that uses all its seeds."""
    datasets: tuple[DatasetPower, ...]


def why_nothing_to_plan(manifest: Manifest, scores: Scores, seeding: Seeding) -> str | None:
    """Why no effect can be planned for, or None."""
    values = [metrics[manifest.primary] for metrics in scores.values()]
    if min(map(len, values)) < 2:
        return "the baseline has one seed, so no difference can be told from noise; name several in [run] seeds"
    if seeding == "deterministic" or all(len({*v}) == 1 for v in values):
        return "the baseline has no spread over seeds, so every difference is seen: values are compared exactly"
    if seeding == "fixed":
        return "the template ignores HARNESS_SEEDS, so there are no fresh seeds and no run can be confirmed"
    return None


def outlook(
    manifest: Manifest,
    scores: Scores,
    seconds: float | None = None,
    budget: Budget | None = None,
    effect: Amount | None = None,
) -> Outlook:
    """What a study can show, given the baseline's scores, if there is something to plan.

    Args:
        seconds: that the baseline took.
        budget: of the study; None for the default one.
        effect: a wanted effect.

    Raises:
        UserError: the wanted effect is a percentage of a baseline that is zero.
    """
    given = budget or Budget()
    spec, n = manifest.metrics[manifest.primary], len(next(iter(scores.values()))[manifest.primary])
    confirms = bool(manifest.run.confirm.most and given.confirm)
    looks = manifest.run.confirm.looks(given.confirm_seeds) if confirms else ()
    launch = seconds / n if seconds else None
    found = Outlook(
        template=manifest.template.name,
        metric=manifest.primary,
        goal=spec.goal,
        seeds=n,
        looks=looks,
        level=ALPHA / max(1, given.confirm),
        paired=manifest.run.paired,
        runs=given.runs,
        screening_seconds=launch and launch * n * given.runs,
        confirmation_seconds=launch and launch * 2 * looks[-1] if looks else None,
        datasets=(),
    )
    rows = tuple(
        _of_dataset(found, dataset, metrics[manifest.primary], spec, effect) for dataset, metrics in scores.items()
    )
    return found.model_copy(update={"datasets": rows})


def _of_dataset(
    plan: Outlook, dataset: str, values: tuple[float, ...], spec: MetricSpec, effect: Amount | None
) -> DatasetPower:
    center, spread = mean(values), deviation(values) or 0.0
    design = simulate(plan.looks, plan.level, plan.paired) if plan.looks else None
    ahead = None if spec.best is None else spec.best - center
    return DatasetPower(
        dataset=dataset,
        baseline_mean=center,
        baseline_sd=spread,
        baseline_n=len(values),
        screening=minimum_detectable_effect(values, values, ALPHA) if spread else None,
        confirmation=design.detectable * spread if design and spread else None,
        worth=spec.amount(spec.worth, center),
        left=None if ahead is None else max(0.0, ahead if spec.goal == "max" else -ahead),
        wanted=None if effect is None or not spread else _wanted(plan, dataset, spec.amount(effect, center), spread),
    )


def _wanted(plan: Outlook, dataset: str, effect: float, spread: float) -> WantedEffect:
    if not effect:
        raise UserError(
            f"the baseline is 0 on {dataset}, so give --effect in the unit of {plan.metric}, not in per cent"
        )
    if not plan.looks:
        return WantedEffect(effect=effect, power=None, first=None, seeds=None, expected_seeds=None, seconds=None)
    gain, design = effect / spread, (plan.looks, plan.level, plan.paired)
    needed = seeds_for(gain, *design)
    launch = plan.screening_seconds and plan.screening_seconds / (plan.runs * plan.seeds)
    return WantedEffect(
        effect=effect,
        power=simulate(*design).power(gain),
        first=needed and needed.first,
        seeds=needed and needed.most,
        expected_seeds=needed and needed.expected,
        seconds=plan.screening_seconds + 2 * needed.expected * launch
        if needed and plan.screening_seconds and launch
        else None,
    )
