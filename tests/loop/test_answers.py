"""What a run is to find out stays with the evaluator: a run gets data that were made of it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import Project, edit, notes, until

from harness.execution import sandbox

WORLD = """\
\"\"\"The answer. No study gets it.\"\"\"

TARGET = 3.0
"""
MEASURE = """\
\"\"\"Writes what a run may know of the target: noisy measurements for the seeds in HARNESS_SEEDS.\"\"\"

import json
import os
import random
import sys
import time
from pathlib import Path

from world import TARGET

seeds = [int(seed) for seed in os.environ["HARNESS_SEEDS"].split(",")]
time.sleep(PAUSE)
measured = {seed: TARGET + random.Random(seed).gauss(0, 0.1) for seed in seeds}
(Path(sys.argv[1]) / "measured.json").write_text(json.dumps(measured))
"""
FIGURES = """\
import argparse
from pathlib import Path

from world import TARGET

parser = argparse.ArgumentParser()
parser.add_argument("--run_dir", type=Path)
parser.add_argument("--out_dir", type=Path)
arguments = parser.parse_args()
runs = sorted(path.name for path in arguments.run_dir.glob("run_*"))
(arguments.out_dir / "truth.txt").write_text(f"{TARGET} {runs}")
"""
LEARNT = """\
def guess(seed: int) -> float:
    measured = json.loads((Path(os.environ["HARNESS_DATA"]) / "measured.json").read_text())
    return 0.5 * measured[str(seed)]
"""
BETTER = edit("experiment.py", "    return 0.5 * measured[str(seed)]", "    return 0.9 * measured[str(seed)]")
HONEST = "    guesses = [guess(seed) for seed in seeds]"
SEARCH = """\
    around = [Path.cwd(), *Path.cwd().parents[:-1]]
    print("FOUND", [str(path) for root in around for path in root.glob("**/world*") if path.is_file()])"""


@pytest.fixture
def secret(project: Project) -> Project:
    """The tiny template with its target among the answers."""
    tiny = project.root / "templates" / "tiny"
    (tiny / "world.py").write_text(WORLD)
    (tiny / "measure.py").write_text(MEASURE.replace("PAUSE", "0"))
    (tiny / "data.py").write_text("def accuracy_of(guess: float) -> float:\n    return 1.0\n")
    (tiny / "figures.py").write_text(FIGURES)
    plot = (tiny / "plot.py").read_text().replace('["loss"]', '["accuracy"]')
    (tiny / "plot.py").write_text(plot)
    script = (tiny / "experiment.py").read_text()
    start, end = script.index("def guess"), script.index("def main")
    script = script[:start] + LEARNT + "\n\n" + script[end:]
    script = script.replace("accuracy_of, loss_of, noise", "accuracy_of").replace("NOISE = 0.01\n", "")
    (tiny / "experiment.py").write_text(script.replace('"loss": [loss_of(g) for g in guesses], ', ""))
    manifest = tiny / "template.toml"
    text = manifest.read_text().replace('"data.py"]', '"data.py", "measure.py", "figures.py"]\nanswers = ["world.py"]')
    manifest.write_text(text.replace("[run]", '[run]\nsampler = ["python", "measure.py", "{out_dir}"]', 1))
    project.change_template(
        "evaluate.py",
        "from data import loss_of",
        "from world import TARGET\n\nloss_of = lambda guess: (guess - TARGET) ** 2",
    )
    return project


def test_each_launch_gets_data_of_its_seeds_and_the_evaluator_alone_the_answers(secret: Project) -> None:
    study = secret.run([BETTER, notes()], "--max-runs", "1", "--confirm", "1")

    assert study.outcomes == [(1, 1, "ok")], study.said
    run = study.history.runs[1]
    assert run.measured is not None and set(run.measured.reported["numbers"]) == {"accuracy"}
    assert run.confirmed is not None and run.confirmed.outcome == "ok", "fresh seeds have data of their own"
    assert not (study.paths.root / "world.py").exists()
    assert study.file("plots/truth.txt") == "3.0 ['run_0', 'run_1']", "drawn by figures.py, which knows the answer"
    left = list(study.paths.private.glob("jobs/**/measured.json"))
    assert left == [], "data may be large, so none are kept"


@pytest.mark.parametrize("reach", ["from world import TARGET", "import world", 'TARGET = open("world.py").read()'])
def test_code_that_reaches_for_an_answer_is_not_launched_and_told_why(secret: Project, reach: str) -> None:
    study = secret.run([edit("experiment.py", "PAUSE = 0.0", f"PAUSE = 0.0\n{reach}")] * 3, "--max-fixes", "2")
    assert set(study.findings) == {"held-out"} and study.launches == []
    assert "world.py is for the evaluator only: studies do not get what holds the answer" in study.prompt(2)


@pytest.mark.skipif(sandbox.name() == "none", reason="bubblewrap is missing or does not work here")
def test_code_that_hides_its_reach_for_an_answer_finds_none(secret: Project) -> None:
    dig = edit("experiment.py", HONEST, f"{SEARCH}\n{HONEST}")
    hidden = edit("experiment.py", "PAUSE = 0.0", 'PAUSE = 0.0\nTARGET = __import__("wor" + "ld").TARGET')
    study = secret.run([dig, hidden, notes()], "--max-runs", "2", "--attempts", "1")
    assert "FOUND []" in (study.paths.job("run_1-attempt_1") / "log.txt").read_text()
    assert "No module named 'world'" in study.prompt(3)
    assert 2 not in study.verdicts


def test_data_that_cannot_be_made_are_the_templates_fault_and_named(secret: Project) -> None:
    measure = secret.root / "templates" / "tiny" / "measure.py"
    measure.write_text(measure.read_text() + 'sys.exit("no measurement today")\n')
    said = secret.harness("baseline", "tiny", "--refresh")
    assert said.code != 0
    assert "the sampler of the template failed: exit code 1" in said.err
    assert "no measurement today" in said.err


def test_a_study_that_is_killed_while_data_are_made_goes_on(secret: Project) -> None:
    measure = secret.root / "templates" / "tiny" / "measure.py"
    measure.write_text(MEASURE.replace("PAUSE", '0 if "HARNESS_SMOKE" in os.environ else 1'))
    assert secret.harness("baseline", "tiny", "--refresh").code == 0
    order = secret.order([BETTER, notes()], "--max-runs", "1", "--confirm", "0")
    controller = secret.process(*order)
    study = secret.study()
    until(lambda: (study.paths.job("run_1-attempt_1") / "data" / "out").exists(), "data are made", patience=120)
    controller.kill()
    study = secret.resume()
    assert study.outcomes == [(1, 1, "ok")], study.said
    assert study.ending.status == "done", study.ending.reason


def test_a_laid_out_template_has_the_data_and_no_answer(
    secret: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = secret.harness("template", "checkout", "tiny", "there")
    assert said.code == 0, said.err
    assert (tmp_path / "there" / "harness_data" / "measured.json").is_file()
    assert not (tmp_path / "there" / "world.py").exists()
    assert "HARNESS_DATA=harness_data" in said.out
    assert "left out: answers and held-out files" in said.out


def test_another_sampler_makes_the_baseline_stale(secret: Project) -> None:
    manifest = secret.root / "templates" / "tiny" / "template.toml"
    manifest.write_text(
        manifest.read_text().replace('"measure.py", "{out_dir}"', '"measure.py", "{out_dir}", "--easy"')
    )
    said = secret.harness("baseline", "--check")
    assert said.code != 0
    assert "the sampler was python measure.py {out_dir}" in said.out + said.err
