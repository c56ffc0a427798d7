"""Every prompt is rendered from a history; an undefined name is an error."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2 import UndefinedError

from harness import prompts
from harness.planning import budget
from harness.planning.power import outlook
from harness.records import Budget, Finding
from harness.state.events import ConfirmationEnded
from harness.template.manifest import Manifest
from harness.text import number

from .conftest import BASELINE, Story

GOOD = (0.1, 0.2, 0.15)
MANIFEST = Manifest.model_validate(
    {
        "template": {
            "name": "toy",
            "summary": "A toy",
            "editable": ["experiment.py", "plot.py", "notes.md"],
            "new_files": ["*.py"],
            "protected": ["evaluate.py"],
        },
        "run": {"timeout": "20s", "memory": "512MiB"},
        "smoke": {"timeout": "10s"},
        "metrics": {"loss": {"goal": "min", "primary": True}, "accuracy": {"goal": "max"}, "seconds": {"goal": "min"}},
    }
)


def bare(**about: Any) -> Manifest:
    """The manifest without smoke run and evaluator, with network."""
    template = MANIFEST.template.model_copy(update={"new_files": (), "protected": (), **about})
    run = MANIFEST.run.model_copy(update={"network": True})
    return MANIFEST.model_copy(update={"template": template, "run": run, "smoke": None})


def left(s: Story) -> budget.Left:
    return budget.left(s.history)


def following(s: Story) -> str:
    return prompts.following(s.history, left(s))


def test_the_first_prompt_holds_idea_files_baseline_budget_and_rules(story: type[Story]) -> None:
    s = story(budget=Budget(runs=3, dollars=2.0))
    text = prompts.start(s.history, MANIFEST, left(s), "Write it down.")
    for part in (
        "# Wider",
        "Make it wider.",
        "- It helps.",
        "Metrics the idea should change: loss.",
        "You may edit: experiment.py, plot.py, notes.md. You may add files that match: *.py.",
        "Read-only: evaluate.py.",
        "python experiment.py --out_dir=run_1",
        "seeds 0, 1, 2 in the environment variable HARNESS_SEEDS. The limits are 20s and 512MiB of memory; there is no "
        "network.",
        "2. Make the change for run 1. Write it down.\n3. After",
        "HARNESS_SMOKE=1",
        "| toy | loss (primary) | min | 1 | 0.1 | 3 |",
        "| toy | accuracy | max | 0.5 | 0.1 | 3 |",
        "3 runs, $2.00",
        "ALL_COMPLETED",
    ):
        assert part in text, part


def test_what_a_template_does_not_have_is_not_told(story: type[Story]) -> None:
    s = story()
    text = prompts.start(s.history, bare(), left(s), "")
    for absent in ("HARNESS_SMOKE", "evaluate.py computes", "You may add", "no network"):
        assert absent not in text


def test_the_first_prompt_says_what_can_be_seen_if_anything_can(story: type[Story]) -> None:
    (row,) = outlook(MANIFEST, BASELINE).datasets
    assert row.screening and row.confirmation
    confirming = f"; {row.confirmation:.2g} on up to 40 fresh seeds, which confirm it"
    screening = f"\n- toy: {row.screening:.2g} with the 3 seeds of a run, which then looks promising"
    s = story()
    assert screening + confirming + "\n" in prompts.start(s.history, MANIFEST, left(s), "")
    s = story(budget=Budget(confirm=0))
    assert screening + "\n" in prompts.start(s.history, MANIFEST, left(s), "")
    s = story(seeding="deterministic")
    assert "minimum detectable" not in prompts.start(s.history, MANIFEST, left(s), "")


def test_an_idea_with_braces_is_only_text(story: type[Story]) -> None:
    s = story()
    begun = s.history.begun
    idea = begun.idea.model_copy(update={"prompt": "{{ begun.pinned }} {% for x in y %}"})
    text = prompts.start(story(idea=idea).history, MANIFEST, left(s), "")
    assert "{{ begun.pinned }} {% for x in y %}" in text


def test_a_name_that_is_missing_is_an_error_and_not_an_empty_string() -> None:
    with pytest.raises(UndefinedError):
        prompts._render("next.j2", left="1 run", done="DONE")


def test_a_result_is_told_next_to_the_baseline_with_the_minimum_detectable_effect(story: type[Story]) -> None:
    text = following(story().run(GOOD))
    assert "Run 1 is done." in text
    assert "| toy | loss | min | 1 ± 0.1 | 0.15 ± 0.05 | -0.85 | " in text
    assert "| promising, unconfirmed |" in text
    assert "measured again on seeds that the study has never used" in text
    assert "| exploratory |" in text
    assert "the minimum detectable effect in loss with 3 seeds is 0." in text
    assert "a smaller one can be promising too" in text and "cannot be told from noise" not in text
    assert "Left: 4 runs." in text


def test_datasets_that_a_change_does_not_affect_are_told_in_one_line(story: type[Story]) -> None:
    s = story().turn().checked().launched().ended(loss=GOOD)
    same = s.comparison("loss", BASELINE["toy"]["loss"])
    others = [same.model_copy(update={"dataset": dataset}) for dataset in ("left", "right")]
    text = following(s.recorded(comparisons=(s.comparison("loss", GOOD), *others)))
    assert "On left, right the values equal the baseline's exactly" in text
    assert "| toy | loss |" in text and "| left |" not in text
    nothing = story().turn().checked().launched().ended(loss=GOOD).recorded(comparisons=(same,))
    assert "| toy | loss |" in following(nothing), "what changed nothing anywhere is told in numbers"


def test_a_claim_that_differs_from_the_verified_value_is_told(story: type[Story]) -> None:
    reported = {"toy": {"loss": (0.01, 0.01, 0.01)}}
    text = following(story().turn().checked().launched().ended(loss=GOOD, reported=reported).recorded())
    assert "The reported and the verified value differ: loss on toy: reported 0.01, verified 0.15" in text


def test_a_failure_is_told_with_its_message_and_which_run_it_still_is(story: type[Story]) -> None:
    text = following(story().failed_run("crashed", "exit code 1\nValueError: bad {{ shape }}"))
    assert "Run 1, attempt 1 failed (crashed) after 2 s" in text
    assert "ValueError: bad {{ shape }}" in text
    assert "This still counts as run 1." in text


def test_an_abandoned_run_is_said_to_be(story: type[Story]) -> None:
    text = following(story(budget=Budget(attempts=1)).failed_run())
    assert "Run 1 has used all its attempts and is abandoned" in text
    assert "still counts" not in text


def test_a_finding_is_told_with_its_place(story: type[Story]) -> None:
    finding = Finding(check="lint", message="F821 Undefined name `x`", file="experiment.py", line=7)
    text = following(story().turn().checked(finding).recorded("lint"))
    assert "The lint check found:" in text
    assert "- experiment.py:7: F821 Undefined name `x`" in text


def test_a_reply_that_was_rolled_back_is_told_why(story: type[Story]) -> None:
    text = following(story().turn("rejected", problems=("evaluate.py is protected", "block 2 does not match")))
    assert "Your reply was not applied" in text
    assert "evaluate.py is protected\nblock 2 does not match" in text


def test_a_reply_without_an_edit_is_told_so(story: type[Story]) -> None:
    assert "Your reply changed no file, so nothing was launched." in following(story().turn("nothing"))


def test_the_last_prompt_holds_the_last_result_and_why_the_runs_are_over(story: type[Story]) -> None:
    s = story().run(GOOD)
    text = prompts.finish(s.history, MANIFEST, "all 1 runs are used")
    assert "Run 1 is done." in text
    assert "There are no more runs: all 1 runs are used. 1 run gave a result." in text
    assert "notes.md" in text


def test_only_files_that_there_are_are_asked_for_at_the_end(story: type[Story]) -> None:
    s = story().run(GOOD)
    only_plots = prompts.finish(s.history, bare(editable=("experiment.py", "plot.py")), "done")
    assert "notes" not in only_plots and "change it. It is run as" in only_plots
    only_notes = prompts.finish(s.history, bare(editable=("experiment.py", "notes.txt")), "done")
    assert "write notes.txt" in only_notes and "plot.py" not in only_notes


def test_plots_that_failed_are_told_with_their_error(story: type[Story]) -> None:
    s = story().run(GOOD).turn("edited", "finish").recorded("notes").plotted("exit code 1\nKeyError: 'loss'")
    text = prompts.finish(s.history, MANIFEST, "done")
    assert "plot.py failed:" in text
    assert "KeyError: 'loss'" in text


def test_numbers_have_four_digits_and_unknown_ones_a_dash() -> None:
    assert [number(x) for x in (0.123456, 1234567.0, 0.0, None)] == ["0.1235", "1.235e+06", "0", "–"]


def test_an_interval_of_another_level_than_95_percent_says_its_level(story: type[Story]) -> None:
    s = story().run(GOOD).confirmed(1, GOOD)
    ended = s.events.pop()
    assert isinstance(ended, ConfirmationEnded)
    other = tuple(c.model_copy(update={"level": 0.025}) for c in ended.comparisons)
    s.events.append(ended.model_copy(update={"comparisons": other}))
    usual, shown = (
        prompts.finish(each.history, MANIFEST, "done") for each in (story().run(GOOD).confirmed(1, GOOD), s)
    )
    assert "(97.5 %)" in shown and "%)" not in usual.split("fresh seeds")[-1]
