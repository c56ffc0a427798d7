"""Audits the results of another system: finds problems that its folder shows but its authors do not mention.

`reading` turns a folder into frozen records and trusts nothing in it; `transcript`, `latex` and `judging` are pure;
`page` renders HTML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.audit.judging import judge
from harness.audit.metric_names import Wanted
from harness.audit.reading import ideas
from harness.audit.records import IdeaReport, Item, Kind, Material, Report, Share, StandardErrors
from harness.audit.words import listing, tame
from harness.errors import UserError
from harness.records import Goal


def audit(folder: Path, metric: str | None = None, goals: Mapping[str, Goal] | None = None) -> Report:
    """Audit one idea's folder, or a folder of such folders.

    Args:
        folder: it is not modified.
        metric: the primary metric; by default it is chosen by name.
        goals: metric → its direction, for metrics with misleading names.

    Raises:
        UserError: there is nothing to audit, or no idea has a metric of that name.
    """
    materials, skipped = ideas(folder)
    wanted = Wanted(metric, goals or {})
    _refuse_unknown(materials, wanted)
    reports = tuple(judge(material, wanted) for material in materials)
    return Report(folder=tame(str(folder), 4000), ideas=reports, totals=totals(reports), skipped=tuple(skipped))


def _refuse_unknown(materials: Sequence[Material], wanted: Wanted) -> None:
    there = {name for m in materials for run in m.runs for each in run.results.values() for name in each}
    for name in (wanted.metric, *wanted.goals):
        if name is not None and name not in there:
            known = listing(sorted(there), 20) or "none"
            raise UserError(f"no run has a metric {name!r}; known: {known}")


def totals(ideas: Sequence[IdeaReport]) -> tuple[Share, ...]:
    """What was found over all ideas, as shares of what was checked; shares of nothing are left out."""
    measured = [run for idea in ideas for run in idea.runs if run.number and run.status == "measured"]
    findings = [item for idea in ideas for item in idea.findings]
    kept = sum(run.snapshot for run in measured)
    seen = [run.seen for run in measured if run.seen is not None]
    failed = _count(findings, "failed launch")
    launched = sum(r.status == "measured" for idea in ideas if idea.failures_known for r in idea.runs if r.number)
    errors = [each for idea in ideas for each in idea.standard_errors]
    judged = [j.word for run in measured for j in run.judgements if j.word in WORDS]
    shares = (
        _share("runs", "executed code that had already run", sum(r.same_code_as is not None for r in measured), kept),
        _share("runs", "changed only files outside the snapshot", _count(findings, "unsnapshotted"), kept),
        _share("results", "were never seen by the agent", seen.count(False), len(seen)),
        _share("launches", "failed", failed, failed + launched),
        _share("claimed standard errors", "are wrong", *_wrong(errors)),
        *(_share("comparisons with run 0", f"say: {w}", judged.count(w), len(judged)) for w in WORDS if w in judged),
        _share("claims in notes and paper", "are not supported by the numbers", _count(findings, "claim"), None),
    )
    return tuple(share for share in shares if share.total != 0)


WORDS = ("better", "worse", "differs", "inconclusive", "cannot tell")


def _share(things: str, what: str, count: int, total: int | None) -> Share:
    return Share(things=things, what=what, count=count, total=total)


def _wrong(errors: Sequence[StandardErrors]) -> tuple[int, int]:
    return sum(each.count for each in errors if not each.right), sum(each.count for each in errors)


def _count(findings: Sequence[Item], kind: Kind) -> int:
    return sum(item.kind == kind for item in findings)


__all__ = ["IdeaReport", "Report", "audit", "totals"]
