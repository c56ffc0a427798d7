"""What the next run starts from."""

from __future__ import annotations

import pytest

from harness import plugins
from harness.planning import strategies
from harness.planning.strategies import Best, Last

from .conftest import Story

GOOD, BETTER, BAD = (0.5, 0.6, 0.55), (0.1, 0.2, 0.15), (2.0, 2.1, 2.2)


def test_the_built_in_strategies_are_found() -> None:
    assert plugins.find("strategy", "last", strategies.BUILT_IN) is Last
    assert plugins.find("strategy", "best", strategies.BUILT_IN) is Best


@pytest.mark.parametrize("losses", [[], [GOOD], [BETTER, BAD]])
def test_last_never_goes_back(story: type[Story], losses: list[tuple[float, ...]]) -> None:
    s = story()
    for loss in losses:
        s.run(loss)
    assert Last().base(s.history) is None


@pytest.mark.parametrize(
    ("losses", "base"),
    [
        ([], None),
        ([GOOD], None),
        ([BAD], 0),
        ([GOOD, BAD], 1),
        ([GOOD, BETTER], None),
        ([BETTER, GOOD, BAD], 1),
        ([BAD, GOOD, BAD], 2),
        ([BAD, BAD], 0),
    ],
)
def test_best_goes_back_to_the_best_run_so_far_or_the_baseline(
    story: type[Story], losses: list[tuple[float, ...]], base: int | None
) -> None:
    s = story()
    for loss in losses:
        s.run(loss)
    assert Best().base(s.history) == base


def test_best_takes_no_failed_run(story: type[Story]) -> None:
    assert Best().base(story().run(BETTER).failed_run().history) is None
    assert Best().base(story().failed_run().history) is None
