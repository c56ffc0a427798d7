"""harness audit: what a results folder of another system shows, whatever is in it."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from lab import Project, Study, notes, scale, swap

from harness.audit import reading, transcript

from .audits import EDIT, PLOTS, Idea, audited, found, info, parsed, parsed_without_listing, said, share


@pytest.fixture
def idea(tmp_path: Path) -> Idea:
    return Idea(tmp_path / "results" / "idea")


@pytest.fixture
def nowhere(tmp_path: Path) -> Project:
    """No project is needed to audit."""
    return Project(tmp_path)


# A study of our own in that folder format


def export(study: Study, folder: Path) -> Idea:
    """A study as the other system would have left it."""
    idea = Idea(folder)
    chat = []
    for number in (0, *(run.number for run in study.history.measured)):
        idea.run(number, (study.paths.root / f"run_{number}" / "final_info.json").read_text())
        if number:
            idea.file(f"run_{number}.py", study.git("show", f"{study.paths.name}/run_{number}:experiment.py"))
            if number != len(study.history.measured):
                chat += [EDIT.format(file="experiment.py"), idea.told(number)]
    idea.chat(*chat, PLOTS)
    idea.file("notes.txt", study.file("notes.md"))
    return idea


@pytest.fixture(scope="module")
def ours(made_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, the second of them the first one's code once more, which has noise without a seed."""
    root = tmp_path_factory.mktemp("ours")
    project = Project(shutil.copytree(made_once, root / "project"))
    unseeded = swap("NOISE * noise(seed)", '20 * NOISE * __import__("random").random()')
    replies = [scale(2.5) + unseeded, "REPLICATE run_1", notes("## Run 1\nThe loss improved to 0.123456.")]
    study = project.run(replies, "--max-runs", "2", "--confirm", "0")
    assert [run.number for run in study.history.measured] == [1, 2], study.said
    return export(study, root / "results" / "ours").root


def test_a_run_repeated_byte_for_byte_is_a_replicate_with_its_spread(ours: Path) -> None:
    assert (ours / "run_1.py").read_bytes() == (ours / "run_2.py").read_bytes()
    (only,) = parsed(ours)["ideas"]
    (group,) = only["replicates"]
    assert (group["runs"], group["certain"]) == ([1, 2], True)
    recorded = [json.loads((ours / f"run_{n}/final_info.json").read_text())["numbers"]["means"]["loss"] for n in (1, 2)]
    spread = next(s for s in group["spreads"] if s["metric"] == "loss")
    assert spread["means"] == pytest.approx(recorded)
    assert spread["gain"] == pytest.approx((max(recorded) - min(recorded)) / max(recorded)) != 0
    assert only["runs"][2]["same_code_as"] == 1
    assert said(ours, 2) == ["replicate"]
    (line,) = found(ours, "replicate")
    assert line.startswith("runs 1 and 2 executed identical code; by noise alone")
    assert f"could pass for an improvement of {100 * spread['gain']:.3g} %" in line
    assert share(ours, "executed code that had already run") == (1, 2)


def test_the_same_study_shows_the_last_result_unseen_and_the_invented_number(ours: Path) -> None:
    assert found(ours, "unseen") == ["the agent never saw the result of run 2"]
    assert "0.123456 is not a recorded value of loss" in found(ours, "claim")
    assert said(ours, 1) == ["better"]


def test_the_text_has_a_table_findings_and_shares(ours: Path) -> None:
    out = audited(ours.parent).out
    assert out.startswith("ours\n  loss ↓ (chosen by name")
    assert "\n  2    = run 1  NO " in out
    assert "  ! notes.txt:" in out
    assert "  1 of 2 runs (50 %) executed code that had already run\n" in out
    assert "\x1b" not in out


# Identical code


def test_comments_and_layout_make_no_new_code(idea: Idea) -> None:
    idea.run(0, {"loss": [1.0]})
    idea.run(1, {"loss": [0.9]}, "x = 1\n")
    idea.run(2, {"loss": [0.8]}, "# better\n\nx   =   1  # so\n")
    idea.run(3, {"loss": [0.7]}, "x = 2\n")
    assert found(idea.root, "replicate") == [
        "runs 1 and 2 executed identical code (it is not known whether other files changed); by noise alone "
        "loss on moons (0.9, 0.8) could pass for an improvement of 11.1 %"
    ]


def test_a_run_that_changed_only_another_file_is_no_replicate_and_the_file_is_named(idea: Idea) -> None:
    for run in range(4):
        idea.run(run, {"loss": [1.0 - run / 10 + 1e-7]}, "x = 1\n" if run else None)
    changed = EDIT.format(file="discriminator.py") + EDIT.format(file="notes.txt")
    idea.chat(EDIT.format(file="experiment.py"), idea.told(1), changed, idea.told(2), idea.told(3))
    assert found(idea.root, "unsnapshotted") == [
        "run 2 differs from run 1 only in files outside the snapshot: discriminator.py"
    ]
    (only,) = parsed(idea.root)["ideas"]
    assert [group["runs"] for group in only["replicates"]] == [[2, 3]]
    assert share(idea.root, "changed only files outside the snapshot") == (1, 3)


def test_the_files_that_were_edited_are_counted_where_they_are_many(idea: Idea) -> None:
    for run in range(3):
        idea.run(run, {"loss": [1.0]}, "x = 1\n" if run else None)
    edits = "".join(EDIT.format(file=f"part_{n}.py") for n in range(7))
    idea.chat(EDIT.format(file="experiment.py"), idea.told(1), edits, idea.told(2))
    (line,) = found(idea.root, "unsnapshotted")
    assert line.endswith(": part_0.py, part_1.py, part_2.py, part_3.py, part_4.py and 2 more")


def test_an_edit_that_leaves_the_snapshot_as_it_was_makes_no_new_code(idea: Idea) -> None:
    idea.run(0, {"loss": [1.0]})
    idea.run(1, {"loss": [0.9]}, "x = 1\n")
    idea.run(2, {"loss": [0.9]}, "x = 1  # the same\n")
    edit = EDIT.format(file="experiment.py")
    idea.chat(edit, idea.told(1), edit, idea.told(2))
    assert found(idea.root, "replicate") == ["runs 1 and 2 executed identical code and gave the same loss"]
    assert found(idea.root, "unsnapshotted") == []


def test_where_nothing_was_edited_before_the_first_run_it_repeated_the_baseline(idea: Idea) -> None:
    idea.run(0, {"loss": [1.0]})
    idea.run(1, {"loss": [0.87]}, "x = 1\n")
    idea.chat("> litellm.AuthenticationError: no key  \n\n", idea.told(1))
    (line,) = found(idea.root, "replicate")
    assert line.startswith("runs 0 and 1 executed identical code; by noise alone")
    assert said(idea.root, 1) == ["replicate"]


def test_code_that_is_no_python_counts_by_its_bytes(idea: Idea) -> None:
    for run, code in enumerate(["", "x = (", "x = (", "x =  ("]):
        idea.run(run, {"loss": [1.0]}, code if run else None)
    (line,) = found(idea.root, "replicate")
    assert line.startswith("runs 1 and 2 ")
    assert line.endswith("and gave the same loss")


# What the agent saw, and what failed


def test_a_result_is_seen_by_its_prompt_or_by_a_number_only_it_has(idea: Idea) -> None:
    idea.run(0, {"loss": [1.0]})
    for run, value in ((1, 0.123456789), (2, 0.234567891), (3, 0.345678912), (4, 0.5)):
        idea.run(run, {"loss": [value]}, f"x = {run}\n")
    idea.chat(EDIT.format(file="experiment.py"), idea.told(1), "the result was 0.234567891\n")
    assert found(idea.root, "unseen") == [f"the agent never saw the result of run {run}" for run in (3, 4)]
    assert share(idea.root, "were never seen by the agent") == (2, 4)


def test_a_result_is_not_seen_in_the_beginning_of_a_longer_number(idea: Idea) -> None:
    idea.run(0, {"loss": [1.0]})
    idea.run(1, {f"loss_{i}": [0.1234561 + i / 100] for i in range(20)}, "x = 1\n")
    idea.chat(EDIT.format(file="experiment.py"), "a threshold of 0.123456178\n")
    assert found(idea.root, "unseen") == ["the agent never saw the result of run 1"]
    idea.chat(EDIT.format(file="experiment.py"), "the last of them is -0.3134561.\n")
    assert found(idea.root, "unseen") == [], "any number of its own shows it"


def test_several_chats_are_read_and_each_line_is_told_with_its_file(idea: Idea) -> None:
    idea.run(0, {"loss": [1.0]})
    idea.run(1, {"loss": [0.9]}, "x = 1\n")
    idea.file("a_aider.txt", "one\n\ntwo\n")
    idea.file("b_aider.txt", idea.told(1) + "\n#### Run timed out after 9 seconds\n")
    lines = (idea.root / "b_aider.txt").read_text().split("\n")
    (only,) = parsed(idea.root)["ideas"]
    (item,) = (item for item in only["findings"] if item["kind"] == "failed launch")
    assert (item["file"], item["run"]) == ("b_aider.txt", 2)
    assert lines[item["line"] - 1] == "#### Run timed out after 9 seconds"


def test_if_a_chat_could_not_be_read_it_is_unknown_what_the_agent_saw(idea: Idea) -> None:
    idea.run(0, {"loss": [1.0]})
    for run in (1, 2):
        idea.run(run, {"loss": [0.9]}, "x = 1\n")
    for number in range(8):
        idea.file(f"{number}_aider.txt", idea.told(1) if number == 0 else "")
    assert found(idea.root, "unseen") == ["the agent never saw the result of run 2"]
    assert "doubt" not in found(idea.root, "replicate")[0]
    idea.file("8_aider.txt", idea.told(2))
    (only,) = parsed(idea.root)["ideas"]
    assert only["skipped"] == ["only the first 8 of 9 *_aider.txt files were read"]
    assert [run["seen"] for run in only["runs"]] == [None, True, None]
    assert "(it is not known whether other files changed)" in found(idea.root, "replicate")[0]


TRACEBACK = [
    "Training:   0%|          | 0/10 [00:00<?, ?it/s]",
    "Traceback (most recent call last):",
    '  File "/home/x/experiment.py", line 96, in forward',
    "RuntimeError: shapes cannot be multiplied (256x2 and 4x2)",
]


def test_failed_launches_are_told_from_the_chat_with_the_error_and_the_line(idea: Idea) -> None:
    idea.run(0, {"loss": [1.0]})
    idea.run(1, {"loss": [0.9]}, "x = 1\n")
    failed = "#### Run failed with the following error   \n" + "".join(f"#### {line}  \n" for line in TRACEBACK) + "\n"
    idea.chat(failed, idea.told(1), "#### Run timed out after 7200 seconds  \n\n")
    assert found(idea.root, "failed launch") == [
        "a launch for run 1 failed: RuntimeError: shapes cannot be multiplied (256x2 and 4x2)",
        "a launch for run 2 failed: timed out after 7200 seconds",
    ]
    (only,) = parsed(idea.root)["ideas"]
    lines = (idea.root / "20240801_idea_aider.txt").read_text().split("\n")
    assert all(lines[item["line"] - 1].startswith("#### Run ") for item in only["findings"] if item["line"])
    assert share(idea.root, "failed") == (2, 3)


def test_failed_launches_are_told_from_the_log_where_there_is_no_chat(idea: Idea) -> None:
    idea.run(0, {"loss": [1.0]})
    idea.run(1, {"loss": [0.9]})
    idea.file("log.txt", "\n".join([*TRACEBACK, "Run 2 failed with return code 1", "Run 2 timed out after 5 seconds"]))
    assert found(idea.root, "failed launch") == [
        "a launch for run 2 failed: failed with return code 1: " + TRACEBACK[-1],
        "a launch for run 2 failed: timed out after 5 seconds",
    ]
    idea.file("log.txt", "\n".join(TRACEBACK))
    assert found(idea.root, "failed launch") == ["a launch failed: a traceback: " + TRACEBACK[-1]]
    for text in (idea.told(1), "nothing of note\n"):
        idea.chat(text)
        assert found(idea.root, "failed launch") == [], "it may be a plot's"


def test_runs_without_a_result_and_gaps_between_runs_are_named(idea: Idea) -> None:
    idea.run(0, {"loss": [1.0]})
    idea.run(4, {"loss": [0.9]}, "x = 1\n")
    idea.file("run_5.py", "x = 2\n")
    (idea.root / "run_2").mkdir()
    assert found(idea.root, "no result") == [
        "run 2 has no final_info.json",
        "run 5 was launched (run_5.py is there) and gave no result",
        "runs 1 and 3 between the others: no files left",
    ]


# Numbers


def test_means_and_standard_errors_are_recomputed_from_the_values_of_seeds(idea: Idea) -> None:
    body = info({"loss": [1.0, 2.0, 4.0], "error": [1.0, 2.0, 6.0], "time": [1.0, 2.0]})
    body["moons"]["means"]["error"] = 2.5
    body["moons"]["stderrs"] = {"loss": 1.247219 / 3, "error": 2.645751 / 3**0.5}
    idea.run(0, body)
    lines = found(idea.root, "numbers")
    assert lines == [
        "1 of 2 claimed standard errors are std(ddof=0)/n, 0.47 times the right ones (std(ddof=1)/sqrt(n))",
        "run 0, error on moons: claims a mean of 2.5, its values give 3",
        "run 0, time on moons: a mean over 2 of 3 seeds; seeds without a value were left out",
    ]
    assert share(idea.root, "are wrong") == (1, 2)


def test_means_and_errors_may_carry_a_suffix(idea: Idea) -> None:
    for run in (0, 1):
        values = [0.5 - run / 5, 0.51 - run / 5, 0.52 - run / 5]
        entry = {"means": {"val_loss_mean": sum(values) / 3, "steps_mean": None}, "stderrs": {"val_loss_stderr": 0.1}}
        idea.run(run, {"moons": {**entry, "final_info_dict": {"val_loss": values, "steps": []}}})
    (only,) = parsed(idea.root)["ideas"]
    assert only["primary"] == "val_loss"
    assert said(idea.root, 1) == ["better"]
    assert "2 of 2 claimed standard errors are from no known formula" in found(idea.root, "numbers")[0]


def test_a_run_without_values_per_seed_has_the_same_metric_as_the_others(idea: Idea) -> None:
    errors = {"stderrs": {"val_loss_stderr": 0.1}}
    idea.run(0, {"moons": {"means": {"val_loss_mean": 0.5}, **errors, "final_info_dict": {"val_loss": [0.4, 0.6]}}})
    idea.run(1, {"moons": {"means": {"val_loss_mean": 0.3}, **errors}})
    (only,) = parsed(idea.root)["ideas"]
    assert only["primary"] == "val_loss"
    assert said(idea.root, 1) == ["cannot tell"]


@pytest.mark.parametrize("name", ["val_loss_mean", "val_loss"])
def test_a_name_with_a_suffix_of_its_own_is_another_metric(idea: Idea, name: str) -> None:
    entry = {"means": {"val_loss": 0.1, "val_loss_mean": 0.5}, "final_info_dict": {"val_loss": [0.1, 0.1]}}
    idea.run(0, {"moons": entry})
    (only,) = parsed(idea.root, "--metric", name)["ideas"]
    assert only["runs"][0]["judgements"][0]["n"] == {"val_loss": 2, "val_loss_mean": 1}[name]
    assert only["skipped"] == []


@pytest.mark.parametrize(
    ("numbers", "why"),
    [
        ('"means": {"loss": 1, "big": 1' + "0" * 400 + "}", "big of moons is not a finite number"),
        (f'"means": {{"loss": 1, "{"x" * 100}a": 1, "{"x" * 100}b": 2}}', "occurs twice; the first one is used"),
        (
            '"means": {"loss": 1, "long": 6000}, "final_info_dict": {"long": [' + "1, " * 10_000 + "2]}",
            "long of moons has 10,001 values per seed, more than 10,000",
        ),
    ],
)
def test_a_number_that_cannot_be_used_is_left_out_and_said(idea: Idea, numbers: str, why: str) -> None:
    idea.run(0, '{"moons": {' + numbers + "}}")
    (only,) = parsed(idea.root)["ideas"]
    (line,) = only["skipped"]
    assert line.endswith(why)
    assert only["findings"] == []


def test_what_is_too_large_to_be_a_number_is_none_in_json(idea: Idea) -> None:
    body = info({"loss": [5e-324, 5e-324, 1e-323]})
    idea.run(0, {"moons": {**body["moons"], "stderrs": {"loss": 1e149}}})
    for run in (1, 2):
        idea.run(run, {"loss": [10.0**-run, 1.0, 2.0]}, "x = 1\n")
    (only,) = parsed(idea.root)["ideas"]
    assert [run["judgements"][0]["relative"] for run in only["runs"]] == [None] * 3
    assert "inf" not in audited(idea.root).out


@pytest.mark.parametrize(
    ("values", "word"), [([0.5, 0.51, 0.52], "better"), ([1.5, 1.51, 1.52], "worse"), ([0.9, 1.1, 1.0], "inconclusive")]
)
def test_a_run_gets_the_verdict_of_welch_and_holm(idea: Idea, values: list[float], word: str) -> None:
    idea.run(0, {"loss": [1.0, 1.02, 0.98]})
    idea.run(1, {"loss": values})
    idea.run(2, {"loss": [1.0, 1.01, 1.03]})
    assert said(idea.root, 1) == [word]
    (only,) = parsed(idea.root)["ideas"]
    judgement = only["runs"][1]["judgements"][0]
    assert judgement["p"] < judgement["p_corrected"] or judgement["p_corrected"] == 1


def test_one_value_cannot_tell_and_gets_no_p_value(idea: Idea) -> None:
    idea.run(0, {"loss": [1.0]})
    idea.run(1, {"moons": {"means": {"loss": 0.1}}})
    (only,) = parsed(idea.root)["ideas"]
    judgement = only["runs"][1]["judgements"][0]
    assert (judgement["word"], judgement["p"], judgement["note"]) == ("cannot tell", None, "cannot tell: one value")
    assert "cannot tell: one value" in audited(idea.root).out


def test_goals_come_from_names_and_can_be_given(idea: Idea) -> None:
    idea.run(0, {"zorp": [1.0, 1.02, 0.98], "train_time": [1.0, 1.0, 1.0]})
    idea.run(1, {"zorp": [0.5, 0.51, 0.52], "train_time": [1.0, 1.0, 1.0]})
    assert said(idea.root, 1) == ["differs"]
    assert said(idea.root, 1, "--goal", "zorp=min") == ["better"]
    assert said(idea.root, 1, "--goal", "zorp=max") == ["worse"]
    assert parsed(idea.root, "--metric", "train_time")["ideas"][0]["goal"] == "min"


@pytest.mark.parametrize(
    ("metrics", "primary", "goal"),
    [
        (["training_time", "eval_loss", "kl_divergence"], "eval_loss", "min"),
        (["final_train_loss", "final_val_loss", "final_val_acc", "step_val_acc_99"], "final_val_loss", "min"),
        (["avg_inference_tokens_per_second", "total_train_time", "best_val_loss"], "best_val_loss", "min"),
        (["inference_time", "accuracy"], "accuracy", "max"),
        (["tokens_per_second"], "tokens_per_second", "max"),
        (["step_val_acc_99"], "step_val_acc_99", "min"),
        (["accuracy_error"], "accuracy_error", "min"),
        (["testScore", "zorp"], "testScore", "max"),
        (["zorp"], "zorp", None),
    ],
)
def test_the_primary_metric_is_a_sensible_one(idea: Idea, metrics: list[str], primary: str, goal: str | None) -> None:
    idea.run(0, {name: [1.0] for name in metrics})
    (only,) = parsed(idea.root)["ideas"]
    assert (only["primary"], only["goal"]) == (primary, goal)
    assert only["chosen"].startswith("the only metric" if len(metrics) == 1 else "chosen by name")


def test_notes_are_checked_against_numbers_and_verdicts(idea: Idea) -> None:
    idea.run(0, {"loss": [1.0, 1.02, 0.98]})
    idea.run(1, {"loss": [0.9, 1.1, 1.0]})
    idea.file("notes.txt", "# Title: 0.1234\n## Run 1: x\nThe loss improved to 1.00.\nThe loss was 0.77.\n")
    (only,) = parsed(idea.root)["ideas"]
    claims = [(item["file"], item["line"], item["message"]) for item in only["findings"] if item["kind"] == "claim"]
    assert claims == [
        ("notes.txt", 3, '"improved" is said of run 1, whose verdict for loss is inconclusive'),
        ("notes.txt", 4, "0.77 is not a recorded value of loss"),
    ]


# Several ideas


def test_a_folder_of_ideas_is_audited_idea_by_idea_and_in_all(tmp_path: Path) -> None:
    root = tmp_path / "results"
    for name in ("a", "b/c"):
        each = Idea(root / name)
        each.run(0, {"loss": [1.0]})
        for run in (1, 2):
            each.run(run, {"loss": [1.0 - run / 10]}, "x = 1\n")
    report = parsed(root)
    assert [idea["name"] for idea in report["ideas"]] == ["a", "b/c"]
    assert share(root, "executed code that had already run") == (2, 4)
    assert "all 2 ideas\n  2 of 4 runs (50 %) executed code that had already run" in audited(root).out


def test_a_metric_that_one_idea_lacks_gives_it_no_verdicts(tmp_path: Path) -> None:
    for name, metric in (("a", "loss"), ("b", "score")):
        Idea(tmp_path / "r" / name).run(0, {metric: [1.0]})
    out = audited(tmp_path / "r", "--metric", "score").out
    assert "no verdicts: no run has a metric score" in out


# Folders as they are found


def test_what_is_missing_is_said_and_the_rest_is_audited(idea: Idea) -> None:
    idea.run(1, {"loss": [0.9]})
    (only,) = parsed(idea.root)["ideas"]
    assert [line.split(":")[0] for line in only["missing"]] == [
        "run_0/final_info.json",
        "run_1.py",
        "*_aider.txt",
        "log.txt",
        "notes.txt",
        "latex/template.tex",
    ]
    assert said(idea.root, 1) == ["nothing to compare with"]
    assert "  missing: notes.txt: there are no claims to check\n" in audited(idea.root).out


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "is not readable JSON"),
        ("{", "is not readable JSON"),
        ("[" * 100_000, "is not readable JSON"),
        ('{"moons": {"means": {"loss": ' + "9" * 5000 + "}}}", ""),
        ("[]", "is not an object with one entry per dataset"),
        ("{}", "is not an object with one entry per dataset"),
        ('{"moons": 3}', 'dataset moons has no "means"'),
        ('{"moons": {"means": {"loss": NaN}}}', "loss of moons is not a finite number"),
        ('{"moons": {"means": {"loss": "low"}}}', "contains no numbers"),
        ('{"moons": {"means": {"loss": 1}, "final_info_dict": {"loss": [1, NaN, 2]}}}', "not a finite number"),
        ('{"moons": {"means": {"loss": 1}, "final_info_dict": {"loss": [1, null]}}}', "not a finite number"),
        ('{"moons": {"means": {"loss": true}}}', "contains no numbers"),
        (b"\xff\xfe\x00\x01", "is not readable JSON"),
    ],
)
def test_a_result_that_cannot_be_used_is_one_line(idea: Idea, content: str | bytes, why: str) -> None:
    idea.run(0, {"loss": [1.0, 1.1]})
    idea.run(1, "")
    (idea.root / "run_1" / "final_info.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    (only,) = parsed(idea.root)["ideas"]
    (line,) = only["skipped"]
    assert line.startswith("run_1/final_info.json: ")
    assert why in line
    assert found(idea.root, "no result") == ["run 1 has no readable result"]


def test_odd_shapes_next_to_good_numbers_are_skipped_alone(idea: Idea) -> None:
    entry = {
        "means": {"loss": 1.0, "curve": [1, 2], "name": "x", "nan": float("nan")},
        "stderrs": [1],
        "final_info_dict": {"loss": [1.0, 2.0], "curve": [[1], [2]], "nan": [1.0, float("inf")], "odd": {}},
    }
    idea.run(0, {"moons": entry, "dino": None, "line": {"means": [1]}})
    (only,) = parsed(idea.root)["ideas"]
    assert [j["n"] for j in only["runs"][0]["judgements"]] == [2]
    assert len(only["skipped"]) == 3


def test_links_devices_and_large_or_binary_files_are_left_out(idea: Idea, monkeypatch: pytest.MonkeyPatch) -> None:
    idea.run(0, {"loss": [1.0]})
    idea.run(1, {"loss": [1.0]})
    (idea.root / "run_2").symlink_to(idea.root / "run_1")
    (idea.root / "run_1.py").symlink_to("/etc/passwd")
    os.mkfifo(idea.root / "log.txt")
    idea.file("notes.txt", b"\x00\x01\x02")
    idea.file("x_aider.txt", "y" * 2000)
    monkeypatch.setattr(reading, "TEXT_LIMIT", 1000)
    (only,) = parsed_without_listing(idea.root)["ideas"]
    assert sorted(line.split(",")[0] for line in only["skipped"]) == [
        "log.txt: is not a regular file",
        "notes.txt: is not text",
        "run_1.py: a link",
        "run_2: a link",
        "x_aider.txt: larger than 0 MiB",
    ]


def test_bounds_on_entries_ideas_runs_and_metrics_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        idea = Idea(tmp_path / "r" / name)
        for run in range(4):
            idea.run(run, {f"loss_{i}": [1.0] for i in range(5)})
    monkeypatch.setattr(reading, "IDEAS", 2)
    monkeypatch.setattr(reading, "RUNS", 3)
    report = parsed(tmp_path / "r")
    assert report["skipped"] == ["only the first 2 of 3 ideas were audited"]
    assert [idea["skipped"] for idea in report["ideas"]] == [["only the first 3 of 4 runs were audited"]] * 2
    monkeypatch.setattr(reading, "METRICS", 4)
    (idea,) = parsed(tmp_path / "r" / "a")["ideas"]
    assert idea["skipped"][1] == "run_0/final_info.json: only the first 4 of 5 metrics were read"
    assert said(tmp_path / "r" / "a", 1) == ["cannot tell"]
    monkeypatch.setattr(reading, "ENTRIES", 2)
    report = parsed(tmp_path / "r")
    assert report["skipped"] == [".: only 2 of 3 entries were checked"]
    assert all(idea["skipped"][0] == f"{idea['name']}: only 2 of 4 entries were checked" for idea in report["ideas"])


def test_a_bound_on_datasets_is_said(idea: Idea, monkeypatch: pytest.MonkeyPatch) -> None:
    idea.run(0, info({"loss": [1.0]}, "moons") | info({"loss": [1.0]}, "dino"))
    monkeypatch.setattr(reading, "DATASETS", 1)
    (only,) = parsed(idea.root)["ideas"]
    assert only["skipped"] == ["run_0/final_info.json: only the first 1 of 2 datasets were read"]


def test_folders_that_are_too_deep_are_said(tmp_path: Path) -> None:
    Idea(tmp_path / "r" / "a").run(0, {"loss": [1.0]})
    Idea(tmp_path / "r" / "b" / "c" / "d" / "e").run(0, {"loss": [1.0]})
    assert parsed(tmp_path / "r")["skipped"] == ["b/c/d: 1 subfolder(s), too deep to be checked"]


def test_events_beyond_the_bound_are_said_and_nothing_is_concluded_from_their_absence(
    idea: Idea, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    idea.run(0, {"loss": [1.0]})
    for run in (1, 2):
        idea.run(run, {"loss": [0.9]}, "x = 1\n")
    idea.chat(EDIT.format(file="experiment.py"), idea.told(1), EDIT.format(file="other.py") * 2, idea.told(2))
    idea.file("log.txt", "Run 3 failed with return code 1\n" * 4)
    assert found(idea.root, "unsnapshotted") != []
    monkeypatch.setattr(transcript, "EVENTS", 3)
    (only,) = parsed(idea.root)["ideas"]
    lines = [
        "*_aider.txt: only the first 3 of 5 events were read",
        "log.txt: only the first 3 of 4 events were read",
    ]
    assert only["skipped"] == lines
    assert [run["seen"] for run in only["runs"]] == [None, True, None]
    assert "(it is not known whether other files changed)" in found(idea.root, "replicate")[0]
    assert len(found(idea.root, "failed launch")) == 3
    page = tmp_path / "page.html"
    out = audited(idea.root, "--html", str(page)).out
    assert all(f"  skipped: {line}\n" in out and f"skipped: {line}<" in page.read_text() for line in lines)


def test_bounds_on_the_search_for_claims_are_said_and_are_no_claims(idea: Idea) -> None:
    for run in range(21):
        idea.run(run, {f"loss_{i}": [1.0] * 101 for i in range(61)} if run == 0 else {"loss_0": [1.0]})
    idea.file("notes.txt", "The loss_0 was 0.77.\n" * 20_001 + "x" * 20_001)
    (only,) = parsed(idea.root)["ideas"]
    assert [line for line in only["skipped"] if line.startswith("notes.txt: ")] == [
        "notes.txt: of 20,002 lines only the first 20,000 were checked for claims",
        "notes.txt: of 20,001 characters of one line only the first 20,000 were checked for claims",
        "notes.txt: of 61 metrics only the first 60 were checked for claims",
        "notes.txt: of 21 runs to compare with each other only the first 20 were checked for claims",
        "notes.txt: of 101 values per seed only the first 100 were checked for claims",
        "notes.txt: only the first 200 claims are listed",
    ]
    assert len(found(idea.root, "claim")) == 200


def test_a_long_line_in_a_chat_takes_no_long_time(idea: Idea) -> None:
    idea.run(0, {"loss": [1.0]})
    idea.chat(EDIT.format(file="x" + " " * 100_000 + "y"))
    started = time.monotonic()
    audited(idea.root)
    assert time.monotonic() - started < 10


def test_text_that_is_not_utf8_is_read_and_said(idea: Idea) -> None:
    idea.run(0, {"loss": [1.0]})
    idea.file("notes.txt", b"caf\xe9: the loss was 0.77\n")
    assert found(idea.root, "claim") == ["0.77 is not a recorded value of loss"]
    assert "notes.txt: is not valid UTF-8" in audited(idea.root).out


EVIL = "\x1b]0;owned\x07\x1b[2J<script>alert(1)</script>\x9b31m\ud800"


def test_escapes_and_markup_in_names_and_texts_do_no_harm(idea: Idea, tmp_path: Path) -> None:
    evil = {EVIL: {"means": {f"loss{EVIL}": 1.0, "loss": 2.0}}, "moons": {"means": {"loss": 1.0}}}
    idea.run(0, evil)
    idea.run(1, evil, "x = 1\n")
    idea.file("notes.txt", f"## Run 1 {EVIL[:-1]}\nThe loss improved to 0.77 {EVIL[:-1]}\n")
    idea.chat(f"#### Run failed with the following error   \n#### ValueError: {EVIL[:-1]}  \n\n")
    (idea.root / "<b>\x1b[31m_aider.txt").write_text("x")
    page = tmp_path / "page.html"
    out = audited(idea.root, "--html", str(page)).out
    assert not any(c in out for c in ("\x1b", "\x07", "\x9b"))
    html = page.read_text()
    assert "<script" not in html
    assert "<b>\x1b" not in html
    assert "&lt;script&gt;" in html


def test_names_of_edited_files_are_tamed(idea: Idea) -> None:
    for run in range(3):
        idea.run(run, {"loss": [1.0]}, "x = 1\n" if run else None)
    evil = EDIT.format(file=f"{EVIL[:-1]}\u202e.py")
    idea.chat(EDIT.format(file="experiment.py"), idea.told(1), evil, idea.told(2))
    assert found(idea.root, "unsnapshotted") == [
        "run 2 differs from run 1 only in files outside the snapshot: ?]0;owned??[2J<script>alert(1)</script>?31m?.py"
    ]


@pytest.mark.parametrize(("name", "shown"), [(b"50%|x|", "50%|x|"), (b"caf\xe9", "caf?"), (b"a\nb", "a b")])
def test_a_folder_may_have_any_name(tmp_path: Path, name: bytes, shown: str) -> None:
    root = tmp_path / os.fsdecode(name)
    Idea(root).run(0, {"": [1.0]})
    page = tmp_path / "page.html"
    (only,) = parsed(root, "--html", str(page))["ideas"]
    assert (only["name"], only["primary"], len(only["runs"][0]["judgements"])) == (shown, "?", 1)
    assert f"<h2>{shown}</h2>" in page.read_text()


def test_the_page_is_self_contained(ours: Path, tmp_path: Path) -> None:
    page = tmp_path / "new" / "page.html"
    audited(ours, "--html", str(page))
    html = page.read_text()
    assert html.startswith("<!DOCTYPE html>")
    for part in ("http://", "https://", "src=", "url(", "<script", "@import"):
        assert part not in html
    for part in ("= run 1", "Code that had already run", "Results the agent never saw", "replicate", "1 <span"):
        assert part in html


# What the user gets wrong


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda _: None, "does not exist"),
        (lambda path: path.write_text("x"), "is not a folder"),
        (lambda path: path.mkdir(), "nothing to audit"),
        (lambda path: (path / "a" / "b").mkdir(parents=True), "nothing to audit"),
    ],
)
def test_a_folder_with_nothing_to_audit_is_one_line_that_says_what_is_expected(
    nowhere: Project, tmp_path: Path, make: Any, why: str
) -> None:
    make(tmp_path / "x")
    done = nowhere.harness("audit", str(tmp_path / "x"))
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert why in done.err
    assert "expected the folder of one idea with run_0" in done.err


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--metric", "zorp"], "no run has a metric 'zorp'; known: loss"),
        (["--goal", "zorp=min"], "no run has a metric 'zorp'"),
        (["--goal", "loss=down"], "is not of the form METRIC=min or METRIC=max"),
        (["--goal", "min"], "is not of the form METRIC=min or METRIC=max"),
        (["--html", "."], "cannot write the report"),
    ],
)
def test_wrong_options_are_one_line(idea: Idea, options: list[str], why: str) -> None:
    idea.run(0, {"loss": [1.0]})
    done = Project(idea.root.parent).harness("audit", str(idea.root), *options)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert why in done.err


def test_a_folder_that_may_not_be_read_is_left_out(idea: Idea) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    idea.run(0, {"loss": [1.0]})
    (idea.root / "run_1").mkdir(mode=0)
    assert any("Permission denied" in line for line in parsed_without_listing(idea.root)["ideas"][0]["skipped"])
