"""What a clause is about, what it claims, and what is no claim."""

from __future__ import annotations

import pytest

from harness.claims.check import Known, unsupported
from harness.claims.layout import blocks
from harness.records import Scores

SCORES: dict[int, Scores] = {
    0: {"moons": {"val_loss": (0.49, 0.50, 0.51), "time_s": (40.0, 41.0)}, "dino": {"val_loss": (0.79, 0.80, 0.81)}},
    1: {"moons": {"val_loss": (0.39, 0.40, 0.41), "time_s": (80.0, 82.0)}, "dino": {"val_loss": (0.80, 0.80, 0.83)}},
    2: {"moons": {"val_loss": (0.59, 0.60, 0.61), "time_s": (20.0, 21.0)}, "dino": {"val_loss": (0.88, 0.90, 0.92)}},
    3: {"moons": {"val_loss": (0.44, 0.45, 0.46), "time_s": (40.0, 42.0)}, "dino": {"val_loss": (0.70, 0.72, 0.74)}},
}
VERDICTS = {
    1: {"moons": "better", "dino": "inconclusive"},
    2: {"moons": "worse", "dino": "worse"},
    3: {"moons": "promising, unconfirmed", "dino": "not confirmed"},
}
KNOWN = Known(scores=SCORES, verdicts=VERDICTS, primary="val_loss", goals={"val_loss": "min", "time_s": "min"})


def said(text: str) -> list[str]:
    return [f"{finding.line}: {finding.message}" for finding in unsupported(text, KNOWN)]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("Run 1 lowers val_loss on moons by 20 %.", "Run 1 lowers val_loss on moons by 25 %."),
        ("Run 2 raises val_loss on moons by 20 %.", "Run 2 lowers val_loss on moons by 20 %."),
        ("Run 1: val_loss on moons -20 %", "Run 1: val_loss on moons +20 %"),
        ("Run 2: val_loss on moons is 20 % higher", "Run 1: val_loss on moons is 20 % higher"),
        ("Run 1 reduces val_loss on moons by 10 points.", "Run 1 reduces val_loss on moons by 12 points."),
        ("Run 2 is 50 % above run 1 in val_loss on moons: +50 %", "Run 2 against run 1: val_loss on moons +40 %"),
        ("In run 2 time_s on moons was halved.", "In run 1 time_s on moons was halved."),
        ("In run 1 time_s on moons doubled.", "In run 3 time_s on moons doubled."),
        ("Run 2 has 0.5x the time_s of the baseline.", "Run 2 has 0.7x the time_s of the baseline."),
        ("Run 1: val_loss on moons fell by 20 % to 0.40", "Run 1: val_loss on moons fell by 30 % to 0.40"),
        ("In run 1 val_loss on moons fell 50 % → 40 %.", "In run 1 val_loss on moons fell 50 % → 35 %."),
        ("In run 1 val_loss on moons fell 0.50 → 0.40.", "In run 1 val_loss on moons fell 0.50 → 0.38."),
    ],
)
def test_a_change_must_have_the_size_and_the_direction_between_its_two_runs(right: str, wrong: str) -> None:
    assert said(right) == []
    assert len(said(wrong)) == 1


def test_a_value_must_be_of_the_run_that_the_clause_names_unless_it_compares() -> None:
    assert said("The val_loss of run 1 on moons is 0.50.") == ["1: 0.50 is not a recorded value of val_loss in run 1"]
    assert said("The val_loss of run 1 on moons is 0.40 against 0.50.") == []
    assert said("Run 9 has a val_loss of 0.40.") == []


def test_a_sentence_with_praise_and_blame_is_judged_clause_by_clause() -> None:
    assert said("In run 1 val_loss on moons improved, but time_s on moons got worse.") == []
    (line,) = said("In run 1 val_loss on moons improved, and time_s on moons got better.")
    assert line.startswith('1: "better" is said of run 1, but time_s on moons went from 40.5 to 81')
    (line,) = said("On moons val_loss is better in run 2, while time_s is lower.")
    assert line.endswith("whose verdict for val_loss is worse")


def test_praise_is_judged_on_the_datasets_that_are_named() -> None:
    assert said("Run 1 improved val_loss on moons.") == []
    assert len(said("Run 1 improved val_loss on moons and dino.")) == 1
    assert len(said("Run 1 improved val_loss on both datasets.")) == 1
    assert said("Run 1 improved val_loss on moons, but not on dino.") == []


def test_praise_is_judged_against_the_run_that_is_named() -> None:
    assert said("Run 3 is better than run 2 in val_loss on moons.") == []
    assert len(said("Run 3 is better than run 1 in val_loss on moons.")) == 1
    assert said("Compared to run 1, val_loss on moons is worse in run 3.") == []
    assert said("## Run 3\nOn moons val_loss is worse, but on dino better compared to run 1.") == []
    assert said("## Run 3\nChanges compared to run 1:\n  - val_loss on moons is higher") == []


def test_a_run_behind_a_number_that_is_compared_with_is_the_reference() -> None:
    assert said("## Run 3\nThe 'moons' dataset got worse in val_loss (0.45 vs 0.40 in Run 1).") == []
    (line,) = said("## Run 3\nOn moons val_loss improved (0.45 vs 0.40 in Run 1).")
    assert line.endswith("but val_loss on moons went from 0.4 to 0.45 (run 1 to run 3)")


def test_the_line_before_a_list_tells_what_the_list_is_about() -> None:
    (line,) = said(
        "## Run 3\nval_loss against the other runs:\n  a. moons: better than run 1\n  b. dino: better than run 1"
    )
    assert line.startswith('3: "better" is said of run 3, but val_loss on moons went')


def test_what_stayed_is_a_clause_of_its_own() -> None:
    assert said("Run 1 improved val_loss on moons, while it remained similar on dino.") == []


def test_two_numbers_tell_which_run_a_change_started_from() -> None:
    assert said("## Run 3\nOn moons val_loss increased from 0.40 to 0.45.") == []
    assert len(said("## Run 3\nOn moons val_loss increased from 0.50 to 0.45.")) == 1


@pytest.mark.parametrize("word", ["significantly", "reliably", "robustly"])
def test_what_is_called_certain_needs_a_verdict(word: str) -> None:
    assert said(f"Run 1 {word} improves val_loss on moons.") == []
    (line,) = said(f"Run 3 {word} lowers val_loss on moons.")
    assert line == f'1: "{word}" is said of run 3, whose verdict for val_loss is promising, unconfirmed'
    (line,) = said(f"Run 2 {word} lowers time_s on moons.")
    assert line.endswith("but only val_loss against the baseline is tested")
    assert said(f"Run 3 does not {word} lower val_loss on dino.") == []


def test_higher_and_lower_are_about_the_means() -> None:
    assert said("In run 3 val_loss on moons is lower than the baseline.") == []
    (line,) = said("In run 3 val_loss on moons is higher than the baseline.")
    assert line.endswith("but val_loss on moons went from 0.5 to 0.45 (run 0 to run 3)")
    assert said("In run 3 val_loss on moons increases during the first epochs.") == []


def test_what_is_denied_must_not_have_a_verdict_that_says_it() -> None:
    assert said("Run 1 is no better than the baseline in val_loss on dino.") == []
    assert len(said("Run 1 is no better than the baseline in val_loss on moons.")) == 1
    assert len(said("Run 2 does not hurt val_loss on moons.")) == 1
    assert len(said("Run 1 is not slower than run 2 on moons.")) == 1
    assert said("Without warm-up run 2 is worse in val_loss on moons.") == []


@pytest.mark.parametrize(
    "text",
    [
        "We will reduce val_loss by 77 %.",
        "## Run 2\nDoes it improve val_loss?",
        "Hypothesis: run 2 improves val_loss by 77 %.",
        "Next: run 2 again, val_loss below 0.11",
        "TODO: improve val_loss to 0.11",
        "If run 2 improves val_loss by 77 %, we stop.",
        "## Run 2\nA lower val_loss is better. Lower val_loss indicates improved training.",
        "Stop as soon as val_loss reaches 0.11.",
        "Lee et al. (2020) improve val_loss by 77 %.",
        "## Next steps\n- val_loss 0.11 on moons",
        "# Plots\n## Figure 1\nval_loss 0.11",
        "## Run 4: planned\nThis improves val_loss.",
        "Run 2 seems to be better in val_loss.",
    ],
)
def test_plans_questions_hypotheses_definitions_and_thresholds_are_no_claims(text: str) -> None:
    assert said(text) == []


def test_a_question_tells_what_its_answer_is_about() -> None:
    assert said("Q: What did run 1 do on moons?\nA: val_loss improved.") == []
    assert len(said("Q: What did run 2 do?\nA: val_loss improved.")) == 1


def test_a_section_without_results_may_still_claim_something_of_a_run() -> None:
    assert len(said("## Next\nRun 2 improved val_loss.")) == 1
    assert len(said("## Next\n- try again\n\nBottom line: val_loss is 0.11")) == 1


def test_a_level_that_was_reached_is_no_value_and_its_steps_are() -> None:
    known = Known(
        scores={0: {"d": {"steps": (2346.0, 2346.0), "acc": (0.9, 0.9)}}, 1: {"d": {"steps": (1000.0, 1000.0)}}},
        verdicts={},
        primary="steps",
        goals={"steps": "min", "acc": "max"},
    )
    assert unsupported("The baseline has 99 % accuracy in 2346 steps.", known) == ()
    assert unsupported("It reached 99 % acc faster.", known) == ()
    (finding,) = unsupported("The baseline has 99 % accuracy in 1999 steps.", known)
    assert finding.message == "1999 is not a recorded value of steps"


@pytest.mark.parametrize(
    ("table", "messages"),
    [
        ("| run | val_loss (moons) | val_loss (dino) |\n|---|---|---|\n| 1 | 0.40 | 0.81 |\n| 2 | 60 % | 0.90 |", []),
        (
            "| run | val_loss (moons) |\n|---|---|\n| 1 | 0.60 |",
            ["3: 0.60 is not a recorded value of val_loss in run 1"],
        ),
        (
            "| | val_loss moons |\n|---|---|\n| Run 2: wide | 0.40 |",
            ["3: 0.40 is not a recorded value of val_loss in run 2"],
        ),
        ("| run | Δval_loss (moons) |\n|---|---|\n| 1 | -0.10 |\n| 2 | +0.10 |", []),
        (
            "| run | Δval_loss (moons) |\n|---|---|\n| 2 | -0.10 |",
            ["3: -0.10 is not a recorded value of val_loss or change of it from run 0 to run 2"],
        ),
        ("| metric | run 1 | run 2 |\n|---|---|---|\n| time_s | 81 | 20.5 |", []),
        ("| run | verdict |\n|---|---|\n| 2 | worse |", []),
        (
            "| run | verdict |\n|---|---|\n| 3 | better |",
            ['3: "better" is said of run 3, whose verdict for val_loss is not confirmed; promising, unconfirmed'],
        ),
        ("run & val_loss moons \\\\ \\hline\n1 & 0.60 \\\\", ["2: 0.60 is not a recorded value of val_loss in run 1"]),
    ],
)
def test_a_table_gives_values_of_a_run_and_a_metric(table: str, messages: list[str]) -> None:
    assert said(table) == messages


def test_latex_is_read_like_markdown() -> None:
    text = r"\paragraph{Run 1.} On \texttt{moons} \textbf{val\_loss} falls $0.50 \to 0.40$ ($-20\%$)."
    assert said(text) == []
    assert len(said(text.replace("-20", "-30"))) == 1


def test_wrapped_lines_are_one_sentence_and_lines_of_a_log_are_not() -> None:
    wrapped = "Run 1 is the one with the longest name and it lowers\nval_loss on moons by 20 %."
    assert [block.text for block in blocks(wrapped.split("\n"))] == [wrapped.replace("\n", " ")]
    assert said(wrapped.replace("20", "33")) == [
        "2: 33 % is not a recorded value of val_loss or change of it from run 0 to run 1"
    ]
    assert len(list(blocks(["r1 val_loss 0.40", "r2 val_loss 0.60"]))) == 2


@pytest.mark.parametrize(
    "text",
    ["The coarse level trains alone for 100 steps.", "After 300 training steps it is scaled in.", "2,000 samples"],
)
def test_steps_and_samples_are_counted_for_many_reasons_so_they_are_no_claims_about_a_metric_of_that_name(
    text: str,
) -> None:
    scores: dict[int, Scores] = {run: {"moons": {"val_loss": (0.5, 0.6), "steps": (800.0, 800.0)}} for run in (0, 1)}
    assert list(unsupported(text, Known(scores=scores, verdicts={}, primary="val_loss", goals={}))) == []
