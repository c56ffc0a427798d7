"""A launch: job in, metrics or a reason out; the evaluator's word is the official one."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import TemplateFault
from harness.execution.executors.local import LocalExecutor
from harness.execution.jobs import Jobs
from harness.execution.launcher import Launcher, LaunchResult
from harness.template.folder import Template

from .conftest import EVALUATE, EXPERIMENT

SAVE = '(out_dir / "final_info.json").write_text(json.dumps({"toy": {"means": means, "final_info_dict": values}}))'


class Bench:
    """Launches an experiment of the toy template with another script or evaluator."""

    def __init__(self, toy: Path, tmp_path: Path) -> None:
        self.toy, self.root = toy, tmp_path

    def launcher(self, evaluator: str = EVALUATE) -> Launcher:
        (self.toy / "evaluate.py").write_text(evaluator)
        template, pinned = Template(self.toy), self.root / "pinned" / "template"
        return Launcher(Jobs(template, pinned, template.pin(pinned)), LocalExecutor())

    def run(self, script: str = EXPERIMENT, evaluator: str = EVALUATE) -> LaunchResult:
        launcher = self.launcher(evaluator)
        code = self.root / "study"
        code.mkdir()
        (code / "experiment.py").write_text(script)
        (code / "data.py").write_text("NOISE = 0.01\n")
        return launcher.run(code, self.root / "job", self.root / "out", lambda *_: None)


@pytest.fixture
def bench(toy: Path, tmp_path: Path) -> Bench:
    return Bench(toy, tmp_path)


def changed(old: str, new: str) -> str:
    assert EXPERIMENT.count(old) == 1
    return EXPERIMENT.replace(old, new)


def evaluator(values: str) -> str:
    """An evaluator that gives this JSON for the loss."""
    content = f'{{"toy": {{"means": {{"loss": 0}}, "final_info_dict": {{"loss": {values}}}}}}}'
    return EVALUATE.replace(
        'shutil.copy(given.run_dir / "final_info.json", given.out_dir / "final_info.json")',
        f"(given.out_dir / 'final_info.json').write_text({content!r})",
    )


def test_a_good_run_has_its_metrics_per_seed(bench: Bench) -> None:
    trial = bench.run()
    assert (trial.outcome, trial.message) == ("ok", "")
    assert trial.scores["toy"]["accuracy"] == (0.5, 0.5, 0.5)
    assert trial.scores["toy"]["loss"] == pytest.approx((0.1, 0.10125, 0.1025))
    assert trial.seconds > 0


def test_the_evaluators_values_are_the_official_ones_and_kept_next_to_the_run(bench: Bench) -> None:
    trial = bench.run(evaluator=evaluator("[7, 8, 9]"))
    assert trial.scores["toy"]["loss"] == (7.0, 8.0, 9.0)
    assert trial.scores["toy"]["accuracy"] == (0.5, 0.5, 0.5)
    assert trial.reported["toy"]["loss"][0] == pytest.approx(0.1)
    assert (bench.root / "out" / "verified.json").exists()


@pytest.mark.parametrize("values", ["[NaN, 1, 2]", "[1, 2]", "[]", '["1", 2, 3]'])
def test_no_claim_takes_the_place_of_an_evaluators_value_that_cannot_be_believed(bench: Bench, values: str) -> None:
    trial = bench.run(evaluator=evaluator(values))
    assert (trial.outcome, trial.scores) == ("no-metrics", {})
    assert trial.message.startswith("evaluate.py, on what the run saved: metric 'loss' of dataset 'toy'")


def test_an_evaluator_that_cannot_cope_with_what_the_run_saved_fails_the_attempt(bench: Bench) -> None:
    trial = bench.run(evaluator="1 / 0\n")
    assert (trial.outcome, trial.scores) == ("no-metrics", {})
    assert trial.message.startswith("evaluate.py failed on what the run saved: exit code 1")
    assert "ZeroDivisionError" in trial.message


def test_what_an_evaluator_refuses_is_a_failed_attempt_with_its_line(bench: Bench) -> None:
    trial = bench.run(evaluator="import sys\nprint('weights.npz: no W', file=sys.stderr)\nsys.exit(3)\n")
    assert trial.outcome == "no-metrics"
    assert "weights.npz: no W" in trial.message
    assert trial.scores == {}


def test_an_evaluator_that_was_changed_since_is_not_run(bench: Bench) -> None:
    launcher = bench.launcher()
    (launcher.jobs.pinned / "evaluate.py").write_text(f"open({str(bench.root / 'ran')!r}, 'w')\n")
    with pytest.raises(TemplateFault, match="has changed since the study began"):
        launcher.run(bench.toy, bench.root / "job", bench.root / "out", lambda *_: None)
    assert not (bench.root / "ran").exists()


@pytest.mark.parametrize(
    ("old", "new", "outcome", "said"),
    [
        (SAVE, "pass", "no-metrics", "without writing out/final_info.json"),
        (SAVE, 'raise ValueError("bad shape")', "crashed", "ValueError: bad shape"),
        (SAVE, "os.kill(os.getpid(), 9)", "crashed", "signal 9"),
        (SAVE, "os._exit(3)", "crashed", "exit code 3"),
        ("RATE + NOISE", 'float("nan") + NOISE', "no-metrics", "'loss' of dataset 'toy', value 0: NaN"),
        ('"accuracy": [0.5 for', '"precision": [0.5 for', "no-metrics", "lacks the metric 'accuracy'"),
        ('os.environ["HARNESS_SEEDS"]', '"0"', "no-metrics", "one value per seed"),
    ],
)
def test_a_failed_attempt_says_why(bench: Bench, old: str, new: str, outcome: str, said: str) -> None:
    trial = bench.run(changed(old, new))
    assert trial.outcome == outcome
    assert said in trial.message
    assert trial.scores == {}


def test_a_crash_is_told_without_the_folders_of_this_machine(bench: Bench) -> None:
    trial = bench.run(changed(SAVE, 'raise ValueError("x")'))
    assert '  File "experiment.py", line ' in trial.message
    assert str(bench.root) not in trial.message


def test_a_smoke_run_is_told_to_be_tiny_and_has_its_own_limit(bench: Bench) -> None:
    launcher = bench.launcher()
    (bench.toy / "experiment.py").write_text(changed("RATE + NOISE", 'float(os.environ["HARNESS_SMOKE"]) + NOISE'))
    trial = launcher.smoke(bench.toy, bench.root / "job", bench.root / "out", lambda *_: None)
    assert trial.scores["toy"]["loss"][0] == 1.0


def test_plots_that_fail_say_why(bench: Bench) -> None:
    launcher = bench.launcher()
    assert launcher.plot(bench.toy, bench.root / "good", bench.root / "plots", lambda *_: None) == ""
    (bench.toy / "plot.py").write_text("{}['loss']\n")
    assert "KeyError: 'loss'" in launcher.plot(bench.toy, bench.root / "bad", bench.root / "plots", lambda *_: None)


def test_the_last_line_is_reported_while_a_job_runs(bench: Bench) -> None:
    ticks: list[tuple[float, str]] = []
    launcher = bench.launcher()
    script = changed(SAVE, f"print('half way'); import time; time.sleep(0.8); {SAVE}")
    (bench.toy / "experiment.py").write_text(script)
    launcher.run(bench.toy, bench.root / "job", bench.root / "out", lambda *tick: ticks.append(tick))
    assert "half way" in [line for _, line in ticks]
    assert [seconds for seconds, _ in ticks[:2]] == [0.25, 0.5]


def test_a_link_that_the_experiment_left_is_not_written_through(bench: Bench) -> None:
    outside = bench.root / "outside"
    outside.write_text("untouched")
    trial = bench.run(changed(SAVE, f"(out_dir / 'verified.json').symlink_to({str(outside)!r}); {SAVE}"))
    assert outside.read_text() == "untouched"
    assert trial.outcome == "ok"
    assert not (bench.root / "out" / "verified.json").is_symlink()
