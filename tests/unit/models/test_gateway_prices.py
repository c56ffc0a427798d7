"""A study's calls are priced as they were when it began, whatever the price list says later."""

from __future__ import annotations

import litellm
import pytest
from litellm import ModelResponse
from litellm.types.utils import Usage as Used

from harness.models import gateway

MODEL = "anthropic/claude-sonnet-4-5"


def cost() -> float:
    response = ModelResponse(model=MODEL)
    response.usage = Used(prompt_tokens=1000, completion_tokens=100, total_tokens=1100)
    return gateway.Route(MODEL).usage(response).dollars


@pytest.fixture(autouse=True)
def price_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "model_cost", {name: dict(entry) for name, entry in litellm.model_cost.items()})


def test_a_snapshot_holds_the_price_per_token_and_a_model_without_one_has_none() -> None:
    known = gateway.prices(MODEL)
    assert cost() == pytest.approx(1000 * known["input_cost_per_token"] + 100 * known["output_cost_per_token"])
    assert gateway.prices("ollama/unheard-of") == {} == gateway.prices("replay:x")


def test_the_snapshot_counts_and_not_the_list_of_the_day() -> None:
    known = gateway.prices(MODEL)
    before = cost()
    gateway.keep_prices(MODEL, {name: 3 * value for name, value in known.items()})
    assert cost() == pytest.approx(3 * before)
    gateway.keep_prices(MODEL, {})
    assert cost() == pytest.approx(3 * before)
