"""Templates by name, for the commands that take several."""

from __future__ import annotations

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
