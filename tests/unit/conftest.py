"""What the unit tests share: a toy template that runs in milliseconds, and a builder of study histories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.records import Budget, Comparison, Finding, Idea, MetricSpec, Scores, Usage
from harness.results.compare import compare
from harness.state.events import (
    AnyEvent,
    AttemptEnded,
    AttemptLaunched,
    ConfirmationAsked,
    ConfirmationEnded,
    EditChecked,
    ModelCalled,
    PlotsDrawn,
    Recorded,
    SeedsMeasured,
    StudyResumed,
    StudyStarted,
    StudyStopped,
    TurnEnded,
    TurnStarted,
)
from harness.state.history import History
from harness.template.folder import Template
from harness.workspace import Lab, Workspace

MANIFEST = """\
[template]
name = "toy"
summary = "A toy that takes milliseconds"
editable = ["experiment.py", "plot.py", "notes.md"]
new_files = ["*.py"]
protected = ["evaluate.py", "data.py"]

[run]
timeout = "20s"
seeds = [0, 1, 2]
memory = "512MiB"

[smoke]
timeout = "10s"

[metrics.loss]
goal = "min"
primary = true

[metrics.accuracy]
goal = "max"

[metrics.seconds]
goal = "min"
machine_bound = true

[search_space.RATE]
type = "float"
low = 0.001
high = 1.0
log = true

[search_space.WIDTH]
type = "int"
low = 1
high = 64
"""
EXPERIMENT = '''\
"""A toy experiment: the loss follows from the constants."""

import argparse
import json
import os
from pathlib import Path

from data import NOISE

RATE = 0.1  # the step
WIDTH: int = 8


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out_dir", type=Path, required=True)
    out_dir = parser.parse_args().out_dir
    out_dir.mkdir(parents=True, exist_ok=True)
    seeds = [int(seed) for seed in os.environ["HARNESS_SEEDS"].split(",")]
    values = {"loss": [RATE + NOISE * s / WIDTH for s in seeds], "accuracy": [0.5 for _ in seeds]}
    values["seconds"] = [0.001 for _ in seeds]
    means = {name: sum(of_seeds) / len(of_seeds) for name, of_seeds in values.items()}
    (out_dir / "final_info.json").write_text(json.dumps({"toy": {"means": means, "final_info_dict": values}}))


if __name__ == "__main__":
    main()
'''
EVALUATE = """\
import argparse
import shutil
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--run_dir", type=Path)
parser.add_argument("--out_dir", type=Path)
given = parser.parse_args()
given.out_dir.mkdir(parents=True, exist_ok=True)
shutil.copy(given.run_dir / "final_info.json", given.out_dir / "final_info.json")
"""
TOY = {
    "template.toml": MANIFEST,
    "experiment.py": EXPERIMENT,
    "evaluate.py": EVALUATE,
    "data.py": "NOISE = 0.01\n",
    "plot.py": "print('nothing to draw')\n",
    "notes.md": "# Notes\n",
    "ideas/wider.toml": 'title = "Wider"\nprompt = "Make it wider."\nmetrics = ["loss"]\n',
}


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """The folder of a sound template, templates/toy."""
    folder = tmp_path / "templates" / "toy"
    for name, text in TOY.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def template(toy: Path) -> Template:
    return Template(toy)


@pytest.fixture
def workspace(template: Template, tmp_path: Path) -> Workspace:
    """A worktree with the toy's files in it, nothing committed yet."""
    return make_workspace(template, tmp_path / "runs" / "study")


def make_workspace(template: Template, root: Path) -> Workspace:
    made = Workspace.create(Lab(root.parent / "lab.git"), root, template)
    for name, source in template.files.items():
        (root / name).write_bytes(source.read_bytes())
    return made


BASELINE: Scores = {"toy": {"loss": (1.0, 1.1, 0.9), "accuracy": (0.5, 0.6, 0.4), "seconds": (3.0, 3.1, 3.2)}}


class Story:
    """Builds a study's events one second apart, numbering turns, runs and attempts as the study would."""

    def __init__(self, **started: Any) -> None:
        self.at = 1000.0
        self.events: list[AnyEvent] = []
        fields = {
            "study": "s",
            "template": "toy",
            "idea": Idea(title="Wider", prompt="Make it wider.", hypotheses=("It helps.",), metrics=("loss",)),
            "agent": "aider",
            "model": "replay:x",
            "budget": Budget(),
            "seeds": (0, 1, 2),
            "commit": "c0",
            "tree": "t0",
            "digest": "d0",
            "pinned": "p",
            "fingerprint": "f",
            "baseline": BASELINE,
            "baseline_machine": "m",
            "sandbox": "none",
        }
        self.add(StudyStarted, **{**fields, **started})

    def add(self, kind: type, **fields: Any) -> Story:
        self.at += 1.0
        self.events.append(kind(at=self.at, **fields))
        return self

    @property
    def history(self) -> History:
        return History(self.events)

    def asked(self, purpose: str = "next", why: str = "") -> Story:
        return self.add(TurnStarted, turn=len(self.history.turns) + 1, purpose=purpose, why=why)

    def called(self, dollars: float = 0.0, tokens: int = 0) -> Story:
        usage = Usage(calls=1, tokens_in=tokens, dollars=dollars)
        return self.add(
            ModelCalled, turn=len(self.history.turns) + 1, call=self.history.calls + 1, usage=usage, seconds=0.5
        )

    def answered(self, status: str = "edited", purpose: str = "next", **more: Any) -> Story:
        turn = len(self.history.turns) + 1
        tree = f"t{turn}" if status == "edited" else self.history.tree
        return self.add(TurnEnded, turn=turn, purpose=purpose, status=status, **{"tree": tree, **more})

    def turn(self, status: str = "edited", purpose: str = "next", **more: Any) -> Story:
        return (
            self.asked(purpose, why="enough" if purpose == "finish" else "").called().answered(status, purpose, **more)
        )

    def checked(self, *findings: Finding, digest: str = "") -> Story:
        turn = len(self.history.turns)
        return self.add(EditChecked, turn=turn, findings=findings, digest=digest or f"d{turn}")

    def launched(self, **more: Any) -> Story:
        run, attempt = self.history.next_attempt()
        turn = self.history.turns[-1]
        fields = {"tree": turn.tree, "digest": f"d{turn.turn}", "replicate_of": turn.replicate_of}
        return self.add(AttemptLaunched, run=run, attempt=attempt, **{**fields, **more})

    def ended(self, outcome: str = "ok", loss: tuple[float, ...] = (), **more: Any) -> Story:
        launched = self.history.launched
        assert launched is not None
        scores = {"toy": {**BASELINE["toy"], "loss": loss}} if loss else {}
        fields = {"seconds": 2.0, "scores": scores, "reported": scores}
        return self.add(AttemptEnded, run=launched.run, attempt=launched.attempt, outcome=outcome, **{**fields, **more})

    def recorded(self, outcome: str = "", **more: Any) -> Story:
        history = self.history
        turn = len(history.turns)
        fields: dict[str, Any] = {"turn": turn, "commit": f"c{turn}", "tree": history.tree}
        if history.launched is None:
            return self.add(Recorded, outcome=outcome, **{**fields, **more})
        ended = history.first or history.runs[history.launched.run].attempts[-1]
        compared: tuple[Comparison, ...] = ()
        if ended.outcome == "ok":
            compared = tuple(self.comparison(name, ended.scores["toy"][name]) for name in ("loss", "accuracy"))
        fields |= {"run": ended.run, "attempt": ended.attempt, "comparisons": compared}
        fields["abandoned"] = ended.outcome != "ok" and ended.attempt >= history.begun.budget.attempts
        return self.add(Recorded, outcome=ended.outcome, **{**fields, **more})

    def comparison(self, metric: str, values: tuple[float, ...]) -> Comparison:
        return compare(
            dataset="toy",
            metric=metric,
            spec=MetricSpec(goal="min" if metric == "loss" else "max", primary=metric == "loss"),
            baseline=BASELINE["toy"][metric],
            values=values,
            tried=1,
        )

    def run(self, loss: tuple[float, ...], **turn: Any) -> Story:
        """A whole turn that gives a result."""
        return self.turn(**turn).checked().launched().ended(loss=loss).recorded()

    def to_confirm(self, run: int = 1, looks: tuple[int, ...] = (5, 10), **more: Any) -> Story:
        """A confirmation begins."""
        seeds = self.history.fresh_seeds(looks[-1])
        return self.add(ConfirmationAsked, run=run, seeds=seeds, looks=looks, datasets=("toy",), **more)

    def fresh(self, baseline: bool, loss: tuple[float, ...] = (), outcome: str = "ok", count: int = 3) -> Story:
        """A launch on the confirmation's next seeds: one per loss, or `count` of them."""
        asked = self.history.confirming
        assert asked is not None
        done = len(self.history.fresh_values(baseline)[0])
        seeds = asked.seeds[done : done + (len(loss) or count)]
        scores = {"toy": {"loss": loss, "accuracy": (0.5,) * len(loss), "seconds": (3.0,) * len(loss)}} if loss else {}
        fields = {"seeds": seeds, "outcome": outcome, "seconds": 2.0, "scores": scores}
        return self.add(SeedsMeasured, run=asked.run, baseline=baseline, **fields)

    def both(self, loss: tuple[float, ...], baseline: tuple[float, ...]) -> Story:
        """The confirmation's next seeds, measured on both sides."""
        return self.fresh(True, baseline).fresh(False, loss)

    def confirmed(self, run: int, loss: tuple[float, ...]) -> Story:
        """A run measured on fresh seeds, as journals of older versions tell it; without a loss, it failed there."""
        self.add(ConfirmationAsked, run=run, seeds=(3, 4, 5, 6, 7, 8))
        compared = (self.comparison("loss", loss),) if loss else ()
        outcome = "ok" if loss else "crashed"
        fields = {"seeds": (3, 4, 5), "outcome": outcome, "seconds": 2.0, "comparisons": compared}
        return self.add(ConfirmationEnded, run=run, commit=f"f{run}", tree=self.history.tree, **fields)

    def failed_run(self, outcome: str = "crashed", message: str = "exit code 1") -> Story:
        return self.turn().checked().launched().ended(outcome, message=message).recorded()

    def plotted(self, message: str = "") -> Story:
        return self.add(PlotsDrawn, files=("a.png",), message=message)

    def stopped(self, status: str = "paused", reason: str = "why") -> Story:
        return self.add(StudyStopped, status=status, reason=reason)

    def resumed(self, pause: float) -> Story:
        self.at += pause
        return self.add(StudyResumed)


@pytest.fixture
def story() -> type[Story]:
    return Story
