"""The official loss, from the saved guesses. Exit code 3: they are no guesses. Protected."""

import argparse
import json
import math
import os
import sys
from pathlib import Path

from data import loss_of

UNACCEPTABLE = 3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--run_dir", type=Path, required=True)
    parser.add_argument("--out_dir", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        guesses = json.loads((arguments.run_dir / "prediction.json").read_text())
        losses = [loss_of(float(guess)) for guess in guesses]
        wanted = len(os.environ["HARNESS_SEEDS"].split(","))
        if len(losses) != wanted or not all(map(math.isfinite, losses)):
            raise ValueError(f"expected {wanted} finite guesses")
    except (OSError, ValueError, TypeError) as error:
        print(f"evaluate.py: prediction.json: {error}", file=sys.stderr)
        sys.exit(UNACCEPTABLE)
    arguments.out_dir.mkdir(parents=True, exist_ok=True)
    info = {"numbers": {"means": {"loss": sum(losses) / wanted}, "final_info_dict": {"loss": losses}}}
    (arguments.out_dir / "final_info.json").write_text(json.dumps(info))


if __name__ == "__main__":
    main()
