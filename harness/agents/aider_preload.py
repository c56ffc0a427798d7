"""What the fork server imports: everything a worker needs. It also keeps the keys in its memory private."""

import harness.agents.aider_worker  # noqa: F401
from harness.execution.process import hide_own_memory

hide_own_memory()
