"""What can be seen is said before anything is spent: by a command, and by those that spend."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from lab import Project

from .conftest import refused
from .test_reading import parsed, read


def change(project: Project, **fields: object) -> None:
    """Change fields of the stored baseline of `tiny`."""
    path = project.root / "baselines" / "tiny" / "baseline.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def add(project: Project, line: str) -> None:
    """Add a line to the primary metric of `tiny`."""
    path: Path = project.root / "templates" / "tiny" / "template.toml"
    path.write_text(path.read_text().replace("primary = true\n", f"primary = true\n{line}\n"))


def test_the_smallest_gains_are_listed_with_what_they_rest_on(project: Project) -> None:
    said = read(project, "power", "tiny")
    head, table, row = said.splitlines()[:3]
    assert head.startswith("tiny · loss ↓")
    assert table.split("  ")[0] == "dataset"
    assert "screening (3 seeds)" in table and "confirmation (up to 40)" in table
    assert re.search(r"^numbers  .* ± .* \(n=3\)  [\d.e-]+ \([\d.]+ %\) +[\d.e-]+ \([\d.]+ %\)$", row)
    assert "with looks at 5, 10, 20, 40 per side" in said
    assert "may be 0.52 to 6.3 times as large" in said
    assert "paired seeds that move together show less" in said


def test_a_wanted_gain_is_told_with_its_seeds_and_time(project: Project) -> None:
    said = read(project, "power", "tiny", "--effect", "0.1 %")
    assert "To confirm a gain of 0.1 %" in said
    assert "More than 40 seeds must be allowed in template.toml: [run] confirm = { first = " in said
    assert "More than 40" not in read(project, "power", "tiny", "--effect", "50%")


def test_json_has_every_number(project: Project) -> None:
    found = parsed(project, "power", "tiny", "--effect", "2%")
    (row,) = found["datasets"]
    assert row["wanted"]["effect"] == pytest.approx(0.02 * row["baseline_mean"])
    assert row["confirmation"] < row["screening"]
    assert (found["looks"], found["paired"], found["warnings"]) == ([5, 10, 20, 40], True, [])
    absolute = parsed(project, "power", "tiny", "--effect", str(row["wanted"]["effect"]))
    assert absolute["datasets"][0]["wanted"] == row["wanted"]


def test_more_than_is_left_to_gain_is_warned_of_wherever_it_is_said(project: Project) -> None:
    mean = parsed(project, "power", "tiny")["datasets"][0]["baseline_mean"]
    add(project, f"best = {mean - 1e-6}")
    warning = "warning: a confirmation often misses gains below"
    assert warning in read(project, "power", "tiny")
    assert "left to gain" in read(project, "power", "tiny").splitlines()[1]
    made = project.harness("baseline", "tiny", "--refresh")
    assert made.out.count(warning) == 1
    assert "3 seeds usually show an improvement of loss by " in made.out
    options = ("--agent", "tuner", "--idea", "One idea", "--idea", "Another idea", "--max-runs", "1", "--confirm", "1")
    said = project.harness("run", "tiny", *options)
    assert said.code == 0, said.err
    assert said.err.count(warning) == 1, "it is said once, not for each idea"
    assert said.err.count("3 seeds usually show an improvement of loss by ") == 1


def test_a_template_that_confirms_nothing_is_planned_for_its_screening(project: Project) -> None:
    path = project.root / "templates" / "tiny" / "template.toml"
    path.write_text(path.read_text().replace("[run]\n", "[run]\nconfirm = { most = 0 }\n"))
    said = read(project, "power", "tiny", "--effect", "1%")
    assert "confirmation" not in said
    assert "The template confirms no run" in said


@pytest.mark.parametrize("effect", ["0", "-1%", "much", "nan", "inf", "%", ""])
def test_an_effect_that_is_none_is_refused(project: Project, effect: str) -> None:
    assert f"--effect {effect}: write a gain above zero, such as 0.01" in refused(
        project, "power", "tiny", "--effect", effect
    )


@pytest.mark.parametrize(
    ("seeding", "why"), [("fixed", "no run can be confirmed"), ("deterministic", "every difference is seen")]
)
def test_without_noise_or_fresh_seeds_the_reason_is_told(project: Project, seeding: str, why: str) -> None:
    change(project, seeding=seeding)
    assert why in refused(project, "power", "tiny")


def test_a_baseline_of_one_seed_shows_nothing(project: Project) -> None:
    path = project.root / "templates" / "tiny" / "template.toml"
    path.write_text(path.read_text().replace("seeds = [0, 1, 2]", "seeds = [0]"))
    made = project.harness("baseline", "tiny", "--refresh")
    assert "the baseline has one seed, so no difference can be told from noise" in made.out
    assert "the baseline has one seed" in refused(project, "power", "tiny")


def test_without_a_template_or_a_baseline_the_way_on_is_told(project: Project) -> None:
    assert "no template named 'none'" in refused(project, "power", "none")
    (project.root / "baselines" / "tiny" / "baseline.json").unlink()
    assert "create it with: harness baseline tiny" in refused(project, "power", "tiny")
