"""One launch of an experiment and what came of it: job in, metrics or a reason out.

The same code launches a run, a smoke, a baseline, an evaluation and a plot; they differ in a folder and a variable.
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
from harness.execution.process import clean_environment
from harness.records import Claim, Machine, Outcome, Scores
from harness.results import final_info
from harness.template.folder import Template

Tick = Callable[[float, str], None]
"""Called while a job runs, with the seconds so far and the last line it printed."""
TICK = 0.25
UNACCEPTABLE = 3
"""Exit code with which an evaluator says: the run saved something that cannot be evaluated."""
EVALUATION_TIMEOUT = 600.0
PLOT_TIMEOUT = 300.0
CLAIMS = TypeAdapter(tuple[Claim, ...])


@dataclass(frozen=True)
class LaunchResult:
    """What a launch gave."""

    outcome: Outcome
    seconds: float
    peak_memory: int
    message: str = ""
    reported: Scores = field(default_factory=dict)
    scores: Scores = field(default_factory=dict)
    machine: Machine | None = None
    """Where it ran; None if nobody was there to say."""
    sandbox: str = ""
    """Name of the sandbox that it had there, or "none"."""


@dataclass(frozen=True)
class Launcher:
    """Launches what belongs to one template."""

    template: Template
    executor: Executor
    pinned: Path
    """The template copy that evaluators run from."""
    pinned_digest: str
    """What the copy's digest must be before an evaluator is run from it."""
    environment: Environment = field(default_factory=Environment)
    held_out_digest: str = ""
    """What the digest of the environment's held-out data must be then; empty: anything."""
    sandboxed: bool = True
    seeds: tuple[int, ...] = ()
    """Other seeds than the template's, where there are any."""
    hidden: tuple[str, ...] = ()
    """Folders that no run may see into: the project with its other studies."""

    def run(self, code: Path, folder: Path, out_dir: Path, tick: Tick, seeds: tuple[int, ...] = ()) -> LaunchResult:
        """Run the experiment in `code`, on the template's seeds or others, read its metrics and have them evaluated."""
        launcher = replace(self, seeds=seeds) if seeds else self
        return launcher._launch(launcher._experiment(code, folder, out_dir), tick)

    def is_under_way(self, code: Path, folder: Path, out_dir: Path, seeds: tuple[int, ...] = ()) -> bool:
        """Whether that run waits, runs or has ended by itself: then `run` takes it up."""
        launcher = replace(self, seeds=seeds) if seeds else self
        return self.executor.find(launcher._experiment(code, folder, out_dir)) is not None

    def smoke(self, code: Path, folder: Path, out_dir: Path, tick: Tick) -> LaunchResult:
        """The same, tiny, for a template that has a smoke run."""
        return self._launch(self._experiment(code, folder, out_dir, smoke=True), tick)

    def plot(self, code: Path, folder: Path, out_dir: Path, tick: Tick) -> str:
        """Run plot.py; an empty string, or what went wrong."""
        argv = [self.environment.python, "plot.py", f"--out_dir={out_dir}"]
        job = self._job(argv, code, folder, out_dir, PLOT_TIMEOUT)
        result = self._finish(job, tick)
        return "" if result.went_well else failure(job, result)[1]

    def known(self, run_dir: Path, folder: Path, tick: Tick) -> tuple[Claim, ...]:
        """What is known about a correct build and whether this run shows it; nothing when the template has no known.py.

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
        """What a run that is launched now would find; None if the executor does not know."""
        job = self._job(self.template.command(self.environment.python, Path()), Path(), Path(), Path(), 0.0)
        return _machine(self.executor.expected_machine(job))

    def _experiment(self, code: Path, folder: Path, out_dir: Path, smoke: bool = False) -> Job:
        """The job that runs the script and, in the same place but with other rights, its evaluator."""
        manifest = self.template.manifest
        limits = (manifest.smoke or manifest.run) if smoke else manifest.run
        argv = self.template.command(self.environment.python, out_dir)
        job = self._job(argv, code, folder, out_dir, limits.timeout_seconds, smoke=smoke)
        if not manifest.has_evaluator:
            return job
        return replace(job, then=self._judging_job("evaluate.py", folder / "evaluation", out_dir, smoke))

    def _launch(self, job: Job, tick: Tick) -> LaunchResult:
        """Run an experiment and read what it gave."""
        result = self._finish(job, tick)
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
        """The reported metrics, and the official ones: the evaluator's where the template has an evaluator."""
        seeds = len(self.seeds or self.template.manifest.run.seeds)
        reported = final_info.read(out_dir / "final_info.json", self.template.manifest.metrics, seeds)
        if job.then is None:
            remove(out_dir / "verified.json")  # an experiment that writes one verifies nothing
            return reported, reported
        if result.then is None:
            raise StudyPaused(f"what {out_dir.name} saved was not evaluated; resume the study to have it done")
        _check_judged("evaluate.py", job.then, result.then)
        verified = Path(job.then.out_dir) / "final_info.json"
        try:
            measured = final_info.read(verified, None, seeds)
        except MetricsError as error:
            raise MetricsError(f"evaluate.py, on what the run saved: {error}") from error
        scores = final_info.overlay(reported, measured, self.template.manifest.primary)
        keep(verified, out_dir / "verified.json")
        return reported, scores

    def _judging_job(self, script: str, folder: Path, run_dir: Path, smoke: bool) -> Job:
        """A job that runs a script of the pinned template on what a run saved.

        It is given the held-out data, and is not started if these or the template are not as they were when the study
        began.
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
        """A job of this template; one that judges what a run saved in `judged` is given the held-out data too."""
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
        """Run a job to its end, or take up the one under way; if the user stops us meanwhile, the job ends too."""
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
    """Raise what a judging script's failure means.

    Raises:
        MetricsError: the script refuses what the run saved, or could not cope with it.
        StudyPaused: the script's job was lost.
        TemplateFault: what it runs with is not as it was when the study began.
    """
    if result.ending == "lost":
        raise StudyPaused(f"the job of {script} was lost: {result.message}")
    if result.ending == "changed":
        raise TemplateFault(f"{result.message} is not as it was when the study began; its {script} was not run")
    if not result.went_well:
        refused = result.ending == "exited" and result.code == UNACCEPTABLE
        how = "refuses" if refused else "failed on"
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
    return clean_environment(ours)


def _machine(described: dict[str, Any] | None) -> Machine | None:
    """The machine as a runner described it; None where it did not, or not in words that are known."""
    try:
        return None if described is None else Machine.model_validate(described)
    except ValidationError:
        return None
