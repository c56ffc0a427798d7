"""What evaluate.py measures on: no study is given this file, so nothing can be trained on these samples."""

EVALUATION_SEED = 20_220_914
