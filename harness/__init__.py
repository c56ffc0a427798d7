"""An agent-driven experiment harness. Importing it has no side effects; read `harness/study/loop.py` first."""

__version__ = "0.1.0"
