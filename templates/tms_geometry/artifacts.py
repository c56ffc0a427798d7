"""What a run is told and what it leaves behind: seeds, weights.npz, final_info.json. Protected."""

import json
import os
import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from data import N_FEATURES, N_HIDDEN, Array

DATASET = "sparse_uniform"
DEFAULT_SEEDS = "0,1,2,3,4"


class ArtifactError(Exception):
    """A saved file does not keep the contract in README.md; the message is one line that says how."""


def requested_seeds() -> list[int]:
    """The seeds in HARNESS_SEEDS, comma separated."""
    return [int(seed) for seed in os.environ.get("HARNESS_SEEDS", DEFAULT_SEEDS).split(",")]


def is_smoke() -> bool:
    """Whether this is the tiny run that only shows that the script works."""
    return os.environ.get("HARNESS_SMOKE") == "1"


def load_weights(path: Path, n_seeds: int | None = None) -> tuple[Array, Array]:
    """Read weights.npz.

    Args:
        path: the file.
        n_seeds: refuse another number of seeds; any number is accepted when None.

    Returns:
        W [seeds, n, d] and b [seeds, n], zeros when the file has no bias.

    Raises:
        ArtifactError: the file is missing, unreadable or not as README.md says.
    """
    try:
        with np.load(path, allow_pickle=False) as saved:
            arrays = {key: saved[key] for key in saved.files}
    # TypeError: the file holds a bare .npy array, which is no context manager.
    except (OSError, ValueError, EOFError, TypeError, BadZipFile, zlib.error) as error:
        raise ArtifactError(f"{path}: cannot be read as an npz of plain arrays: {error}") from error
    if "W" not in arrays or set(arrays) - {"W", "b"}:
        raise ArtifactError(f"{path}: expected the key 'W' and optionally 'b', found {sorted(arrays)}")
    seeds = arrays["W"].shape[0] if n_seeds is None and arrays["W"].ndim else n_seeds
    for key, shape in {"W": (seeds, N_FEATURES, N_HIDDEN), "b": (seeds, N_FEATURES)}.items():
        if key in arrays:
            _check(path, key, arrays[key], shape)
    bias = arrays.get("b", np.zeros(arrays["W"].shape[:2], dtype=np.float32))
    return arrays["W"], bias


def _check(path: Path, key: str, array: Array, shape: tuple[int | None, ...]) -> None:
    if array.dtype != np.float32:
        raise ArtifactError(f"{path}: '{key}' must be float32, found {array.dtype}")
    if array.shape != shape:
        raise ArtifactError(f"{path}: '{key}' must have shape {shape}, found {array.shape}")
    if not np.isfinite(array).all():
        raise ArtifactError(f"{path}: '{key}' holds values that are not finite; the training diverged")


def write_final_info(out_dir: Path, per_seed: dict[str, list[float]]) -> None:
    """Write final_info.json: mean, standard error std(ddof=1)/sqrt(n) and the value per seed of every metric.

    With a single seed the standard error does not exist and is null.
    """
    info = {
        "means": {metric: float(np.mean(values)) for metric, values in per_seed.items()},
        "stderrs": {metric: _standard_error(values) for metric, values in per_seed.items()},
        "final_info_dict": per_seed,
    }
    unfinished = out_dir / "final_info.json.part"
    unfinished.write_text(json.dumps({DATASET: info}, indent=2) + "\n")
    unfinished.replace(out_dir / "final_info.json")


def _standard_error(values: list[float]) -> float | None:
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
