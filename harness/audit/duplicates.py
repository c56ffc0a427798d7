"""Which runs executed the same code, and how far their results differ nevertheless: unmeasured noise. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.audit import transcript
from harness.audit.metric_names import Wanted, is_cost
from harness.audit.records import Item, Replicates, Source, Spread
from harness.audit.words import listing, size_of_change
from harness.results.final_info import mean


@dataclass(frozen=True)
class Code:
    """What is known about the code that the runs executed."""

    first: dict[int, int]
    """run → the first run that executed the same code, which may be itself."""
    unsnapshotted: dict[int, tuple[int, tuple[str, ...]]]
    """run → an earlier run with the same snapshot, and the other files that were edited in between."""
    certain: dict[int, bool]
    """run → whether the chat shows that nothing else was edited since the first."""

    @property
    def repeated(self) -> set[int]:
        """Runs of code that had already run."""
        return {run for run, first in self.first.items() if run != first}


def code_of(measured: Mapping[int, Source], chat: transcript.Story | None) -> Code:
    """Compare the runs' snapshots, and find other edits in the chat.

    The baseline has no snapshot. If the chat shows that nothing was edited before run 1, run 1 executed its code.
    """
    digests = {number: run.code for number, run in sorted(measured.items()) if run.code is not None}
    if 0 in measured and 0 not in digests and 1 in digests and transcript.edited_between(chat, 0, 1) == set():
        digests = {0: digests[1], **digests}
    code = Code({}, {}, {})
    for number, digest in digests.items():
        edits = {
            earlier: _others_edited(chat, earlier, number)
            for earlier in digests
            if earlier < number and digests[earlier] == digest
        }
        same = [earlier for earlier, files in edits.items() if not files]
        code.first[number] = code.first[same[0]] if same else number
        code.certain[number] = bool(same) and edits[same[0]] is not None
        if edits and not same:
            last = max(edits)
            code.unsnapshotted[number] = (last, tuple(sorted(edits[last] or ())))
    return code


def _others_edited(chat: transcript.Story | None, first: int, last: int) -> set[str] | None:
    """Edited code files, except the one that the snapshots contain."""
    edited = transcript.edited_between(chat, first, last)
    return None if edited is None else edited - {transcript.SNAPSHOTTED}


def replicates(measured: Mapping[int, Source], code: Code, wanted: Wanted) -> list[Replicates]:
    """The groups of runs that executed the same code, with their results."""
    groups: dict[int, list[int]] = {}
    for run, first in code.first.items():
        groups.setdefault(first, []).append(run)
    return [
        Replicates(
            runs=tuple(runs),
            certain=all(code.certain[run] for run in runs[1:]),
            spreads=tuple(_spreads([measured[run] for run in runs], wanted)),
        )
        for runs in groups.values()
        if len(runs) > 1
    ]


def _spreads(runs: Sequence[Source], wanted: Wanted) -> Iterator[Spread]:
    """How far each metric that all these runs have differs between them."""
    for dataset, metrics in runs[0].results.items():
        for name in metrics:
            if not all(name in run.results.get(dataset, {}) for run in runs):
                continue
            means = tuple(mean(run.results[dataset][name].values) for run in runs)
            goal, width = wanted.goal(name), max(means) - min(means)
            worst = max(means) if goal == "min" else min(means) if goal == "max" else means[0]
            yield Spread(
                dataset=dataset,
                metric=name,
                goal=goal,
                means=means,
                relative=width / abs(means[0]) if means[0] else None,
                gain=width / abs(worst) if worst else None,
            )


def describe_code(same: Sequence[Replicates], code: Code, primary: str | None) -> Iterator[Item]:
    for group in same:
        doubt = "" if group.certain else " (it is not known whether other files changed)"
        text = (
            f"runs {listing([str(run) for run in group.runs])} executed identical code{doubt}{_noise(group, primary)}"
        )
        yield Item(kind="replicate", run=group.runs[-1], message=text)
    for run, (earlier, files) in code.unsnapshotted.items():
        text = f"run {run} differs from run {earlier} only in files outside the snapshot: {listing(files, 5)}"
        yield Item(kind="unsnapshotted", run=run, message=text)


def _noise(group: Replicates, primary: str | None) -> str:
    """The primary metric's largest spread and, where larger, any quality metric's, as part of a sentence."""
    own = max((s for s in group.spreads if s.metric == primary), key=_size, default=None)
    quality = max((s for s in group.spreads if s.goal and not is_cost(s.metric)), key=_size, default=None)
    if own is None:
        return ""
    if not _size(own) and (quality is None or not _size(quality)):
        return f" and gave the same {own.metric}" if len(set(own.means)) == 1 else ""
    shown = [own] if quality is None or _size(quality) <= _size(own) else [own, quality]
    return f"; by noise alone {listing([_in_words(spread) for spread in shown])}"


def _size(spread: Spread) -> float:
    return spread.gain or 0.0


def _in_words(spread: Spread) -> str:
    values = ", ".join(f"{value:.4g}" for value in spread.means[:6]) + (", …" if len(spread.means) > 6 else "")
    what = "an improvement of" if spread.goal else "a difference of"
    return f"{spread.metric} on {spread.dataset} ({values}) could pass for {what} {size_of_change(_size(spread))}"
