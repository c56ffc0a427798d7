"""An agent-driven experimentation harness. Importing this package does nothing; read `harness/study/loop.py` first."""

__version__ = "0.1.0"
