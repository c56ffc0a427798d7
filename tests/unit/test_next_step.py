"""What a study does next follows from its events alone: a table of situations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.planning.confirming import design_of
from harness.planning.next_step import FINISHING_TURNS, is_under_way, next_step
from harness.planning.steps import (
    Ask,
    Attempt,
    Check,
    Confirm,
    DrawPlots,
    EndConfirmation,
    Fresh,
    Measure,
    Record,
    Step,
    Stop,
)
from harness.planning.strategies import Best, Last, Strategy
from harness.records import Budget, Finding
from harness.state.events import CameTo, ConfirmationAsked, ConfirmationEnded
from harness.template.folder import Template
from harness.template.manifest import Manifest

from .conftest import Story

LINT = Finding(check="lint", message="F821 Undefined name", file="experiment.py", line=3)
BETTER, EQUAL, WORSE = (0.1, 0.2, 0.15), (1.0, 1.12, 0.88), (1.4, 1.3, 1.35)
BASE, GAIN, HOPE = (1.0, 1.12, 0.9, 1.08, 0.93), (0.2, 0.28, 0.25, 0.21, 0.33), (0.7, 1.1, 0.6, 1.09, 0.5)
"""Losses on fresh seeds."""
ALL_USED = "all 1 runs are used"


def one_run(**more: Any) -> Story:
    """A study that may make one run, none of which is confirmed unless `confirm` says so."""
    return Story(budget=Budget(**{"runs": 1, "confirm": 0, **more}))


def confirming(looks: tuple[int, ...] = (5, 10), **more: Any) -> Story:
    s = Story(budget=Budget(runs=1, confirm=1, **more)).run(BETTER)
    return s.to_confirm(looks=looks) if looks else s.add(ConfirmationAsked, run=1, seeds=(3, 4, 5, 6, 7))


def fresh(baseline: bool, *seeds: int, tries: int = 1) -> Measure:
    """A launch of run 1 or of the baseline on some of the confirmation's seeds."""
    side = "baseline" if baseline else "run_1"
    job = f"confirmation_1-{side}-seeds_{seeds[0]}_{seeds[-1]}-try_{tries}"
    return Measure(Fresh(1, baseline, None if baseline else "t1"), seeds, job)


def attempt(run: int = 1, number: int = 1, turn: int = 1, **more: Any) -> Attempt:
    return Attempt(run, number, f"t{turn}", f"d{turn}", **more)


def record(s: Story, outcome: str, turn: int = -1) -> Record:
    """The step that commits the last turn; its date is that of the last event."""
    ended = s.history.ended
    came_to: CameTo = "attempt" if ended else "notes" if outcome == "notes" else "check"
    return Record(s.history.turns[turn], came_to, outcome, s.events[-1].at, ended)


SITUATIONS: dict[str, tuple[Callable[[], Story], Callable[[Story], Step] | Step]] = {
    # the agent's turns
    "a new study": (Story, Ask("start")),
    "the first turn was cut short": (lambda: Story().asked("start").called(), Ask("start")),
    "the first turn changed nothing": (lambda: Story().turn("nothing", "start"), Ask("next")),
    "an edit was rolled back": (lambda: Story().turn("rejected"), Ask("next")),
    "a later turn was cut short": (lambda: Story().turn("nothing").asked().called(), Ask("next")),
    # from an edit to its result
    "an edit": (lambda: Story().turn(), lambda s: Check(s.history.turns[0])),
    "a finding": (lambda: Story().turn().checked(LINT), lambda s: record(s, "lint")),
    "a finding was recorded": (lambda: Story().turn().checked(LINT).recorded("lint"), Ask("next")),
    "an edit passed the checks": (
        lambda: Story().turn().checked(),
        Measure(attempt(), (), "run_1-attempt_1"),
    ),
    "it was launched": (
        lambda: Story().turn().checked().launched(),
        Measure(attempt(announced=True), (), "run_1-attempt_1"),
    ),
    "it was launched, and the study stopped and resumed": (
        lambda: Story().turn().checked().launched().stopped("interrupted").resumed(9.0),
        Measure(attempt(announced=True), (), "run_1-attempt_1"),
    ),
    "it ended well": (lambda: Story().turn().checked().launched().ended(loss=BETTER), lambda s: record(s, "ok")),
    "it crashed": (lambda: Story().turn().checked().launched().ended("crashed"), lambda s: record(s, "crashed")),
    "a crash was recorded": (lambda: Story().failed_run(), Ask("next")),
    "the next edit after a crash is the next attempt": (
        lambda: Story().failed_run().turn().checked(),
        Measure(attempt(number=2, turn=2), (), "run_1-attempt_2"),
    ),
    "its job was lost": (
        lambda: Story().turn().checked().launched().ended("lost"),
        Measure(attempt(number=2), (), "run_1-attempt_2"),
    ),
    "its job was lost as often as there are attempts": (
        lambda: Story(budget=Budget(attempts=1)).turn().checked().launched().ended("lost"),
        lambda s: record(s, "lost"),
    ),
    "a result was recorded": (lambda: Story().run(BETTER), Ask("next")),
    "a run to repeat": (
        lambda: Story().run(BETTER).turn("replicate", replicate_of=1, tree="t1").checked(digest="d1"),
        Measure(Attempt(2, 1, "t1", "d1", replicate_of=1), (3, 4, 5), "run_2-attempt_1"),
    ),
    "the money is spent before a launch": (
        lambda: Story(budget=Budget(dollars=1.0)).asked().called(dollars=1.0).answered().checked(),
        lambda s: Record(s.history.turns[0], "budget", "budget", s.history.turns[0].at),
    ),
    "the money is spent after a launch": (
        lambda: Story(budget=Budget(dollars=1.0)).asked().called(dollars=1.0).answered().checked().launched(),
        Measure(attempt(announced=True), (), "run_1-attempt_1"),
    ),
    # the end
    "all runs are used": (lambda: one_run().run(EQUAL), Ask("finish", why=ALL_USED)),
    "the agent is done": (lambda: Story().run(EQUAL).turn("done"), Ask("finish", why="the agent says that it is done")),
    "nothing was measured": (
        lambda: Story(budget=Budget(fixes=2)).turn("nothing").turn("nothing"),
        Stop("failed", "no run gave a result: 2 turns in a row led to no launch"),
    ),
    "notes were written": (lambda: one_run().run(EQUAL).turn("edited", "finish"), lambda s: record(s, "notes")),
    "notes were recorded": (lambda: one_run().run(EQUAL).turn("edited", "finish").recorded("notes"), DrawPlots()),
    "no notes were written": (lambda: one_run().run(EQUAL).turn("nothing", "finish"), DrawPlots()),
    "notes were rolled back": (
        lambda: one_run().run(EQUAL).turn("rejected", "finish"),
        Ask("finish", why="enough"),
    ),
    "notes were rolled back as often as may be": (
        lambda: [s := one_run().run(EQUAL), *(s.turn("rejected", "finish") for _ in range(FINISHING_TURNS))][0],
        DrawPlots(),
    ),
    "the plots are drawn": (
        lambda: one_run().run(EQUAL).turn("nothing", "finish").plotted(),
        Stop("done", "enough"),
    ),
    "plots that the agent edited failed": (
        lambda: one_run().run(EQUAL).turn("edited", "finish").recorded("notes").plotted("boom"),
        Ask("finish", why="enough"),
    ),
    "plots that nobody edited failed": (
        lambda: one_run().run(EQUAL).turn("nothing", "finish").plotted("boom"),
        Stop("done", "enough"),
    ),
    "plots failed as often as may be": (
        lambda: [
            s := one_run().run(EQUAL),
            *(s.turn("edited", "finish").recorded("notes").plotted("boom") for _ in range(FINISHING_TURNS)),
        ][0],
        Stop("done", "enough"),
    ),
    "there is no money for notes": (
        lambda: Story(budget=Budget(dollars=1.0)).run(EQUAL).asked().called(dollars=1.0).answered("nothing"),
        DrawPlots(),
    ),
    # confirmations
    "all runs are used and the best looks like a gain": (
        lambda: Story(budget=Budget(runs=1)).run(BETTER),
        Confirm(1, tuple(range(3, 43)), (5, 10, 20, 40), 0.05, ("toy",), True),
    ),
    "two confirmations share the error rate, and fewer seeds are wanted": (
        lambda: Story(budget=Budget(runs=1, confirm=2, confirm_seeds=6)).run(BETTER),
        Confirm(1, tuple(range(3, 9)), (5, 6), 0.025, ("toy",), True),
    ),
    "no run looks like a gain": (lambda: Story(budget=Budget(runs=1)).run(WORSE), Ask("finish", why=ALL_USED)),
    "the script has seeds of its own": (
        lambda: Story(budget=Budget(runs=1), seeding="fixed").run(BETTER),
        Ask("finish", why=ALL_USED),
    ),
    "a confirmation begins with the baseline": (confirming, fresh(True, 3, 4, 5)),
    "the baseline was measured on the first seeds": (lambda: confirming().fresh(True, BASE[:3]), fresh(False, 3, 4, 5)),
    "both were measured on as many seeds as the template has": (
        lambda: confirming().both(GAIN[:3], BASE[:3]),
        fresh(True, 6, 7),
    ),
    "a job was lost": (lambda: confirming().fresh(True, outcome="lost"), fresh(True, 3, 4, 5, tries=2)),
    "a job was lost too often": (
        lambda: confirming().fresh(True, outcome="lost").fresh(True, outcome="lost").fresh(True, outcome="lost"),
        EndConfirmation(1, "lost", "the baseline on the fresh seeds was lost 3 times"),
    ),
    "the run failed on the fresh seeds": (
        lambda: confirming().fresh(True, BASE[:3]).fresh(False, outcome="crashed"),
        EndConfirmation(1, "crashed", "run 1 on the fresh seeds failed: "),
    ),
    "the first look decides": (
        lambda: confirming().both(GAIN[:3], BASE[:3]).both(GAIN[3:], BASE[3:]),
        EndConfirmation(1, "ok", "decided"),
    ),
    "the first look leaves hope": (
        lambda: confirming().both(HOPE[:3], BASE[:3]).both(HOPE[3:], BASE[3:]),
        fresh(True, 8, 9, 10),
    ),
    "the first look leaves none": (
        lambda: confirming().both(BASE[2::-1], BASE[:3]).both((1.2, 1.12), BASE[3:]),
        EndConfirmation(1, "ok", "a gain is unlikely to show with more seeds"),
    ),
    "the time for a confirmation is spent": (
        lambda: confirming(confirm_hours=0.001).both(HOPE[:3], BASE[:3]).both(HOPE[3:], BASE[3:]),
        EndConfirmation(1, "ok", "0.001 h are spent on this confirmation"),
    ),
    "the values repeat those of the screening": (
        lambda: confirming().both(BETTER, BASE[:3]).both(BETTER[:2], BASE[3:]),
        EndConfirmation(1, "ok", "the values repeat those of other seeds"),
    ),
    "a confirmation of an older version, in one look": (
        lambda: confirming(looks=()),
        fresh(True, 3, 4, 5),
    ),
    "a confirmation was asked for after the end": (
        lambda: one_run().run(EQUAL).turn("nothing", "finish").plotted().stopped("done").confirmed(1, EQUAL * 2),
        Stop("done", "enough"),
    ),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_next_step(template: Template, situation: str) -> None:
    build, expected = SITUATIONS[situation]
    s = build()
    assert next_step(s.history, template.manifest, Last()) == (expected(s) if callable(expected) else expected)


@pytest.mark.parametrize(("strategy", "base"), [(Last(), None), (Best(), 0)])
def test_a_strategy_chooses_the_code_after_a_result_and_only_then(
    template: Template, strategy: Strategy, base: int | None
) -> None:
    s = Story().run(WORSE)
    assert next_step(s.history, template.manifest, strategy) == Ask("next", base=base)
    assert next_step(s.confirmed(1, WORSE).history, template.manifest, strategy) == Ask("next", base=base)
    assert next_step(s.turn("nothing").history, template.manifest, strategy) == Ask("next")


def without_notes(manifest: Manifest) -> Manifest:
    about = manifest.template.model_copy(update={"editable": ("experiment.py",)})
    return manifest.model_copy(update={"template": about})


def test_a_template_without_notes_and_plots_ends_with_its_plots(template: Template) -> None:
    manifest = without_notes(template.manifest)
    s = one_run().run(EQUAL)
    assert next_step(s.history, manifest, Last()) == DrawPlots()
    assert next_step(s.plotted().history, manifest, Last()) == Stop("done", ALL_USED)


def test_an_edit_is_under_way_until_its_outcome_is_recorded() -> None:
    s = Story()
    assert not is_under_way(s.history)
    for step in (s.turn, s.checked, s.launched, lambda: s.ended(loss=BETTER)):
        step()
        assert is_under_way(s.history)
    assert not is_under_way(s.recorded().history)
    assert not is_under_way(s.asked().history)


def test_the_same_question_gets_the_same_answer_whatever_was_stopped_and_resumed(template: Template) -> None:
    for build, _ in SITUATIONS.values():
        s = build()
        before = next_step(s.history, template.manifest, Last())
        again = next_step(s.stopped("paused").resumed(1000.0).history, template.manifest, Last())
        assert again == before


def test_the_datasets_of_a_confirmation_share_its_error_rate() -> None:
    asked = ConfirmationAsked(run=1, seeds=(3, 4, 5, 6, 7), looks=(5,), level=0.02, datasets=("a", "b"))
    design = design_of(asked, one_run().run(BETTER).history)
    assert (design.level, design.datasets, design.looks) == (0.01, ("a", "b"), (5,))


def test_a_confirmation_of_an_older_version_whose_jobs_are_lost_ends(template: Template) -> None:
    s = confirming(looks=())
    for _ in range(3):
        s.fresh(True, outcome="lost")
    step = next_step(s.history, template.manifest, Last())
    assert isinstance(step, EndConfirmation)
    s.add(ConfirmationEnded, run=1, seeds=(), outcome="lost", seconds=0.0, why=step.why, commit="c", tree="t")
    assert s.history.confirming is None


def test_a_confirmation_by_hand_does_not_use_up_the_planned_one(template: Template) -> None:
    s = Story(budget=Budget(runs=2, confirm=1)).run(BETTER).to_confirm(by_hand=True)
    s.add(ConfirmationEnded, run=1, seeds=(), outcome="ok", seconds=0.0, why="decided", commit="c", tree="t")
    s.run((0.05, 0.1, 0.07))
    step = next_step(s.history, template.manifest, Last())
    assert isinstance(step, Confirm)
    assert (step.run, step.level) == (2, 0.05)
