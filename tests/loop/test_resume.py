"""A study that was killed, stopped or paused continues from its journal: nothing is lost or repeated."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from lab import Project, Study, has_happened, notes, processes_in, scale, until

from harness.state.events import (
    AttemptEnded,
    AttemptLaunched,
    ConfirmationEnded,
    ModelCalled,
    PlotsDrawn,
    Recorded,
    StudyResumed,
    TurnEnded,
)
from harness.template.folder import Template
from harness.workspace import Lab, Workspace

OPTIONS = ("--max-runs", "2", "--no-sandbox")
"""Unconfined, so that the experiment can count outside the study how often it was started."""
ALL_RUNS = ["2.0", "2.5", "2.5", "2.5"]
"""SCALE in the two runs, and in the second one on fresh seeds."""
REPLIES = (scale(2.0), scale(2.5, 2.0), notes())
COUNT = """\
print("guessing", flush=True)
    if Path("../lab.git").exists():
        if not smoke:
            with Path("../../count").open("a") as count:
                count.write(f"{SCALE}\\n")
        while Path("../../hold-smoke" if smoke else "../../hold-run").exists():
            time.sleep(0.01)"""


@pytest.fixture(scope="module")
def counting_once(tmp_path_factory: pytest.TempPathFactory, made_once: Path) -> Path:
    """A project whose real runs count themselves, and wait as long as there is a file to hold them."""
    project = Project(shutil.copytree(made_once, tmp_path_factory.mktemp("counting") / "project"))
    project.change_template("experiment.py", 'print("guessing", flush=True)', COUNT)
    return project.root


@pytest.fixture
def project(counting_once: Path, tmp_path: Path) -> Project:
    return Project(shutil.copytree(counting_once, tmp_path / "project"))


@pytest.fixture(scope="module")
def undisturbed(counting_once: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What the study comes to when nothing happens to it."""
    project = Project(shutil.copytree(counting_once, tmp_path_factory.mktemp("undisturbed") / "project"))
    study = project.run(REPLIES, *OPTIONS)
    assert study.said.code == 0
    assert counted(project) == ALL_RUNS
    return essence(study)


def counted(project: Project) -> list[str]:
    """What SCALE was in each real run that was started."""
    file = project.root / "count"
    return file.read_text().split() if file.exists() else []


def essence(study: Study) -> dict[str, object]:
    """What a study comes to, its times left out."""
    history = study.history
    return {
        "status": study.ending.status,
        "reason": study.ending.reason,
        "outcomes": study.outcomes,
        "verdicts": study.verdicts,
        "fresh": [(event.run, event.seeds, event.scores) for event in study.of(ConfirmationEnded)],
        "scores": {run.number: run.measured.scores for run in history.measured if run.measured},
        "digests": {run.number: run.digest for run in history.runs.values()},
        "turns": [(turn.purpose, turn.status, turn.changed) for turn in study.turns],
        "recorded": [recorded.outcome for recorded in study.of(Recorded)],
        "calls": (history.calls, len(study.paths.recording.read_text().splitlines())),
        "prompts": [study.prompt(turn.turn) for turn in study.turns],
        "tree": study.git("rev-parse", "s^{tree}"),
        "log": study.git("log", "--format=%s%n%b", "s"),
        "tags": study.tags,
        "plot": (study.paths.plots / "losses.txt").read_text(),
    }


@contextmanager
def held(project: Project, what: str) -> Iterator[None]:
    """Smoke runs or real runs that begin now do not end before this block does."""
    file = project.root / f"hold-{what}"
    file.touch()
    try:
        yield
    finally:
        file.unlink()


def smoke_began(study: Study) -> bool:
    return has_happened(study, TurnEnded)() and (study.paths.job("smoke-turn_1") / "lock").exists()


def run_began(study: Study, which: int = 1) -> bool:
    return len(counted(Project(study.paths.root.parent.parent))) == which


MOMENTS: dict[str, Callable[[Study], bool]] = {
    "when the conversation is saved": lambda study: any(study.paths.private.rglob("conversation*")),
    "before the launch, in the smoke run": smoke_began,
    "during the run": run_began,
    "when the run is recorded": lambda study: has_happened(study, Recorded)(),
    "during the second run": lambda study: run_began(study, 2),
    "during the confirmation": lambda study: run_began(study, 3),
    "when the baseline has run on fresh seeds": lambda study: has_happened(study, ConfirmationEnded)(),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_controller_killed_at_any_moment_loses_nothing_and_repeats_no_run(
    project: Project, undisturbed: dict[str, object], moment: str
) -> None:
    study = project.study()
    with ExitStack() as stack:
        if moment == "during the run":
            stack.enter_context(held(project, "run"))
        if "smoke" in moment:
            stack.enter_context(held(project, "smoke"))
        with project.process(*project.order(REPLIES, *OPTIONS)) as controller:
            until(lambda: MOMENTS[moment](study), moment)
            controller.kill()
    assert study.history.stopped is None, "the study had ended before it was killed"
    study = project.resume("--no-sandbox")

    assert study.said.code == 0
    assert essence(study) == undisturbed
    assert counted(project) == ALL_RUNS
    assert [(launch.run, launch.attempt) for launch in study.launches] == [(1, 1), (2, 1)]
    assert_asked_once(study)


def assert_asked_once(study: Study) -> None:
    """The model saw each instruction once, although a turn that was cut short was asked again."""
    for call in range(1, study.history.calls + 1):
        conversation = study.sent(call)
        for turn in range(1, call + 1):
            assert conversation.count(study.prompt(turn).strip()) == 1, f"instruction {turn} in call {call}"


def test_a_run_that_finished_without_a_controller_is_collected(
    project: Project, undisturbed: dict[str, object]
) -> None:
    study = project.study()
    with held(project, "run"), project.process(*project.order(REPLIES, *OPTIONS)) as controller:
        until(lambda: run_began(study), "the run")
        controller.kill()
    until((study.paths.job("run_1-attempt_1") / "result.json").exists, "the run's end")
    assert study.outcomes == []
    study = project.resume("--no-sandbox")

    assert essence(study) == undisturbed
    assert counted(project) == ALL_RUNS


def test_a_run_that_died_with_the_controller_is_started_again_as_the_same_attempt(
    project: Project, undisturbed: dict[str, object]
) -> None:
    study = project.study()
    with held(project, "run"), project.process(*project.order(REPLIES, *OPTIONS)) as controller:
        until(lambda: run_began(study), "the run")
        controller.kill()
        for process in processes_in(study.paths.root):
            process.kill()
        until(lambda: not processes_in(study.paths.root), "the run's death")
    study = project.resume("--no-sandbox")

    assert essence(study) == undisturbed
    assert counted(project) == ["2.0", *ALL_RUNS], "what never finished is run again, nothing else"


def test_a_controller_killed_again_and_again_still_gets_to_the_same_end(
    project: Project, undisturbed: dict[str, object]
) -> None:
    study = project.study()
    command: tuple[str, ...] = tuple(project.order(REPLIES, *OPTIONS))
    for kind in (TurnEnded, AttemptLaunched, AttemptEnded):
        with project.process(*command) as controller:
            until(has_happened(study, kind), kind.__name__)
            controller.kill()
        command = ("resume", "s", "--no-sandbox")
    study = project.resume("--no-sandbox")

    assert essence(study) == undisturbed
    assert counted(project) == ALL_RUNS


def test_every_prefix_of_a_journal_leads_to_the_same_end(project: Project, tmp_path: Path) -> None:
    """As if the controller had died right after each event: what was done later is taken away, but for the commits."""
    study = project.run([scale(2.0), notes()], "--max-runs", "1", "--no-sandbox")
    undisturbed = essence(study)
    root, finished = study.paths.root, shutil.copytree(study.paths.root, tmp_path / "finished")
    workspace = Workspace(Lab(project.root / "runs" / "lab.git"), root, Template(study.paths.pinned))
    lines = study.paths.journal.read_bytes().splitlines(keepends=True)
    for length in range(len(lines) - 1, 0, -1):
        study.paths.journal.write_bytes(b"".join(lines[:length]))
        workspace.restore(study.history.tree)
        for folder in (study.paths.private / "jobs", study.paths.plots, study.paths.run(1)):
            shutil.rmtree(folder, ignore_errors=True)
        for run in [launch.run for launch in study.launches]:
            for name in (f"run_{run}", f".harness/jobs/run_{run}-attempt_1"):
                shutil.copytree(finished / name, root / name)
        if study.of(PlotsDrawn):
            shutil.copytree(finished / "plots", study.paths.plots)
        again = project.resume("--no-sandbox")

        assert again.said.code == 0, again.said
        assert essence(again) == undisturbed, f"after event {length}: {lines[length - 1]!r}"


def test_ctrl_c_during_a_run_ends_the_run_and_the_study_can_be_resumed(
    project: Project, undisturbed: dict[str, object]
) -> None:
    study = project.study()
    with held(project, "run"), project.process(*project.order(REPLIES, *OPTIONS)) as controller:
        until(lambda: run_began(study), "the run")
        busy = project.harness("resume", "s")
        controller.interrupt()
        said = controller.wait()

    assert busy.code == 2 and f"process {controller.pid} is working on s" in busy.err
    assert said.code == 130
    assert "harness resume s" in said.out and "Traceback" not in said.err
    assert study.ending.status == "interrupted"
    assert processes_in(study.paths.root) == []
    assert study.outcomes == []
    study = project.resume("--no-sandbox")

    assert essence(study) == undisturbed
    assert counted(project) == ["2.0", *ALL_RUNS]
    assert len(study.of(StudyResumed)) == 1


def test_a_study_paused_by_its_model_goes_on_when_there_are_replies_again(
    project: Project, undisturbed: dict[str, object]
) -> None:
    paused = project.run(REPLIES[:1], *OPTIONS)
    assert (paused.said.code, paused.ending.status) == (1, "paused")
    project.recording(REPLIES)
    study = project.resume("--no-sandbox")

    assert study.said.code == 0
    assert essence(study) == undisturbed
    assert counted(project) == ALL_RUNS


def test_a_study_that_is_over_is_not_resumed(project: Project) -> None:
    study = project.run(REPLIES, *OPTIONS)
    before = study.paths.journal.read_bytes()
    said = project.harness("resume", "s")

    assert said.code == 2 and "is over" in said.err
    assert study.paths.journal.read_bytes() == before


def test_a_replay_of_a_finished_study_finds_no_difference(project: Project) -> None:
    study = project.run(REPLIES, *OPTIONS)
    said = project.harness("replay", "s", "--no-sandbox")
    again = project.study("s-replay")

    assert said.code == 0 and "0 differences" in said.out
    assert again.outcomes == study.outcomes and again.verdicts == study.verdicts
    assert again.git("rev-parse", "s-replay/run_2^{tree}") == study.git("rev-parse", "s/run_2^{tree}")
    assert [event.note for event in again.of(ModelCalled)] == ["", "", ""], "the prompts were the same as well"


def test_a_replay_of_a_study_that_gives_other_figures_says_which(project: Project) -> None:
    restless = scale(2.0).replace("SCALE = 2.0", "SCALE = 2.0 + time.time_ns() % 1000 / 1000")
    project.run([restless, notes()], "--max-runs", "1", "--no-sandbox")
    said = project.harness("replay", "s", "--no-sandbox")

    assert said.code == 1
    assert "difference: run 1: loss on numbers was" in said.out
