"""What the next run starts from."""

from __future__ import annotations

from lab import UNCONFIRMED, Project, notes, scale


def test_with_the_best_strategy_a_bad_run_is_left_behind_and_its_result_kept(project: Project) -> None:
    replies = [scale(2.0), scale(9.0, 2.0), scale(2.5, 2.0), notes()]
    study = project.run(replies, "--max-runs", "3", "--strategy", "best")

    assert study.outcomes == [(1, 1, "ok"), (2, 1, "ok"), (3, 1, "ok")]
    assert study.verdicts == {1: UNCONFIRMED, 2: "worse", 3: "better"}
    assert "The code is now that of run 1" in study.prompt(3)
    assert (study.paths.run(2) / "final_info.json").is_file()
    assert "run_2/final_info.json" in study.git("ls-tree", "-r", "--name-only", "s/run_3")


def test_with_the_last_strategy_a_bad_run_is_built_upon(project: Project) -> None:
    study = project.run([scale(2.0), scale(9.0, 2.0), scale(2.5, 9.0), notes()], "--max-runs", "3")

    assert study.outcomes == [(1, 1, "ok"), (2, 1, "ok"), (3, 1, "ok")]
    assert "The code is now" not in study.prompt(3)


def test_a_replicate_keeps_the_results_of_the_runs_between(project: Project) -> None:
    study = project.run([scale(2.0), scale(2.5, 2.0), "REPLICATE run_1", notes()], "--max-runs", "3")

    assert study.verdicts[3] == "replicate"
    assert "run_2/final_info.json" in study.git("ls-tree", "-r", "--name-only", "s/run_3")
