"""An audit as one self-contained HTML page: no scripts, fonts or network."""

from __future__ import annotations

from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from harness.audit.records import ARROWS, Item, Kind, Report
from harness.text import number

if TYPE_CHECKING:
    from jinja2 import Template

TITLES: dict[Kind, str] = {
    "replicate": "Code that had already run",
    "unsnapshotted": "Changes outside the snapshot",
    "unseen": "Results the agent never saw",
    "failed launch": "Failed launches",
    "no result": "Runs without a result",
    "numbers": "Means and standard errors",
    "claim": "Claims in the notes that the numbers do not support",
}


def page(report: Report) -> str:
    return _template().render(report=report, arrows=ARROWS, grouped=_grouped)


def _grouped(findings: tuple[Item, ...]) -> list[tuple[str, list[Item]]]:
    """Findings under the title of their kind, in the order of TITLES."""
    order = list(TITLES)
    ordered = sorted(findings, key=lambda item: order.index(item.kind))
    return [(TITLES[kind], list(items)) for kind, items in groupby(ordered, key=lambda item: item.kind)]


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    environment.filters["number"] = number
    return environment.get_template("page.html.j2")
