"""A picture in letters: one bar of '#' per run."""

import argparse
import json
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--out_dir", type=Path, required=True)
out_dir = parser.parse_args().out_dir
out_dir.mkdir(parents=True, exist_ok=True)

bars = []
for info in sorted(Path().glob("run_*/final_info.json")):
    loss = json.loads(info.read_text())["numbers"]["means"]["loss"]
    bars.append(f"{info.parent.name:8}{'#' * round(10 * loss)}\n")
(out_dir / "losses.txt").write_text("".join(bars))
