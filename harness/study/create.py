"""Beginning a study, and taking one up again.

Everything that can be refused is refused before the first file is written.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import plugins
from harness.agents import BUILT_IN as AGENTS
from harness.agents import Setup
from harness.errors import UserError
from harness.execution import environment, lock, process, sandbox
from harness.execution.executors import BUILT_IN as EXECUTORS
from harness.execution.executors import Executor
from harness.execution.launcher import Launcher, here
from harness.paths import ProjectPaths, StudyPaths
from harness.planning.strategies import BUILT_IN as STRATEGIES
from harness.records import Budget, Call, Engine, Idea, Machine
from harness.state.events import StudyResumed, StudyStarted
from harness.state.history import History
from harness.state.journal import Journal, history
from harness.study.loop import Study, Watcher
from harness.template import baseline as baselines
from harness.template.baseline import Baseline
from harness.template.folder import Template
from harness.workspace import Lab, Workspace

MODEL_TIMEOUT = 600.0
MODEL_RETRIES = 4


@dataclass(frozen=True)
class Means:
    """How a study is worked on; none of it changes what a result means, so a resumed study may use others."""

    executor: str = "local"
    sandboxed: bool = True
    model_timeout: float = MODEL_TIMEOUT
    """Seconds per model call."""
    model_retries: int = MODEL_RETRIES


@dataclass(frozen=True)
class Order:
    """What the user asked for, checked."""

    template: Template
    baseline: Baseline
    run_0: Path
    """What the baseline's run saved."""
    idea: Idea
    budget: Budget
    agent: str
    engine: Engine
    strategy: str = "last"
    name: str = ""
    start: str = ""
    """`study/run_k`, when the study goes on from another study's run."""
    control: str = ""
    """The agent of the control that is to follow, if any."""
    control_of: str = ""
    """The study whose control it is."""


def order_of(paths: StudyPaths) -> Order:
    """What a study began with, for another one like it."""
    begun, pinned = history(paths).begun, Template(paths.pinned)
    return Order(
        template=pinned,
        baseline=_baseline_of(begun, pinned),
        run_0=paths.run(0),
        idea=begun.idea,
        budget=begun.budget,
        agent=begun.agent,
        engine=Engine(model=begun.model, prices=begun.prices),
        strategy=begun.strategy,
        start=begun.parent,
        control=begun.control,
    )


def _baseline_of(begun: StudyStarted, pinned: Template) -> Baseline:
    """The baseline that a study was compared with, which may have been refreshed since."""
    return Baseline(
        template=begun.template,
        fingerprint=baselines.fingerprint(pinned),
        scores=begun.baseline,
        reported=begun.baseline_reported,
        seconds=0.0,
        machine=begun.baseline_machine,
        made_at=begun.at,
    )


def begin(project: ProjectPaths, order: Order, say: environment.Say) -> StudyPaths:
    """Make a new study: branch, worktree, pinned template, journal with its first event.

    Args:
        say: called with what is printed while the template's environment is built, where it has one of its own.
    """
    paths = StudyPaths(project.runs / (order.name or _new_name(project, order)))
    if paths.root.exists():
        raise UserError(f"there is a study named {paths.name!r} already")
    lab = Lab(project.lab)
    if lab.has(paths.name):
        raise UserError(
            f"{project.lab} has a branch {paths.name!r} of a study whose folder is gone; take another --name"
        )
    origin = _origin(lab, project, order)
    ready = environment.ready(order.template, project.environments, say)
    primary = order.template.manifest.primary
    if order.template.manifest.metrics[primary].machine_bound and order.baseline.machine != here(order.template, ready):
        raise UserError(f"{primary} can only be compared with a baseline of this machine: leave out --baseline stored")
    workspace = Workspace.create(lab, paths.root, order.template)
    try:
        _fill(workspace, paths, order, origin, ready.held_out_digest)
    except BaseException:
        workspace.discard()
        raise
    return paths


def _fill(workspace: Workspace, paths: StudyPaths, order: Order, origin: Origin | None, held_out: str) -> None:
    """The template with its baseline is the first commit; the code that a study goes on from is the second."""
    chosen = order.template
    chosen.lay_out(paths.root)
    shutil.copytree(order.run_0, paths.run(0))
    pinned = chosen.pin(paths.pinned)
    at = time.time()
    results = ["run_0/final_info.json", "run_0/verified.json"]
    tree = workspace.with_results(workspace.snapshot(), results)
    about = f"Template {chosen.name}\n\nBaseline: {order.baseline.fingerprint.digest[:12]}"
    commit = workspace.commit(tree, workspace.head(), about, at)
    workspace.tag("template", commit)
    workspace.tag("run_0", commit)
    digest, earlier = workspace.executed_digest(), {}
    if origin is not None:
        tree = workspace.with_results(workspace.take_code(origin.commit), results)
        commit = workspace.commit(tree, commit, f"The code of {order.start}", at)
        earlier = origin.ran
    started = StudyStarted(
        at=at,
        study=paths.name,
        template=chosen.name,
        idea=order.idea,
        agent=order.agent,
        model=order.engine.model,
        prices=order.engine.prices,
        gpus=chosen.manifest.run.gpus,
        control=order.control,
        control_of=order.control_of,
        strategy=order.strategy,
        budget=order.budget,
        seeds=chosen.manifest.run.seeds,
        commit=commit,
        tree=tree,
        digest=digest,
        parent=order.start,
        earlier=earlier,
        pinned=pinned,
        held_out=held_out,
        fingerprint=order.baseline.fingerprint.digest,
        baseline=order.baseline.scores,
        baseline_reported=order.baseline.reported,
        baseline_machine=order.baseline.machine,
        sandbox=sandbox.name(),
    )
    with Journal(paths.journal) as journal:
        journal.append(started)


@dataclass(frozen=True)
class Origin:
    """The run of another study that a study goes on from."""

    commit: str
    ran: dict[str, str]
    """Digest → what executed it, for all code that ran in that study."""


def _origin(lab: Lab, project: ProjectPaths, order: Order) -> Origin | None:
    if not order.start:
        return None
    match = re.fullmatch(r"(.+)/run_(\d+)", order.start)
    if match is None:
        raise UserError(f"--from takes STUDY/run_K, not {order.start!r}")
    source = project.study(match[1])
    found = history(source)
    if found.begun.template != order.template.name:
        raise UserError(f"{source.name} is a study of {found.begun.template}, not of {order.template.name}")
    ran = {digest: f"{what} of {source.name}" for digest, what in found.digests.items() if what != "the baseline"}
    return Origin(lab.resolve(source.name, match[2]), ran)


def _new_name(project: ProjectPaths, order: Order) -> str:
    """`20261122-1530-title`, with a number behind it if that is taken."""
    slug = re.sub(r"[^a-z0-9]+", "-", order.idea.title.lower()).strip("-")[:32].strip("-") or order.template.name
    base = f"{time.strftime('%Y%m%d-%H%M')}-{slug}"
    names = (base if n == 1 else f"{base}-{n}" for n in range(1, 10_000))
    return next(name for name in names if not (project.runs / name).exists())


def check_name(name: str) -> str:
    if name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise UserError(f"a study's name is letters, digits, '.', '_' and '-', at most 100 of them; not {name!r}")
    if name == "HEAD" or name.endswith((".lock", ".git", ".")) or ".." in name:
        raise UserError(f"git does not take {name!r} as the name of a branch")
    return name


def agent_class(name: str) -> Any:
    return plugins.find("agent", name, AGENTS)


@contextmanager
def opened(project: ProjectPaths, paths: StudyPaths, means: Means, watcher: Watcher) -> Iterator[Study]:
    """A study ready to be worked on, new or taken up again; nobody else can open it meanwhile.

    Raises:
        UserError: another process works on it, or it is over.
    """
    process.hide_own_memory()
    executor: Executor = plugins.find("executor", means.executor, EXECUTORS)()
    with ExitStack() as stack:
        if not stack.enter_context(lock.held(paths.lock)):
            raise UserError(f"{paths.name} is being worked on by process {lock.holder(paths.lock)}")
        journal = stack.enter_context(Journal(paths.journal))
        state = History(journal.events)
        begun = state.begun
        pinned = Template(paths.pinned)
        workspace = Workspace(Lab(project.lab), paths.root, pinned)
        workspace.unlock()
        workspace.point_at(state.commit)
        study: Study

        def on_call(call: Call) -> None:
            study.called(call)

        setup = Setup(
            paths=paths,
            model=begun.model,
            prices=begun.prices,
            timeout=means.model_timeout,
            retries=means.model_retries,
            on_call=on_call,
            on_note=watcher.note,
            calls=state.calls_of_ended_turns,
        )
        agent = agent_class(begun.agent)(setup)
        stack.callback(agent.close)
        study = Study(
            paths=paths,
            template=pinned,
            workspace=workspace,
            journal=journal,
            agent=agent,
            strategy=plugins.find("strategy", begun.strategy, STRATEGIES)(),
            launcher=Launcher(
                template=pinned,
                executor=executor,
                pinned=paths.pinned,
                pinned_digest=begun.pinned,
                held_out_digest=begun.held_out,
                environment=environment.ready(pinned, project.environments, watcher.note),
                sandboxed=means.sandboxed,
                hidden=(str(project.root),),
            ),
            watcher=watcher,
        )
        if begun.baseline_machine not in (None, study.launcher.machine):
            watcher.note(_elsewhere(begun.baseline_machine, study.launcher.machine))
        if len(journal.events) > 1:  # also after a kill, so that the time nobody worked on it is not counted
            resumed = StudyResumed()
            journal.append(resumed)
            study.history.add(resumed)
        yield study


def _elsewhere(baseline: Machine, here: Machine) -> str:
    return (
        f"this is another kind of machine than the baseline's ({'; '.join(here.differences(baseline))}): the same code "
        "may give other last digits here, so nothing that runs here is called unchanged or compared exactly"
    )


def may_resume(paths: StudyPaths) -> History:
    """The history of a study that can go on.

    Raises:
        UserError: it is over.
    """
    found = history(paths)
    if found.stopped is not None and found.stopped.status in ("done", "failed"):
        raise UserError(f"{paths.name} is over ({found.stopped.status}: {found.stopped.reason})")
    return found
