"""What a study says of itself to a person: its best run, what its runs changed, nothing that only an agent can do."""

from __future__ import annotations

import json

from lab import Project, edit, in_real_runs, notes, scale

from harness.text import rough


def test_the_best_run_is_the_one_whose_change_is_offered(project: Project) -> None:
    study = project.run([scale(2.8), scale(2.0, 2.8), notes()], "--max-runs", "2")
    assert study.verdicts[1] == "better"
    assert "What changed: harness diff s 1    (its best run)" in study.said.out
    found = json.loads(project.harness("diff", "s", "1", "--json").out)
    assert "+SCALE = 2.8" in found["diff"]


def test_without_a_confirmed_run_the_best_primary_metric_counts(project: Project) -> None:
    study = project.run([scale(2.0), scale(2.8, 2.0), scale(9.0, 2.8), notes()], "--max-runs", "3", "--confirm", "0")
    assert "harness diff s 2 " in study.said.out


def test_without_any_result_the_whole_study_is_offered(project: Project) -> None:
    study = project.run(["Nothing to do here."], "--max-fixes", "1")
    assert study.said.out.endswith("What changed: harness diff s\n")


def test_compare_says_what_each_run_changed_in_the_agents_words(project: Project) -> None:
    crashing = in_real_runs("raise ValueError('no')")
    mended = "I mend it.\n\n" + edit("experiment.py", "        raise ValueError('no')", "")
    study = project.run([scale(2.0), crashing, mended + scale(2.5, 2.0), notes()], "--max-runs", "2")
    assert [outcome for *_, outcome in study.outcomes] == ["ok", "crashed", "ok"], study.said
    lines = project.harness("compare", "s").out.splitlines()
    first = lines.index("what the agent said of its edits:")
    assert lines[first + 1 : first + 4] == [
        "  run 1: I set SCALE to 2.0.",
        "  run 2: Now it misbehaves.; then: I mend it.",
        "The whole change of a run:  harness diff s RUN",
    ]


def test_compare_shows_the_constants_that_a_tuner_set(project: Project) -> None:
    said = project.harness("run", "tiny", "--agent", "tuner", "--max-runs", "1", "--name", "s")
    assert said.code == 0
    (line,) = [line for line in project.study().file("experiment.py").splitlines() if line.startswith("SCALE")]
    assert f"  run 1: {line}" in project.harness("compare", "s").out.splitlines()


def test_show_names_notes_only_if_some_were_written(project: Project) -> None:
    assert project.harness("run", "tiny", "--agent", "tuner", "--max-runs", "1", "--name", "s").code == 0
    assert "notes:" not in project.harness("show", "s").out
    study = project.run([scale(2.0), notes()], "--max-runs", "1", name="t")
    assert f"notes:    {study.paths.root / 'notes.md'}" in project.harness("show", "t").out


def test_a_run_that_would_repeat_another_is_told_to_people_without_what_only_an_agent_can_do(project: Project) -> None:
    repeated = "A word only.\n\n" + edit("experiment.py", "SCALE = 1.0", "SCALE = 1.0  # as it was")
    study = project.run([repeated, scale(2.0).replace("SCALE = 1.0", "SCALE = 1.0  # as it was", 1)], "--max-runs", "1")
    assert "REPLICATE run_N" in study.prompt(2)
    shown = project.harness("show", "s").out
    assert "not launched, no-op: the code that would be executed is identical to that of the baseline" in shown
    assert "REPLICATE" not in shown and "REPLICATE" not in study.said.out


def test_the_bars_of_a_study_and_its_control_begin_at_zero(project: Project) -> None:
    project.run([scale(2.0), notes()], "--max-runs", "1", "--control", "random")
    (found,) = json.loads(project.harness("compare", "s", "--json").out)
    start, best = (point["best"] for point in found["control"]["curve"])
    rows = [line.split() for line in project.harness("compare", "s").out.splitlines() if "█" in line]
    assert len(rows[0][2]) == 24
    assert len(rows[1][2]) == round(24 * best / start)


def test_the_two_times_of_a_study_are_told_apart(project: Project) -> None:
    said = project.harness("status", "--cost")
    assert "machine: how long its runs took; the time in `harness status` also counts the agent" in said.out


def test_the_agent_is_told_what_can_be_seen_as_the_command_says_it(project: Project) -> None:
    study = project.run([scale(2.0), notes()], "--max-runs", "1")
    (row,) = json.loads(project.harness("power", "tiny", "--json").out)["datasets"]
    first, second = study.prompt(1), study.prompt(2)
    assert f"- numbers: {rough(row['screening'])} with the 3 seeds of a run, which then looks promising; " in first
    assert f"; {rough(row['confirmation'])} on up to 40 fresh seeds, which confirm it" in first
    assert "the minimum detectable effect in loss with 3 seeds is " in second
    assert "min. detectable: a true gain this large looks promising" in project.harness("compare", "s").out
