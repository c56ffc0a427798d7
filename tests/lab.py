"""What the tests do experiments with: a project of their own, recordings they write, a pretended endpoint.

Nothing here stands in for a part of the harness: studies go through the real command line, git, aider and processes.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, TypeVar

import psutil

from harness.cli import main
from harness.paths import StudyPaths
from harness.state.events import AnyEvent, AttemptEnded, AttemptLaunched, EditChecked, StudyStopped, TurnEnded
from harness.state.history import History
from harness.state.journal import read
from harness.state.verdicts import judge

DATA = Path(__file__).parent / "data"
DONE = "ALL_COMPLETED"
UNCONFIRMED = "promising, unconfirmed"
NEARER = "SCALE = 2.0"
NOTES = "Nothing yet."
PATIENCE = 40.0
"""Seconds after which something that should happen is taken never to happen."""

E = TypeVar("E", bound=AnyEvent)


def edit(path: str, search: str, replace: str) -> str:
    """One SEARCH/REPLACE block as a coding agent writes it."""
    before, after = (f"{text}\n" if text else "" for text in (search, replace))
    return f"{path}\n```python\n<<<<<<< SEARCH\n{before}=======\n{after}>>>>>>> REPLACE\n```\n"


def scale(value: float, before: float = 1.0) -> str:
    """A reply that changes the one constant that matters."""
    return f"I set SCALE to {value}.\n\n" + edit("experiment.py", f"SCALE = {before}", f"SCALE = {value}")


def swap(old: str, new: str, path: str = "experiment.py") -> str:
    """A block that changes `old` into `new` in a file of the template, cut out as whole lines."""
    text = (DATA / "templates" / "tiny" / path).read_text()
    assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {path}"
    start = text.rfind("\n", 0, text.index(old)) + 1
    lines = text[start : text.find("\n", text.index(old) + len(old))]
    return edit(path, lines, lines.replace(old, new))


def undo(reply: str) -> str:
    """A reply that takes every block of another one back."""
    blocks = re.findall(r"^(\S+)\n```python\n<<<<<<< SEARCH\n(.*?)=======\n(.*?)>>>>>>> REPLACE", reply, re.M | re.S)
    assert blocks
    return "I take it back.\n\n" + "".join(edit(path, new.rstrip("\n"), old.rstrip("\n")) for path, old, new in blocks)


def in_real_runs(code: str) -> str:
    """A reply after which every run, except smoke runs, begins with `code`."""
    return "Now it misbehaves.\n\n" + swap(
        "time.sleep(PAUSE)", code.replace("\n", "\n        ") + "\n        time.sleep(PAUSE)"
    )


def notes(text: str = "SCALE nearer to 3 lowers the loss.") -> str:
    return "I write the notes.\n\n" + edit("notes.md", NOTES, text)


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Study:
    """A study as it lies on disk, read afresh each time."""

    paths: StudyPaths
    said: Said = Said(0, "", "")
    """What the command that worked on it last said."""

    @property
    def events(self) -> list[AnyEvent]:
        return read(self.paths.journal)

    @property
    def history(self) -> History:
        return History(self.events)

    def of(self, kind: type[E]) -> list[E]:
        """All events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def turns(self) -> list[TurnEnded]:
        return self.of(TurnEnded)

    @property
    def launches(self) -> list[AttemptLaunched]:
        return self.of(AttemptLaunched)

    @property
    def outcomes(self) -> list[tuple[int, int, str]]:
        """(run, attempt, outcome) of every attempt that ended."""
        return [(e.run, e.attempt, e.outcome) for e in self.of(AttemptEnded)]

    @property
    def findings(self) -> list[str]:
        """Names of the checks that found something, in order."""
        return [e.findings[0].check for e in self.of(EditChecked) if e.findings]

    @property
    def ending(self) -> StudyStopped:
        stopped = self.history.stopped
        assert stopped is not None, "the study has not stopped"
        return stopped

    @property
    def verdicts(self) -> dict[int, str]:
        """run → what is said of its primary metric."""
        return {run: words["numbers"][0] for run, words in judge(self.history).items()}

    def prompt(self, turn: int) -> str:
        """What the harness told the agent."""
        return self.paths.prompt(turn).read_text()

    def sent(self, call: int) -> str:
        """The whole conversation that the model was sent, and its reply."""
        return self.paths.call(call).read_text()

    def file(self, name: str) -> str:
        return (self.paths.root / name).read_text()

    def git(self, *arguments: str) -> str:
        lab = self.paths.root.parent / "lab.git"
        return subprocess.run(
            ["git", f"--git-dir={lab}", *arguments], check=True, capture_output=True, text=True
        ).stdout

    @property
    def dirt(self) -> str:
        """What the worktree holds that the study's last commit does not, as `git status` says it."""
        lab = self.paths.root.parent / "lab.git" / "worktrees" / self.paths.name
        return subprocess.run(
            ["git", f"--git-dir={lab}", f"--work-tree={self.paths.root}", "status", "--porcelain"],
            check=True,
            capture_output=True,
            text=True,
            cwd=self.paths.root,
        ).stdout

    @property
    def tags(self) -> list[str]:
        """Runs that git knows of, the baseline left out."""
        names = self.git("tag", "--list", f"{self.paths.name}/run_*").split()
        return sorted(name.rsplit("/", 1)[1] for name in names if not name.endswith("/run_0"))


@dataclass(frozen=True)
class Project:
    """A folder with `templates/tiny` and its baseline."""

    root: Path

    def harness(self, *arguments: str) -> Said:
        """Run a command in this process, so that the imported aider is there already."""
        out, err = io.StringIO(), io.StringIO()
        before, sys.argv = sys.argv, ["harness", "-C", str(self.root), *arguments]
        code = -1
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            sys.argv = before
        return Said(code, out.getvalue(), err.getvalue())

    def process(self, *arguments: str, **environment: str) -> Controller:
        """Start a command as a process of its own."""
        return Controller(self, arguments, environment)

    def recording(self, replies: Sequence[str | tuple[str, dict[str, Any]]], name: str = "s") -> str:
        """A model that gives these replies, each perhaps with what it cost."""
        rows = [reply if isinstance(reply, tuple) else (reply, {"calls": 1}) for reply in replies]
        path = self.root / f"{name}.recording.jsonl"
        lines = [json.dumps({"prompt": "", "reply": reply, "usage": usage}) for reply, usage in rows]
        path.write_text("\n".join(lines) + "\n")
        return f"replay:{path}"

    def order(self, replies: Sequence[str | tuple[str, dict[str, Any]]], *options: str, name: str = "s") -> list[str]:
        """The arguments of `harness run` for a study with these replies."""
        return ["run", "tiny", "--idea", "nearer", "--name", name, "--model", self.recording(replies, name), *options]

    def run(self, replies: Sequence[str | tuple[str, dict[str, Any]]], *options: str, name: str = "s") -> Study:
        """A whole study, in this process."""
        return self.study(name, self.harness(*self.order(replies, *options, name=name)))

    def resume(self, *options: str, name: str = "s") -> Study:
        return self.study(name, self.harness("resume", name, *options))

    def study(self, name: str = "s", said: Said = Said(0, "", "")) -> Study:
        return Study(StudyPaths(self.root / "runs" / name), said)

    def change_template(self, file: str, before: str, after: str) -> None:
        """Change the template and refresh its baseline."""
        path = self.root / "templates" / "tiny" / file
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))
        assert self.harness("baseline", "tiny", "--refresh").code == 0


def make_project(root: Path) -> Project:
    """A new project with the tiny template and its baseline, made by the real command."""
    shutil.copytree(DATA / "templates", root / "templates")
    project = Project(root)
    said = project.harness("baseline", "tiny")
    assert said.code == 0, said.err
    return project


def obey_ctrl_c() -> None:
    """Undo that a shell starts what it runs in the background with SIGINT ignored, and these tests perhaps with it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Controller:
    """A harness command in a process of its own, which can be stopped and killed."""

    def __init__(self, project: Project, arguments: Sequence[str], environment: dict[str, str]) -> None:
        self.project = project
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness", "-C", str(project.root), *arguments],
            env={**os.environ, **environment},
            cwd=project.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=obey_ctrl_c,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def interrupt(self) -> None:
        """Ctrl-C, to the whole group as a terminal sends it."""
        os.killpg(self._process.pid, signal.SIGINT)

    def kill(self) -> None:
        """`kill -9` of the controller alone, and wait until the system has forgotten it."""
        self._process.kill()
        self._process.communicate()

    def wait(self) -> Said:
        try:
            out, err = self._process.communicate(timeout=2 * PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            out, err = self._process.communicate()
            raise AssertionError(f"the command did not end\n{out}\n{err}") from None
        return Said(self._process.returncode, out, err)

    def __enter__(self) -> Controller:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill()


def until(what: Callable[[], Any], why: str, patience: float = PATIENCE) -> Any:
    """Wait until `what()` is true, and return it."""
    deadline = time.monotonic() + patience
    while not (value := what()):
        assert time.monotonic() < deadline, f"waited {patience:g} s in vain: {why}"
        time.sleep(0.01)
    return value


def has_happened(study: Study, kind: type[AnyEvent], times: int = 1) -> Callable[[], bool]:
    """Whether the study's journal holds that many events of a kind."""
    return lambda: study.paths.journal.exists() and len(study.of(kind)) >= times


def alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def processes_in(folder: Path) -> list[psutil.Process]:
    """Living processes with `folder` in their command line or as their working folder: what a study left behind."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and str(folder) in " ".join([*process.cmdline(), process.cwd()]):
                found.append(process)
        except psutil.Error:
            continue
    return found


@dataclass
class Endpoint:
    """An OpenAI-compatible server on this machine that answers, call by call, as it is told to.

    A script's entry is a reply's text, or an HTTP status to refuse with, or "hang". When the script has run out, the
    last entry is given again.
    """

    script: list[str | int] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    """The bodies of all requests."""
    keys: list[str] = field(default_factory=list)
    """The Authorization header of each."""
    closing: Event = field(default_factory=Event)
    served_as: str = "anything"
    """What the server calls its model."""
    tokens_in: int = 100
    """How long it says that every prompt is."""
    finish: str = "stop"
    """Why it says that every reply ended."""

    @cached_property
    def server(self) -> ThreadingHTTPServer:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                step = endpoint.script[min(len(endpoint.asked), len(endpoint.script) - 1)]
                endpoint.keys.append(self.headers.get("Authorization", ""))
                endpoint.asked.append(body)
                if step == "hang":
                    endpoint.closing.wait(PATIENCE)
                elif isinstance(step, int):
                    self._send(step, {"error": {"message": f"refused with {step}", "type": "x", "code": str(step)}})
                elif step == "echo":
                    told = f"no such key: {endpoint.keys[-1]}"
                    self._send(401, {"error": {"message": told, "type": "x", "code": "401"}})
                else:
                    self._send(200, endpoint.completion(step))

            def _send(self, status: int, body: dict[str, Any]) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        return server

    @property
    def environment(self) -> dict[str, str]:
        port = self.server.server_address[1]
        return {"OPENAI_API_BASE": f"http://127.0.0.1:{port}/v1", "OPENAI_API_KEY": "sk-test-0123456789"}

    def completion(self, text: str) -> dict[str, Any]:
        message = {"role": "assistant", "content": text}
        counted = {"prompt_tokens": self.tokens_in, "completion_tokens": 10, "total_tokens": self.tokens_in + 10}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": self.served_as,
            "choices": [{"index": 0, "finish_reason": self.finish, "message": message}],
            "usage": counted,
        }

    def now(self, *script: str | int) -> None:
        """Forget what was asked, and answer like this from now on."""
        self.asked.clear()
        self.keys.clear()
        self.script = list(script)


@contextlib.contextmanager
def serving() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    Thread(target=endpoint.server.serve_forever, daemon=True).start()
    try:
        yield endpoint
    finally:
        endpoint.closing.set()
        endpoint.server.shutdown()
        endpoint.server.server_close()
