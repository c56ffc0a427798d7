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
