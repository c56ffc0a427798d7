"""What becomes of a run that a template's real evaluator and limits judge."""

from __future__ import annotations

import json
from pathlib import Path

import pinned

from harness.errors import MetricsError
from harness.records import Scores
from harness.results import final_info
from harness.results.limits import refuse_missing, refuse_outside
from harness.template.folder import Template


def judged(name: str, out: Path, code: int, said: str, seeds: tuple[int, ...]) -> Scores | str:
    """The official scores that the evaluator wrote into `out`, or the one line that says why the run does not count.

    Args:
        code, said: the evaluator's exit status and what it printed as an error.
    """
    if code:
        assert code == 3, said
        (line,) = said.splitlines()
        return line
    limits = Template(pinned.folder(name)).manifest.limits
    scores = final_info.read(out / "final_info.json", None, len(seeds))
    try:
        refuse_missing(limits, scores, "evaluate.py")
        refuse_outside(limits, scores, seeds)
    except MetricsError as error:
        return str(error)
    return scores


def evaluated(name: str, where: Path, run: Path, out: Path, seeds: tuple[int, ...]) -> Scores | str:
    """The same, by running evaluate.py in `where` on what lies in `run`."""
    done = pinned.evaluate(where, run, out, ",".join(map(str, seeds)))
    return judged(name, out, done.returncode, done.stderr, seeds)


def admitted(name: str) -> str:
    """What a template's README says that it does not prevent."""
    readme = (pinned.folder(name) / "README.md").read_text()
    assert readme.count("## What it does not prevent\n") == 1
    return readme.split("## What it does not prevent\n")[1].split("\n## ")[0]


def scores_of(found: Scores | str) -> Scores:
    assert not isinstance(found, str), found
    return found


def stored(name: str) -> Scores:
    """The verified scores of the stored baseline's run."""
    content = json.loads((pinned.baseline_run(name) / "verified.json").read_text())
    return {dataset: {k: tuple(v) for k, v in body["final_info_dict"].items()} for dataset, body in content.items()}
