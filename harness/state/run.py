"""One numbered run of a study, derived from its events."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.records import Comparison
from harness.results.compare import is_gain, looks_better, relative_gain, standardized_gain
from harness.results.final_info import mean
from harness.state.events import AttemptEnded, ConfirmationEnded, Recorded

LIKELY = 0.2
"""Two-sided p value below which a gain is likely: P(gain) > 0.9 with a flat prior."""


@dataclass
class Run:
    """One numbered run: its attempts so far and, once measured, how it compares."""

    number: int
    attempts: list[AttemptEnded] = field(default_factory=list)
    replicate_of: int | None = None
    digest: str = ""
    """Digest of the code that the last attempt executed."""
    recorded: Recorded | None = None
    pooled: tuple[Comparison, ...] = ()
    """Comparisons with all values of this code, once it has a replicate."""
    confirmed: ConfirmationEnded | None = None
    """Its result on fresh seeds, if it was run on them."""

    @property
    def measured(self) -> AttemptEnded | None:
        """The attempt that gave the run its metrics."""
        return self.attempts[-1] if self.attempts and self.attempts[-1].outcome == "ok" else None

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        return self.pooled or (self.recorded.comparisons if self.recorded else ())

    @property
    def primary(self) -> tuple[Comparison, ...]:
        """The comparisons of the primary metric, one per dataset."""
        return tuple(c for c in self.comparisons if c.primary)

    @property
    def stopped(self) -> bool:
        """Whether it was stopped after its first seeds."""
        return bool(self.recorded and self.recorded.stopped)

    @property
    def complete(self) -> bool:
        """Whether it has values on all seeds of the study and repeats no other run."""
        return self.replicate_of is None and not self.stopped

    @property
    def promising_on(self) -> set[str]:
        """Datasets on which it looks better; none for a replicate or a run that was stopped."""
        return {c.dataset for c in self.primary if looks_better(c) and self.complete}

    @property
    def promising(self) -> bool:
        return bool(self.promising_on)

    @property
    def looked(self) -> bool:
        """Whether it was confirmed in looks, as is done now."""
        return any(c.look for c in self.confirmed.comparisons) if self.confirmed else False

    @property
    def gain(self) -> float:
        """Relative improvement over the baseline, mean over datasets; positive is better."""
        return mean(tuple(map(relative_gain, self.primary))) if self.primary else float("-inf")

    @property
    def hopeful_on(self) -> tuple[str, ...]:
        """Datasets that a confirmation of this run is about: where a gain is likely, otherwise where it is largest.

        However small that gain is: a limit would save little and miss real gains (docs/verdicts.md).
        """
        gains = [c for c in self.primary if is_gain(c) and c.p is not None and self.complete]
        likely = tuple(c.dataset for c in gains if c.p is not None and c.p < LIKELY)
        best = max(gains, key=standardized_gain, default=None)
        return likely or ((best.dataset,) if best is not None else ())

    @property
    def promise(self) -> float:
        """The largest gain on a dataset, in standard deviations of the baseline between seeds."""
        return max((standardized_gain(c) for c in self.primary if c.dataset in self.hopeful_on), default=0.0)

    @property
    def outcome(self) -> str:
        if self.recorded and self.recorded.abandoned:
            return "given up"
        return self.attempts[-1].outcome if self.attempts else "unfinished"
