"""job.json and result.json say the same after a round trip."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.execution.job import Job, JobResult


def job(folder: Path) -> Job:
    return Job(str(folder), ["python", "x.py"], "/code", "/out", {"A": "ü"}, 1.5, 2**30, gpus=1, network=True)


def test_a_job_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    saved = job(tmp_path / "deep" / "job")
    saved.save()
    loaded = Job.load(tmp_path / "deep" / "job")
    assert loaded == replace(saved, readable=loaded.readable, hidden=loaded.hidden)
    assert (list(loaded.readable), list(loaded.hidden)) == (list(saved.readable), list(saved.hidden))


def test_there_is_no_result_until_one_is_saved_whole(tmp_path: Path) -> None:
    saved = job(tmp_path)
    assert JobResult.load(saved.result) is None
    result = JobResult("exited", 0, 1.25, 1000, "m")
    result.save(saved)
    assert JobResult.load(saved.result) == result
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_a_job_whose_output_is_gone_is_repeated_if_the_next_one_has_to_be(tmp_path: Path) -> None:
    """The data of a launch are removed once its run has ended, even if that was lost and is run again."""
    names = ("data", "run", "evaluation")
    data, run, evaluation = (replace(job(tmp_path / name), out_dir=str(tmp_path / name / "out")) for name in names)
    chain = replace(data, then=replace(run, then=evaluation))
    chain.save()
    went_well, lost = JobResult("exited", 0, 1.0, 1000), JobResult("lost", None, 1.0, 1000, "the disk is full")

    def left_after(of_run: JobResult, of_evaluation: JobResult) -> list[bool]:
        for each, result in zip(chain.chain(), (went_well, of_run, of_evaluation), strict=True):
            result.save(each)
        chain.save()
        return [each.result.exists() for each in chain.chain()]

    assert left_after(lost, went_well) == [False, False, True]
    Path(data.out_dir).mkdir()
    assert left_after(lost, went_well) == [True, False, True]
    Path(data.out_dir).rmdir()
    assert left_after(went_well, lost) == [False, False, False]
    Path(run.out_dir).mkdir()
    assert left_after(went_well, lost) == [True, True, False]
    assert left_after(went_well, went_well) == [True, True, True]
