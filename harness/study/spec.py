"""What a study is, and the options with which it is executed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.paths import StudyPaths
from harness.records import Budget, Idea, PricedModel
from harness.state.events import StudyStarted
from harness.state.journal import history
from harness.template import baseline as baselines
from harness.template.baseline import Baseline
from harness.template.folder import Template

MODEL_TIMEOUT = 600.0
MODEL_RETRIES = 4


@dataclass(frozen=True)
class ExecutionOptions:
    """How a study is executed. None of it changes what a result means, so a resumed study may use other options."""

    executor: str = "local"
    sandboxed: bool = True
    model_timeout: float = MODEL_TIMEOUT
    """Seconds per model call."""
    model_retries: int = MODEL_RETRIES


@dataclass(frozen=True)
class StudySpec:
    """What the user asked for, checked."""

    template: Template
    baseline: Baseline
    run_0: Path
    """What the baseline's run saved."""
    idea: Idea
    budget: Budget
    agent: str
    agent_settings: dict[str, Any]
    model: PricedModel
    strategy: str = "last"
    name: str = ""
    start: str = ""
    """`study/run_k`, if the study continues from another study's run."""
    control: str = ""
    """The agent of the control that follows the study, if any."""
    control_of: str = ""
    """The study whose control it is."""


def spec_of(paths: StudyPaths) -> StudySpec:
    """The specification of a study that exists, to create another one like it."""
    begun, pinned = history(paths).begun, Template(paths.pinned)
    return StudySpec(
        template=pinned,
        baseline=_baseline_of(begun, pinned),
        run_0=paths.run(0),
        idea=begun.idea,
        budget=begun.budget,
        agent=begun.agent,
        agent_settings=begun.agent_settings,
        model=PricedModel(model=begun.model, prices=begun.prices),
        strategy=begun.strategy,
        start=begun.parent,
        control=begun.control,
    )


def _baseline_of(begun: StudyStarted, pinned: Template) -> Baseline:
    """The baseline that a study is compared with; the stored one may have been refreshed since."""
    return Baseline(
        template=begun.template,
        fingerprint=baselines.fingerprint(pinned),
        scores=begun.baseline,
        reported=begun.baseline_reported,
        seconds=0.0,
        machine=begun.baseline_machine,
        seeding=begun.seeding,
        made_at=begun.at,
    )
