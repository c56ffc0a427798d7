"""The stored baseline of a template: what the unmodified experiment scores, and what exactly produced it."""

from __future__ import annotations

import hashlib
import math
import shutil
import time
from pathlib import Path

from pydantic import ValidationError

from harness.errors import BaselineError
from harness.files import digest_of_file, write_json
from harness.records import Claim, Machine, Record, Scores, one_line
from harness.results import final_info
from harness.template.folder import Template
from harness.template.manifest import executed

LARGEST_FILE = 2 * 2**20
"""Bytes of a file of the baseline's run that is kept: baselines lie in git, and go into every study."""


class Fingerprint(Record):
    """What a baseline depends on. Anything else may change without making it stale."""

    files: dict[str, str]
    """File that takes part in a run or its evaluation → SHA-256 of its bytes."""
    command: tuple[str, ...]
    seeds: tuple[int, ...]

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class Baseline(Record):
    """baselines/NAME/baseline.json; the run's files lie beside it in run_0/."""

    template: str
    fingerprint: Fingerprint
    scores: Scores
    """Official values per seed."""
    reported: Scores
    """What experiment.py claimed."""
    seconds: float
    machine: Machine | None
    """Where it was measured; None of a study's baseline of before this was known in full."""
    made_at: float


def fingerprint(template: Template) -> Fingerprint:
    run = template.manifest.run
    takes_part = sorted({**template.files, **template.held_out}.items())
    files = {name: digest_of_file(path) for name, path in takes_part if executed(name)}
    return Fingerprint(files=files, command=run.command, seeds=run.seeds)


def folder(baselines: Path, template: Template) -> Path:
    return baselines / template.name


def path(baselines: Path, template: Template) -> Path:
    return folder(baselines, template) / "baseline.json"


def load(baselines: Path, template: Template) -> Baseline:
    """The template's stored baseline, if it is still true.

    Raises:
        BaselineError: there is none, it cannot be read, it is another template's, or something it depends on changed.
    """
    file = path(baselines, template)
    refresh = f"harness baseline {template.name} --refresh"
    try:
        stored = Baseline.model_validate_json(file.read_bytes())
    except FileNotFoundError as error:
        make = f"harness baseline {template.name}"
        raise BaselineError(f"{template.name} has no baseline ({file} is missing); make it with: {make}") from error
    except ValidationError as error:
        raise BaselineError(f"{file}: {one_line(error)}; make it anew with: {refresh}") from error
    if not (folder(baselines, template) / "run_0" / "final_info.json").is_file():
        raise BaselineError(f"the baseline of {template.name} lacks its run_0; make it anew with: {refresh}")
    if stored.template != template.name:
        raise BaselineError(f"{file} is the baseline of {stored.template!r}, not of {template.name!r}; see: {refresh}")
    for dataset, scores in stored.scores.items():
        if lacking := sorted(set(template.manifest.metrics) - set(scores)):
            raise BaselineError(f"the baseline of {template.name} lacks {lacking[0]!r} on {dataset}; see: {refresh}")
    difference = _difference(stored.fingerprint, fingerprint(template))
    if difference:
        raise BaselineError(f"the baseline of {template.name} is stale: {difference}; make it anew with: {refresh}")
    return stored


def _difference(stored: Fingerprint, now: Fingerprint) -> str:
    for name in sorted({*stored.files, *now.files}):
        if stored.files.get(name) != now.files.get(name):
            how = "is gone" if name not in now.files else "is new" if name not in stored.files else "has changed"
            return f"{name} {how} since it was made"
    if stored.command != now.command:
        return f"the run command was {' '.join(stored.command)}"
    if stored.seeds != now.seeds:
        return f"the seeds were {', '.join(map(str, stored.seeds))}"
    return ""


def save(
    baselines: Path,
    template: Template,
    out_dir: Path,
    *,
    scores: Scores,
    reported: Scores,
    seconds: float,
    machine: Machine | None,
) -> list[str]:
    """Store a finished run of the unmodified template as its baseline, with the files that the run left.

    `template` is the copy that ran: the project's may have been edited meanwhile.

    Returns:
        Names of files that are too large to be kept.
    """
    baseline = Baseline(
        template=template.name,
        fingerprint=fingerprint(template),
        scores=scores,
        reported=reported,
        seconds=round(seconds, 3),
        machine=machine,
        made_at=round(time.time()),
    )
    target = folder(baselines, template)
    large: list[str] = []

    def too_large(within: str, names: list[str]) -> list[str]:
        found = [n for n in names if (file := Path(within, n)).is_file() and file.stat().st_size > LARGEST_FILE]
        large.extend(str(Path(within, name).relative_to(out_dir)) for name in found)
        return found

    path(baselines, template).unlink(missing_ok=True)  # so that half a baseline is none
    fresh = target / ".run_0"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(out_dir, fresh, ignore=too_large)
    shutil.rmtree(target / "run_0", ignore_errors=True)
    fresh.rename(target / "run_0")
    write_json(path(baselines, template), baseline.model_dump(mode="json"))
    return large


def agreement(stored: Baseline, again: Scores, primary: str) -> list[Claim]:
    """Whether another run of the same code scores what the stored one did, within what seeds do.

    Seeds on the same machine give the same numbers; on another, rounding may set a training on another path, so the
    means may differ by three standard errors of their difference.
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
