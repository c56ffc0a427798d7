"""Opening a study to work on it, a new one or one to resume."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness import agents, plugins
from harness.agents import Setup
from harness.errors import UserError
from harness.execution import environment, lock, process, sandbox
from harness.execution.executors import make
from harness.execution.jobs import Jobs
from harness.execution.launcher import Launcher
from harness.paths import ProjectPaths, StudyPaths
from harness.planning.strategies import BUILT_IN as STRATEGIES
from harness.records import Call, Machine
from harness.state.events import StudyResumed
from harness.state.history import History
from harness.state.journal import Journal, history
from harness.study.spec import ExecutionOptions
from harness.study.study import Study, Watcher
from harness.template.folder import Template
from harness.workspace import Lab, Workspace

SHIPPED = Path(__file__).parents[2] / "templates"
"""The templates of this clone, which another project's runs could find if the clone lies in a folder like /opt."""


@contextmanager
def open_study(
    project: ProjectPaths, paths: StudyPaths, options: ExecutionOptions, watcher: Watcher
) -> Iterator[Study]:
    """A study that is ready to be worked on. No other process can open it at the same time.

    Raises:
        UserError: another process works on it.
    """
    process.hide_own_memory()
    executor = make(options.executor, project.settings)
    with ExitStack() as stack:
        if not stack.enter_context(lock.held(paths.lock)):
            raise UserError(
                f"process {lock.holder(paths.lock)} is working on {paths.name}; harness stop {paths.name} ends that"
            )
        journal = stack.enter_context(Journal(paths.journal))
        state = History(journal.events)
        begun = state.begun
        pinned = Template(paths.pinned)
        workspace = Workspace(Lab(project.lab), paths.root, pinned)
        workspace.unlock()
        workspace.point_at(state.commit)
        study: Study

        def on_call(call: Call) -> None:
            study.model_called(call)

        make_agent = agents.find(begun.agent)
        setup = Setup(
            paths=paths,
            template=pinned,
            settings=plugins.checked(
                make_agent.Settings, begun.agent_settings, f"{paths.name}: settings of {begun.agent}:"
            ),
            model=begun.model,
            prices=begun.prices,
            timeout=options.model_timeout,
            retries=options.model_retries,
            on_call=on_call,
            on_note=watcher.note,
            calls=state.calls_of_ended_turns,
        )
        agent = make_agent(setup)
        stack.callback(agent.close)
        jobs = Jobs(
            template=pinned,
            pinned=paths.pinned,
            pinned_digest=begun.pinned,
            held_out_digest=begun.held_out,
            environment=environment.ready(pinned, project.environments, watcher.note),
            sandboxed=options.sandboxed,
            hidden=(str(project.root), *([str(SHIPPED)] if SHIPPED.is_dir() else [])),
        )
        confined = options.sandboxed and sandbox.name() != "none"
        if not confined and pinned.manifest.holds_out:
            watcher.note("runs are not confined: their code can read the answers and the held-out data of the template")
        study = Study(
            paths=paths,
            template=pinned,
            workspace=workspace,
            journal=journal,
            agent=agent,
            strategy=plugins.find("strategy", begun.strategy, STRATEGIES)(),
            launcher=Launcher(jobs, executor),
            watcher=watcher,
        )
        home, here = begun.baseline_machine, study.launcher.machine
        if home is not None and here is not None and home != here:
            watcher.note(_elsewhere(home, here))
        if len(journal.events) > 1:  # also after a kill, so that the time until now does not count
            resumed = StudyResumed()
            journal.append(resumed)
            study.history.add(resumed)
        yield study


def _elsewhere(baseline: Machine, here: Machine) -> str:
    return (
        f"this machine differs from the baseline's ({'; '.join(here.differences(baseline))}): equal code may give "
        "slightly different values here, so no result of this machine is called unchanged or compared exactly"
    )


def may_resume(paths: StudyPaths) -> History:
    """The history of a study that can be resumed.

    Raises:
        UserError: it is over.
    """
    found = history(paths)
    if found.stopped is not None and found.stopped.status in ("done", "failed"):
        raise UserError(f"{paths.name} is over ({found.stopped.status}: {found.stopped.reason})")
    return found
