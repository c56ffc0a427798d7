"""Racing: if fewer seeds cost less, a run goes on after its first seeds only if there is hope. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from harness.results.racing import HOPELESS, chance, first_of
from harness.state.events import AttemptEnded
from harness.state.history import History
from harness.template.manifest import Manifest


@dataclass(frozen=True)
class EarlyStop:
    """Why the other seeds of a run are not launched."""

    why: str
    saved: float
    """Seconds of machine time that they would have taken, by what the first ones took."""


def first_seeds(history: History, manifest: Manifest) -> tuple[int, ...]:
    """The seeds that a run is launched on first; empty if it is launched on all of them at once."""
    seeds = history.begun.seeds
    raced = manifest.run.seed_cost == "proportional" and history.begun.seeding != "fixed"
    first = seeds[: first_of(len(seeds))]
    return first if raced and len(first) < len(seeds) else ()


def other_seeds(history: History) -> tuple[int, ...]:
    seeds = history.begun.seeds
    return seeds[first_of(len(seeds)) :]


def early_stop(history: History, manifest: Manifest, first: AttemptEnded) -> EarlyStop | None:
    """Whether a run ends with its first seeds: on no dataset may all of them make it promising or the best run."""
    n, k = len(history.begun.seeds), first_of(len(history.begun.seeds))
    metric = manifest.primary
    goal, lead = manifest.metrics[metric].goal, _lead(history)
    chances = [
        chance(first.scores[dataset][metric], scores[metric], goal, n, lead.get(dataset, 0.0))
        for dataset, scores in history.begun.baseline.items()
    ]
    best = max(chances)
    if best >= HOPELESS:
        return None
    why = (
        f"stopped after {k} of {n} seeds: with all of them, the chance to be promising or the best run so far is "
        f"{100 * best:.1f} %"
    )
    return EarlyStop(why, round(first.seconds * (n - k) / k, 3))


def _lead(history: History) -> dict[str, float]:
    """Dataset → the gain that a run needs there to be confirmed, in the metric's unit, if other runs are as good."""
    wanted = max(1, history.begun.budget.confirm)
    ranked = sorted((run for run in history.measured if run.hopeful_on), key=lambda run: run.promise, reverse=True)
    if len(ranked) < wanted:
        return {}
    last = ranked[wanted - 1]
    return {c.dataset: last.promise * c.baseline_sd for c in last.primary if c.baseline_sd}
