"""Creating a study. Everything that can be refused is refused before the first file is written."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass

from harness.errors import UserError
from harness.execution import environment, sandbox
from harness.paths import ProjectPaths, StudyPaths
from harness.state.events import StudyStarted
from harness.state.journal import Journal, history
from harness.study.spec import StudySpec
from harness.template import baseline as baselines
from harness.template.folder import Template
from harness.workspace import Lab, Workspace

RESERVED = {"baselines", "environments", "lab.git", "readme.md"}
"""Names in runs/ that a study may not have."""


def create(project: ProjectPaths, spec: StudySpec, say: environment.Say) -> StudyPaths:
    """Create a study: branch, worktree, pinned template, journal with its first event.

    Args:
        say: called with each line printed while the template's Python environment is built, if it has one.
    """
    paths = StudyPaths(project.runs / (spec.name or _new_name(project, spec)))
    if paths.root.exists():
        raise UserError(f"a study named {paths.name!r} already exists")
    lab = Lab(project.lab)
    if lab.has(paths.name):
        raise UserError(
            f"{project.lab} still has a branch {paths.name!r}, of a study whose folder is gone; choose another --name"
        )
    origin = _origin(lab, project, spec)
    ready = environment.ready(spec.template, project.environments, say)
    workspace = Workspace.create(lab, paths.root, spec.template)
    try:
        _fill(workspace, paths, spec, origin, ready.held_out_digest)
    except BaseException:
        workspace.discard()
        raise
    return paths


def _fill(workspace: Workspace, paths: StudyPaths, spec: StudySpec, origin: Origin | None, held_out: str) -> None:
    """Make the template with its baseline the first commit, and the code to continue from, if any, the second."""
    chosen = spec.template
    chosen.lay_out(paths.root)
    shutil.copytree(spec.run_0, paths.run(0))
    pinned = chosen.pin(paths.pinned)
    at = time.time()
    results = ["run_0/final_info.json", "run_0/verified.json"]
    tree = workspace.with_results(workspace.snapshot(), results)
    about = f"Template {chosen.name}\n\nBaseline: {spec.baseline.fingerprint.digest[:12]}"
    commit = workspace.commit(tree, workspace.head(), about, at)
    workspace.tag("template", commit)
    workspace.tag("run_0", commit)
    digest, earlier = workspace.executed_digest(), {}
    if origin is not None:
        tree = workspace.with_results(workspace.take_code(origin.commit), results)
        commit = workspace.commit(tree, commit, f"The code of {spec.start}", at)
        earlier = origin.ran
    started = StudyStarted(
        at=at,
        study=paths.name,
        template=chosen.name,
        idea=spec.idea,
        agent=spec.agent,
        agent_settings=spec.agent_settings,
        model=spec.model.model,
        prices=spec.model.prices,
        gpus=chosen.manifest.run.gpus,
        control=spec.control,
        control_of=spec.control_of,
        strategy=spec.strategy,
        budget=spec.budget,
        seeds=chosen.manifest.run.seeds,
        commit=commit,
        tree=tree,
        digest=digest,
        parent=spec.start,
        earlier=earlier,
        used_seeds=() if origin is None else origin.seeds,
        pinned=pinned,
        held_out=held_out,
        fingerprint=spec.baseline.fingerprint.digest,
        baseline=spec.baseline.scores,
        baseline_reported=spec.baseline.reported,
        baseline_machine=spec.baseline.machine,
        seeding=spec.baseline.seeding,
        sandbox=sandbox.name(),
    )
    with Journal(paths.journal) as journal:
        journal.append(started)


@dataclass(frozen=True)
class Origin:
    """The run of another study that a study continues from."""

    commit: str
    seeds: tuple[int, ...]
    """Seeds that the other study has used."""
    ran: dict[str, str]
    """Digest of code that ran in that study → what executed it."""


def _origin(lab: Lab, project: ProjectPaths, spec: StudySpec) -> Origin | None:
    if not spec.start:
        return None
    match = re.fullmatch(r"(.+)/run_(\d+)", spec.start)
    if match is None:
        raise UserError(f"--from takes STUDY/run_K, not {spec.start!r}")
    source = project.study(match[1])
    found = history(source)
    if found.begun.template != spec.template.name:
        raise UserError(f"{source.name} is a study of {found.begun.template}; --from needs one of {spec.template.name}")
    change = baselines.code_change(baselines.fingerprint(Template(source.pinned)), spec.baseline.fingerprint)
    if change is not None:
        raise UserError(
            f"{source.name} began from another version of {spec.template.name} ({change}); its code cannot be compared "
            "with today's baseline; name a study that began later"
        )
    ran = {digest: f"{what} of {source.name}" for digest, what in found.digests.items() if what != "the baseline"}
    return Origin(lab.resolve(source.name, match[2]), tuple(sorted(found.seeds)), ran)


def _new_name(project: ProjectPaths, spec: StudySpec) -> str:
    """`20261122-1530-title`, followed by a number if that name is taken."""
    slug = re.sub(r"[^a-z0-9]+", "-", spec.idea.title.lower()).strip("-")[:32].strip("-") or spec.template.name
    base = f"{time.strftime('%Y%m%d-%H%M')}-{slug}"
    names = (base if n == 1 else f"{base}-{n}" for n in range(1, 10_000))
    return next(name for name in names if not (project.runs / name).exists())


def check_name(name: str) -> None:
    """Raise UserError if a study cannot have this name; an empty name stands for one that `create` chooses."""
    if name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise UserError(f"a study's name is letters, digits, '.', '_' and '-', at most 100 of them; not {name!r}")
    if name.lower() in RESERVED:
        raise UserError(
            f"a study cannot be named {name!r}: the harness keeps other things there; choose another --name"
        )
    if name == "HEAD" or name.endswith((".lock", ".git", ".")) or ".." in name:
        raise UserError(f"git cannot have a branch named {name!r}; choose another --name")
