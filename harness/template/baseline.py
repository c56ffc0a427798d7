"""The stored baseline of a template: the scores of the unmodified experiment, and what produced them."""

from __future__ import annotations

import hashlib
import math
import shutil
from pathlib import Path

from pydantic import ValidationError

from harness.errors import BaselineError, MetricsError
from harness.files import digest_of_file, write_json
from harness.records import Claim, Machine, Record, Scores
from harness.results import final_info, limits
from harness.results.seeds import Seeding
from harness.template.folder import Template
from harness.template.manifest import executed
from harness.validation import one_line

FILE = "baseline.json"
LARGEST_FILE = 2 * 2**20
"""Maximum bytes of a file to keep from the baseline's run: baselines are in git and are copied into every study."""


class Fingerprint(Record):
    """What a baseline depends on. Anything else may change without making it stale."""

    files: dict[str, str]
    """File that takes part in a run or its evaluation → SHA-256 of its bytes."""
    command: tuple[str, ...]
    seeds: tuple[int, ...]
    data: tuple[str, ...] | None = None
    """The data command; None if there is none, or for a baseline of an older version."""

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.model_dump_json(exclude_none=True).encode()).hexdigest()


class Baseline(Record):
    """baselines/NAME/baseline.json; the run's files are next to it in run_0/."""

    template: str
    fingerprint: Fingerprint
    scores: Scores
    """Official values per seed."""
    reported: Scores
    """Values that experiment.py reported."""
    seconds: float
    machine: Machine | None
    """Where it was measured; None for the baseline of an old study that did not record it."""
    made_at: float
    seeding: Seeding = "unknown"
    """What other seeds than the template's change in its results."""


def fingerprint(template: Template) -> Fingerprint:
    run = template.manifest.run
    takes_part = sorted({**template.files, **template.kept_back}.items())
    files = {name: digest_of_file(path) for name, path in takes_part if executed(name)}
    return Fingerprint(files=files, command=run.command, seeds=run.seeds, data=run.data or None)


def folder(baselines: Path, template: Template) -> Path:
    return baselines / template.name


def path(baselines: Path, template: Template) -> Path:
    return folder(baselines, template) / FILE


def load(baselines: Path, template: Template) -> Baseline:
    """The template's stored baseline, if it is up to date.

    Raises:
        BaselineError: it is missing, unreadable or another template's, or something that it depends on has changed.
    """
    file = path(baselines, template)
    refresh = f"harness baseline {template.name} --refresh"
    try:
        stored = Baseline.model_validate_json(file.read_bytes())
    except FileNotFoundError as error:
        create = f"harness baseline {template.name}"
        raise BaselineError(f"{template.name} has no baseline ({file} is missing); create it with: {create}") from error
    except ValidationError as error:
        raise BaselineError(f"{file}: {one_line(error)}; replace it with: {refresh}") from error
    if not (folder(baselines, template) / "run_0" / "final_info.json").is_file():
        raise BaselineError(f"the baseline of {template.name} has no run_0; replace it with: {refresh}")
    if stored.template != template.name:
        raise BaselineError(
            f"{file} is the baseline of {stored.template!r}, not of {template.name!r}; replace it with: {refresh}"
        )
    for dataset, scores in stored.scores.items():
        if lacking := sorted(set(template.manifest.metrics) - set(scores)):
            what = f"{lacking[0]!r} on {dataset}"
            raise BaselineError(f"the baseline of {template.name} lacks {what}; replace it with: {refresh}")
    why = _why_stale(stored.fingerprint, fingerprint(template))
    if why is not None:
        raise BaselineError(f"the baseline of {template.name} is stale: {why}; replace it with: {refresh}")
    try:
        limits.refuse_missing(template.manifest.limits, stored.scores, "it")
        limits.refuse_outside(template.manifest.limits, stored.scores, stored.fingerprint.seeds)
    except MetricsError as error:
        raise BaselineError(f"the stored baseline of {template.name} breaks the template's limits: {error}") from error
    return stored


def code_change(stored: Fingerprint, now: Fingerprint) -> str | None:
    """The first thing that makes two versions of a template run different code, in words."""
    for name in sorted({*stored.files, *now.files}):
        if stored.files.get(name) != now.files.get(name):
            how = "is gone" if name not in now.files else "is new" if name not in stored.files else "has changed"
            return f"{name} {how}"
    if stored.command != now.command:
        return f"the run command was {' '.join(stored.command)}"
    if stored.data is not None and stored.data != now.data:
        return f"the data command was {' '.join(stored.data)}"
    return None


def _why_stale(stored: Fingerprint, now: Fingerprint) -> str | None:
    if (change := code_change(stored, now)) is not None:
        return change
    if stored.seeds != now.seeds:
        return f"the seeds were {', '.join(map(str, stored.seeds))}"
    return None


def save(baselines: Path, baseline: Baseline, out_dir: Path) -> list[str]:
    """Store a baseline, including the files in `out_dir` that its run saved.

    Returns:
        Names of files that are too large to keep.
    """
    target = baselines / baseline.template
    large: list[str] = []

    def too_large(within: str, names: list[str]) -> list[str]:
        found = [n for n in names if (file := Path(within, n)).is_file() and file.stat().st_size > LARGEST_FILE]
        large.extend(str(Path(within, name).relative_to(out_dir)) for name in found)
        return found

    (target / FILE).unlink(missing_ok=True)  # so that a half-written baseline does not count
    fresh = target / ".run_0"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(out_dir, fresh, ignore=too_large)
    shutil.rmtree(target / "run_0", ignore_errors=True)
    fresh.rename(target / "run_0")
    write_json(target / FILE, baseline.model_dump(mode="json"))
    return large


def agreement(stored: Baseline, again: Scores, primary: str) -> list[Claim]:
    """Whether another run of the same code reproduces the stored scores within the noise over seeds.

    On the same machine, the same seeds give the same numbers. On another one, rounding may change the course of
    training, so the means may differ by three standard errors of their difference.
    """
    found = []
    for dataset, scores in stored.scores.items():
        before, now = scores[primary], again[dataset][primary]
        spread = math.hypot(final_info.standard_error(before) or 0.0, final_info.standard_error(now) or 0.0)
        difference = abs(final_info.mean(before) - final_info.mean(now))
        slack = 3 * spread + 1e-6 * abs(final_info.mean(before))
        what = f"{primary} on {dataset} as stored"
        expected, got = f"{final_info.mean(before):.6g} ± {slack:.2g}", f"{final_info.mean(now):.6g}"
        found.append(Claim(claim=what, expected=expected, found=got, holds=difference <= slack))
    return found
