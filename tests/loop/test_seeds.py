"""Seeds must be real: a script or an edit that does not use HARNESS_SEEDS never gets a verdict from "fresh" seeds."""

from __future__ import annotations

import json
from pathlib import Path

from lab import Project, Study, notes, scale, swap

from harness.state.events import ConfirmationEnded, Recorded

READS = 'seeds = [int(seed) for seed in os.environ["HARNESS_SEEDS"].split(",")]'
OWN = 'seeds = range(len(os.environ["HARNESS_SEEDS"].split(",")))'
AGAIN = "exactly those of other seeds again"


def baseline_file(project: Project) -> Path:
    return project.root / "baselines" / "tiny" / "baseline.json"


def seeding(project: Project) -> str:
    found: str = json.loads(baseline_file(project).read_text())["seeding"]
    return found


def ignore_seeds(project: Project) -> None:
    script = project.root / "templates" / "tiny" / "experiment.py"
    script.write_text(script.read_text().replace(READS, OWN))


def forget_what_seeds_do(project: Project) -> None:
    """As baselines of earlier versions are."""
    content = json.loads(baseline_file(project).read_text())
    del content["seeding"]
    baseline_file(project).write_text(json.dumps(content))


def with_lucky_seeds(value: float) -> str:
    """A reply that runs its own choice of seeds, whatever it is told."""
    return scale(value) + swap(READS, "seeds = [7, 8, 9, 10, 11][: len(os.environ['HARNESS_SEEDS'].split(','))]")


def assert_nothing_is_confirmed(project: Project, study: Study, run: int = 1) -> None:
    """No verdict, and the reason is told everywhere."""
    ended = study.of(ConfirmationEnded)[-1]
    assert (ended.run, ended.outcome, ended.repeats) == (run, "ok", True)
    assert study.verdicts[run] == "cannot tell"
    assert AGAIN in project.harness("compare", "s").out
    assert AGAIN in project.harness("show", "s").out
    assert any(AGAIN in study.prompt(turn.turn) for turn in study.turns)
    (described,) = json.loads(project.harness("compare", "s", "--json").out)
    assert described["runs"][run - 1]["repeats_other_seeds"] is True
    assert described["runs"][run - 1]["verdicts"]["numbers"]["verdict"] == "cannot tell"


def test_a_baseline_says_what_other_seeds_change(project: Project) -> None:
    assert seeding(project) == "varies"
    project.change_template("experiment.py", "NOISE = 0.01", "NOISE = 0.0")
    assert seeding(project) == "deterministic"
    assert "compared exactly" in project.harness("baseline", "tiny").out


def test_a_script_that_ignores_the_seeds_gets_no_baseline(project: Project) -> None:
    before = baseline_file(project).read_bytes()
    ignore_seeds(project)
    said = project.harness("baseline", "tiny", "--refresh")
    assert said.code == 2
    assert "tiny ignores HARNESS_SEEDS" in said.err and "--accept-fixed-seeds" in said.err
    assert baseline_file(project).read_bytes() == before


def test_with_accepted_fixed_seeds_no_run_can_be_confirmed(project: Project) -> None:
    ignore_seeds(project)
    assert project.harness("baseline", "tiny", "--refresh", "--accept-fixed-seeds").code == 0
    study = project.run([scale(2.0), notes()], "--max-runs", "1")
    assert study.ending.status == "done"
    assert study.verdicts == {1: "cannot be confirmed"}
    assert study.of(ConfirmationEnded) == []
    assert "ignores HARNESS_SEEDS" in study.prompt(1)
    assert "ignores HARNESS_SEEDS" in project.harness("compare", "s").out
    said = project.harness("confirm", "s", "1")
    assert (said.code, "ignores HARNESS_SEEDS" in said.err) == (2, True)


def test_a_script_that_ignores_the_seeds_is_found_out_though_nobody_tried_it_before(project: Project) -> None:
    ignore_seeds(project)
    assert project.harness("baseline", "tiny", "--refresh", "--accept-fixed-seeds").code == 0
    forget_what_seeds_do(project)
    study = project.run([scale(2.0), notes()], "--max-runs", "1")
    assert_nothing_is_confirmed(project, study)


def test_an_edit_that_runs_its_own_choice_of_seeds_confirms_nothing(project: Project) -> None:
    study = project.run([with_lucky_seeds(2.0), notes()], "--max-runs", "1")
    assert_nothing_is_confirmed(project, study)


def test_an_edit_that_runs_one_seed_over_and_over_confirms_nothing(project: Project) -> None:
    reply = scale(2.0) + swap(READS, "seeds = [7] * len(os.environ['HARNESS_SEEDS'].split(','))")
    assert_nothing_is_confirmed(project, project.run([reply, notes()], "--max-runs", "1"))


def test_a_replicate_of_such_an_edit_is_not_pooled(project: Project) -> None:
    replies = [with_lucky_seeds(2.0), "REPLICATE run_1", notes()]
    study = project.run(replies, "--max-runs", "2", "--confirm", "0")
    first, second = [event for event in study.of(Recorded) if event.run]
    assert (first.repeats, second.repeats, second.pooled) == (False, True, ())
    assert study.history.runs[1].comparisons[0].n == 3
    assert "not a new sample" in study.prompt(3)
    assert AGAIN in project.harness("compare", "s").out


def test_a_real_replicate_is_pooled(project: Project) -> None:
    study = project.run([scale(2.0), "REPLICATE run_1", notes()], "--max-runs", "2", "--confirm", "0")
    assert not any(event.repeats for event in study.of(Recorded))
    assert study.history.runs[1].comparisons[0].n == 6


def test_a_deterministic_experiment_still_gets_an_exact_verdict(project: Project) -> None:
    project.change_template("experiment.py", "NOISE = 0.01", "NOISE = 0.0")
    study = project.run([scale(2.0), notes()], "--max-runs", "1")
    assert study.verdicts == {1: "better"}
    assert "compared exactly" in study.prompt(1)


def test_seeds_that_fail_when_they_are_others_are_told_when_the_baseline_is_made(project: Project) -> None:
    script = project.root / "templates" / "tiny" / "experiment.py"
    script.write_text(script.read_text().replace("    smoke =", "    assert max(seeds) < 100\n    smoke ="))
    said = project.harness("baseline", "tiny", "--refresh")
    assert said.code != 0
    assert "AssertionError" in said.err and "other seeds" in said.err


def test_an_honest_edit_is_confirmed_as_before(project: Project) -> None:
    study = project.run([scale(2.0), notes()], "--max-runs", "1")
    assert study.verdicts == {1: "better"}
    assert not study.of(ConfirmationEnded)[-1].repeats
