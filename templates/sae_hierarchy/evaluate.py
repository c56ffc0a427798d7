"""The official metrics of a run, computed from its saved SAEs on samples that the experiment never sees. Protected.

    python evaluate.py --run_dir=<run folder> --out_dir=<folder>

Writes <out_dir>/final_info.json, or prints one line saying which file is at fault and how, and exits with status 3.
"""

import json
import re
from pathlib import Path

from artifacts import ArtifactError, PerSeed, evaluate, is_smoke, requested_seeds
from data import D_MODEL, N_LATENTS
from held_out import EVALUATION_SEED
from sae_files import load_sae
from scores import measure

N_ROWS = 2_000 if is_smoke() else 100_000
"""Held-out samples per seed."""
MOST_VARIANTS = 24
LARGEST_INFO = 2**20
"""Bytes of the run's final_info.json that are read at most."""


def variants(run_dir: Path) -> list[str]:
    """The datasets that the run reports on: each must have an SAE saved under its name.

    Raises:
        ArtifactError: final_info.json cannot be read, or a name is no name of a folder.
    """
    path = run_dir / "final_info.json"
    try:
        if path.stat().st_size > LARGEST_INFO:
            raise ArtifactError(f"{path.name} is larger than {LARGEST_INFO >> 20} MiB")
        reported = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path.name} cannot be read: {error}") from error
    if not isinstance(reported, dict) or not 1 <= len(reported) <= MOST_VARIANTS:
        raise ArtifactError(f"{path.name} must name 1 to {MOST_VARIANTS} variants")
    for name in reported:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name):
            raise ArtifactError(f"{path.name}: a variant's name has letters, digits, _ and - only, found {name[:60]!r}")
    return list(reported)


def official(run_dir: Path) -> dict[str, PerSeed]:
    """Every metric per seed of every variant."""
    seeds = requested_seeds()
    saes = {name: load_sae(run_dir / "saes" / name, len(seeds), D_MODEL, N_LATENTS) for name in variants(run_dir)}
    return {name: measure(sae, seeds, EVALUATION_SEED, N_ROWS) for name, sae in saes.items()}


if __name__ == "__main__":
    evaluate(__doc__, official)
