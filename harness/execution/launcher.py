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
from harness.execution import machine
from harness.execution.environment import ASSETS, HELD_OUT, Environment
from harness.execution.executors import Executor
from harness.execution.job import Job, JobResult
from harness.execution.outputs import failure, keep, remove, tail
from harness.execution.process import clean_variables
from harness.records import Claim, Machine, Outcome, Scores
from harness.results import final_info, limits
from harness.template.folder import Template

Tick = Callable[[float, str], None]
"""Called while a job runs, with the seconds so far and the last line it printed."""
TICK = 0.25
UNACCEPTABLE = 3
"""Exit code of an evaluator that rejects what the run saved."""
EVALUATION_TIMEOUT = 600.0
PLOT_TIMEOUT = 300.0
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

    template: Template
    executor: Executor
    pinned: Path
    """The template copy that evaluators run from."""
    pinned_digest: str
    """Digest that the copy must have when an evaluator is started from it."""
    environment: Environment = field(default_factory=Environment)
    held_out_digest: str = ""
    """Digest that the environment's held-out data must have then; empty to skip this check."""
    sandboxed: bool = True
    seeds: tuple[int, ...] = ()
    """Seeds to use instead of the template's; empty for the template's."""
    hidden: tuple[str, ...] = ()
    """Folders hidden from every run: the project with its other studies."""

    def run(self, code: Path, folder: Path, out_dir: Path, tick: Tick, seeds: tuple[int, ...] = ()) -> LaunchResult:
        """Run the experiment in `code` on the template's seeds or on `seeds`, evaluate it and read its metrics."""
        launcher = replace(self, seeds=seeds) if seeds else self
        return launcher._launch(launcher._experiment(code, folder, out_dir), tick)

    def is_under_way(self, code: Path, folder: Path, out_dir: Path, seeds: tuple[int, ...] = ()) -> bool:
        """Whether that run is queued, running or has ended by itself; `run` would then not start it again."""
        launcher = replace(self, seeds=seeds) if seeds else self
        return self.executor.find(launcher._experiment(code, folder, out_dir)) is not None

    def smoke(self, code: Path, folder: Path, out_dir: Path, tick: Tick) -> LaunchResult:
        """The same on a tiny scale, for a template with a smoke run."""
        return self._launch(self._experiment(code, folder, out_dir, smoke=True), tick, smoke=True)

    def plot(self, code: Path, folder: Path, out_dir: Path, tick: Tick) -> str:
        """Run plot.py; returns the error, or an empty string."""
        argv = [self.environment.python, "plot.py", f"--out_dir={out_dir}"]
        job = self._job(argv, code, folder, out_dir, PLOT_TIMEOUT)
        result = self._finish(job, tick)
        return "" if result.went_well else failure(job, result)[1]

    def known(self, run_dir: Path, folder: Path, tick: Tick) -> tuple[Claim, ...]:
        """The known results of a correct build, checked on this run; empty if the template has no known.py.

        Raises:
            TemplateFault: known.py failed.
        """
        if not self.template.manifest.has_known:
            return ()
        job = self._judging_job("known.py", folder, run_dir, smoke=False)
        try:
            _check_judged("known.py", job, self._finish(job, tick))
            return CLAIMS.validate_json((Path(job.out_dir) / "known.json").read_bytes())
        except (MetricsError, OSError, ValidationError) as error:
            raise TemplateFault(f"known.py of {self.template.name} gave no claims: {error}") from error

    @property
    def machine(self) -> Machine | None:
        """The machine that a run launched now would get; None if the executor does not know."""
        job = self._job(self.template.command(self.environment.python, Path()), Path(), Path(), Path(), 0.0)
        return _machine(self.executor.expected_machine(job))

    def _experiment(self, code: Path, folder: Path, out_dir: Path, smoke: bool = False) -> Job:
        """The job that runs the script and then, on the same machine but with other rights, its evaluator."""
        manifest = self.template.manifest
        limits = (manifest.smoke or manifest.run) if smoke else manifest.run
        argv = self.template.command(self.environment.python, out_dir)
        job = self._job(argv, code, folder, out_dir, limits.timeout_seconds, smoke=smoke)
        if not manifest.has_evaluator:
            return job
        return replace(job, then=self._judging_job("evaluate.py", folder / "evaluation", out_dir, smoke))

    def _launch(self, job: Job, tick: Tick, smoke: bool = False) -> LaunchResult:
        """Run an experiment and read its results."""
        result = self._finish(job, tick)
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

    @property
    def _seeds(self) -> tuple[int, ...]:
        return self.seeds or self.template.manifest.run.seeds

    def _scores(self, job: Job, result: JobResult, out_dir: Path, smoke: bool) -> tuple[Scores, Scores]:
        """The reported and the official metrics; the official ones are the evaluator's, if the template has one.

        Raises:
            MetricsError: there are none, or one is outside the template's limits, which a smoke run need not keep.
        """
        manifest, seeds = self.template.manifest, len(self._seeds)
        wanted = {**manifest.metrics, **({} if job.then else manifest.limits)}
        reported = final_info.read(out_dir / "final_info.json", wanted, seeds)
        if job.then is None:
            self._refuse_outside(reported, smoke)
            return reported, reported
        if result.then is None:
            raise StudyPaused(f"the output of {out_dir.name} was not evaluated; resume the study to evaluate it")
        _check_judged("evaluate.py", job.then, result.then)
        verified = Path(job.then.out_dir) / "final_info.json"
        try:
            measured = final_info.read(verified, None, seeds)
        except MetricsError as error:
            raise MetricsError(f"evaluate.py, on what the run saved: {error}") from error
        scores = final_info.overlay(reported, measured, manifest.primary)
        limits.refuse_missing(manifest.limits, measured, "evaluate.py")  # what the script reports limits nothing
        self._refuse_outside(measured, smoke)
        keep(verified, out_dir / "verified.json")
        return reported, scores

    def _refuse_outside(self, scores: Scores, smoke: bool) -> None:
        if not smoke:
            limits.refuse_outside(self.template.manifest.limits, scores, self._seeds)

    def _judging_job(self, script: str, folder: Path, run_dir: Path, smoke: bool) -> Job:
        """A job that runs a script of the pinned template on what a run saved.

        It gets the held-out data, and is not started if the data or the template changed after the study began.
        """
        argv = [self.environment.python, script, f"--run_dir={run_dir}", f"--out_dir={folder / 'out'}"]
        job = self._job(argv, self.pinned, folder, folder / "out", EVALUATION_TIMEOUT, smoke, judged=run_dir)
        unchanged = {str(self.pinned): self.pinned_digest, self.environment.held_out: self.held_out_digest}
        return replace(job, unchanged={path: digest for path, digest in unchanged.items() if digest})

    def _job(
        self,
        argv: list[str],
        code: Path,
        folder: Path,
        out_dir: Path,
        timeout: float,
        smoke: bool = False,
        judged: Path | None = None,
    ) -> Job:
        """A job of this template; if it judges the output folder `judged` of a run, it also gets the held-out data."""
        spec, environment = self.template.manifest.run, self.environment
        given = {ASSETS: environment.assets, HELD_OUT: environment.held_out if judged else ""}
        given = {variable: folder for variable, folder in given.items() if folder}
        return Job(
            folder=str(folder),
            command=argv,
            cwd=str(code),
            out_dir=str(out_dir),
            env=_variables(self.template, self.seeds, smoke) | given,
            packages=machine.packages(environment.python),
            timeout=timeout,
            memory=spec.memory_bytes,
            network=spec.network,
            gpus=spec.gpus,
            sandbox=self.sandboxed,
            hidden=self.hidden,
            readable=(*([str(judged)] if judged else []), *given.values(), *environment.readable),
        )

    def _finish(self, job: Job, tick: Tick) -> JobResult:
        """Run a job to completion, or wait for the one already under way. An interrupt by the user cancels the job."""
        handle, seconds = None, 0.0
        try:
            handle = self.executor.find(job) or self.executor.submit(job)
            while (result := handle.wait(TICK)) is None:
                seconds += TICK
                tick(seconds, text.last_line(tail(job.log, 4096)) or handle.state().state)
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


def _check_judged(script: str, job: Job, result: JobResult) -> None:
    """Raise the error that a judging script's failure stands for.

    Raises:
        MetricsError: the script rejects what the run saved, or failed on it.
        StudyPaused: the script's job was lost.
        TemplateFault: the template or the held-out data changed after the study began.
    """
    if result.ending == "lost":
        raise StudyPaused(f"the job of {script} was lost: {result.message}")
    if result.ending == "changed":
        raise TemplateFault(f"{result.message} has changed since the study began, so {script} was not run")
    if not result.went_well:
        rejected = result.ending == "exited" and result.code == UNACCEPTABLE
        how = "rejects" if rejected else "failed on"
        raise MetricsError(f"{script} {how} what the run saved: {failure(job, result)[1]}")


def _variables(template: Template, seeds: tuple[int, ...] = (), smoke: bool = False) -> dict[str, str]:
    """The environment variables that every job of a template gets."""
    spec = template.manifest.run
    ours = {
        "HARNESS_SEEDS": ",".join(map(str, seeds or spec.seeds)),
        **({"HARNESS_SMOKE": "1"} if smoke else {}),
        **({} if spec.gpus else {"CUDA_VISIBLE_DEVICES": ""}),  # so that values do not depend on the sandbox
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "Agg",
    }
    return clean_variables(ours)


def _machine(described: dict[str, Any] | None) -> Machine | None:
    """The machine as the runner described it; None if it did not, or in an unknown format."""
    try:
        return None if described is None else Machine.model_validate(described)
    except ValidationError:
        return None
