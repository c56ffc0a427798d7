"""Launches an experiment and reads its metrics, or the reason why there are none.

The same code launches runs, smoke runs, baselines, evaluations and plots.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness import text
from harness.errors import MetricsError, StudyPaused, TemplateFault
from harness.execution.executors import Executor
from harness.execution.job import Job, JobResult
from harness.execution.jobs import Jobs
from harness.execution.outputs import check_data, check_judged, failure, keep, remove, tail
from harness.records import Claim, Machine, Outcome, Scores
from harness.results import final_info, limits
from harness.template.manifest import Manifest

Tick = Callable[[float, str], None]
"""Called while a job runs, with the seconds so far and the last line it printed."""
TICK = 0.25
CLAIMS = TypeAdapter(tuple[Claim, ...])


@dataclass(frozen=True)
class LaunchResult:
    """The result of a launch."""

    outcome: Outcome
    seconds: float
    peak_memory: int
    message: str = ""
    reported: Scores = field(default_factory=dict)
    scores: Scores = field(default_factory=dict)
    machine: Machine | None = None
    """Where it ran; None if unknown."""
    sandbox: str = ""
    """Name of the sandbox that was used, or "none"."""


@dataclass(frozen=True)
class Launcher:
    """Launches the jobs of one template."""

    jobs: Jobs
    executor: Executor

    def run(self, code: Path, folder: Path, out_dir: Path, tick: Tick, seeds: tuple[int, ...] = ()) -> LaunchResult:
        """Run the experiment in `code` on the template's seeds or on `seeds`, evaluate it and read its metrics."""
        launcher = replace(self, jobs=self.jobs.on(seeds))
        return launcher._launch(launcher.jobs.experiment(code, folder, out_dir), tick)

    def is_under_way(self, code: Path, folder: Path, out_dir: Path, seeds: tuple[int, ...] = ()) -> bool:
        """Whether that run is queued, running or has ended by itself; `run` would then not start it again."""
        return self.executor.find(self.jobs.on(seeds).experiment(code, folder, out_dir)) is not None

    def smoke(self, code: Path, folder: Path, out_dir: Path, tick: Tick) -> LaunchResult:
        """The same on a tiny scale, for a template with a smoke run."""
        return self._launch(self.jobs.experiment(code, folder, out_dir, smoke=True), tick, smoke=True)

    def plot(self, code: Path, folder: Path, out_dir: Path, tick: Tick) -> str:
        """Run plot.py; returns the error, or an empty string."""
        job = self.jobs.plot(code, folder, out_dir)
        result = self._finish(job, tick)
        return "" if result.went_well else failure(job, result)[1]

    def figures(self, runs: Path, folder: Path, out_dir: Path, tick: Tick) -> str:
        """Run the template's figures.py on the folder that holds the runs, and add what it draws to `out_dir`.

        Unlike plot.py it gets what studies do not get. Returns the error, or an empty string.
        """
        if not self._manifest.has_figures:
            return ""
        job = self.jobs.judging("figures.py", folder, runs, smoke=False)
        try:
            check_judged("figures.py", job, self._finish(job, tick))
            out_dir.mkdir(exist_ok=True)
            for drawn in sorted(Path(job.out_dir).iterdir()):
                keep(drawn, out_dir / drawn.name)
        except (MetricsError, TemplateFault, OSError) as error:
            return str(error)
        return ""

    def write_data(self, folder: Path, target: Path, tick: Tick) -> None:
        """Write the data of the template's seeds into `target`, as a launch gets them.

        Raises:
            TemplateFault: the sampler failed.
        """
        job = self.jobs.data(folder, target)
        check_data(job, self._finish(job, tick))

    def known(self, run_dir: Path, folder: Path, tick: Tick) -> tuple[Claim, ...]:
        """The known results of a correct build, checked on this run; empty if the template has no known.py.

        Raises:
            TemplateFault: known.py failed.
        """
        if not self._manifest.has_known:
            return ()
        job = self.jobs.judging("known.py", folder, run_dir, smoke=False)
        try:
            check_judged("known.py", job, self._finish(job, tick))
            return CLAIMS.validate_json((Path(job.out_dir) / "known.json").read_bytes())
        except (MetricsError, OSError, ValidationError) as error:
            raise TemplateFault(f"known.py of {self.jobs.template.name} gave no claims: {error}") from error

    @property
    def machine(self) -> Machine | None:
        """The machine that a run launched now would get; None if the executor does not know."""
        return _machine(self.executor.expected_machine(self.jobs.experiment(Path(), Path(), Path())))

    @property
    def _manifest(self) -> Manifest:
        return self.jobs.template.manifest

    def _launch(self, first: Job, tick: Tick, smoke: bool = False) -> LaunchResult:
        """Run an experiment and read its results."""
        job, result = self._past_data(first, self._finish(first, tick))
        remove(Path(job.out_dir) / "verified.json")  # only an evaluator may write one
        if not result.went_well:
            outcome, message = failure(job, result)
            return LaunchResult(outcome, result.seconds, result.peak_memory, message, sandbox=result.sandbox)
        try:
            reported, scores = self._scores(job, result, Path(job.out_dir), smoke)
        except MetricsError as error:
            seconds, memory = result.seconds, result.peak_memory
            return LaunchResult("no-metrics", seconds, memory, str(error), sandbox=result.sandbox)
        return LaunchResult(
            "ok",
            result.seconds,
            result.peak_memory,
            reported=reported,
            scores=scores,
            machine=_machine(result.machine or None),
            sandbox=result.sandbox,
        )

    def _scores(self, job: Job, result: JobResult, out_dir: Path, smoke: bool) -> tuple[Scores, Scores]:
        """The reported and the official metrics; the official ones are the evaluator's, if the template has one.

        Raises:
            MetricsError: there are none, or one is outside the template's limits, which a smoke run need not keep.
        """
        manifest, seeds = self._manifest, len(self.jobs.all_seeds)
        wanted = {**manifest.metrics, **({} if job.then else manifest.limits)}
        reported = final_info.read(out_dir / "final_info.json", wanted, seeds, complete=job.then is None)
        if job.then is None:
            self._refuse_outside(reported, smoke)
            return reported, reported
        if result.then is None:
            raise StudyPaused(f"the output of {out_dir.name} was not evaluated; resume the study to evaluate it")
        check_judged("evaluate.py", job.then, result.then)
        verified = Path(job.then.out_dir) / "final_info.json"
        try:
            measured = final_info.read(verified, None, seeds)
        except MetricsError as error:
            raise MetricsError(f"evaluate.py, on what the run saved: {error}") from error
        scores = final_info.overlay(reported, measured, manifest.decisive)
        final_info.refuse_incomplete(scores, manifest.metrics)
        limits.refuse_missing(manifest.limits, measured, "evaluate.py")  # what the script reports limits nothing
        self._refuse_outside(measured, smoke)
        keep(verified, out_dir / "verified.json")
        return reported, scores

    def _refuse_outside(self, scores: Scores, smoke: bool) -> None:
        if not smoke:
            limits.refuse_outside(self._manifest.limits, scores, self.jobs.all_seeds)

    def _past_data(self, first: Job, result: JobResult) -> tuple[Job, JobResult]:
        """The experiment and how it ended, given the first job; its data are removed, since they may be large."""
        if not self._manifest.run.sampler or first.then is None:
            return first, result
        check_data(first, result)
        if result.then is None:
            return first, result
        remove(Path(first.out_dir))
        return first.then, result.then

    def _finish(self, job: Job, tick: Tick) -> JobResult:
        """Run a job to completion, or wait for the one already under way. An interrupt by the user cancels the job."""
        handle, seconds = None, 0.0
        shown = job.then if job.then and self._manifest.run.sampler else job
        try:
            handle = self.executor.find(job) or self.executor.submit(job)
            while (result := handle.wait(TICK)) is None:
                seconds += TICK
                tick(seconds, text.last_line(tail(shown.log, 4096)) or handle.state().state)
        except KeyboardInterrupt:
            handle = handle or self.executor.find(job)
            if handle is not None:
                handle.cancel()
                while handle.wait(TICK) is None:
                    pass
            raise
        if result.last.ending == "cancelled":
            raise StudyPaused("the job was cancelled from outside")
        if result.last.ending == "cannot-start":
            raise TemplateFault(f"{result.last.message}; see [run] in template.toml")
        return result


def _machine(described: dict[str, Any] | None) -> Machine | None:
    """The machine as the runner described it; None if it did not, or in an unknown format."""
    try:
        return None if described is None else Machine.model_validate(described)
    except ValidationError:
        return None
