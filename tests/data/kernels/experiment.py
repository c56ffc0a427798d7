"""Two losses per seed, each from a product of matrices: their last digits depend on the kernel that multiplies."""

import json
import os
import sys
from pathlib import Path

import numpy as np

SHIFTS = {"left": 0.0, "right": 0.0}


def loss(seed: int, name: str) -> float:
    rng = np.random.default_rng([seed, len(name)])
    a = rng.standard_normal((40, 3000), dtype=np.float32)
    return 1.0 + float(abs(a @ a.T)[0, 1:].sum()) * 1e-5 + SHIFTS[name]


def main() -> None:
    out_dir = Path(sys.argv[1].removeprefix("--out_dir="))
    seeds = [int(seed) for seed in os.environ["HARNESS_SEEDS"].split(",")]
    info = {}
    for name in SHIFTS:
        losses = [loss(seed, name) for seed in seeds]
        info[name] = {"means": {"loss": sum(losses) / len(losses)}, "final_info_dict": {"loss": losses}}
    (out_dir / "final_info.json").write_text(json.dumps(info))


if __name__ == "__main__":
    main()
