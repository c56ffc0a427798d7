"""The jobs of a template: runs, what makes their data, evaluations and plots, each with rights of its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.execution import machine
from harness.execution.environment import ASSETS, DATA, HELD_OUT, Environment
from harness.execution.job import Job
from harness.execution.process import clean_variables
from harness.template.folder import Template

EVALUATION_TIMEOUT = 600.0
PLOT_TIMEOUT = 300.0
OUTPUTS = ("run_[0-9]*", "plots")
"""What a run does not see of its study. It could go on with the weights of an earlier run, and exceed every limit."""


@dataclass(frozen=True)
class Jobs:
    """Makes the jobs of one template."""

    template: Template
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

    def on(self, seeds: tuple[int, ...]) -> Jobs:
        """The same on other seeds, if there are any."""
        return replace(self, seeds=seeds) if seeds else self

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """Those that a job is for."""
        return self.seeds or self.template.manifest.run.seeds

    def experiment(self, code: Path, folder: Path, out_dir: Path, smoke: bool = False) -> Job:
        """The job that runs the script and then, on the same machine but with other rights, its evaluator.

        If the template has a sampler, that comes first, with rights of its own.
        """
        manifest = self.template.manifest
        spec = (manifest.smoke or manifest.run) if smoke else manifest.run
        argv = self.template.command(self.environment.python, out_dir)
        data = self.data(folder / "data", folder / "data" / "out", smoke) if manifest.run.sampler else None
        job = replace(self._job(argv, code, folder, out_dir, spec.timeout_seconds, smoke), unseen=OUTPUTS)
        job = _given(job, {DATA: data.out_dir}) if data else job
        if manifest.has_evaluator:
            job = replace(job, then=self.judging("evaluate.py", folder / "evaluation", out_dir, smoke))
        return replace(data, then=job) if data else job

    def plot(self, code: Path, folder: Path, out_dir: Path) -> Job:
        """The job that runs plot.py."""
        argv = [self.environment.python, "plot.py", f"--out_dir={out_dir}"]
        return self._job(argv, code, folder, out_dir, PLOT_TIMEOUT)

    def data(self, folder: Path, out_dir: Path, smoke: bool = False) -> Job:
        """The job that writes the data of the seeds. It runs from the pinned template, which holds the answers."""
        argv = self.template.sampler_command(self.environment.python, out_dir)
        job = self._job(argv, self.pinned, folder, out_dir, self.template.manifest.run.timeout_seconds, smoke)
        return replace(job, unchanged={str(self.pinned): self.pinned_digest} if self.pinned_digest else {})

    def judging(self, script: str, folder: Path, run_dir: Path, smoke: bool) -> Job:
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
        "PYTHONFAULTHANDLER": "1",  # says where it crashed, and at a time limit where it was
        "MPLBACKEND": "Agg",
    }
    return clean_variables(ours)
