"""One idea, start to finish. Read `loop.py` first. Writes the journal and the study's branch."""
