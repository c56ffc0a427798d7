"""An audit as one self-contained HTML page: no scripts, fonts or network."""

from __future__ import annotations

import re
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from harness.audit.records import ARROWS, Item, Kind, Report
from harness.audit.words import change, plain_number
from harness.text import number

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

TITLES: dict[Kind, str] = {
    "replicate": "Code that had already run",
    "unsnapshotted": "Changes outside the snapshot",
    "unseen": "Results the agent never saw",
    "failed launch": "Failed launches",
    "no result": "Runs without a result",
    "numbers": "Means and standard errors",
    "claim": "Claims in the notes and the paper that the numbers do not support",
}
LEGEND = {
    "better": "The mean is on the good side of run 0, and the corrected p value is below 0.05.",
    "worse": "The mean is on the bad side of run 0, and the corrected p value is below 0.05.",
    "differs": "The corrected p value is below 0.05, but it is not known whether more or less is better: set it with "
    "--goal.",
    "inconclusive": "The corrected p value is 0.05 or more: chance alone may explain the difference.",
    "cannot tell": "One of the two has a single value, so nothing shows how much values differ by chance.",
    "replicate": "The run executed code that had already run, so that any difference is noise.",
    "nothing to compare with": "Run 0 has no value of this metric on this dataset.",
    "no verdict": "The run has results, but no value of the metric that is compared.",
    "no result": "The run has no final_info.json that can be read.",
    "baseline": "This is run 0, which the other runs are compared with.",
}
"""Each verdict, explained."""


def page(report: Report) -> str:
    return _template().render(report=report, arrows=ARROWS, grouped=_grouped, legend=LEGEND)


def _grouped(findings: tuple[Item, ...]) -> list[tuple[str, list[Item]]]:
    """Findings under the title of their kind, in the order of TITLES."""
    order = list(TITLES)
    ordered = sorted(findings, key=lambda item: order.index(item.kind))
    return [(TITLES[kind], list(items)) for kind, items in groupby(ordered, key=lambda item: item.kind)]


def _breakable(name: str) -> Markup:
    """A name as HTML that may be broken into lines after each underscore, slash or hyphen."""
    from markupsafe import Markup, escape

    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=[_/-])", name))


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
    environment.filters |= {"breakable": _breakable, "number": number, "plain": plain_number, "change": change}
    return environment.get_template("page.html.j2")
