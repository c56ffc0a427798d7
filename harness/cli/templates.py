"""Templates by name, for the commands that take several."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.cli.app import project

if TYPE_CHECKING:
    from harness.template.folder import Template


def names() -> list[str]:
    from harness.template.folder import MANIFEST

    return sorted(p.parent.name for p in project().templates.glob(f"*/{MANIFEST}"))


def load(wanted: list[str] | None) -> list[Template]:
    from harness.template import folder as templates

    return [templates.load(project().templates, name) for name in wanted or names()]


def check_each(wanted: list[str] | None, check: Callable[[Template], None]) -> None:
    """Check every template, also after one that has a problem.

    Raises:
        HarnessError: the problem of the only template, or how many of several have one; stderr says which.
    """
    from harness.errors import HarnessError, TemplateError
    from harness.text import printable

    chosen, wrong = wanted or names(), []
    for name in chosen:
        try:
            check(*load([name]))
        except HarnessError as error:
            wrong.append(name)
            if len(chosen) == 1:
                raise
            print(f"{name}: {printable(str(error))}", file=sys.stderr)
    if wrong:
        raise TemplateError(f"{len(wrong)} of {len(chosen)} templates have problems: {', '.join(wrong)}")
