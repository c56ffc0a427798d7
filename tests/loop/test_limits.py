"""A run that buys its result with more than the template allows gets none, and its agent is told and may try again."""

from __future__ import annotations

from pathlib import Path

from lab import Project, Study, edit, notes

STEPS = "steps = { most = 100 }"
TOO_MANY = "steps on numbers is 1000 for seed 0, above the limit of 100 ([limits] in template.toml)"
IN_SCRIPT = '    (out_dir / "prediction.json")'
IN_EVALUATOR = '"final_info_dict": {"loss": losses}}}'


def with_steps(project: Project) -> Project:
    """The tiny template with a training curve, whose length the evaluator gives as `steps`."""
    folder = project.root / "templates" / "tiny"

    def change(file: str, before: str, after: str) -> None:
        text = (folder / file).read_text()
        assert text.count(before) == 1
        (folder / file).write_text(text.replace(before, after))

    change("experiment.py", "NOISE = 0.01", "NOISE = 0.01\nN_STEPS = 100")
    change(
        "experiment.py", IN_SCRIPT, f'    (out_dir / "curve.json").write_text(json.dumps([0.5] * N_STEPS))\n{IN_SCRIPT}'
    )
    steps = '[float(len(json.loads((arguments.run_dir / "curve.json").read_text())))] * wanted'
    change("evaluate.py", IN_EVALUATOR, f'"final_info_dict": {{"loss": losses, "steps": {steps}}}}}}}')
    change("evaluate.py", '{"loss": sum(losses) / wanted}', '{"loss": sum(losses) / wanted, "steps": 0}')
    change("template.toml", "[search_space.SCALE]", f"[limits]\n{STEPS}\n\n[search_space.SCALE]")
    assert project.harness("baseline", "tiny", "--refresh").code == 0
    return project


def constants(scale: float, steps: int, before: tuple[float, int] = (1.0, 100)) -> str:
    return f"I set both.\n\n{edit('experiment.py', text(*before), text(scale, steps))}"


def text(scale: float, steps: int) -> str:
    return f"SCALE = {scale}\nNOISE = 0.01\nN_STEPS = {steps}"


def test_a_run_with_too_many_steps_is_refused_and_its_agent_may_try_again(project: Project) -> None:
    replies = [constants(2.0, 1000), constants(2.0, 100, (2.0, 1000)), notes()]
    study = with_steps(project).run(replies, "--max-runs", "1")

    assert "\nLimits: steps at most 100. They hold" in study.prompt(1)
    assert study.outcomes == [(1, 1, "no-metrics"), (1, 2, "ok")]
    assert TOO_MANY in study.prompt(2)
    assert study.verdicts == {1: "better"}


def test_a_run_that_keeps_breaking_a_limit_has_no_result_and_is_not_confirmed(project: Project) -> None:
    replies = [constants(2.0, 1000), constants(2.0, 2000, (2.0, 1000)), notes()]
    study = with_steps(project).run(replies, "--max-runs", "1", "--attempts", "2")

    assert study.outcomes == [(1, 1, "no-metrics"), (1, 2, "no-metrics")]
    assert study.verdicts == {}
    assert not verified(study)


def verified(study: Study) -> list[Path]:
    return list(study.paths.run(1).glob("verified.json"))


def test_more_steps_on_fresh_seeds_only_give_no_confirmation(project: Project) -> None:
    """The script trains longer where the seeds are not the study's own."""
    more = "[0.5] * (N_STEPS if seeds == [0, 1, 2] else 10 * N_STEPS)"
    line = '    (out_dir / "curve.json").write_text(json.dumps([0.5] * N_STEPS))'
    reply = constants(2.0, 100) + edit("experiment.py", line, line.replace("[0.5] * N_STEPS", more))
    study = with_steps(project).run([reply, notes()], "--max-runs", "1")

    assert study.outcomes == [(1, 1, "ok")]
    assert study.verdicts == {1: "promising, unconfirmed"}
    assert "steps on numbers is 1000 for seed 3, above the limit of 100" in study.prompt(2)


def test_an_unmodified_template_outside_its_own_limits_has_no_baseline(project: Project) -> None:
    manifest = with_steps(project).root / "templates" / "tiny" / "template.toml"
    manifest.write_text(manifest.read_text().replace(STEPS, "steps = { most = 10 }"))

    said = project.harness("run", "tiny", "--idea", "nearer")
    assert said.code == 2
    assert "the stored baseline of tiny breaks the template's limits: steps on numbers is 100 for seed 0" in said.err
    said = project.harness("baseline", "tiny", "--refresh")
    assert said.code == 2
    assert "steps on numbers is 100 for seed 0, above the limit of 10" in said.err
    assert "the unmodified tiny gave no metrics that count, for the reason above" in said.err


def test_checking_a_template_prints_its_limits(project: Project) -> None:
    said = with_steps(project).harness("template", "check", "tiny")
    assert said.code == 0
    assert "tiny: a run counts only with steps at most 100\n" in said.out
