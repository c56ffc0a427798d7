"""Where fewer seeds cost less, a run without hope ends with its first seeds; any other is as if nothing had been."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from lab import UNCONFIRMED, Project, has_happened, in_real_runs, notes, scale, undo, until

from harness.state.events import AttemptEnded, AttemptLaunched, Recorded, StudyStarted

BREAKS = in_real_runs('if 2 in seeds:\n    raise IndexError("no third")')


@pytest.fixture(scope="module")
def raced_once(tmp_path_factory: pytest.TempPathFactory, made_once: Path) -> Path:
    project = Project(shutil.copytree(made_once, tmp_path_factory.mktemp("raced") / "project"))
    manifest = project.root / "templates" / "tiny" / "template.toml"
    manifest.write_text(manifest.read_text().replace("[run]\n", '[run]\nseed_cost = "proportional"\n'))
    return project.root


@pytest.fixture
def project(raced_once: Path, tmp_path: Path) -> Project:
    return Project(shutil.copytree(raced_once, tmp_path / "project"))


def test_a_run_without_hope_is_stopped_and_everybody_is_told(project: Project) -> None:
    study = project.run([scale(0.5), scale(2.0, 0.5), notes()], "--max-runs", "2", "--confirm", "0")

    assert [e.seeds for e in study.launches] == [(0, 1), (0, 1)]
    assert [(e.run, e.first, len(e.scores["numbers"]["loss"])) for e in study.of(AttemptEnded)] == [
        (1, True, 2),
        (2, True, 2),
        (2, False, 3),
    ]
    first = study.of(Recorded)[0]
    assert first.stopped.startswith("stopped after 2 of 3 seeds") and first.saved > 0
    assert study.verdicts == {1: "worse", 2: UNCONFIRMED}
    assert "first launched on its first 2 seeds" in study.prompt(1)
    assert "Run 1 was stopped after 2 of 3 seeds" in study.prompt(2) and "machine time saved" in study.prompt(2)
    assert "run 1: stopped after 2 of 3 seeds" in project.harness("compare", "s").out
    shown = project.harness("show", "s").out
    assert "stopped after 2 of 3 seeds" in shown and "of machine time, by stopping runs early" in shown
    told = json.loads(project.harness("compare", "s", "--json").out)[0]["runs"]
    assert [bool(run["stopped_early"]) for run in told] == [True, False] and told[0]["saved_seconds"] == first.saved
    assert len(json.loads(study.git("show", "s:run_1/final_info.json"))["numbers"]["final_info_dict"]["loss"]) == 2


def test_a_run_with_hope_is_as_if_it_had_been_launched_once(project: Project, made_once: Path, tmp_path: Path) -> None:
    replies = [scale(2.0), notes()]
    study = project.run(replies, "--max-runs", "1")
    whole = Project(shutil.copytree(made_once, tmp_path / "whole")).run(replies, "--max-runs", "1")

    ours, theirs = study.history.runs[1], whole.history.runs[1]
    assert ours.measured and theirs.measured
    assert (ours.measured.scores, ours.measured.reported) == (theirs.measured.scores, theirs.measured.reported)
    assert ours.comparisons == theirs.comparisons
    assert study.verdicts == whole.verdicts == {1: "better"}
    for name in ("final_info.json", "verified.json"):
        found, expected = (json.loads(each.git("show", f"s:run_1/{name}"))["numbers"] for each in (study, whole))
        assert found["final_info_dict"]["loss"] == expected["final_info_dict"]["loss"]
        assert found["means"]["loss"] == pytest.approx(expected["means"]["loss"])
    seconds = [e.seconds for e in study.of(AttemptEnded)]
    assert seconds[1] > seconds[0], "those of the first seeds are included"


def test_a_run_that_fails_on_its_other_seeds_has_failed(project: Project) -> None:
    mended = undo(BREAKS) + scale(2.0)
    study = project.run([BREAKS, mended, notes()], "--max-runs", "1", "--confirm", "0")

    assert [(e.first, e.outcome) for e in study.of(AttemptEnded)] == [
        (True, "ok"),
        (False, "crashed"),
        (True, "ok"),
        (False, "ok"),
    ]
    assert "IndexError" in study.prompt(2)
    assert study.verdicts == {1: UNCONFIRMED}


def test_a_study_that_is_killed_between_the_launches_goes_on_with_the_other_seeds(project: Project) -> None:
    replies = [scale(2.0), notes()]
    undisturbed = project.run(replies, "--max-runs", "1", "--confirm", "0", name="u")
    study = project.study()
    with project.process(*project.order(replies, "--max-runs", "1", "--confirm", "0")) as controller:
        for kind in (StudyStarted, AttemptLaunched, AttemptEnded):
            until(has_happened(study, kind), f"{kind.__name__} on the first seeds")
        controller.kill()
    lines = study.paths.journal.read_bytes().splitlines(keepends=True)
    ended = next(n for n, event in enumerate(study.events) if isinstance(event, AttemptEnded))
    study.paths.journal.write_bytes(b"".join(lines[: ended + 1]))
    assert "on its other seeds" in project.harness("show", "s").out

    assert project.resume().said.code == 0
    assert len(study.of(AttemptLaunched)) == 1
    assert [(e.first, e.scores) for e in study.of(AttemptEnded)] == [
        (e.first, e.scores) for e in undisturbed.of(AttemptEnded)
    ]
    assert study.verdicts == undisturbed.verdicts == {1: UNCONFIRMED}
    assert study.git("rev-parse", "s^{tree}") == undisturbed.git("rev-parse", "u^{tree}")


def test_a_killed_study_stops_the_same_run(project: Project) -> None:
    study = project.run([scale(0.5), notes()], "--max-runs", "1")
    lines = study.paths.journal.read_bytes().splitlines(keepends=True)
    before, ended = study.of(Recorded)[0], next(n for n, e in enumerate(study.events) if isinstance(e, AttemptEnded))
    study.paths.journal.write_bytes(b"".join(lines[: ended + 1]))

    assert project.resume().said.code == 0
    after = study.of(Recorded)[0]
    assert (after.stopped, after.saved, after.commit) == (before.stopped, before.saved, before.commit)
    assert len(study.of(AttemptEnded)) == 1


@pytest.mark.parametrize(("pause", "found"), [("0.3 * len(seeds)", "about proportional"), ("0.3", "not proportional")])
def test_the_baseline_says_whether_fewer_seeds_cost_less(project: Project, pause: str, found: str) -> None:
    script = project.root / "templates" / "tiny" / "experiment.py"
    script.write_text(script.read_text().replace("time.sleep(PAUSE)", f"time.sleep({pause})"))
    said = project.harness("baseline", "tiny", "--refresh")
    assert said.code == 0, said.err
    assert "2 of 3 seeds took" in said.err + said.out and f"cost is {found}" in said.err + said.out
