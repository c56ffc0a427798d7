"""What fresh seeds show of a run, and when no more are needed."""

from __future__ import annotations

import random

import pytest
from pydantic import ValidationError

from harness.records import Comparison, MetricSpec, Scores
from harness.results.confirmation import Design, Measured, compare_on_fresh_seeds, why_stop, words
from harness.template.run_spec import ConfirmSpec, RunSpec

DESIGN = Design(looks=(5, 10), level=0.05, datasets=("d",), paired=True)
METRICS = {
    "loss": MetricSpec(goal="min", primary=True),
    "accuracy": MetricSpec(goal="max", guard="2 %"),
    "depth": MetricSpec(goal="max"),
}
BASE = (1.0, 1.1, 0.9, 1.05, 0.95)
SAME = (0.90, 0.91, 0.89, 0.92, 0.90)


def scores(loss: tuple[float, ...], accuracy: tuple[float, ...] = SAME) -> Scores:
    n = len(loss)
    return {"d": {"loss": loss, "accuracy": (accuracy * 2)[:n], "depth": tuple(float(i) for i in range(n))}}


def shifted(by: float, jitter: float = 0.01, n: int = 5) -> tuple[float, ...]:
    rng = random.Random(3)
    return tuple(b + by + rng.gauss(0, jitter) for b in (BASE * 2)[:n])


def looked(loss: tuple[float, ...], accuracy: tuple[float, ...] = SAME, worth: float | str = 0.0) -> tuple[str, ...]:
    """The verdict and why no more seeds are needed, if they are not."""
    metrics = {**METRICS, "loss": MetricSpec(goal="min", primary=True, worth=worth)}
    run, baseline = scores(loss, accuracy), scores((BASE * 2)[: len(loss)])
    found = compare_on_fresh_seeds(DESIGN, Measured(run, baseline), metrics, same_machine=True)
    return words(found)["d"], why_stop(DESIGN, found, Measured(run, baseline)) or ""


@pytest.mark.parametrize(
    ("by", "worth", "word"),
    [
        (-0.5, 0.0, "better"),
        (-0.5, "10 %", "better"),
        (-0.05, 0.1, "better, but less than is worth it"),
        (0.0, 0.1, "no difference worth it"),
        (0.5, 0.1, "worse"),
        (0.5, 0.0, "worse"),
    ],
)
def test_a_clear_result_stops_at_the_first_look(by: float, worth: float | str, word: str) -> None:
    assert looked(shifted(by), worth=worth) == (word, "decided")


def test_a_result_that_may_become_clear_goes_on_and_one_that_will_not_stops() -> None:
    assert looked(shifted(-0.15, 0.2)) == ("inconclusive", "")
    assert looked(shifted(0.1, 0.2)) == ("inconclusive", "a gain is unlikely to show with more seeds")
    assert looked(shifted(0.0, 0.2, n=10)) == ("inconclusive", "all seeds are used")


@pytest.mark.parametrize(
    ("accuracy", "found"),
    [
        ((0.90, 0.91, 0.89, 0.92, 0.90), ("better", "decided")),
        ((0.50, 0.51, 0.49, 0.52, 0.50), ("guard not held", "decided")),
        ((0.92, 0.88, 0.93, 0.89, 0.92), ("guard not held", "")),
        (
            (0.80, 0.99, 0.70, 0.99, 0.98),
            ("guard not held", "a guard is unlikely to be shown to hold with more seeds"),
        ),
    ],
)
def test_a_run_is_better_only_if_each_guard_is_shown_to_hold(accuracy: tuple[float, ...], found: object) -> None:
    assert looked(shifted(-0.5), accuracy) == found


def test_a_guard_does_not_save_a_run_that_is_worse() -> None:
    assert looked(shifted(0.5), (0.5, 0.51, 0.49, 0.52, 0.5))[0] == "worse"


def test_what_does_not_decide_gets_a_plain_interval() -> None:
    run, baseline = scores(shifted(-0.5)), scores(BASE)
    found = {c.metric: c for c in compare_on_fresh_seeds(DESIGN, Measured(run, baseline), METRICS, same_machine=True)}
    assert (found["loss"].look, found["accuracy"].look, found["depth"].look) == (1, 1, 0)
    assert found["accuracy"].margin == pytest.approx(0.02 * 0.904)


def test_between_looks_nothing_is_decided() -> None:
    run, baseline = scores(shifted(-0.5, n=7)), scores((BASE * 2)[:7])
    assert words(compare_on_fresh_seeds(DESIGN, Measured(run, baseline), METRICS, same_machine=True)) == {}


def constant(value: float) -> tuple[float, ...]:
    return (value,) * 5


@pytest.mark.parametrize(("value", "word"), [(0.5, "better"), (1.5, "worse")])
def test_constants_are_compared_exactly(value: float, word: str) -> None:
    run, baseline = scores(constant(value)), scores(constant(1.0))
    found = compare_on_fresh_seeds(DESIGN, Measured(run, baseline), METRICS, same_machine=True)
    assert words(found) == {"d": word}
    elsewhere = compare_on_fresh_seeds(DESIGN, Measured(run, baseline), METRICS, same_machine=False)
    assert words(elsewhere) == {"d": "cannot tell"}


def test_values_equal_to_the_baselines_are_unchanged() -> None:
    assert looked(BASE) == ("unchanged", "decided")


@pytest.mark.parametrize("goal", ["min", "max"])
def test_the_verdict_turns_with_the_goal(goal: str) -> None:
    metrics = {"loss": MetricSpec(goal=goal, primary=True)}
    found: tuple[Comparison, ...] = compare_on_fresh_seeds(
        DESIGN, Measured({"d": {"loss": shifted(-0.5)}}, {"d": {"loss": BASE}}), metrics, same_machine=True
    )
    assert words(found) == {"d": "better" if goal == "min" else "worse"}


@pytest.mark.parametrize(
    ("first", "most", "limit", "looks"),
    [
        (5, 40, None, (5, 10, 20, 40)),
        (5, 30, None, (5, 10, 20, 30)),
        (5, 5, None, (5,)),
        (5, 40, 12, (5, 10, 12)),
        (5, 40, 3, (3,)),
        (5, 10, 99, (5, 10)),
    ],
)
def test_looks_double_up_to_the_limit(first: int, most: int, limit: int | None, looks: tuple[int, ...]) -> None:
    assert ConfirmSpec(first=first, most=most).looks(limit) == looks


def test_the_key_of_older_templates_is_one_look() -> None:
    assert RunSpec.model_validate({"confirm_seeds": 7}).confirm.looks() == (7,)
    assert RunSpec.model_validate({"confirm_seeds": 0}).confirm.most == 0


@pytest.mark.parametrize(
    "wrong", [{"worth": "x"}, {"worth": -1}, {"worth": "5"}, {"worth": float("nan")}, {"guard": 1}]
)
def test_an_amount_is_a_number_or_a_percentage_and_stands_where_it_means_something(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MetricSpec.model_validate({"goal": "min", "primary": True, **wrong})


def test_a_guard_without_an_interval_is_not_passed_over() -> None:
    metrics = {**METRICS, "accuracy": MetricSpec(goal="max", guard="5 %", machine_bound=True)}
    run, baseline = scores(shifted(-0.5)), scores(BASE)
    assert words(compare_on_fresh_seeds(DESIGN, Measured(run, baseline), metrics, same_machine=False)) == {
        "d": "cannot tell"
    }
    assert words(compare_on_fresh_seeds(DESIGN, Measured(run, baseline), metrics, same_machine=True)) == {"d": "better"}


def test_a_guard_that_allows_nothing_holds_if_nothing_changes() -> None:
    metrics = {**METRICS, "accuracy": MetricSpec(goal="max", guard=0)}
    run, baseline = scores(shifted(-0.5), constant(5.0)), scores(BASE, constant(5.0))
    assert words(compare_on_fresh_seeds(DESIGN, Measured(run, baseline), metrics, same_machine=True)) == {"d": "better"}


def test_a_broken_guard_ends_a_confirmation_whatever_other_guards_may_still_show() -> None:
    metrics = {**METRICS, "depth": MetricSpec(goal="max", guard=0.5)}
    run, baseline = scores(shifted(-0.5), (0.50, 0.51, 0.49, 0.52, 0.50)), scores(BASE)
    run["d"]["depth"] = (2.0, 0.0, 3.0, 4.0, 4.0)
    measured = Measured(run, baseline)
    found = compare_on_fresh_seeds(DESIGN, measured, metrics, same_machine=True)
    assert (words(found)["d"], why_stop(DESIGN, found, measured)) == ("guard not held", "decided")


COUNTS = MetricSpec(goal="max", primary=True)
SCREENED: tuple[Scores, Scores] = ({"d": {"m": (4.0, 3.0, 4.0)}}, {"d": {"m": (3.0, 2.0, 3.0)}})
"""A count that varies a little, in the screening."""


def counted(run: tuple[float, ...], baseline: tuple[float, ...], screened: tuple[Scores, Scores]) -> tuple[str, str]:
    design = Design(looks=(len(run), 40), level=0.05, datasets=("d",), paired=True)
    measured = Measured({"d": {"m": run}}, {"d": {"m": baseline}}, screened)
    found = compare_on_fresh_seeds(design, measured, {"m": COUNTS}, same_machine=True)
    return words(found)["d"], why_stop(design, found, measured) or ""


@pytest.mark.parametrize("n", [2, 3])
def test_a_few_equal_counts_are_chance_where_the_screening_has_seen_others(n: int) -> None:
    assert counted((4.0,) * n, (3.0,) * n, SCREENED) == ("inconclusive", "")
    assert counted((3.0,) * n, (3.0,) * n, SCREENED) == ("inconclusive", "")
    assert counted((4.0, 3.0, 4.0)[:n], (3.0, 2.0, 3.0)[:n], SCREENED) == ("inconclusive", "")
    assert counted((0.3, 0.4, 0.3)[:n], (0.2, 0.3, 0.2)[:n], ({}, {"d": {"m": (0.2, 0.2)}}))[0] == "inconclusive"


def test_equal_differences_are_exact_where_nothing_ever_varied_or_chance_cannot_explain_them() -> None:
    constants: tuple[Scores, Scores] = {"d": {"m": (4.0,) * 3}}, {"d": {"m": (3.0,) * 3}}
    assert counted((4.0,) * 2, (3.0,) * 2, constants) == ("better", "decided")
    assert counted((1.5, 2.5, 3.5), (1.0, 2.0, 3.0), ({}, {})) == ("better", "decided")
    assert counted((1.0, 2.0, 3.0), (1.0, 2.0, 3.0), ({}, {})) == ("unchanged", "decided")


def test_a_comparison_keeps_the_error_rate_that_its_interval_has_over_all_looks() -> None:
    design = Design(looks=(5, 10), level=0.0125, datasets=("d",), paired=True)
    found = compare_on_fresh_seeds(design, Measured(scores(SAME), scores(BASE)), METRICS, same_machine=True)
    assert {c.metric: c.level for c in found} == {"loss": 0.0125, "accuracy": 0.05, "depth": 0.05}


def test_a_margin_in_per_cent_is_fixed_before_the_first_fresh_seed() -> None:
    metrics = {**METRICS, "loss": MetricSpec(goal="min", primary=True, worth="10 %")}
    stored = scores((2.0, 2.2, 1.8), (0.5, 0.5, 0.5))
    found = compare_on_fresh_seeds(DESIGN, Measured(scores(SAME), scores(BASE), ({}, stored)), metrics, True)
    assert found[0].worth == pytest.approx(0.2)
    assert found[1].margin == pytest.approx(0.02 * 0.5)
