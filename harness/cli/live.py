"""Live output of a running study: a line per event and, below, the current activity."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from harness.cli.formatting import style_of
from harness.planning import budget
from harness.report.story import line
from harness.state.events import AnyEvent, AttemptEnded, EditChecked, ModelCalled, PlotsDrawn, StudyStopped, TurnStarted
from harness.state.history import History
from harness.text import duration, plain


class LiveWatcher:
    """Prints events as they happen; on a terminal, also the attempt, time, remaining budget and last output line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, transient=True, refresh_per_second=4) if console.is_terminal else None

    def __enter__(self) -> LiveWatcher:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def happened(self, event: AnyEvent, history: History) -> None:
        shown = line(event, history)
        if shown:
            self._console.print(Text(shown.text, style=style_of(shown)), soft_wrap=True)
        if isinstance(event, TurnStarted):
            self._show(f"asking {history.begun.model or history.begun.agent} · left: {self._left(history)}")
        elif isinstance(event, AttemptEnded | EditChecked | ModelCalled | PlotsDrawn | StudyStopped):
            self._show("")

    def running(self, what: str, seconds: float, last_line: str, history: History) -> None:
        self._show(f"{what} · {duration(seconds)} · left: {self._left(history)}\n  {plain(last_line)}")

    def note(self, text: str) -> None:
        self._console.print(Text(f"  {plain(text)}", style="dim"), soft_wrap=True)

    def _left(self, history: History) -> str:
        return str(budget.left(history))

    def _show(self, text: str) -> None:
        if self._live:
            self._live.update(Text(text, style="cyan"))
