"""Runs of the unmodified template: to try it, to store its baseline, to measure a baseline on this machine."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BaselineError, TemplateError, UserError
from harness.execution import environment, lock
from harness.execution.environment import Say
from harness.execution.executors import Executor
from harness.execution.jobs import Jobs
from harness.execution.launcher import Launcher, LaunchResult, Tick
from harness.paths import ProjectPaths
from harness.records import Claim, Machine
from harness.results.compare import first_seeds
from harness.results.racing import first_of
from harness.results.seeds import Seeding, seeding
from harness.template import baseline as baselines
from harness.template.baseline import Baseline
from harness.template.folder import Template

WAIT = 0.5
"""Seconds between two looks at whether another process is done with measuring the same baseline."""


PROBE = 1000
"""How far from a template's own seeds the other seeds are that are tried."""
HOW_IT_FAILED = {
    "crashed": "crashed",
    "timeout": "took longer than [run] timeout allows",
    "memory": "used more than [run] memory allows",
    "no-metrics": "gave no metrics that count",
}
"""Outcome of a launch → what to say of the template."""


class Unsuccessful(TemplateError):
    """The unmodified experiment gave no result; `log` says more than one line can."""

    def __init__(self, launched: LaunchResult, template: Template) -> None:
        super().__init__(
            f"the unmodified {template.name} {HOW_IT_FAILED.get(launched.outcome, 'failed')}, for the reason above; "
            f"to run it by hand: harness template checkout {template.name} FOLDER"
        )
        self.log = launched.message


@dataclass(frozen=True)
class Finished:
    """A run of the unmodified template that gave its metrics."""

    template: Template
    """The copy that ran: the project's may have been edited meanwhile."""
    launched: LaunchResult
    out_dir: Path
    seeding: Seeding = "unknown"
    """What other seeds change in its results, if that was tried."""
    claims: tuple[Claim, ...] = ()
    """What known.py knows of a correct build, and what this run shows."""

    def save(self, folder: Path) -> list[str]:
        """Store it as the template's baseline; gives the names of files that are too large to be kept."""
        launched = self.launched
        found = Baseline(
            template=self.template.name,
            fingerprint=baselines.fingerprint(self.template),
            scores=launched.scores,
            reported=launched.reported,
            seconds=round(launched.seconds, 3),
            machine=launched.machine,
            made_at=round(time.time()),
            seeding=self.seeding,
        )
        return baselines.save(folder, found, self.out_dir)


@dataclass(frozen=True)
class Bench:
    """Where and how unmodified templates are run."""

    project: ProjectPaths
    executor: Executor
    building: Say
    """Called with each line that is printed while a template's environment is built."""
    say: Say
    """Called with what a user must know."""
    tick: Tick
    """Called while a job runs."""
    sandboxed: bool = True

    def smoke(self, template: Template) -> LaunchResult:
        """The tiny run. Raises Unsuccessful."""
        with self._laid_out(template) as (launcher, code, scratch):
            return _successful(launcher.smoke(code, scratch / "job", scratch / "job" / "out", self.tick), template)

    def write_data(self, template: Template, folder: Path) -> None:
        """Write what the template's sampler writes for the template's seeds into `folder`.

        Raises:
            TemplateFault: the command failed.
        """
        with self._laid_out(template) as (launcher, _, scratch):
            launcher.write_data(scratch / "data", folder, self.tick)

    @contextmanager
    def run(self, template: Template, seeding: Seeding | None = "unknown") -> Iterator[Finished]:
        """The whole run, on the template's seeds; its files are there for as long as the context lasts.

        Args:
            seeding: what other seeds change in the results; None to find out, with a second run on other seeds.

        Raises:
            Unsuccessful: it gave no metrics.
            TemplateFault: the template's known.py failed.
        """
        with self._laid_out(template) as (launcher, code, scratch):
            out_dir = scratch / "job" / "out"
            launched = _successful(launcher.run(code, scratch / "job", out_dir, self.tick), template)
            claims = launcher.known(out_dir, scratch / "known", self.tick)
            if seeding is None:
                seeding = self._probe(launcher, code, scratch / "probe", launched)
            yield Finished(Template(launcher.jobs.pinned), launched, out_dir, seeding, claims)

    def _probe(self, launcher: Launcher, code: Path, folder: Path, launched: LaunchResult) -> Seeding:
        """Run the template on other seeds, and see what that changes.

        These are as many as its own or, if fewer ought to cost less, as many as a run is launched on first; then what
        they cost is told too.
        """
        template = launcher.jobs.template
        seeds, spec = template.manifest.run.seeds, template.manifest.run
        n = first_of(len(seeds)) if spec.seed_cost == "proportional" else len(seeds)
        first = max(seeds) + PROBE
        others = tuple(range(first, first + n))
        self.say(f"trying other seeds ({others[0]}–{others[-1]}), to see whether they change the results")
        probed = _successful(launcher.run(code, folder, folder / "out", self.tick, others), template)
        if n < len(seeds):
            self.say(_cost_of_fewer(n, len(seeds), probed.seconds, launched.seconds))
        return seeding(first_seeds(launched.scores, n), probed.scores, template.manifest.metrics)

    def baseline(self, template: Template, stored: Baseline) -> tuple[Baseline, Path]:
        """The baseline for runs on this machine, and the folder of its run. Equal code gives equal values.

        That is the stored baseline if it comes from the same kind of machine. Otherwise the template is run here,
        once; the result is kept in the project's runs/baselines/ for later studies.

        Raises:
            Unsuccessful: the template was to be run here and gave no metrics.
        """
        here = self._machine(template)
        if here is None or stored.machine == here:
            return stored, baselines.folder(self.project.baselines, template) / "run_0"
        kept = self.project.baselines_of(here.digest)
        kept.mkdir(parents=True, exist_ok=True)
        with self._alone(kept / f"{template.name}.lock"):
            try:
                found = baselines.load(kept, template)
            except BaselineError:
                self.say(_why(template, stored, here))
                found = self._measured(template, stored, kept)
            else:
                self.say(
                    f"baseline: as measured on this machine on {time.strftime('%Y-%m-%d', time.gmtime(found.made_at))}"
                )
        return found, baselines.folder(kept, template) / "run_0"

    def stored_baseline(self, template: Template, stored: Baseline) -> tuple[Baseline, Path]:
        """The stored baseline, wherever it was measured, and the folder of its run.

        Raises:
            UserError: the primary metric cannot be compared with a baseline of another machine.
        """
        primary, here = template.manifest.primary, self._machine(template)
        if template.manifest.metrics[primary].machine_bound and here is not None and stored.machine != here:
            raise UserError(
                f"{primary} can only be compared with a baseline of this machine: leave out --baseline stored"
            )
        return stored, baselines.folder(self.project.baselines, template) / "run_0"

    def _machine(self, template: Template) -> Machine | None:
        """What a run of the template would find; None if the executor does not know."""
        return Launcher(Jobs(template, Path(), "", self._environment(template)), self.executor).machine

    def _measured(self, template: Template, stored: Baseline, kept: Path) -> Baseline:
        with self.run(template, stored.seeding) as finished:
            finished.save(kept)
            primary = template.manifest.primary
            claims = (*finished.claims, *baselines.agreement(stored, finished.launched.scores, primary))
        self.say(f"baseline: measured here in {finished.launched.seconds:.0f} s")
        for claim in claims:
            if not claim.holds:
                self.say(f"FAIL  {claim.claim}: {claim.found} (expected {claim.expected})")
        return baselines.load(kept, template)

    @contextmanager
    def _alone(self, path: Path) -> Iterator[None]:
        """Wait until no other process measures the same baseline."""
        told = False
        while True:
            with lock.held(path) as ours:
                if ours:
                    yield
                    return
            if not told:
                self.say(f"waiting for process {lock.holder(path)}, which is measuring this baseline")
                told = True
            time.sleep(WAIT)

    @contextmanager
    def _laid_out(self, template: Template) -> Iterator[tuple[Launcher, Path, Path]]:
        """A launcher, the template's code as a study has it, and a folder for everything else."""
        with tempfile.TemporaryDirectory(prefix="harness-baseline-") as folder:
            scratch = Path(folder)
            code, pinned = scratch / "study", scratch / "template"
            template.lay_out(code)
            digest = template.pin(pinned)
            ready = self._environment(template)
            jobs = Jobs(template, pinned, digest, ready, sandboxed=self.sandboxed)
            yield Launcher(jobs, self.executor), code, scratch

    def _environment(self, template: Template) -> environment.Environment:
        return environment.ready(template, self.project.environments, self.building)


def _successful(launched: LaunchResult, template: Template) -> LaunchResult:
    if launched.outcome != "ok":
        raise Unsuccessful(launched, template)
    return launched


def _cost_of_fewer(n: int, of: int, seconds: float, whole: float) -> str:
    """What a launch on some of the seeds costs, and whether that is nearer to their share than to the cost of all."""
    share = seconds / whole if whole else 1.0
    found = f"{n} of {of} seeds took {seconds:.1f} s, all took {whole:.1f} s ({share:.0%})"
    if share <= (n / of + 1) / 2:
        return f"{found}: cost is about proportional to the seeds"
    return f'{found}: cost is not proportional to the seeds; [run] seed_cost = "fixed" launches all seeds at once'


def _why(template: Template, stored: Baseline, here: Machine) -> str:
    """Why the baseline is measured here, and how long that takes."""
    difference = "an unknown one" if stored.machine is None else "; ".join(here.differences(stored.machine))
    return (
        f"baseline: the stored one of {template.name} comes from another kind of machine ({difference}). Running the "
        f"unmodified template here once (it took {stored.seconds:.0f} s there). Later studies on this machine reuse "
        "the result; --baseline stored skips this."
    )
