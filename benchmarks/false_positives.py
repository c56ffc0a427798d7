"""How often is unchanged code called better, and how often is a real gain found?

    python benchmarks/false_positives.py [--studies 1000 | --small] [--json]

Each simulated study screens five runs on five seeds against a baseline, and re-runs the best promising one on five
fresh seeds, using the same functions as real studies. The values per seed are drawn from those of a stored baseline
(resampled with a Gaussian kernel that keeps mean and variance). Unchanged code: all runs are drawn like the baseline.
Planted gains: one of the five runs is better by the given number of standard deviations between seeds.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
from dataclasses import dataclass
from pathlib import Path

from harness.records import Comparison, MetricSpec
from harness.results import compare
from harness.template.baseline import Baseline
from harness.template.folder import Template

ROOT = Path(__file__).parents[1]
RUNS, SEEDS = 5, 5
EFFECTS = (0.0, 0.5, 1.0, 2.0, 3.0)
LIMIT = 0.05
LOSS = MetricSpec(goal="min", primary=True)
SMALL = 5
"""Studies with --small: too few to estimate rates."""


@dataclass(frozen=True)
class Noise:
    """The values of one metric of a template over seeds."""

    name: str
    values: tuple[float, ...]

    @property
    def spread(self) -> float:
        return statistics.stdev(self.values)

    def draw(self, rng: random.Random, gain: float = 0.0) -> tuple[float, ...]:
        """A value for each of SEEDS seeds, lower by `gain` standard deviations.

        Resampling alone would repeat the few stored values. A kernel of Silverman's width fills the gaps, and shrinking
        towards the mean keeps the variance.
        """
        center = statistics.fmean(self.values)
        variance = self.spread**2
        width = self.spread * 1.06 * len(self.values) ** -0.2
        kept = math.sqrt(variance / (statistics.pvariance(self.values) + width**2))
        drawn = (rng.choice(self.values) + rng.gauss(0.0, width) for _ in range(SEEDS))
        return tuple(center + kept * (value - center) - gain * self.spread for value in drawn)


def stored_noises() -> list[Noise]:
    """The primary metric of every stored baseline with a spread, one per template and dataset."""
    found = []
    for path in sorted((ROOT / "baselines").glob("*/baseline.json")):
        stored = Baseline.model_validate_json(path.read_bytes())
        metric = Template(ROOT / "templates" / stored.template).manifest.primary
        for dataset, scores in stored.scores.items():
            if len(set(scores[metric])) > 1:
                found.append(Noise(f"{stored.template}, {metric} on {dataset}", scores[metric]))
    return found


def compared(baseline: tuple[float, ...], values: tuple[float, ...]) -> Comparison:
    return compare.compare(dataset="d", metric="m", spec=LOSS, baseline=baseline, values=values, tried=RUNS)


def study(noise: Noise, gain: float, rng: random.Random) -> tuple[bool, bool, bool]:
    """One study: is a run better after confirmation, is one better by best mean, and is the planted gain found?"""
    baseline = noise.draw(rng)
    runs = [noise.draw(rng, gain if number == 0 else 0.0) for number in range(RUNS)]
    screened = [compared(baseline, values) for values in runs]
    best_mean = min(c.mean for c in screened) < screened[0].baseline_mean
    promising = [number for number, c in enumerate(screened) if compare.looks_better(c)]
    if not promising:
        return False, best_mean, False
    chosen = min(promising, key=lambda number: screened[number].effect)
    fresh = compared(baseline, noise.draw(rng, gain if chosen == 0 else 0.0))
    better = compare.confirmation(fresh, fresh.p) == "better"
    return better, best_mean, better and chosen == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    how_many = parser.add_mutually_exclusive_group()
    how_many.add_argument("--studies", type=int, default=1000)
    how_many.add_argument("--small", action="store_true", help=f"{SMALL} studies, and no limit on the rates")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    studies = SMALL if given.small else given.studies
    compare._detectable = lambda *_: 0.0  # affects no verdict, and takes most of a comparison's time
    rows = []
    for noise in stored_noises():
        row: dict[str, object] = {"noise": noise.name, "studies": studies}
        for gain in EFFECTS:
            rng = random.Random(f"{noise.name} {gain}")
            results = [study(noise, gain, rng) for _ in range(studies)]
            share = [sum(column) / studies for column in zip(*results, strict=True)]
            if gain:
                row[f"found {gain:g} sd"] = share[2]
            else:
                row |= {"false after confirmation": share[0], "false by best mean": share[1]}
        rows.append(row)
        if not given.json:
            print("  ".join(f"{k}: {v:.1%}" if isinstance(v, float) else f"{v}" for k, v in row.items()), flush=True)
    if given.json:
        print(json.dumps(rows, indent=1))
    if not given.small and any(float(str(row["false after confirmation"])) > LIMIT for row in rows):
        raise SystemExit(f"unchanged code was called better in more than {LIMIT:.0%} of studies")


if __name__ == "__main__":
    main()
