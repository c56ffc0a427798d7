"""An agent-driven experimentation harness. Importing this package does nothing; read `harness/study.py` first."""

__version__ = "0.1.0"
