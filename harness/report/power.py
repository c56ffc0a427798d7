"""What a study will be able to show, in words: a line before anything is spent, and the warnings. Pure."""

from __future__ import annotations

from collections.abc import Callable

from harness.planning.power import DatasetPower, Outlook, outlook, why_nothing_to_plan
from harness.records import Budget, Scores
from harness.results.seeds import Seeding
from harness.template.manifest import Manifest
from harness.text import percent, plain, rough


def seen(row: DatasetPower, effect: float | None) -> str:
    """An effect in the metric's unit, and as a share of the baseline's mean."""
    if effect is None:
        return "–"
    share = row.share(effect)
    return rough(effect) + (f" ({percent(share)})" if share is not None else "")


def beforehand(
    manifest: Manifest, scores: Scores, seeding: Seeding, seconds: float, budget: Budget | None = None
) -> list[str]:
    """What a study can show, in a line, and the warnings; or why there is nothing to plan."""
    why = why_nothing_to_plan(manifest, scores, seeding)
    if why is not None:
        return [why]
    found = outlook(manifest, scores, seconds, budget)
    least = _range(found, lambda r: r.screening)
    parts = [f"{found.seeds} seeds usually show an improvement of {found.metric} by {least}"]
    if found.looks:
        confirmed = _range(found, lambda r: r.confirmation)
        parts.append(f"a confirmation with up to {found.looks[-1]} fresh seeds per side one by {confirmed}")
    return [f"{', '.join(parts)} (80 % power; more: harness power {found.template})", *warnings(found)]


def _range(found: Outlook, of: Callable[[DatasetPower], float | None]) -> str:
    """The effect on the only dataset, or the least and the largest one."""
    rows = sorted((effect, row.dataset, row) for row in found.datasets if (effect := of(row)) is not None)
    (least, _, first), (most, _, last) = rows[0], rows[-1]
    if len(rows) == 1:
        return seen(first, least)
    return f"{seen(first, least)} on {plain(first.dataset)} to {seen(last, most)} on {plain(last.dataset)}"


def warnings(found: Outlook) -> list[str]:
    """Where what can be seen is more than what is left to gain, or than what is worth it."""
    return [f"warning: {said}" for row in found.datasets for said in [_warning(found, row)] if said]


def _warning(found: Outlook, row: DatasetPower) -> str:
    on = f" on {plain(row.dataset)}" if len(found.datasets) > 1 else ""
    screening, decides = row.screening, row.confirmation if found.looks else row.screening
    if screening is None or decides is None:
        return ""
    setting, what = ("confirm", "a confirmation") if found.looks else ("seeds", f"a run on {found.seeds} seeds")
    misses = f"{what} often misses gains below {rough(decides)}{on}"
    if row.left is not None and decides > row.left:
        return f"{misses}, but only {rough(row.left)} is left to gain; raise [run] {setting}"
    if row.worth and decides > row.worth:
        return f"{misses}, but {rough(row.worth)} is worth it; raise [run] {setting}"
    if row.left is not None and screening > row.left:
        return (
            f"a run on {found.seeds} seeds often misses gains below {rough(screening)}{on}, but only "
            f"{rough(row.left)} is left to gain: few runs will look promising, and chance helps to choose the one that "
            "is confirmed; raise [run] seeds"
        )
    return ""
