"""Limits of template.toml: a run whose official values lie outside gets no result, and is told why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import prompts
from harness.errors import BaselineError, MetricsError, TemplateError
from harness.execution.executors.local import LocalExecutor
from harness.execution.jobs import Jobs
from harness.execution.launcher import Launcher, LaunchResult
from harness.planning import budget
from harness.records import Scores
from harness.results.limits import Limit, exact, refuse_missing, refuse_outside
from harness.template import baseline
from harness.template.baseline import Baseline, fingerprint
from harness.template.folder import Template
from harness.template.manifest import Manifest

from .conftest import EVALUATE, EXPERIMENT, MANIFEST, Story

NO_EVALUATOR = MANIFEST.replace('"evaluate.py", ', "")
STEPS = "\n[limits]\nsteps = { least = 1, most = 1_000 }\n"
WITHOUT_STEPS = EVALUATE.replace(
    'shutil.copy(given.run_dir / "final_info.json", given.out_dir / "final_info.json")',
    'import json\ninfo = json.loads((given.run_dir / "final_info.json").read_text())\n'
    'for part in info["toy"].values():\n    part.pop("steps", None)\n'
    '(given.out_dir / "final_info.json").write_text(json.dumps(info))',
)


def reporting(steps: str) -> str:
    """The toy experiment with one more value, `steps`."""
    line = '    values["seconds"] = [0.001 for _ in seeds]\n'
    return EXPERIMENT.replace(line, f"{line}    values['steps'] = {steps}\n").replace(
        "sum(of_seeds) / len(of_seeds) for name", "0.0 for name"
    )


class Bench:
    """Launches an experiment of the toy template with a limit on its steps."""

    def __init__(self, toy: Path, root: Path) -> None:
        self.toy, self.root = toy, root

    def run(self, steps: str, manifest: str = MANIFEST, evaluator: str = EVALUATE, smoke: bool = False) -> LaunchResult:
        (self.toy / "template.toml").write_text(manifest + STEPS)
        (self.toy / "experiment.py").write_text(reporting(steps) if steps else EXPERIMENT)
        (self.toy / "evaluate.py").unlink()
        if manifest == MANIFEST:
            (self.toy / "evaluate.py").write_text(evaluator)
        template, pinned, code = Template(self.toy), self.root / "pinned" / "template", self.root / "study"
        template.lay_out(code)
        launcher = Launcher(Jobs(template, pinned, template.pin(pinned)), LocalExecutor())
        launch = launcher.smoke if smoke else launcher.run
        return launch(code, self.root / "job", self.root / "out", lambda *_: None)


@pytest.fixture
def bench(toy: Path, tmp_path: Path) -> Bench:
    return Bench(toy, tmp_path)


@pytest.mark.parametrize("manifest", [MANIFEST, NO_EVALUATOR], ids=["evaluator", "script"])
@pytest.mark.parametrize("steps", ["[1, 500, 1000]", "[1000.0] * 3"])
def test_a_run_within_its_limits_has_its_result_and_a_bound_itself_is_within(
    bench: Bench, steps: str, manifest: str
) -> None:
    trial = bench.run(steps, manifest)
    assert (trial.outcome, trial.message) == ("ok", "")
    assert len(trial.scores["toy"]["steps"]) == 3


@pytest.mark.parametrize("manifest", [MANIFEST, NO_EVALUATOR], ids=["evaluator", "script"])
@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ("[1000, 1000, 1001]", "steps on toy is 1001 for seed 2, above the limit of 1000"),
        ("[1000, 1000.5, 0]", "steps on toy is 1000.5 for seed 1, above the limit of 1000"),
        ("[0, 1, 1]", "steps on toy is 0 for seed 0, below the limit of 1"),
    ],
)
def test_a_run_outside_its_limits_has_no_result_and_one_line_says_which_value(
    bench: Bench, steps: str, said: str, manifest: str
) -> None:
    trial = bench.run(steps, manifest)
    assert (trial.outcome, trial.scores) == ("no-metrics", {})
    assert trial.message == f"{said} ([limits] in template.toml), so the run does not count"
    assert not (bench.root / "out" / "verified.json").exists()


@pytest.mark.parametrize("manifest", [MANIFEST, NO_EVALUATOR], ids=["evaluator", "script"])
@pytest.mark.parametrize("steps", ["", "1000", "[1000]", "[]", "[True] * 3", "['1'] * 3", "[float('nan')] * 3", "None"])
def test_a_value_that_a_limit_names_must_be_one_finite_number_per_seed(bench: Bench, steps: str, manifest: str) -> None:
    trial = bench.run(steps, manifest)
    assert trial.outcome == "no-metrics"
    assert "'steps'" in trial.message
    assert "\n" not in trial.message


def test_a_value_that_only_the_script_reports_keeps_no_limit(bench: Bench) -> None:
    trial = bench.run("[1, 1, 1]", evaluator=WITHOUT_STEPS)
    assert trial.outcome == "no-metrics"
    assert trial.message.startswith("evaluate.py does not give 'steps' on 'toy', one value per seed, which [limits]")


@pytest.mark.parametrize("manifest", [MANIFEST, NO_EVALUATOR], ids=["evaluator", "script"])
def test_a_smoke_run_must_give_the_value_but_need_not_keep_the_limit(bench: Bench, manifest: str) -> None:
    assert bench.run("[0, 0, 9999]", manifest, smoke=True).outcome == "ok"


def test_a_smoke_run_without_the_value_fails_before_a_real_one_does(bench: Bench) -> None:
    assert "'steps'" in bench.run("", NO_EVALUATOR, smoke=True).message


def test_a_stored_baseline_outside_the_limits_is_refused(toy: Path, tmp_path: Path) -> None:
    template = Template(toy)
    scores = {"toy": {"loss": (1.0, 1.1, 0.9), "accuracy": (0.5,) * 3, "seconds": (1.0,) * 3, "steps": (1e5,) * 3}}
    found = Baseline(
        template="toy",
        fingerprint=fingerprint(template),
        scores=scores,
        reported=scores,
        seconds=1.0,
        machine=None,
        made_at=0,
    )
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "final_info.json").write_text("{}")
    baseline.save(tmp_path / "stored", found, tmp_path / "out")
    assert baseline.load(tmp_path / "stored", template) == found
    (toy / "template.toml").write_text(MANIFEST + STEPS)
    with pytest.raises(BaselineError, match=r"baseline of toy breaks .* limits: steps on toy is 100000 for seed 0"):
        baseline.load(tmp_path / "stored", Template(toy))
    (toy / "template.toml").write_text(MANIFEST + "\n[limits]\nl0 = { most = 2.0 }\n")
    with pytest.raises(BaselineError, match="does not give 'l0'"):
        baseline.load(tmp_path / "stored", Template(toy))


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("{}", "limits.steps: a limit needs least, most or both"),
        ("{ least = 2, most = 1.5 }", "limits.steps: least = 2 is more than most = 1.5"),
        ("{ most = true }", "limits.steps.most"),
        ("{ most = nan }", "limits.steps.most"),
        ("{ most = inf }", "limits.steps.most"),
        ('{ most = "100" }', "limits.steps.most"),
        ("{ max = 100 }", "limits.steps.max: unknown key"),
        ("100", "limits.steps"),
    ],
)
def test_what_is_wrong_with_a_limit_is_said_with_its_key(toy: Path, limit: str, said: str) -> None:
    (toy / "template.toml").write_text(f"{MANIFEST}\n[limits]\nsteps = {limit}\n")
    with pytest.raises(TemplateError) as refused:
        Template(toy)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_limit_may_be_one_number() -> None:
    assert str(Limit(least=3, most=3)) == "at least 3 and at most 3"
    assert not Limit(least=3, most=3).broken_by(3.0)


def test_nothing_that_is_no_number_is_within_a_limit() -> None:
    assert Limit(most=1.0).broken_by(float("nan"))
    assert Limit(least=1.0).broken_by(float("nan"))


def test_every_dataset_has_to_keep_a_limit() -> None:
    scores: Scores = {"a": {"l0": (1.0, 1.0)}, "b": {"l0": (1.0, 2.5)}}
    with pytest.raises(MetricsError, match=r"l0 on b is 2\.5 for seed 7, above the limit of 2 "):
        refuse_outside({"l0": Limit(most=2.0)}, scores, (3, 7))
    with pytest.raises(MetricsError, match="does not give 'l0' on 'c'"):
        refuse_missing({"l0": Limit(most=2.0)}, {**scores, "c": {}}, "evaluate.py")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(15_000.0, "15000"), (0.1, "0.1"), (1e75, "1e+75"), (-2.0, "-2"), (1000.0000001, "1000.0000001")],
)
def test_a_value_is_shown_in_all_its_digits(value: float, shown: str) -> None:
    assert exact(value) == shown


@pytest.mark.parametrize("protected", [("evaluate.py",), ()], ids=["evaluator", "script"])
def test_the_first_prompt_states_the_limits(story: type[Story], protected: tuple[str, ...]) -> None:
    history = story().history
    stated: dict[str, Any] = {
        "template": {"name": "toy", "summary": "s", "editable": ["experiment.py"], "protected": protected},
        "metrics": {"loss": {"goal": "min", "primary": True}},
        "limits": {"steps": {"most": 15_000}, "l0": {"least": 0.5, "most": 2.0}},
    }
    text = prompts.start(history, Manifest.model_validate(stated), budget.left(history), "")
    by_evaluator = ", by the values that evaluate.py gives" if protected else ""
    assert (
        "\nLimits: steps at most 15000; l0 at least 0.5 and at most 2. They hold for every seed on every dataset"
        f"{by_evaluator}. A run outside them gets no result.\n\n## The baseline" in text
    )
    del stated["limits"]
    assert "Limits:" not in prompts.start(history, Manifest.model_validate(stated), budget.left(history), "")
