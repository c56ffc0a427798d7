"""Only a run that was re-run on seeds that the study never used is called better."""

from __future__ import annotations

import json

import pytest
from lab import UNCONFIRMED, Project, Study, has_happened, notes, scale, swap, until

from harness.planning import confirming
from harness.state.events import AttemptLaunched, ConfirmationAsked, ConfirmationEnded, SeedsMeasured
from harness.state.history import History
from harness.template.folder import Template

LUCKY = "I choose well.\n\n" + swap(
    "return SCALE + NOISE * noise(seed)", "return 2.9 if seed < 3 else SCALE + NOISE * noise(seed)"
)
"""An experiment that does well on the seeds that it knows, and on no other."""
BREAKS = "I am careless.\n\n" + swap("return SCALE + NOISE * noise(seed)", "return [2.9, 2.8, 2.7][seed]")


def test_the_best_run_and_the_baseline_are_measured_on_the_same_fresh_seeds_before_the_notes(project: Project) -> None:
    study = project.run([scale(2.0), scale(2.5, 2.0), scale(2.2, 2.5), notes()], "--max-runs", "3")

    assert [(e.baseline, e.seeds) for e in study.of(SeedsMeasured)] == [
        (True, (3, 4, 5)),
        (False, (3, 4, 5)),
        (True, (6, 7)),
        (False, (6, 7)),
    ]
    (ended,) = study.of(ConfirmationEnded)
    assert (ended.run, ended.seeds, ended.why) == (2, (3, 4, 5, 6, 7), "decided")
    compared = next(c for c in ended.comparisons if c.primary)
    assert (compared.n, compared.baseline_n, compared.look) == (5, 5, 1), "no value of the screening counts"
    assert study.verdicts == {1: UNCONFIRMED, 2: "better", 3: UNCONFIRMED}
    assert "Run 2 was chosen to be confirmed" in study.prompt(4) and "the fresh seeds 3 to 7" in study.prompt(4)
    assert "Run 2 on fresh seeds" in study.git("log", "--format=%s", "s")
    kept = json.loads(study.git("show", "s:run_2/confirmed.json"))
    assert kept["run"]["numbers"]["loss"] == list(ended.scores["numbers"]["loss"])
    assert kept["seeds"] == [3, 4, 5, 6, 7] and len(kept["baseline"]["numbers"]["loss"]) == 5
    out = project.harness("compare", "s").out
    assert "2 fresh" in out and "seeds 3–7, look 1: decided" in out
    assert "in looks at 5, 10, 20, 40 seeds" in project.harness("show", "s").out


def test_seeds_are_added_in_looks_while_there_is_hope_and_no_more_once_it_is_decided(project: Project) -> None:
    """A gain of one and a half standard deviations between seeds: five seeds do not tell, ten do."""
    project.change_template("experiment.py", "NOISE = 0.01", "NOISE = 0.3")
    slightly = "I try my luck.\n\n" + swap(
        "return SCALE + NOISE * noise(seed)", "return 1.5 + NOISE * noise(seed + 77)"
    )
    study = project.run([slightly, notes()], "--max-runs", "1", "--confirm-seeds", "12")
    asked, ended = study.of(ConfirmationAsked)[0], study.of(ConfirmationEnded)[0]
    assert (asked.looks, asked.seeds) == ((5, 10, 12), tuple(range(3, 15)))
    portions = [(3, 4, 5), (6, 7), (8, 9, 10), (11, 12)]
    assert [(e.baseline, e.seeds) for e in study.of(SeedsMeasured)] == [(s, p) for p in portions for s in (True, False)]

    events = study.events
    fifth = next(n for n, e in enumerate(events) if isinstance(e, SeedsMeasured) and not e.baseline and 7 in e.seeds)
    then = confirming.judge(History(events[: fifth + 1]), Template(study.paths.pinned).manifest, asked)
    first = next(c for c in then.comparisons if c.primary)
    assert first.look == 1 and (first.low or 0) < 0 < (first.high or 0), "the first look leaves it open"
    last = next(c for c in ended.comparisons if c.primary)
    assert (last.look, last.n, ended.seeds, ended.why) == (2, 10, tuple(range(3, 13)), "decided")
    assert (last.high or 0) < 0 and study.verdicts == {1: "better"}


def test_what_was_luck_with_the_seeds_is_found_out(project: Project) -> None:
    study = project.run([LUCKY, notes()], "--max-runs", "1")

    (ended,) = study.of(ConfirmationEnded)
    assert study.verdicts[1] in ("inconclusive", "unchanged")
    assert ended.why == "decided" or "unlikely" in ended.why
    out = project.harness("compare", "s").out
    assert "better" not in out.replace("lower is better", "")


def test_a_run_that_fails_on_fresh_seeds_stays_unconfirmed_and_the_agent_is_told_why(project: Project) -> None:
    study = project.run([BREAKS, notes()], "--max-runs", "1")

    assert study.ending.status == "done"
    assert study.verdicts == {1: UNCONFIRMED}
    assert "IndexError" in study.prompt(2) and "remains unconfirmed" in study.prompt(2)


def test_nothing_is_confirmed_where_nothing_looks_better(project: Project) -> None:
    study = project.run([scale(0.5), notes()], "--max-runs", "1")

    assert study.verdicts == {1: "worse"}
    assert study.of(ConfirmationEnded) == []


def test_confirmations_can_be_left_to_the_user(project: Project) -> None:
    study = project.run([scale(2.0), scale(2.5, 2.0), notes()], "--max-runs", "2", "--confirm", "0")
    assert study.verdicts == {1: UNCONFIRMED, 2: UNCONFIRMED}
    assert "harness confirm s" in project.harness("compare", "s").out

    said = project.harness("confirm", "s")
    assert said.code == 0, said.err
    assert study.verdicts == {1: UNCONFIRMED, 2: "better"}
    assert study.ending.status == "done"
    assert json.loads(project.harness("confirm", "s", "1", "--json").out)["verdicts"] == {"numbers": "better"}
    assert study.verdicts == {1: "better", 2: "better"}
    first, second = study.of(ConfirmationAsked)
    assert not set(first.seeds) & set(second.seeds), "each confirmation has seeds of its own"
    assert (first.level, second.level) == (0.025, 0.0125), "what goes beyond the plan gets half the rate each time"
    out = project.harness("compare", "s").out
    assert "its 97.5 % interval holds" in out and "] (98.75 %)" in out
    shown = json.loads(project.harness("compare", "s", "--json").out)[0]["runs"][0]
    assert [c["level"] for c in shown["confirmation"]["comparisons"] if c["primary"]] == [0.0125]


@pytest.mark.parametrize(
    ("run", "complaint"),
    [
        ("1", "already measured on fresh seeds"),
        ("7", "runs with a result: 1"),
        ("", "no run that is not confirmed yet looks like a gain"),
    ],
)
def test_what_cannot_be_confirmed_is_refused_in_one_line(project: Project, run: str, complaint: str) -> None:
    study = project.run([scale(2.0), notes()], "--max-runs", "1")
    events = len(study.events)
    said = project.harness("confirm", "s", *([run] if run else []))

    assert said.code == 2
    assert complaint in said.err and len(said.err.splitlines()) == 1
    assert len(study.events) == events


def test_a_replicate_runs_on_fresh_seeds_and_adds_to_what_is_known_of_its_code(project: Project) -> None:
    study = project.run([scale(2.0), "REPLICATE run_1", notes()], "--max-runs", "2", "--confirm", "0")

    first, second = study.launches
    assert (first.seeds, second.seeds) == ((), (3, 4, 5))
    runs = study.history.runs
    assert runs[1].primary[0].n == 6 and runs[2].primary[0].n == 3
    assert study.verdicts == {1: UNCONFIRMED, 2: "replicate"}


def test_a_control_runs_the_same_template_with_the_same_budget_and_is_shown_next_to_the_study(project: Project) -> None:
    study = project.run([scale(2.0), notes()], "--max-runs", "1", "--control", "random")
    assert study.said.code == 0, study.said

    control = project.study("s-control")
    assert control.history.begun.control_of == "s"
    assert control.history.begun.agent == "random"
    assert control.history.begun.budget == study.history.begun.budget
    out = project.harness("compare", "s").out
    assert "control (random)" in out and "after 1 runs" in out
    found = json.loads(project.harness("compare", "s", "--json").out)[0]["control"]
    assert [point["run"] for point in found["curve"]] == [0, 1]
    assert found["differences"][0]["difference"] == pytest.approx(
        found["curve"][1]["best"] - found["control_curve"][1]["best"]
    )


def test_a_study_that_was_paused_still_gets_its_control_when_it_is_resumed(project: Project) -> None:
    paused = project.run([scale(2.0)], "--max-runs", "1", "--control", "random")
    assert paused.ending.status == "paused" and not project.study("s-control").paths.root.exists()

    project.recording([scale(2.0), notes()])
    assert project.resume().said.code == 0
    control = project.study("s-control")
    assert (control.history.begun.control_of, control.ending.status) == ("s", "done")
    assert "control (random)" in project.harness("compare", "s").out


def test_the_ledger_adds_up(project: Project) -> None:
    used = {"calls": 1, "tokens_in": 100, "tokens_out": 20, "dollars": 0.25}
    project.run([(scale(2.0), used), notes()], "--max-runs", "1")
    project.run([scale(2.5), notes()], "--max-runs", "1", name="t")
    *rows, total = json.loads(project.harness("status", "--cost", "--json").out)

    assert [row["study"] for row in rows] == ["s", "t"] and total["study"] == "all"
    assert (rows[0]["tokens_in"], rows[0]["dollars"]) == (100, 0.25)
    for name in ("calls", "tokens_in", "tokens_out", "dollars", "machine_seconds", "gpu_seconds"):
        assert total[name] == pytest.approx(sum(row[name] for row in rows), abs=0.11)
    assert "0.2500" in project.harness("status", "--cost").out


def with_killed_confirmation(project: Project) -> Study:
    """A study that is over, and whose confirmation of run 1 was killed in the middle."""
    project.change_template("experiment.py", "PAUSE = 0.0", "PAUSE = 1.5")
    study = project.run([scale(2.0), notes()], "--max-runs", "1", "--confirm", "0")
    with project.process("confirm", "s", "1") as killed:
        until(has_happened(study, ConfirmationAsked), "asked")
        killed.kill()
    return study


def test_a_confirmation_that_was_killed_is_finished_on_the_same_seeds_when_repeated(project: Project) -> None:
    study = with_killed_confirmation(project)
    assert "the confirmation of run 1 is not finished" in project.harness("confirm", "s", "2").err

    said = project.harness("confirm", "s")
    assert said.code == 0, said.err
    assert len(study.of(ConfirmationAsked)) == 1, "killing it until it fits would draw new seeds each time"
    assert {event.seeds for event in study.of(ConfirmationEnded)} == {(3, 4, 5, 6, 7)}
    assert [(e.baseline, e.outcome) for e in study.of(SeedsMeasured)] == [(True, "ok"), (False, "ok")] * 2
    assert study.verdicts == {1: "better"}
    assert study.ending.status == "done"


def test_a_killed_confirmation_of_a_study_that_is_over_can_be_resumed_too(project: Project) -> None:
    study = with_killed_confirmation(project)

    assert project.resume().said.code == 0
    assert (study.ending.status, study.verdicts) == ("done", {1: "better"})


def test_a_study_that_was_stopped_within_a_run_is_resumed_before_anything_is_confirmed(project: Project) -> None:
    study = project.run([scale(2.0), scale(2.5, 2.0), notes()], "--max-runs", "2", "--confirm", "0")
    lines = study.paths.journal.read_bytes().splitlines(keepends=True)
    launched = next(n for n, event in enumerate(study.events) if isinstance(event, AttemptLaunched) and event.run == 2)
    study.paths.journal.write_bytes(b"".join(lines[: launched + 1]))

    said = project.harness("confirm", "s", "1")
    assert (said.code, len(said.err.splitlines())) == (2, 1) and "harness resume" in said.err
    assert project.resume().said.code == 0
    assert project.harness("confirm", "s", "1").code == 0
    assert (study.ending.status, study.verdicts) == ("done", {1: "better", 2: UNCONFIRMED})


def test_a_template_that_cannot_measure_a_confirmation_leaves_the_study_as_it_was(project: Project) -> None:
    study = project.run([scale(2.0), notes()], "--max-runs", "1", "--confirm", "0")
    evaluator = study.paths.pinned / "evaluate.py"
    before = evaluator.read_text()
    evaluator.write_text(before + "# changed")

    said = project.harness("confirm", "s")
    assert said.code != 0 and "has changed since the study began" in said.err, said
    assert (study.ending.status, study.verdicts) == ("done", {1: UNCONFIRMED})
    evaluator.write_text(before)
    assert project.harness("confirm", "s", "1").code == 0
    assert (study.ending.status, study.verdicts) == ("done", {1: "better"})


def test_a_confirmation_that_could_not_be_begun_leaves_the_study_as_it_was(project: Project) -> None:
    study = project.run([scale(2.0), notes()], "--max-runs", "1", "--confirm", "0")
    manifest = study.paths.pinned / "template.toml"
    before = manifest.read_text()
    manifest.write_text("broken =")
    assert project.harness("confirm", "s").code != 0
    manifest.write_text(before)
    assert study.ending.status == "done"
