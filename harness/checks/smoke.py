"""Run the whole script on a tiny scale: it must succeed and write all metrics. A minute here saves an hour later."""

from __future__ import annotations

from dataclasses import dataclass

from harness.checks.types import TypeCheck
from harness.execution.launcher import Launcher, Tick
from harness.paths import StudyPaths
from harness.records import Finding
from harness.workspace import Workspace

MOST_ADVICE = 5
"""Maximum number of findings of the type check that are added."""


@dataclass(frozen=True)
class SmokeCheck:
    """Runs the template's command with HARNESS_SMOKE=1 under the smoke timeout."""

    launcher: Launcher
    name: str
    """Name of the job's folder, new for every smoke run."""
    tick: Tick
    types: TypeCheck
    """Its findings are added to those of a smoke run that failed: they may say why."""

    def check(self, workspace: Workspace) -> tuple[Finding, ...]:
        paths = StudyPaths(workspace.root)
        out_dir = paths.job(self.name) / "out"
        before = workspace.snapshot()
        launched = self.launcher.smoke(workspace.root, paths.job(self.name), out_dir, self.tick)
        touched = workspace.touched(before)
        workspace.restore(before)
        if touched:
            return (Finding(check="smoke", message=f"the smoke run changed files of the study: {touched}"),)
        if launched.outcome == "ok":
            return ()
        failed = Finding(check="smoke", message=f"the smoke run failed ({launched.outcome}):\n{launched.message}")
        return (failed, *self.types.advice(workspace)[:MOST_ADVICE])
