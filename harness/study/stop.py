"""Stopping a study that another process works on."""

from __future__ import annotations

import platform
import time

from harness.errors import UserError
from harness.execution import lock, process
from harness.paths import StudyPaths
from harness.state.heartbeat import read_heartbeat
from harness.state.journal import history

LOOK_EVERY = 0.1


def stop_controller(paths: StudyPaths, wait: float) -> bool:
    """Ask the process that works on a study to stop; whether it has stopped within `wait` seconds.

    Raises:
        UserError: no process works on the study, or one on another machine does.
    """
    pid = lock.holder(paths.lock)
    if pid is None:
        status = stopped.status if (stopped := history(paths).stopped) else "not running"
        state = f"over ({status})" if status in ("done", "failed") else status
        raise UserError(f"{paths.name} is {state}; nothing to stop")
    beat = read_heartbeat(paths.heartbeat)
    if beat is not None and beat.pid == pid and beat.host != platform.node():
        raise UserError(f"{paths.name} runs on {beat.host}; stop it there")
    try:
        process.terminate(pid)
    except PermissionError as error:
        raise UserError(
            f"process {pid} of another user is working on {paths.name}; only that user can stop it"
        ) from error
    deadline = time.monotonic() + wait
    while lock.holder(paths.lock) == pid:
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_EVERY)
    return True
