"""The only module the fork server imports: it loads what every worker needs and keeps the keys in its memory private."""

import harness.agents.aider_worker  # noqa: F401
from harness.process import hide_own_memory

hide_own_memory()
