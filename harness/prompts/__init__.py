"""What the agent is told. The text is in the `.j2` files of this folder; this module fills them in.

An undefined name in a template is an error, never an empty string.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.planning import racing
from harness.planning.budget import Left
from harness.planning.power import outlook, why_nothing_to_plan
from harness.records import DONE, Comparison, Scores
from harness.results.final_info import deviation, mean
from harness.state.events import ConfirmationEnded
from harness.state.history import History
from harness.state.verdicts import disagreements, judge_confirmed, screen
from harness.text import duration, number, rough

if TYPE_CHECKING:
    from jinja2 import Environment

    from harness.template.manifest import Manifest


def start(history: History, manifest: Manifest, left: Left, how_to_edit: str) -> str:
    """The first prompt: idea, template, files, baseline, budget, rules; `how_to_edit` is the agent's own part."""
    begun = history.begun
    planned = (manifest, begun.baseline, None, begun.budget)
    command = " ".join(part.replace("{out_dir}", "run_1") for part in manifest.run.command)
    return _render(
        "start.j2",
        begun=begun,
        idea=begun.idea,
        about=manifest.template,
        protected=manifest.template.untouchable,
        how_to_edit=how_to_edit,
        manifest=manifest,
        command=command,
        baseline=rows(begun.baseline),
        outlook=None if why_nothing_to_plan(manifest, begun.baseline, begun.seeding) else outlook(*planned),
        left=left,
        done=DONE,
        first=len(racing.first_seeds(history, manifest)),
    )


def following(history: History, left: Left, base: int | None = None) -> str:
    """What happened since the last prompt, and what may be done now. `base`: the run whose code was put back."""
    return _render("next.j2", left=left, done=DONE, base=base, **_news(history))


def finish(history: History, manifest: Manifest, why: str) -> str:
    """The last results, then: write the notes and finish the plots."""
    notes = [name for name in manifest.for_the_end if name != "plot.py"]
    plots = "plot.py" in manifest.for_the_end
    return _render("finish.j2", why=why, notes=notes, plots=plots, measured=history.measured, **_news(history))


def _news(history: History) -> dict[str, Any]:
    verdicts = {
        "screened": screen(history),
        "confirmed": judge_confirmed(history),
        "disagreements": disagreements,
        "fresh_comparisons": looked,
    }
    return {"history": history, "unreached": unreached, "fresh_comparisons": looked, **verdicts}


def looked(event: ConfirmationEnded) -> bool:
    """Whether a confirmation was made in looks, with the baseline on the same seeds."""
    return any(c.look for c in event.comparisons)


def unreached(comparisons: Sequence[Comparison]) -> list[str]:
    """Datasets on which a run's primary metric is unchanged, unless it is on all: their numbers are left out."""
    primary = [c for c in comparisons if c.primary]
    unchanged = [c.dataset for c in primary if c.unchanged]
    return unchanged if len(unchanged) < len(primary) else []


def rows(scores: Scores) -> list[dict[str, Any]]:
    """One row per dataset and metric: mean, spread over seeds, number of seeds."""
    return [
        {"dataset": dataset, "metric": metric, "mean": mean(values), "sd": deviation(values), "n": len(values)}
        for dataset, metrics in scores.items()
        for metric, values in metrics.items()
    ]


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        autoescape=False,  # prompts are plain text
    )
    environment.filters |= {"number": number, "rough": rough, "duration": duration}
    return environment


def _render(name: str, **context: Any) -> str:
    return _environment().get_template(name).render(**context).strip() + "\n"
