"""final_info.json is read with suspicion: every refusal names what is wrong and where."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from harness.errors import MetricsError
from harness.records import MetricSpec, Scores
from harness.results import final_info
from harness.results.compare import compare
from harness.state.events import EVENTS, AttemptEnded, Recorded


def written(folder: Path, content: Any) -> Path:
    path = folder / "run_1" / "final_info.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def info(values: Any, metric: str = "loss") -> dict[str, Any]:
    return {"toy": {"means": {metric: 0.0}, "final_info_dict": {metric: values}}}


def test_values_per_seed_are_read_as_floats_and_stored_means_are_not_believed(tmp_path: Path) -> None:
    content = {"toy": {"means": {"loss": 99}, "stderrs": {"loss": 0}, "final_info_dict": {"loss": [1, 2.5, 3]}}}
    assert final_info.read(written(tmp_path, content), ["loss"], 3) == {"toy": {"loss": (1.0, 2.5, 3.0)}}


@pytest.mark.parametrize("metric", ["loss", "loss_mean"])
def test_a_metric_may_be_named_with_the_suffix_of_its_mean_or_without(tmp_path: Path, metric: str) -> None:
    body = {"means": {"loss_mean": 2}, "stderrs": {"loss_stderr": 1}, "final_info_dict": {"loss": [1, 3]}}
    assert final_info.read(written(tmp_path, {"toy": body}), [metric], 2) == {"toy": {metric: (1.0, 3.0)}}


def test_datasets_with_different_numbers_of_seeds_are_told_in_one_line(tmp_path: Path) -> None:
    content = {f"data{n}": {"means": {"loss_mean": 1}, "final_info_dict": {"loss": [1] * n}} for n in (3, 1)}
    with pytest.raises(MetricsError, match=r"different numbers of seeds \(data3 3, data1 1\)"):
        final_info.read(written(tmp_path, content), ["loss"], 3)


@pytest.mark.parametrize(
    ("body", "metrics"),
    [
        ({"means": {"loss_mean": 2}, "final_info_dict": {"loss": [1, 3]}}, {"loss": (1.0, 3.0)}),
        ({"means": {"loss_mean": 2}, "stderrs": {"loss_stderr": 1}}, {"loss": (2.0,)}),
        ({"means": {"loss_mean": 2}}, {"loss_mean": (2.0,)}),
        (
            {"means": {"loss_mean": 2}, "final_info_dict": {"loss_mean": [1, 3], "loss": [5, 7]}},
            {"loss_mean": (1.0, 3.0)},
        ),
        (
            {"means": {"loss": 6, "loss_mean": 2}, "final_info_dict": {"loss": [5, 7]}},
            {"loss": (5.0, 7.0), "loss_mean": (2.0,)},
        ),
        ({"means": {"loss_mean": 2}, "stderrs": [1], "final_info_dict": None}, {"loss_mean": (2.0,)}),
    ],
)
def test_a_mean_with_a_suffix_belongs_to_the_values_of_the_bare_name(
    tmp_path: Path, body: dict[str, Any], metrics: dict[str, tuple[float, ...]]
) -> None:
    assert final_info.read(written(tmp_path, {"toy": body}), [], 2) == {"toy": metrics}


@pytest.mark.parametrize("name", ["loss", "loss_mean"])
def test_a_template_may_name_a_metric_with_the_suffix_or_without(tmp_path: Path, name: str) -> None:
    content = {"toy": {"means": {"loss_mean": 2}, "final_info_dict": {"loss": [1, 3]}}}
    assert final_info.read(written(tmp_path, content), [name], 2) == {"toy": {name: (1.0, 3.0)}}


def test_every_dataset_is_read(tmp_path: Path) -> None:
    content = {name: {"means": {"loss": 1.0}, "final_info_dict": {"loss": [1.0, 2.0]}} for name in ("a", "b")}
    assert sorted(final_info.read(written(tmp_path, content), ["loss"], 2)) == ["a", "b"]


def test_a_missing_file_is_named_with_its_run(tmp_path: Path) -> None:
    with pytest.raises(MetricsError, match=r"without writing run_1/final_info\.json"):
        final_info.read(tmp_path / "run_1" / "final_info.json", ["loss"], 3)


@pytest.mark.parametrize("text", ["", "not json", '{"toy": ', "[" * 100_000, "\x00"])
def test_what_is_not_json_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(MetricsError, match="not readable JSON"):
        final_info.read(written(tmp_path, text), ["loss"], 3)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MetricsError, match="not readable JSON"):
        final_info.read(path, ["loss"], 3)


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "final_info.json").mkdir()
    with pytest.raises(MetricsError):
        final_info.read(tmp_path / "final_info.json", ["loss"], 3)


def test_what_is_no_ordinary_file_is_refused_at_once(tmp_path: Path) -> None:
    """Reading a pipe without a writer would never end."""
    pipe = tmp_path / "final_info.json"
    os.mkfifo(pipe)
    rescue = threading.Timer(3.0, lambda: os.close(os.open(pipe, os.O_RDWR)))
    rescue.start()
    started = time.monotonic()
    with pytest.raises(MetricsError):
        final_info.read(pipe, ["loss"], 3)
    rescue.cancel()
    assert time.monotonic() - started < 2.0


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    with path.open("wb") as file:
        file.truncate(final_info.SIZE_LIMIT + 1)
    with pytest.raises(MetricsError, match="larger than 16 MiB"):
        final_info.read(path, ["loss"], 3)


@pytest.mark.parametrize("content", [[], {}, 3, None, "text", [1]])
def test_anything_but_an_object_of_datasets_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(MetricsError, match="one entry per dataset"):
        final_info.read(written(tmp_path, json.dumps(content)), ["loss"], 3)


@pytest.mark.parametrize("body", [3, [], {}, {"means": 3}, {"means": [1]}, {"final_info_dict": {"loss": [1]}}])
def test_a_dataset_without_means_is_named(tmp_path: Path, body: Any) -> None:
    with pytest.raises(MetricsError, match="'toy' has no \"means\""):
        final_info.read(written(tmp_path, {"toy": body}), ["loss"], 3)


def test_a_missing_metric_is_named_with_the_existing_ones(tmp_path: Path) -> None:
    with pytest.raises(MetricsError, match=r"'toy' lacks the metric 'loss' \(it has: accuracy\)"):
        final_info.read(written(tmp_path, info([1.0, 2.0, 3.0], "accuracy")), ["loss"], 3)


@pytest.mark.parametrize(
    ("item", "shown"),
    [
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
        ('"0.5"', '"0.5"'),
        ("true", "true"),
        ("null", "null"),
        ("[1.0]", "[1.0]"),
    ],
)
def test_a_value_that_is_not_a_finite_number_is_named_with_dataset_and_position(
    tmp_path: Path, item: str, shown: str
) -> None:
    text = f'{{"toy": {{"means": {{"loss": 0}}, "final_info_dict": {{"loss": [1.0, {item}, 2.0]}}}}}}'
    with pytest.raises(MetricsError) as refused:
        final_info.read(written(tmp_path, text), ["loss"], 3)
    message = str(refused.value)
    assert "'loss'" in message
    assert "'toy'" in message
    assert f"value 1: {shown} is not a finite number" in message


def test_a_nan_mean_without_values_per_seed_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(MetricsError, match="value 0: NaN"):
        final_info.read(written(tmp_path, '{"toy": {"means": {"loss": NaN}}}'), ["loss"], 1)


def test_an_integer_too_large_for_a_float_is_refused_and_not_a_crash(tmp_path: Path) -> None:
    with pytest.raises(MetricsError, match="value 0"):
        final_info.read(written(tmp_path, info([10**400, 1, 2])), ["loss"], 3)


def test_a_name_that_is_no_unicode_text_is_refused(tmp_path: Path) -> None:
    """JSON may spell half of a surrogate pair; no journal can hold it."""
    text = '{"\\ud800": {"means": {"loss": 1, "\\udfff": 2}, "final_info_dict": {"loss": [1, 2, 3]}}}'
    path = written(tmp_path, text)
    try:
        scores = final_info.read(path, ["loss"], 3)
    except MetricsError:
        return
    event = AttemptEnded(run=1, attempt=1, outcome="ok", seconds=1.0, scores=scores)
    assert EVENTS.validate_json(f"[{event.model_dump_json()}]") == [event]


def test_diverged_values_are_refused_or_can_be_compared_and_journalled(tmp_path: Path) -> None:
    """1e308 is finite, but a sum of three of them is not."""
    path = written(tmp_path, info([1e308, 1.2e308, 1.4e308]))
    try:
        values = final_info.read(path, ["loss"], 3)["toy"]["loss"]
    except MetricsError as refused:
        assert "'loss'" in str(refused)
        return
    compared = compare(
        dataset="toy",
        metric="loss",
        spec=MetricSpec(goal="min", primary=True),
        baseline=(1.0, 1.1, 0.9),
        values=values,
        tried=1,
    )
    event = Recorded(turn=1, came_to="attempt", outcome="ok", commit="c", run=1, attempt=1, comparisons=(compared,))
    assert EVENTS.validate_json(f"[{event.model_dump_json()}]") == [event]


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0], [1.0, 2.0, 3.0, 4.0]])
def test_another_number_of_seeds_is_refused_with_both_numbers(tmp_path: Path, values: list[float]) -> None:
    with pytest.raises(MetricsError, match=rf"'loss' of dataset 'toy' must be a list .* has 3, found {len(values)}"):
        final_info.read(written(tmp_path, info(values)), ["loss"], 3)


def test_with_one_seed_the_mean_alone_is_enough(tmp_path: Path) -> None:
    path = written(tmp_path, {"toy": {"means": {"loss": 0.25}, "stderrs": {"loss": 0.0}}})
    assert final_info.read(path, ["loss"], 1) == {"toy": {"loss": (0.25,)}}
    with pytest.raises(MetricsError, match="has 2, found 1"):
        final_info.read(path, ["loss"], 2)


def test_other_entries_are_kept_when_they_are_numbers_and_passed_over_when_not(tmp_path: Path) -> None:
    body = {
        "means": {"loss": 1.0, "extra": 2.0, "label": "text", "odd": None},
        "final_info_dict": {"loss": [1.0, 2.0], "extra": [3.0], "label": ["a"]},
    }
    found = final_info.read(written(tmp_path, {"toy": body}), ["loss"], 2)
    assert found == {"toy": {"loss": (1.0, 2.0), "extra": (3.0,)}}


def test_the_standard_error_is_the_sample_deviation_over_the_root_of_n() -> None:
    # mean 5, squared deviations 9 + 1 + 1 + 9 = 20; sd = sqrt(20 / 3), se = sd / 2
    values = (2.0, 4.0, 6.0, 8.0)
    assert final_info.mean(values) == 5.0
    assert final_info.deviation(values) == pytest.approx(math.sqrt(20 / 3), rel=1e-12)
    assert final_info.standard_error(values) == pytest.approx(math.sqrt(20 / 3) / 2, rel=1e-12)


def test_one_value_has_no_spread() -> None:
    assert final_info.deviation((1.0,)) is None
    assert final_info.standard_error((1.0,)) is None


def test_a_verified_value_replaces_the_reported_one() -> None:
    reported: Scores = {"toy": {"loss": (1.0,), "seconds": (3.0,)}}
    verified: Scores = {"toy": {"loss": (2.0,)}}
    assert final_info.overlay(reported, verified, ["loss"]) == {"toy": {"loss": (2.0,), "seconds": (3.0,)}}


@pytest.mark.parametrize(
    ("verified", "said"),
    [
        ({"Toy": {"loss": (2.0,)}}, r"does not measure the dataset 'toy' \(it measures: Toy\)"),
        (
            {"toy": {"loss": (2.0,)}, "Toy": {"loss": (2.0,)}},
            r"measures 'Toy', which is not reported \(reported: toy\)",
        ),
        ({"toy": {"Loss": (2.0,)}}, r"does not give 'loss' on 'toy' \(it gives: Loss\)"),
    ],
)
def test_a_claim_never_takes_the_place_of_a_value_with_another_name(verified: Scores, said: str) -> None:
    with pytest.raises(MetricsError, match=said):
        final_info.overlay({"toy": {"loss": (1.0,)}}, verified, ["loss"])


def test_a_claim_far_from_the_verified_value_is_told_with_both() -> None:
    verified: Scores = {"toy": {"loss": (1.0, 1.0), "accuracy": (0.5, 0.5)}}
    claimed: Scores = {"toy": {"loss": (0.1, 0.1), "accuracy": (0.51, 0.51)}}
    (sentence,) = final_info.disagreements(claimed, verified)
    assert sentence == "loss on toy: reported 0.1, verified 1"
    assert final_info.disagreements(verified, verified) == []


def test_an_estimate_on_other_samples_that_errs_both_ways_is_no_claim() -> None:
    verified: Scores = {"toy": {"dead": (0.0, 0.05, 0.0, 0.0, 0.0), "loss": (0.9, 1.0, 1.1, 1.0, 1.2)}}
    honest: Scores = {"toy": {"dead": (0.05, 0.0, 0.05, 0.0, 0.0), "loss": (0.8, 1.1, 1.3, 0.9, 1.4)}}
    assert final_info.disagreements(honest, verified) == []
    always_less: Scores = {"toy": {"loss": tuple(0.9 * value for value in verified["toy"]["loss"])}}
    assert len(final_info.disagreements(always_less, verified)) == 1


def test_an_estimate_that_is_off_by_design_is_no_claim_until_it_is_off_further() -> None:
    usual: tuple[Scores, Scores] = {"toy": {"loss": (0.8, 0.81)}}, {"toy": {"loss": (1.0, 1.01)}}
    verified: Scores = {"toy": {"loss": (0.5, 0.51)}}
    assert final_info.disagreements({"toy": {"loss": (0.3, 0.31)}}, verified, usual) == []
    assert len(final_info.disagreements({"toy": {"loss": (0.1, 0.11)}}, verified, usual)) == 1
