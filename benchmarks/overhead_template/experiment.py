"""Writes a number per seed."""

import json
import os
import sys
from pathlib import Path

VALUE = 0


def main() -> None:
    out_dir = Path(sys.argv[1].removeprefix("--out_dir="))
    seeds = [int(seed) for seed in os.environ["HARNESS_SEEDS"].split(",")]
    losses = [VALUE + seed / 100 for seed in seeds]
    body = {"means": {"loss": sum(losses) / len(losses)}, "stderrs": {"loss": 0.0}, "final_info_dict": {"loss": losses}}
    (out_dir / "final_info.json").write_text(json.dumps({"none": body}))


if __name__ == "__main__":
    main()
