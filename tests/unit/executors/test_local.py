"""The local executor keeps the contract of all executors."""

from __future__ import annotations

import pytest

from harness.execution.executors.local import LocalExecutor

from .contract import ExecutorContract


class TestLocalExecutor(ExecutorContract):
    @pytest.fixture
    def executor(self) -> LocalExecutor:
        return LocalExecutor()
