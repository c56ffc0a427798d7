"""The default agent: aider's own editing engine, in a worker process of its own.

Importing aider and litellm takes seconds, so a fork server imports them once and every study gets a fork. Worker and
controller exchange JSON texts over a pipe: `{"edit": …}` one way, any number of `{"call": …}` and `{"note": …}` and
then one `{"reply": …}` or `{"failed": …}` the other.
"""

from __future__ import annotations

import json
import multiprocessing
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

from pydantic import Field

from harness import models
from harness.agents import Instruction, Request, Setup
from harness.errors import ModelFailed, UserError, WorkerDied
from harness.execution.process import only_clean_variables
from harness.files import write_json
from harness.records import Call, PricedModel, Record, Reply

MOST_QUESTIONS = 2
"""How often per turn a model is shown files that it asks for."""
OPENING = 120.0
"""Seconds that importing and opening may take on a slow machine."""


@cache
def warm() -> ForkServerContext:
    """Start importing aider in the background; the next worker is then quick."""
    from multiprocessing import forkserver, resource_tracker

    with only_clean_variables():  # the tracker needs no key, and anybody may read what a process was started with
        resource_tracker.ensure_running()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["harness.agents.aider_preload"])
    forkserver.ensure_running()
    return context


class AiderSettings(Record):
    """`[agent.aider]`"""

    history_share: float = Field(0.5, gt=0, lt=1)
    """Share of the model's context that the conversation so far may fill; the oldest part is left out first."""


class AiderAgent:
    """Talks to one worker, which keeps the conversation of one study."""

    Settings = AiderSettings
    uses_model = True
    how_to_edit = (
        "Write the change as SEARCH/REPLACE blocks, or send a whole file: its exact name alone on a line, then a fence "
        "with all of its lines. SEARCH text must match the file exactly, at one place only. A reply is applied as a "
        "whole: if one edit does not fit, none of them is applied. (An edit of notes that does not fit is left out.)"
    )

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._worker: Worker | None = None

    @staticmethod
    def check(request: Request) -> PricedModel:
        """The model asked for, or that of a key in the environment."""
        chosen = models.choose(request.model)
        models.check(chosen)
        with Worker(_check, (chosen, request.priced)) as worker:
            answer = worker.receive(OPENING)
        if answer["refusal"]:
            raise UserError(answer["refusal"])
        return PricedModel(model=chosen, prices=answer["prices"])

    def edit(self, instruction: Instruction, desk: Path) -> Reply:
        setup = self._setup
        if self._worker is None:
            conversation = setup.paths.conversation(setup.calls)
            messages = json.loads(conversation.read_text()) if conversation.exists() else {}
            limits = {"timeout": setup.timeout, "retries": setup.retries, "prices": setup.prices}
            limits |= setup.settings.model_dump()
            place = {"root": str(desk), "private": str(setup.paths.private)}
            self._worker = Worker(
                _serve, ({"model": setup.model, "calls": setup.calls, "messages": messages, **limits, **place},)
            )
        budget = instruction.history.begun.budget
        questions = 0 if budget.dollars or budget.tokens else MOST_QUESTIONS  # a budget is checked before every call
        self._worker.send({"edit": instruction.text, "purpose": instruction.purpose, "questions": questions})
        return self._answer(self._worker)

    def _answer(self, worker: Worker) -> Reply:
        while True:
            message = worker.receive(self._patience())
            if "call" in message:
                self._setup.on_call(Call.model_validate(message["call"]))
                self._setup.paths.call(message["number"]).parent.mkdir(parents=True, exist_ok=True)
                self._setup.paths.call(message["number"]).write_text(message["text"], encoding="utf-8")
            elif "note" in message:
                self._setup.on_note(message["note"])
            elif "failed" in message:
                raise ModelFailed(f"the model {self._setup.model} could not be called: {message['failed']}")
            else:
                write_json(self._setup.paths.conversation(message["calls"]), message["messages"])
                return Reply.model_validate(message["reply"])

    def _patience(self) -> float | None:
        """Seconds to wait for the worker's next message; None is for ever."""
        return None if self._setup.model.startswith(models.MANUAL) else OPENING + self._setup.timeout

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()


class Worker:
    """A forked process and the pipe to it."""

    def __init__(self, target: Any, arguments: tuple[Any, ...]) -> None:
        context = warm()
        self._pipe, theirs = context.Pipe()
        self._process: ForkServerProcess = context.Process(target=target, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    def send(self, message: dict[str, Any]) -> None:
        try:
            self._pipe.send_bytes(json.dumps(message).encode())
        except (BrokenPipeError, ConnectionResetError) as error:
            raise WorkerDied("the agent's process is gone") from error

    def receive(self, patience: float | None) -> dict[str, Any]:
        try:
            if not self._pipe.poll(patience):
                raise WorkerDied(f"the agent said nothing for {patience:g} s and was stopped")
            message: dict[str, Any] = json.loads(self._pipe.recv_bytes())
        except (EOFError, ConnectionResetError) as error:
            raise WorkerDied(
                "the agent's process ended without an answer; see .harness/agent/aider.log in the study"
            ) from error
        if "crashed" in message:
            raise WorkerDied(f"the agent's process failed: {message['crashed']}")
        return message

    def close(self) -> None:
        self._pipe.close()
        self._process.kill()
        self._process.join()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _serve(pipe: Connection, config: dict[str, Any]) -> None:
    """Runs in the worker. Imported here, so that the controller does not load aider."""
    from harness.agents.aider_worker import serve

    serve(pipe, config)


def _check(pipe: Connection, model: str, priced: bool) -> None:
    """Runs in a worker."""
    from harness.models.gateway import prices, refusal

    why, known = refusal(model), prices(model)
    if not why and priced and not known:
        why = f"the price of {model} is not known, so a budget in dollars cannot be kept; use --max-tokens"
    pipe.send_bytes(json.dumps({"refusal": why, "prices": known}).encode())
