"""The one importer of litellm: our two providers, what a call cost, and what to do when a call fails.

A refused key, an unknown model, an empty account or a prompt that is too long stop the study at once. After a rate
limit, a server error, a time-out or a lost connection the call is repeated, after 1, 2, 4, … seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import litellm
from litellm import CustomLLM, ModelResponse

from harness.execution import process
from harness.models import MANUAL, REPLAY, RecordedCall, difference, read_recording
from harness.records import Usage

litellm.suppress_debug_info = True  # it would print advertisements between our lines

T = TypeVar("T")

PASSING = (
    litellm.exceptions.RateLimitError,
    litellm.exceptions.InternalServerError,
    litellm.exceptions.ServiceUnavailableError,
    litellm.exceptions.BadGatewayError,
    litellm.exceptions.APIConnectionError,
    litellm.exceptions.Timeout,
)
LONGEST_WAIT = 60.0


class CallFailed(BaseException):
    """A model call failed for good.

    Not an Exception: aider catches every Exception around a call and carries on as if the model had said nothing.
    """


def patiently(call: Callable[[], T], retries: int, tell: Callable[[str], None]) -> T:
    """Make a call; repeat it after temporary errors.

    Raises:
        CallFailed: with one line that names the error.
    """
    for tried in range(retries + 1):
        try:
            return _as_text(call())
        except PASSING as error:
            if tried == retries or "insufficient_quota" in str(error):
                raise CallFailed(_one_line(error) + (f" (tried {tried + 1} times)" if tried else "")) from error
            wait = min(2.0**tried, LONGEST_WAIT)
            tell(f"model call failed, trying again in {wait:g} s: {_one_line(error)}")
            time.sleep(wait)
        except Exception as error:  # litellm raises many kinds; each of them ends this call for good
            raise CallFailed(_one_line(error)) from error
    raise AssertionError("the loop returns or raises")


def _as_text(answer: T) -> T:
    """A model's answer without halves of characters (lone surrogates), which no file could hold."""
    response = answer[-1] if isinstance(answer, tuple) and answer else answer
    for choice in getattr(response, "choices", None) or ():
        message = getattr(choice, "message", None)
        text = getattr(message, "content", None)
        if message is not None and isinstance(text, str) and not text.isascii():
            message.content = text.encode("utf-8", "replace").decode()
    return answer


def _one_line(error: Exception) -> str:
    text = process.redacted(" ".join(str(error).split()))
    return f"{type(error).__name__}: {text[:400]}"


def prices(model: str) -> dict[str, float]:
    """Dollars per token (of input, output, cached input, …) by litellm's list; empty for a model without a price."""
    try:
        info = litellm.get_model_info(model)
    except Exception:  # noqa: BLE001  # litellm raises a bare Exception for a model that is not in its list
        return {}
    return {n: float(v) for n, v in info.items() if "token" in n and "cost" in n and isinstance(v, int | float) and v}


def keep_prices(model: str, known: dict[str, float]) -> None:
    """Price a model's calls by a study's own snapshot from now on."""
    if known:
        litellm.register_model({model: known})


def refusal(model: str) -> str:
    """Why litellm cannot call this model at all, or an empty string."""
    if model.startswith((REPLAY, MANUAL)):
        return ""
    try:
        litellm.get_llm_provider(model)
    except litellm.exceptions.BadRequestError:
        return f"no model named {model!r}; write provider/name, such as {', '.join(EXAMPLES)}"
    missing = [k for k in litellm.validate_environment(model).get("missing_keys", []) if k.endswith("_API_KEY")]
    return f"the model {model} needs {' and '.join(missing)} in the environment" if missing else ""


EXAMPLES = ("anthropic/claude-sonnet-4-5", "openai/gpt-5", "ollama/qwen3", "replay:FILE", "manual")


@dataclass(frozen=True)
class Route:
    """How a model is reached, and what a call of it costs."""

    name: str
    """What litellm knows it by."""
    provider: ReplayProvider | ManualProvider | None = None

    @classmethod
    def to(cls, model: str, folder: Path, calls: int, tell: Callable[[str], None]) -> Route:
        """How to reach a model; our own providers are registered with litellm."""
        provider: ReplayProvider | ManualProvider
        if model.startswith(REPLAY):
            provider = ReplayProvider(read_recording(Path(model.removeprefix(REPLAY))), calls, tell)
        elif model.startswith(MANUAL):
            own = model.removeprefix(MANUAL).removeprefix(":")
            provider = ManualProvider(Path(own) if own else folder / "manual", calls, tell)
        else:
            return cls(model)
        litellm.custom_provider_map = [{"provider": provider.name, "custom_handler": provider}]
        litellm.utils.custom_llm_setup()
        return cls(f"{provider.name}/model", provider)

    def usage(self, response: Any) -> Usage:
        """Tokens and dollars of a response: as recorded where it is a replay, else by litellm's price list.

        The price is that of the model asked for; endpoints call their models what they like.
        """
        if self.provider is not None:
            return self.provider.usage
        used = getattr(response, "usage", None)
        return Usage(
            calls=1,
            tokens_in=int(getattr(used, "prompt_tokens", 0) or 0),
            tokens_out=int(getattr(used, "completion_tokens", 0) or 0),
            dollars=_cost(response, self.name),
        )


def _cost(response: Any, model: str) -> float:
    try:
        return float(litellm.completion_cost(completion_response=response, model=model))
    except Exception:  # noqa: BLE001  # an unknown model raises a bare Exception; it has no price
        return 0.0


class ReplayProvider(CustomLLM):  # type: ignore[misc]  # litellm ships no usable types
    """Gives the k-th call the k-th recorded reply."""

    name = "replay"
    usage = Usage(calls=1)
    """Of the last call."""

    def __init__(self, recorded: list[RecordedCall], calls: int, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._recorded = recorded
        self._next = calls
        self._tell = tell

    def completion(self, *_: Any, messages: list[dict[str, Any]], **__: Any) -> ModelResponse:
        if self._next >= len(self._recorded):
            raise CallFailed(f"the recording holds {len(self._recorded)} replies and this is call {self._next + 1}")
        call = self._recorded[self._next]
        self._next += 1
        what = difference(call.prompt, last_user_message(messages))
        if what:
            self._tell(f"call {self._next}: {what}")
        self.usage = call.usage.model_copy(update={"calls": 1})
        return _response(call.reply)


class ManualProvider(CustomLLM):  # type: ignore[misc]  # litellm ships no usable types
    """Writes each prompt to a file and waits for the reply in another."""

    name = MANUAL
    usage = Usage(calls=1)
    """Of any call: tokens that a person pastes are not counted."""

    def __init__(self, folder: Path, calls: int, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._folder = folder
        self._calls = calls
        self._tell = tell

    def completion(self, *_: Any, messages: list[dict[str, Any]], **__: Any) -> ModelResponse:
        self._calls += 1
        self._folder.mkdir(parents=True, exist_ok=True)
        prompt = self._folder / f"{self._calls:04d}.prompt.md"
        reply = self._folder / f"{self._calls:04d}.reply.md"
        prompt.write_text(as_text(messages), encoding="utf-8")
        self._tell(
            f"the whole prompt is in {prompt}: paste it into a new chat and save the answer next to it as {reply.name}"
        )
        return _response(_wait_for(reply))


def _wait_for(path: Path) -> str:
    """The content of a file, once it exists, is not empty and no longer grows."""
    before = ""
    while True:
        now = path.read_text(encoding="utf-8-sig", errors="replace") if path.exists() else ""
        if now.strip() and now == before:
            return now
        before = now
        time.sleep(0.3)


def last_user_message(messages: list[dict[str, Any]]) -> str:
    """What was asked last, without the conversation before it."""
    return next((content(m) for m in reversed(messages) if m.get("role") == "user"), "")


def content(message: dict[str, Any]) -> str:
    body = message.get("content") or ""
    return body if isinstance(body, str) else "\n".join(str(part.get("text", "")) for part in body)


def as_text(messages: list[dict[str, Any]]) -> str:
    """A whole conversation as one readable text."""
    return "\n\n".join(f"<!-- {m.get('role')} -->\n\n{content(m)}" for m in messages) + "\n"


def _response(text: str) -> ModelResponse:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    return ModelResponse(choices=[choice], usage={"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0})
