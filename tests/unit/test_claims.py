"""What notes may claim, and what they may not."""

from __future__ import annotations

import pytest

from harness.claims.check import FINDINGS, Known, unsupported
from harness.claims.prose import numbers
from harness.records import Scores

SCORES: dict[int, Scores] = {
    0: {"left": {"val_loss": (0.50, 0.52, 0.54), "accuracy": (0.80, 0.81, 0.82)}},
    1: {"left": {"val_loss": (0.40, 0.42, 0.44), "accuracy": (0.90, 0.91, 0.92)}},
    2: {"left": {"val_loss": (0.51, 0.53, 0.55), "accuracy": (0.79, 0.81, 0.80)}},
    3: {"left": {"val_loss": (0.60, 0.61, 0.62), "accuracy": (0.70, 0.71, 0.72)}},
    4: {"left": {"val_loss": (0.41, 0.43, 0.45), "accuracy": (0.90, 0.90, 0.91)}},
}
WORDS = {1: "better", 2: "inconclusive", 3: "worse", 4: "replicate"}
KNOWN = Known(
    scores=SCORES,
    verdicts={run: {"left": word} for run, word in WORDS.items()},
    primary="val_loss",
    goals={"val_loss": "min", "accuracy": "max"},
    others={"val_loss": frozenset({0.0317})},
)


def said(text: str, known: Known = KNOWN) -> list[str]:
    return [f"{finding.line}: {finding.message}" for finding in unsupported(text, known)]


@pytest.mark.parametrize(
    "text",
    [
        "val_loss 0.42",
        "Results: {'left': {'val_loss': 0.42, 'accuracy': 0.91}}",
        "The validation loss fell from 0.52 to 0.42.",
        "The loss is 0.42 ± 0.02, with 0.40 for seed 0.",
        "The loss fell by 19.2 % against the baseline.",
        "The loss fell by 19%.",
        "The loss fell by 0.1.",
        "Accuracy rose to 91%, a gain of 10 points.",
        "The loss is about 0.4.",
        "The loss (p = 0.002) fell by 0.0317 on fresh seeds.",
        "| run | val_loss | lr |\n|---|---|---|\n| 1 | 0.42 | 0.77 |",
    ],
)
def test_numbers_that_were_recorded_or_follow_from_them_are_supported(text: str) -> None:
    assert said(text) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("val_loss 0.37", "0.37"),
        ("\n\nThe validation loss fell from 0.52 to 0.395.", "0.395"),
        ("Results: {'left': {'val_loss': 0.4321}}", "0.4321"),
        ("The loss fell by 31.7 % against the baseline.", "31.7 %"),
        ("Accuracy is 99.5%", "99.5%"),
        ("We saw 0.98765 in the end.", "0.98765"),
        ("| run | val_loss | lr |\n|---|---|---|\n| 1 | 0.47 | 0.77 |", "0.47"),
    ],
)
def test_a_number_that_nothing_gave_is_listed_with_its_line(text: str, number: str) -> None:
    (finding,) = unsupported(text, KNOWN)
    assert finding.message.startswith(f"{number} is not a recorded value")
    assert finding.line == 1 + next(i for i, line in enumerate(text.split("\n")) if number in line)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("We achieve a 77 % reduction in loss.", "77 %"),
        ("The loss fell in run 1. It is 0.37 now.", "0.37"),
        ("Loss 0.52 -> 0.37 on seeds 0-2.", "0.37"),
        ("| metric | run 1 |\n|---|---|\n| lr | 0.0123 |\n| val_loss | 0.47 ± 0.02 |", "0.47"),
    ],
)
def test_a_metric_may_be_named_behind_its_value_a_sentence_before_it_or_by_the_row(text: str, number: str) -> None:
    (finding,) = unsupported(text, KNOWN)
    assert finding.message.startswith(f"{number} is not a recorded value of val_loss")


@pytest.mark.parametrize(
    "text",
    [
        "The loss of 0.42 needed a dropout of 0.37; with 0.37 dropout the loss fell by 19 %.",
        "lr=0.0123 loss=0.42; at lr 0.0123, loss was 0.42.",
        "| change | val_loss | p |\n|---|---|---|\n| loss weight 0.37 | 0.42 (lr 0.37) | 0.37 |",
        "The loss is 1.7 to 2.5 times that of run 3, 0.7x run 3's, in 37 of 50 cells.",
        "The loss fell by 0.1 (95 % CI [-0.13, -0.07]).",
        "val_loss stayed < 0.77, and > 0.37 throughout.",
        "With a longer warm-up the loss could be 0.37. Lee et al. (2022) report a loss of 0.37. In 2022 it was new.",
        "We aim for a loss of 0.37; the smoke test printed loss=2.37.",
    ],
)
def test_any_other_word_between_a_metric_and_a_number_parts_them(text: str) -> None:
    assert said(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "I set SCALE to 2.5 and LR = 0.003.",
        "With dropout of 0.25 and a learning rate of 0.0011 nothing broke.",
        "A fixed weighting factor of 0.5 was used; 15% probability each.",
        "We ran 3 seeds for 5000 steps on 2 GPUs, 2024-08-02, version 3.10.2.",
        "The x-axis ranges from 0 to 1.05.",
        "- Y-axis: validation loss (0 to 1.05)",
        "# Title: 0.1234 is better\n# Experiment description: improve val_loss to 0.0001",
        "weight_decay: 0.3333",
    ],
)
def test_settings_counts_and_dates_are_no_results(text: str) -> None:
    assert said(text) == []


def test_a_number_must_be_a_value_of_the_metric_that_it_is_printed_next_to() -> None:
    assert said("accuracy: 0.91") == []
    assert said("val_loss: 0.91") == ["1: 0.91 is not a recorded value of val_loss"]


def test_whole_numbers_count_where_they_are_values_of_a_metric() -> None:
    known = Known(scores={0: {"d": {"steps_to_99": (2363.3,)}}}, verdicts={}, primary="steps_to_99", goals={})
    assert said("steps_to_99 fell from 2363 in 500 epochs", known) == []
    assert said("steps_to_99 fell from 2,363", known) == []
    assert said("steps_to_99 fell to 1993", known) == ["1: 1993 is not a recorded value of steps_to_99"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("## Run 2\nThe loss improved over the baseline.", "inconclusive"),
        ("Run 2 is better than the baseline.", "inconclusive"),
        ("## Run 2: decay\nThe loss degraded.", "inconclusive"),
        ("## Run 1\nThe results are worse.", "better"),
        ("## Run 3\n- a clear improvement in validation loss (0.61)", "worse"),
    ],
)
def test_words_of_praise_must_agree_with_the_verdict(text: str, word: str) -> None:
    (finding,) = unsupported(text, KNOWN)
    assert finding.message.endswith(f"whose verdict for val_loss is {word}")
    assert finding.line == text.count("\n") + 1


@pytest.mark.parametrize(
    "text",
    [
        "## Run 1\nThe loss improved to 0.42.",
        "Run 1 is better than the baseline.",
        "## Run 3\nThe loss got worse.",
        "## Run 2\nThe loss did not improve.",
        "## Run 2\nThis could improve the loss. We try to improve performance further.",
        "## Run 2\nLower loss values indicate better performance.",
        "## Run 2\nNo improvement in loss was seen.",
        "The idea is to improve performance.",
        "## Run 2: Improved loss weighting",
        "## Run 2\nRun 3 was better. The loss is better than expected. It is worse than in the previous run.",
        "## Run 2\nThe loss improved slightly, which is inconclusive. The loss looks better, but is unconfirmed.",
        "Compared to run 3, run 1 improved the loss. Run 1 outperformed run 3.",
    ],
)
def test_what_the_verdict_says_and_what_is_only_wished_for_is_left_alone(text: str) -> None:
    assert said(text) == []


def test_praise_of_a_run_that_repeats_earlier_code_is_listed() -> None:
    (line,) = said("## Run 4\nThe loss improved to 0.43.")
    assert "repeated code that had already run" in line


def test_praise_against_another_run_must_at_least_go_the_right_way() -> None:
    assert said("## Run 2\nThe loss improved compared to Run 3.") == []
    (line,) = said("## Run 2\nThe loss improved compared to Run 1.")
    assert line.endswith("but val_loss on left went from 0.42 to 0.53 (run 1 to run 2)")
    assert said("Compared to run 1, run 2 improved the loss.") == [line.replace("2: ", "1: ")]


def test_praise_of_one_value_cannot_be_told_from_noise() -> None:
    known = Known(
        scores={0: {"d": {"loss": (0.5,), "fid": (9.0,)}}, 1: {"d": {"loss": (0.4,), "fid": (8.0,)}}},
        verdicts={1: {"d": "cannot tell: one value"}},
        primary="loss",
        goals={"loss": "min", "fid": "min"},
    )
    assert said("## Run 1\nThe loss improved.", known)[0].endswith("is cannot tell: one value")
    assert said("## Run 1\nThe fid improved.", known)[0].endswith("from one value of fid each: cannot tell")


def test_a_section_ends_where_the_next_one_begins() -> None:
    assert said("## Run 2\n### Observations\nThe loss improved.")
    assert said("## Run 2\nNothing.\n## Plots\nThe loss improved.") == []


def test_a_verdict_is_asked_of_the_dataset_that_is_named() -> None:
    known = Known(
        scores={run: {"moons": {"loss": (0.5, 0.6)}, "dino": {"loss": (0.7, 0.8)}} for run in (0, 1)},
        verdicts={1: {"moons": "better", "dino": "inconclusive"}},
        primary="loss",
        goals={"loss": "min"},
    )
    assert said("## Run 1\nThe loss improved on 'moons'.", known) == []
    assert len(said("## Run 1\nThe loss improved on 'dino'.", known)) == 1


@pytest.mark.parametrize(
    ("text", "value", "yes"),
    [
        ("0.42", 0.4249, True),
        ("0.42", 0.4251, True),
        ("0.43", 0.4251, True),
        ("0.42", 0.4301, False),
        ("-0.42", 0.42, False),
        ("1.2e-3", 0.00124, True),
        ("1.2e-3", 0.0014, False),
        ("2,363", 2363.4, True),
        ("~0.4", 0.47, True),
    ],
)
def test_printed_digits_are_rounded_or_cut_off(text: str, value: float, yes: bool) -> None:
    (number,) = numbers(text)
    assert number.is_print_of(value) is yes


def test_long_and_hostile_notes_are_read_within_bounds() -> None:
    text = "val_loss 0.37 " * 100_000 + "\n" + "val_loss 0.37\n" * 1000 + "improved " * 20_000 + "\x1b[31m" + "(" * 5000
    found = unsupported(text, KNOWN)
    assert len(found) == FINDINGS + 1
    assert "only the first" in found[-1].message


def test_without_a_baseline_praise_has_nothing_to_be_held_against() -> None:
    known = Known(scores={1: SCORES[1]}, verdicts={}, primary="val_loss", goals={"accuracy": "max"})
    assert said("## Run 1\nThe accuracy improved. The loss improved.", known) == []


def test_without_any_score_nothing_is_claimed_wrongly() -> None:
    nothing = Known(scores={}, verdicts={}, primary="", goals={})
    assert said("val_loss 0.37 improved in run 1 by 12 %", nothing) == []
