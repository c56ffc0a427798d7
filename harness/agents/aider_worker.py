"""The one importer of aider (pinned: its Python interface is not a promised one). Runs in the agent's worker process.

Of aider we use the prompts, the conversation and the model's settings. Replies are read and applied by our own rules
(`replies.py`, `edits.py`, `desk_files.py`). A failed call is an error. What is said next, the harness decides.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # must be set before litellm is imported

import json

from aider import models as aider_models
from aider.coders.editblock_coder import EditBlockCoder
from aider.history import ChatSummary
from aider.io import InputOutput

from harness.agents.desk_files import DeskFiles, Taken
from harness.agents.thoughts import without_thoughts
from harness.execution import process
from harness.models import gateway
from harness.records import Call, Purpose
from harness.template import text_file
from harness.template.folder import Template

UNKNOWN_CONTEXT = 128_000
"""Tokens that a model of unknown context is taken to read."""
CUT_OFF = "Your reply was cut off at the model's output limit. Make a smaller change."
ONLY_THOUGHTS = (
    "All of the model's output went into thoughts: its output limit was reached before the reply began. Think less, "
    "and make a smaller change."
)


def serve(pipe: Connection, config: dict[str, Any]) -> None:
    """Answer edit requests until the controller is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the controller decides what Ctrl-C means
    _log_to(Path(config["private"]) / "agent" / "aider.log")
    requests = _requests(pipe)

    def tell(message: dict[str, Any]) -> None:
        pipe.send_bytes(_text(message))

    try:
        session = Session(config, tell)
        while True:
            request = requests.get()
            session.edit(request["edit"], request["purpose"], request["questions"])
    except gateway.CallFailed as error:
        tell({"failed": str(error)})
    except Exception as error:  # noqa: BLE001  # the process boundary: the controller gets one line, the log the rest
        traceback.print_exc()
        tell({"crashed": process.redacted(f"{type(error).__name__}: {error}")})
    threading.Event().wait()  # the study is paused now; this process ends with its controller


def _text(message: dict[str, Any]) -> bytes:
    """A message as JSON. What cannot be encoded as UTF-8 (lone surrogates) becomes a question mark."""
    return json.dumps(message, ensure_ascii=False).encode(errors="replace")


def _log_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)


def _requests(pipe: Connection) -> queue.SimpleQueue[dict[str, Any]]:
    """Requests as they come. If the controller dies, this process ends too, whatever it is doing."""
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def read() -> None:
        try:
            while True:
                requests.put(json.loads(pipe.recv_bytes()))
        except (EOFError, OSError):
            os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return requests


class Session:
    """One study's conversation with one model."""

    def __init__(self, config: dict[str, Any], tell: Callable[[dict[str, Any]], None]) -> None:
        private = Path(config["private"])
        self.tell = tell
        self._calls = int(config["calls"])
        template = Template(private / "template")
        model = RecordingModel(config, self._called, lambda note: tell({"note": note}))
        self.conversation = Conversation(model, config["history_share"])
        self.coder = TransactionalCoder.for_study(Path(config["root"]), template, model, self.conversation)
        self.coder.done_messages = list(config["messages"].get("done", []))
        self.coder.done_messages += config["messages"].get("cur", [])  # of studies that an older version began

    def edit(self, text: str, purpose: Purpose, questions: int) -> None:
        """One turn: a call, and a further one each time that the model asks to see files instead, `questions` at most.

        A question beyond that is answered with the next instruction.
        """
        self.coder.purpose = purpose
        taken = self._ask(text)
        for _ in range(questions):
            if taken.answer:
                taken = self._ask(taken.answer)
        problems = (*taken.problems, *([taken.answer] if taken.answer else []))
        messages = {"done": self.coder.done_messages, "cur": []}
        reply = {"text": taken.text, "problems": problems, "left_out": taken.left_out}
        self.tell({"reply": reply, "messages": messages, "calls": self._calls})

    def _ask(self, text: str) -> Taken:
        coder = self.coder
        coder.main_model.asked = text
        cut_off = coder.num_exhausted_context_windows
        calls = self._calls
        coder.taken = None
        coder.done_messages = self.conversation.latest(coder.done_messages)
        coder.run(with_message=text, preproc=False)
        if self._calls == calls:
            raise gateway.CallFailed("aider made no model call (the prompt may exceed the model's context)")
        taken = coder.taken or Taken(coder.partial_response_content or "", ("Your reply could not be read.",))
        if coder.num_exhausted_context_windows > cut_off:
            taken = Taken(without_thoughts(taken.text)[0], (CUT_OFF,))
            if not taken.text.strip():
                taken = Taken("", (ONLY_THOUGHTS,))
        self._keep(taken)
        return taken

    def _keep(self, taken: Taken) -> None:
        """Add what was said to the conversation: the reply without thoughts, and nothing about what became of it."""
        coder = self.coder
        asked = next(message for message in coder.cur_messages if message["role"] == "user")
        coder.done_messages += [asked, {"role": "assistant", "content": taken.text.strip() or "(no text)"}]
        coder.cur_messages = []

    def _called(self, call: Call, messages: list[dict[str, Any]]) -> None:
        self._calls += 1
        text = f"{gateway.as_text(messages)}\n\n<!-- reply -->\n\n{call.reply}\n"
        self.tell({"call": call.model_dump(), "number": self._calls, "text": text})


class RecordingModel(aider_models.Model):  # type: ignore[misc]  # aider ships no types
    """A model whose calls are counted, reported and retried by our rules instead of aider's."""

    asked = ""
    """The instruction. aider appends a reminder of its own, which is not recorded."""
    extra_params: Any

    def __init__(
        self,
        config: dict[str, Any],
        called: Callable[[Call, list[dict[str, Any]]], None],
        note: Callable[[str], None],
    ) -> None:
        aider_models.model_info_manager.content = {"-": {}}  # keeps aider from fetching a price list
        aider_models.model_info_manager._cache_loaded = True
        self._retries = int(config["retries"])
        self._called = called
        self._note = note
        self._last_note = ""
        private, calls = Path(config["private"]), int(config["calls"])
        gateway.keep_prices(config["model"], config["prices"])
        self._route = gateway.Route.to(config["model"], private, calls, self._remember)
        super().__init__(self._route.name, weak_model=False, editor_model=False)
        self.weak_model = self
        self.info: dict[str, Any] = {**self.info, "supports_assistant_prefill": False}  # it would call again to go on
        self.extra_params = {**(self.extra_params or {}), "timeout": config["timeout"], "max_retries": 0}

    def _remember(self, note: str) -> None:
        self._last_note = note
        self._note(note)

    def send_completion(
        self, messages: list[dict[str, Any]], functions: Any, stream: bool, temperature: float | None = None
    ) -> tuple[Any, Any]:
        self._last_note = ""
        started = time.monotonic()
        call = super().send_completion
        digest, response = gateway.patiently(
            lambda: call(messages, functions, stream, temperature), self._retries, self._note
        )
        sent = gateway.last_user_message(messages)
        done = Call(
            prompt=self.asked if sent.startswith(self.asked) else sent,
            reply=response.choices[0].message.content or "",
            usage=self._route.usage(response),
            seconds=time.monotonic() - started,
            note=self._last_note,
        )
        self._called(done, messages)
        return digest, response


class SilentIO(InputOutput):  # type: ignore[misc]  # aider ships no types
    """Answers every question of aider's with no."""

    def confirm_ask(self, *_: Any, **__: Any) -> bool:
        return False

    def read_text(self, filename: str, silent: bool = False) -> str | None:
        """As edits know the file: without a byte order mark, whatever its encoding."""
        try:
            return text_file.read_text(Path(filename))
        except (OSError, text_file.NotText):
            text: str | None = super().read_text(filename, silent)
            return text


class Conversation(ChatSummary):  # type: ignore[misc]  # aider ships no types
    """What the model sees of earlier turns: verbatim, without the oldest if there are too many.

    aider would have them summarised: after each edit a further model call, in a thread, whose result it then drops.
    """

    def __init__(self, model: RecordingModel, share: float) -> None:
        context = int(model.info.get("max_input_tokens") or UNKNOWN_CONTEXT)
        super().__init__([model], int(context * share))

    def too_big(self, messages: list[dict[str, Any]]) -> bool:  # noqa: ARG002
        return False

    def latest(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The last messages that fit, beginning with one of the user's."""
        left = self.max_tokens
        kept = len(messages)
        for tokens, _ in reversed(self.tokenize(messages)):
            left -= tokens
            if left < 0:
                break
            kept -= 1
        while kept < len(messages) and messages[kept]["role"] != "user":
            kept += 1
        return messages[kept:]


class TransactionalCoder(EditBlockCoder):  # type: ignore[misc]  # aider ships no types
    """aider's prompts and conversation; what a reply changes, `DeskFiles` decides."""

    purpose: Purpose = "start"
    template: Template
    files: DeskFiles
    taken: Taken | None = None
    """What became of the last reply; None if there was none."""

    @classmethod
    def for_study(
        cls, root: Path, template: Template, model: RecordingModel, conversation: Conversation
    ) -> TransactionalCoder:
        about = template.manifest.template
        io = SilentIO(pretty=False, fancy_input=False, yes=False, input_history_file=None, chat_history_file=None)
        coder = cls(
            model,
            io,
            fnames=[str(root / name) for name in about.editable],
            read_only_fnames=[str(root / name) for name in template.protected],
            use_git=False,
            auto_commits=False,
            auto_lint=False,
            map_tokens=0,
            stream=False,
            detect_urls=False,
            suggest_shell_commands=False,
            summarizer=conversation,
        )
        coder.root = str(root)
        coder.abs_root_path_cache = {}
        coder.max_reflections = 0
        coder.template = template
        coder.files = DeskFiles(root, template)
        return coder

    def format_chat_chunks(self) -> Any:
        """Also with the files that the agent added in earlier turns."""
        root = Path(self.root)
        for pattern in self.template.manifest.template.new_files:
            for path in root.glob(pattern):
                if path.is_file() and str(path) not in self.abs_read_only_fnames:
                    self.abs_fnames.add(str(path))
        return super().format_chat_chunks()

    def check_for_file_mentions(self, content: str) -> None:
        """aider would ask whether to add the files that a message mentions."""

    def apply_updates(self) -> set[str]:
        """Take the reply. aider is told of no edit, as it would add to the conversation that it updated the files."""
        self.taken = self.files.take(self.partial_response_content or "", self.purpose)
        return set()
