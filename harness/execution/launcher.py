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
from harness.execution.environment import ASSETS, DATA, HELD_OUT, Environment
from harness.execution.executors import Executor
from harness.execution.job import Job, JobResult
from harness.execution.outputs import check_data, check_judged, failure, keep, remove, tail
from harness.execution.process import clean_variables
from harness.records import Claim, Machine, Outcome, Scores
from harness.results import final_info
from harness.template.folder import Template

Tick = Callable[[float, str], None]
"""Called while a job runs, with the seconds so far and the last line it printed."""
TICK = 0.25
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
        return self._launch(self._experiment(code, folder, out_dir, smoke=True), tick)

    def plot(self, code: Path, folder: Path, out_dir: Path, tick: Tick) -> str:
        """Run plot.py; returns the error, or an empty string."""
        argv = [self.environment.python, "plot.py", f"--out_dir={out_dir}"]
        job = self._job(argv, code, folder, out_dir, PLOT_TIMEOUT)
        result = self._finish(job, tick)
        return "" if result.went_well else failure(job, result)[1]

    def figures(self, runs: Path, folder: Path, out_dir: Path, tick: Tick) -> str:
        """Run the template's figures.py on the folder that holds the runs, and add what it draws to `out_dir`.

        Unlike plot.py it gets what studies do not get. Returns the error, or an empty string.
        """
        if not self.template.manifest.has_figures:
            return ""
        job = self._judging_job("figures.py", folder, runs, smoke=False)
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
            TemplateFault: the data command failed.
        """
        job = replace(self._data_job(folder), out_dir=str(target.resolve()))
        job = replace(job, command=self.template.data_command(self.environment.python, target.resolve()))
        check_data(job, self._finish(job, tick))

    def known(self, run_dir: Path, folder: Path, tick: Tick) -> tuple[Claim, ...]:
        """The known results of a correct build, checked on this run; empty if the template has no known.py.

        Raises:
            TemplateFault: known.py failed.
        """
        if not self.template.manifest.has_known:
            return ()
        job = self._judging_job("known.py", folder, run_dir, smoke=False)
        try:
            check_judged("known.py", job, self._finish(job, tick))
            return CLAIMS.validate_json((Path(job.out_dir) / "known.json").read_bytes())
        except (MetricsError, OSError, ValidationError) as error:
            raise TemplateFault(f"known.py of {self.template.name} gave no claims: {error}") from error

    @property
    def machine(self) -> Machine | None:
        """The machine that a run launched now would get; None if the executor does not know."""
        job = self._job(self.template.command(self.environment.python, Path()), Path(), Path(), Path(), 0.0)
        return _machine(self.executor.expected_machine(job))

    def _experiment(self, code: Path, folder: Path, out_dir: Path, smoke: bool = False) -> Job:
        """The job that runs the script and then, on the same machine but with other rights, its evaluator.

        If the template has a `data` command, that comes first, with rights of its own.
        """
        manifest = self.template.manifest
        limits = (manifest.smoke or manifest.run) if smoke else manifest.run
        argv = self.template.command(self.environment.python, out_dir)
        data = self._data_job(folder / "data", smoke) if manifest.run.data else None
        job = self._job(argv, code, folder, out_dir, limits.timeout_seconds, smoke)
        job = _given(job, {DATA: data.out_dir}) if data else job
        if manifest.has_evaluator:
            job = replace(job, then=self._judging_job("evaluate.py", folder / "evaluation", out_dir, smoke))
        return replace(data, then=job) if data else job

    def _data_job(self, folder: Path, smoke: bool = False) -> Job:
        """The job that writes the data of the seeds. It runs from the pinned template, which holds the answers."""
        argv, out_dir = self.template.data_command(self.environment.python, folder / "out"), folder / "out"
        job = self._job(argv, self.pinned, folder, out_dir, self.template.manifest.run.timeout_seconds, smoke)
        return replace(job, unchanged={str(self.pinned): self.pinned_digest} if self.pinned_digest else {})

    def _launch(self, first: Job, tick: Tick) -> LaunchResult:
        """Run an experiment and read its results."""
        job, result = self._past_data(first, self._finish(first, tick))
        if not result.went_well:
            outcome, message = failure(job, result)
            return LaunchResult(outcome, result.seconds, result.peak_memory, message, sandbox=result.sandbox)
        try:
            reported, scores = self._scores(job, result, Path(job.out_dir))
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

    def _scores(self, job: Job, result: JobResult, out_dir: Path) -> tuple[Scores, Scores]:
        """The reported and the official metrics; the official ones are the evaluator's, if the template has one."""
        seeds = len(self.seeds or self.template.manifest.run.seeds)
        metrics, verifies = self.template.manifest.metrics, job.then is not None
        reported = final_info.read(out_dir / "final_info.json", metrics, seeds, complete=not verifies)
        if job.then is None:
            remove(out_dir / "verified.json")  # only an evaluator may write one
            return reported, reported
        if result.then is None:
            raise StudyPaused(f"the output of {out_dir.name} was not evaluated; resume the study to evaluate it")
        check_judged("evaluate.py", job.then, result.then)
        verified = Path(job.then.out_dir) / "final_info.json"
        try:
            measured = final_info.read(verified, None, seeds)
        except MetricsError as error:
            raise MetricsError(f"evaluate.py, on what the run saved: {error}") from error
        scores = final_info.overlay(reported, measured, self.template.manifest.primary)
        final_info.refuse_incomplete(scores, metrics)
        keep(verified, out_dir / "verified.json")
        return reported, scores

    def _past_data(self, first: Job, result: JobResult) -> tuple[Job, JobResult]:
        """The experiment and how it ended, given the first job; its data are removed, since they may be large."""
        if not self.template.manifest.run.data or first.then is None:
            return first, result
        check_data(first, result)
        if result.then is None:
            return first, result
        remove(Path(first.out_dir))
        return first.then, result.then

    def _judging_job(self, script: str, folder: Path, run_dir: Path, smoke: bool) -> Job:
        """A job that runs a script of the pinned template on what a run saved.

        It gets the held-out data, and is not started if the data or the template changed after the study began.
        """
        argv = [self.environment.python, script, f"--run_dir={run_dir}", f"--out_dir={folder / 'out'}"]
        job = self._job(argv, self.pinned, folder, folder / "out", EVALUATION_TIMEOUT, smoke)
        job = _given(job, {HELD_OUT: self.environment.held_out})
        job = replace(job, readable=(str(run_dir), *job.readable))
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
    ) -> Job:
        """A job of this template."""
        spec, environment = self.template.manifest.run, self.environment
        job = Job(
            folder=str(folder),
            command=argv,
            cwd=str(code),
            out_dir=str(out_dir),
            env=_variables(self.template, self.seeds, smoke),
            packages=machine.packages(environment.python),
            timeout=timeout,
            memory=spec.memory_bytes,
            network=spec.network,
            gpus=spec.gpus,
            sandbox=self.sandboxed,
            hidden=self.hidden,
            readable=environment.readable,
        )
        return _given(job, {ASSETS: environment.assets})

    def _finish(self, job: Job, tick: Tick) -> JobResult:
        """Run a job to completion, or wait for the one already under way. An interrupt by the user cancels the job."""
        handle, seconds = None, 0.0
        shown = job.then if job.then and self.template.manifest.run.data else job
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


def _given(job: Job, folders: dict[str, str]) -> Job:
    """The job with a variable for each of the folders that there are, which it may read."""
    given = {variable: folder for variable, folder in folders.items() if folder}
    return replace(job, env=job.env | given, readable=(*given.values(), *job.readable))


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
