"""How often is unchanged code called better, how often is a real gain found, and what does it cost?

    python benchmarks/false_positives.py [--studies 2000 | --small] [--racing] [--json]

Each simulated study screens five runs on five seeds against a baseline and confirms the best of them on fresh seeds, in
looks at 5, 10, 20 and 40 seeds per side, by the very functions that real studies are judged with. A value per seed is
drawn from a stored baseline's real ones (resampled with a Gaussian kernel, mean and variance kept). Unchanged code:
every run is drawn like the baseline. Planted gains: the third of the five runs is better by so many standard deviations
between seeds. Correlated seeds: part of a value belongs to its seed, on both sides. Racing (`[run] seed_cost =
"proportional"`): a run whose first three seeds leave no hope is stopped.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from harness.records import Comparison, MetricSpec
from harness.results import compare, confirmation, racing
from harness.results.confirmation import Design, Measured
from harness.template.baseline import Baseline
from harness.template.folder import Template
from harness.template.run_spec import ConfirmSpec

ROOT = Path(__file__).parents[1]
RUNS, SEEDS, GAINING = 5, 5, 2
LOOKS = ConfirmSpec().looks()
GAINS = (0.0, 0.5, 1.0, 2.0)
FALSE, FALSE_IF_CONFIRMED = 0.05, 0.03
FOUND = {0.5: 0.18, 1.0: 0.60, 2.0: 0.95}
"""What the design keeps: at most so many false results, at least so many gains found (mean over the stored noises)."""
METRICS = {"m": MetricSpec(goal="min", primary=True)}
SMALL = 5
"""Studies with --small: too few to say anything of rates."""


@dataclass(frozen=True)
class Noise:
    """What one metric of a template does from seed to seed, and how it is confirmed."""

    name: str
    values: tuple[float, ...]
    correlation: float = 0.0
    """Between the two sides on the same seed."""
    paired: bool = True
    raced: bool = False

    @cached_property
    def spread(self) -> float:
        return statistics.stdev(self.values)

    @cached_property
    def center(self) -> float:
        return statistics.fmean(self.values)

    @cached_property
    def kernel(self) -> tuple[float, float]:
        """Its width, and the factor that keeps the variance."""
        width = self.spread * 1.06 * len(self.values) ** -0.2
        return width, self.spread / math.sqrt(statistics.pvariance(self.values) + width**2)

    def draw(self, rng: random.Random) -> float:
        """A deviation from the mean, in standard deviations.

        Resampling alone would repeat the few stored values; a kernel of Silverman's width fills the gaps, and shrinking
        towards the mean keeps the variance.
        """
        width, kept = self.kernel
        drawn = rng.choice(self.values) - self.center + rng.gauss(0.0, width)
        return kept * drawn / self.spread


@dataclass(frozen=True)
class Result:
    """One simulated study."""

    confirmed: bool
    better: bool
    true: bool
    """The run that was called better is the one with the gain."""
    launches: int
    """Seeds that were launched: of all runs, and of both sides of the confirmation."""
    launches_before: int
    """The same by the earlier rule: a run with p < 0.05 is launched on five fresh seeds."""


class Seeds:
    """Values per seed of one study: what belongs to a seed is drawn once."""

    def __init__(self, noise: Noise, rng: random.Random) -> None:
        self.noise, self.rng = noise, rng
        self.shared: dict[int, float] = {}

    def values(self, seeds: range, gain: float) -> tuple[float, ...]:
        noise, share = self.noise, self.noise.correlation
        found = []
        for seed in seeds:
            common = self.shared.setdefault(seed, noise.draw(self.rng)) if share else 0.0
            z = math.sqrt(share) * common + math.sqrt(1 - share) * noise.draw(self.rng) - gain
            found.append(noise.center + noise.spread * z)
        return tuple(found)


def study(noise: Noise, gain: float, rng: random.Random) -> Result:
    seeds = Seeds(noise, rng)
    baseline = seeds.values(range(SEEDS), 0.0)
    runs = [seeds.values(range(SEEDS), gain if number == GAINING else 0.0) for number in range(RUNS)]
    screened = [screen(baseline, values) for values in runs]
    before = RUNS * SEEDS + SEEDS * any(compare.looks_better(c) for c in screened)
    launches, hopeful = 0, dict[int, float]()
    for number, c in enumerate(screened):
        first, lead = runs[number][: racing.first_of(SEEDS)], max(hopeful.values(), default=0.0)
        if noise.raced and racing.chance(first, baseline, c.goal, SEEDS, lead) < racing.HOPELESS:
            launches += len(first)
            continue
        launches += SEEDS
        if compare.is_gain(c):
            hopeful[number] = abs(c.effect)
    if not hopeful:
        return Result(False, False, False, launches, before)
    chosen = max(hopeful, key=lambda number: hopeful[number])
    word, n = confirm(noise, seeds, gain if chosen == GAINING else 0.0)
    return Result(True, word == "better", word == "better" and chosen == GAINING, launches + 2 * n, before)


def screen(baseline: tuple[float, ...], values: tuple[float, ...]) -> Comparison:
    spec = METRICS["m"]
    return compare.compare(dataset="d", metric="m", spec=spec, baseline=baseline, values=values, tried=RUNS)


def confirm(noise: Noise, seeds: Seeds, gain: float) -> tuple[str, int]:
    """The verdict, and the seeds per side that it took."""
    design = Design(LOOKS, compare.ALPHA, ("d",), noise.paired)
    run: tuple[float, ...] = ()
    baseline: tuple[float, ...] = ()
    for n in LOOKS:
        new = range(SEEDS + len(run), SEEDS + n)
        run, baseline = run + seeds.values(new, gain), baseline + seeds.values(new, 0.0)
        measured = Measured({"d": {"m": run}}, {"d": {"m": baseline}})
        found = confirmation.compare_on_fresh_seeds(design, measured, METRICS, same_machine=True)
        if confirmation.why_stop(design, found, measured) is not None:
            break
    return confirmation.words(found)["d"], len(run)


def stored_noises() -> Iterator[Noise]:
    """The primary metric of every stored baseline that has a spread, one per template and dataset."""
    for path in sorted((ROOT / "baselines").glob("*/baseline.json")):
        stored = Baseline.model_validate_json(path.read_bytes())
        metric = Template(ROOT / "templates" / stored.template).manifest.primary
        for dataset, scores in stored.scores.items():
            if len(set(scores[metric])) > 1:
                yield Noise(f"{stored.template}, {metric} on {dataset}", scores[metric])


def noises(raced: bool) -> list[Noise]:
    """The stored ones; and the first of them with correlated seeds, unpaired and raced. Or all stored ones raced."""
    stored = [*stored_noises()]
    if raced:
        return [replace(noise, raced=True) for noise in stored]
    first = stored[0]
    variants = [(r, paired) for r in (0.0, 0.5, 0.9) for paired in (True, False) if r or not paired]
    return [
        *stored,
        replace(first, name=f"{first.name}, raced", raced=True),
        *(
            replace(first, name=f"{first.name}, r = {r:g}, {'' if p else 'not '}paired", correlation=r, paired=p)
            for r, p in variants
        ),
    ]


def row(noise: Noise, studies: int) -> dict[str, object]:
    compare.minimum_detectable_effect = lambda *_: 0.0  # decides nothing, and is most of the time of a comparison
    found: dict[str, object] = {"noise": noise.name, "studies": studies}
    for gain in GAINS:
        rng = random.Random(f"{noise.name} {gain}")
        results = [study(noise, gain, rng) for _ in range(studies)]
        cost = sum(r.launches for r in results) / sum(r.launches_before for r in results)
        if gain:
            found[f"found {gain:g} sd"] = sum(r.true for r in results) / studies
        else:
            confirmed = sum(r.confirmed for r in results)
            found["false"] = sum(r.better for r in results) / studies
            found["false if confirmed"] = sum(r.better for r in results) / max(1, confirmed)
        found[f"cost {gain:g} sd"] = round(cost, 2)
        found["cost without stopping"] = round((RUNS * SEEDS + 2 * LOOKS[-1]) / (RUNS * SEEDS), 2)
    return found


def broken(rows: list[dict[str, object]]) -> list[str]:
    """The promises that the mean over all stored noises does not keep, or for false results any row."""
    plain = [r for r in rows if "paired" not in str(r["noise"]) and "raced" not in str(r["noise"])]
    found = [f"{r['noise']}: {r['false']:.1%} false" for r in rows if float(str(r["false"])) > FALSE]
    given = statistics.fmean(float(str(r["false if confirmed"])) for r in rows)
    found += [f"{given:.1%} false if confirmed"] if given > FALSE_IF_CONFIRMED else []
    for gain, least in FOUND.items():
        share = statistics.fmean(float(str(r[f"found {gain:g} sd"])) for r in plain)
        found += [f"{share:.1%} found at {gain:g} sd, not {least:.0%}"] if share < least else []
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    how_many = parser.add_mutually_exclusive_group()
    how_many.add_argument("--studies", type=int, default=2000)
    how_many.add_argument("--small", action="store_true", help=f"{SMALL} studies, and no limit on what they give")
    parser.add_argument("--racing", action="store_true", help="stop runs whose first seeds leave no hope")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    studies = SMALL if given.small else given.studies
    rows = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        tried = noises(given.racing)
        for found in pool.map(row, tried, [studies] * len(tried)):
            rows.append(found)
            if not given.json:
                print("  ".join(f"{k}: {v:.1%}" if "fo" in k or "fa" in k else f"{k}: {v}" for k, v in found.items()))
    if given.json:
        print(json.dumps(rows, indent=1))
    if not given.small and (reasons := broken(rows)):
        raise SystemExit("; ".join(reasons))


if __name__ == "__main__":
    main()
