"""The setup of a study, what it has spent, what it will do next, and claims that its results do not support."""

from __future__ import annotations

from pathlib import Path

from harness.claims import notes
from harness.paths import StudyPaths
from harness.planning import budget
from harness.report.next import next_of
from harness.report.summary import status_of
from harness.state.history import History
from harness.text import duration, plain


def facts(paths: StudyPaths, history: History) -> dict[str, str]:
    """Name → value, as text."""
    begun = history.begun
    written = written_notes(paths)
    used = sorted(history.sandboxes or {begun.sandbox})
    found = {
        "agent": f"{begun.agent} {begun.model}".strip(),
        "seeds": ", ".join(map(str, begun.seeds)),
        "sandbox": ", ".join(used).replace("none", "none (runs were not confined)"),
        "baseline": f"measured on {begun.baseline_machine or 'an unknown machine'}",
        "spent": f"{duration(history.seconds)}, {history.usage.tokens:,} tokens, ${history.usage.dollars:.4f}",
        **({"saved": f"{duration(history.saved)} of machine time, by stopping runs early"} if history.saved else {}),
        "left": str(budget.left(history)),
        **({"notes": ", ".join(map(str, written))} if written else {}),
        "logs": str(paths.private / "jobs"),
        "prompts": str(paths.private / "prompts"),
    }
    if status_of(paths, history) not in ("done", "failed"):
        found["next"] = next_of(paths, history)
    return found


def written_notes(paths: StudyPaths) -> list[Path]:
    """Files of notes that are not as the template has them."""
    found = [paths.root / name for name in notes.NAMES if (paths.root / name).is_file()]
    before = {path: paths.pinned / path.name for path in found}
    return [path for path in found if not before[path].is_file() or path.read_bytes() != before[path].read_bytes()]


def unsupported_claims(paths: StudyPaths, history: History) -> list[str]:
    """Claims in the notes that the results do not support, one line each."""
    return [f"{name}:{finding.line}: {plain(finding.message)}" for name, finding in notes.audit(paths.root, history)]
