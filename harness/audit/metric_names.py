"""The direction of a metric, and which metric is the primary one, guessed from names. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.records import Goal

_LESS = {
    *("loss", "losses", "error", "errors", "err", "nll", "bce", "mse", "rmse", "mae", "perplexity", "ppl", "bpc"),
    *("bpb", "divergence", "kl", "fid", "regret", "wer", "cer", "distance", "time", "seconds", "latency", "duration"),
    *("memory", "flops", "cost", "steps", "step", "fvu", "violation", "violations", "gap"),
}
_MORE = {
    *("acc", "accuracy", "score", "reward", "return", "returns", "f1", "auc", "auroc", "precision", "recall", "r2"),
    *("map", "bleu", "rouge", "psnr", "ssim", "iou", "dice", "mcc", "likelihood", "success", "wins", "throughput"),
    *("coverage", "reliability", "purity"),
}
_RULES: tuple[tuple[str, Goal], ...] = (
    (r"per (second|sec|s|minute)\b|throughput", "max"),
    (r"^(final |best |mean |avg |total )*(steps?|time|epochs?|iterations?) ", "min"),
    (r"neg(ative)? (log )?likelihood|negative log", "min"),
)
_LAST = re.compile(r"\b(time|seconds?|latency|duration|memory|throughput|sec|flops)\b")
_HELD_OUT = re.compile(r"\b(val|valid|validation|test|eval|evaluation|heldout)\b")


def words_of(metric: str) -> str:
    """A metric's name as lower-case words: `bestValLoss` and `best_val_loss` are "best val loss"."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", metric)
    return " ".join(re.findall(r"[a-z0-9]+", parted.lower()))


def goal_of(metric: str) -> Goal | None:
    """Whether lower or higher is better, by the last word that tells; None if no word does."""
    words = words_of(metric)
    for pattern, goal in _RULES:
        if re.search(pattern, words + " "):
            return goal
    for word in reversed(words.split()):
        if word in _LESS:
            return "min"
        if word in _MORE:
            return "max"
    return None


def likeliest(metrics: Sequence[str]) -> str | None:
    """The metric that an idea is most likely about: held-out quality before training quality before cost.

    Args:
        metrics: in the order of the file; ties go to the first.
    """
    return min(metrics, key=lambda name: _rank(words_of(name), goal_of(name)), default=None)


def _rank(words: str, goal: Goal | None) -> int:
    if _LAST.search(words):
        return 4
    if goal is None:
        return 3
    return 0 if _HELD_OUT.search(words) else 2 if re.search(r"\b(train|training|steps?)\b", words) else 1


def is_cost(metric: str) -> bool:
    """Whether a metric measures the cost of a run: time or memory."""
    return _LAST.search(words_of(metric)) is not None


@dataclass(frozen=True)
class Wanted:
    """The user's options about metrics."""

    metric: str | None = None
    goals: Mapping[str, Goal] = field(default_factory=dict)

    def goal(self, metric: str) -> Goal | None:
        return self.goals.get(metric) or goal_of(metric)
