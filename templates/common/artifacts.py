"""What a template needs to speak with the harness: environment of a run, final_info.json, checked files, exit status.

Protected, and standard library and numpy only, so that an evaluator that needs no torch starts fast.
"""

import argparse
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
PerSeed = Mapping[str, list[float]]
"""Metric → one value per seed."""
Run = TypeVar("Run")
Shape = tuple[int | None, ...]
"""The shape an array must have; None where any length will do."""

DEFAULT_SEEDS = "0,1,2"
UNACCEPTABLE = 3
"""Exit status that tells the harness: the run saved something that cannot be evaluated."""
LARGEST_FILE = 2**30
"""Bytes that a saved file may have, as it lies and once unpacked."""
LARGEST_JSON = 2**20
"""The same for a saved JSON file."""


class ArtifactError(Exception):
    """A saved file does not keep the contract in README.md; the message is one line that says how."""


def requested_seeds() -> list[int]:
    """The seeds in HARNESS_SEEDS, comma separated."""
    return [int(seed) for seed in os.environ.get("HARNESS_SEEDS", DEFAULT_SEEDS).split(",")]


def is_smoke() -> bool:
    """Whether this is the tiny run that only shows that the script works."""
    return os.environ.get("HARNESS_SMOKE") == "1"


def run_arguments(doc: str, *extra: str) -> argparse.Namespace:
    """Parse `--out_dir` and further required folders from the command line; make the output folder."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    for name in (*extra, "out_dir"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out_dir.mkdir(parents=True, exist_ok=True)
    return arguments


def write_final_info(out_dir: Path, datasets: Mapping[str, PerSeed]) -> None:
    """Write final_info.json: of every dataset and metric the mean, the standard error and the value per seed.

    The standard error is std(ddof=1)/sqrt(n); with a single seed it does not exist and is null. Anything but a list
    with one number per seed ends the program with one line that names it.
    """
    for dataset, per_seed in datasets.items():
        _refuse_unlisted(dataset, per_seed)
    info = {
        dataset: {
            "means": {metric: float(np.mean(values)) for metric, values in per_seed.items()},
            "stderrs": {metric: _standard_error(values) for metric, values in per_seed.items()},
            "final_info_dict": {metric: [float(value) for value in values] for metric, values in per_seed.items()},
        }
        for dataset, per_seed in datasets.items()
    }
    unfinished = out_dir / "final_info.json.part"
    unfinished.write_text(json.dumps(info, indent=2) + "\n")
    unfinished.replace(out_dir / "final_info.json")


def _refuse_unlisted(dataset: str, per_seed: Any) -> None:
    """End the program unless this is metric → one number per seed."""
    if not isinstance(per_seed, Mapping):
        sys.exit(
            f"final_info.json: {dataset} is {str(per_seed)[:80]!r}, but wanted is a dict of metrics, each with a list "
            'of one number per seed, such as {"loss": [0.4, 0.6]}'
        )
    for metric, values in per_seed.items():
        try:
            shape = np.shape(np.asarray(values, dtype=float))
        except (TypeError, ValueError):
            shape = ()
        if len(shape) != 1 or shape[0] == 0:
            sys.exit(
                f"final_info.json: {metric} on {dataset} is {str(values)[:80]!r}, but wanted is a list with one number "
                f"per seed of HARNESS_SEEDS ({len(requested_seeds())}), such as [0.4, 0.6]"
            )


def _standard_error(values: list[float]) -> float | None:
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None


def evaluate(doc: str, measure: Callable[[Path], Mapping[str, PerSeed]]) -> None:
    """The main function of an evaluate.py: measure the run in `--run_dir`, write `--out_dir`/final_info.json.

    An ArtifactError, and a metric that is not finite, are the run's fault: one line and exit status 3.
    """
    arguments = run_arguments(doc, "run_dir")
    try:
        datasets = measure(arguments.run_dir)
        _refuse_infinite(datasets)
    except ArtifactError as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        sys.exit(UNACCEPTABLE)
    write_final_info(arguments.out_dir, datasets)


def _refuse_infinite(datasets: Mapping[str, PerSeed]) -> None:
    for dataset, per_seed in datasets.items():
        for metric, values in per_seed.items():
            if not np.isfinite(values).all():
                raise ArtifactError(f"{metric} on {dataset} is not finite ({values}); the training diverged")


@dataclass(frozen=True)
class Claim:
    """One thing that is known about a correct build, and what this run shows."""

    claim: str
    expected: str
    found: str
    holds: bool

    @classmethod
    def within(cls, claim: str, low: float, high: float, found: float) -> "Claim":
        """`low` ≤ found ≤ `high`."""
        return cls(claim, f"{low:g} to {high:g}", f"{found:.6g}", low <= found <= high)

    @classmethod
    def near(cls, claim: str, expected: float, found: float, tolerance: float) -> "Claim":
        """|found − expected| ≤ `tolerance`."""
        return cls(claim, f"{expected:.6g} ± {tolerance:g}", f"{found:.6g}", abs(found - expected) <= tolerance)


def check_known(doc: str, claims: Callable[[Path], list[Claim]]) -> None:
    """The main function of a known.py: write the claims about the run in `--run_dir` to `--out_dir`/known.json."""
    arguments = run_arguments(doc, "run_dir")
    rows = [asdict(claim) for claim in claims(arguments.run_dir)]
    (arguments.out_dir / "known.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")


def verified(run_dir: Path) -> dict[str, dict[str, list[float]]]:
    """Dataset → metric → value per seed, as the evaluator found them: verified.json of a run."""
    return _per_seed(run_dir / "verified.json")


def scores_of(run_dir: Path) -> dict[str, dict[str, list[float]]]:
    """The same, or what the run reported where no evaluator has been at work."""
    path = run_dir / "verified.json"
    return _per_seed(path if path.exists() else run_dir / "final_info.json")


def _per_seed(path: Path) -> dict[str, dict[str, list[float]]]:
    return {dataset: body["final_info_dict"] for dataset, body in load_json(path).items()}


def load_runs(load: Callable[[Path], Run], within: Path = Path()) -> list[Run]:
    """`load` of every run_* folder, in order of their numbers; those that cannot be read are named and skipped."""
    found = [path for path in within.glob("run_*") if path.is_dir() and path.name[4:].isdigit()]
    numbered = {int(path.name[4:]): path for path in found}
    runs = []
    for _, folder in sorted(numbered.items()):
        try:
            runs.append(load(folder))
        except Exception as error:
            print(f"{folder.name}: skipped, {error}")
    return runs


@contextmanager
def blamed_on(name: str, trouble: str) -> Iterator[None]:
    """Whatever goes wrong within is the fault of what the run saved under that name: ArtifactError, one line."""
    try:
        yield
    except ArtifactError as error:
        raise ArtifactError(f"{name}: {error}") from error
    except Exception as error:
        first_line = next(iter(str(error).splitlines()), "")
        raise ArtifactError(f"{name}: {trouble}: {type(error).__name__} {first_line[:200]}") from error


@contextmanager
def saved_file(path: Path, most: int) -> Iterator[BinaryIO]:
    """Open a file of at most `most` bytes that the run saved; whatever goes wrong until it is closed is its fault.

    Raises:
        ArtifactError: the file is missing, too large, a link, a pipe or a device, or cannot be read.
    """
    with blamed_on(path.name, "cannot be read"):
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise ArtifactError("is not a regular file")
        if status.st_size > most:
            raise ArtifactError(f"has {status.st_size:,} bytes, more than {most:,} are not read")
        with path.open("rb") as file:
            yield file


def load_json(path: Path) -> Any:
    """What a JSON file that the run saved says.

    Raises:
        ArtifactError: the file is missing, unreadable or too large.
    """
    with saved_file(path, LARGEST_JSON) as file:
        return json.load(file)


def load_arrays(
    path: Path, required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None
) -> dict[str, Array]:
    """Read an npz file of float32 arrays without pickles.

    Args:
        path: the file.
        required: key → shape of every array that must be there.
        optional: key → shape of arrays that may be there.

    Raises:
        ArtifactError: the file is missing, unreadable or too large, or a key, dtype, shape or value is wrong.
    """
    shapes = {**required, **(optional or {})}
    with saved_file(path, LARGEST_FILE) as file:
        _refuse_large(file)
        with np.load(file, allow_pickle=False) as saved:
            keys = set(saved.files)
            if not set(required) <= keys <= set(shapes):
                wanted = ", ".join(map(repr, required)) + (f" and optionally {', '.join(optional)}" if optional else "")
                raise ArtifactError(f"expected the keys {wanted}, found {sorted(keys)[:20]}")
            arrays = {key: saved[key] for key in shapes if key in keys}
        for key, array in arrays.items():
            _check(repr(key), array, shapes[key])
    return arrays


def training_steps(path: Path, n_seeds: int) -> list[float]:
    """Per seed the number of training steps of which a saved curve tells: key `loss` [steps, seeds].

    Raises:
        ArtifactError: the file is missing, has another number of seeds, no step or a loss that is not finite.
    """
    steps = len(load_arrays(path, {"loss": (None, n_seeds)})["loss"])
    if steps == 0:
        raise ArtifactError(f"{path.name}: 0 training steps were made")
    return [float(steps)] * n_seeds


def refuse_copies(name: str, *arrays: Array) -> None:
    """Raise ArtifactError if two seeds have the same weights, all of `arrays` [seeds, ...] taken together."""
    first: dict[bytes, int] = {}
    for seed, weights in enumerate(zip(*arrays, strict=True)):
        content = b"".join(each.tobytes() for each in weights)
        if content in first:
            raise ArtifactError(
                f"{name}: the weights of seeds {requested_seeds()[first[content]]} and {requested_seeds()[seed]} are "
                "the same; every seed must be trained for itself"
            )
        first[content] = seed


def _refuse_large(file: BinaryIO) -> None:
    with ZipFile(file) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > LARGEST_FILE:
        raise ArtifactError(f"{size / 2**30:.1f} GiB unpacked, more than is read")
    file.seek(0)


def _check(what: str, array: Array, shape: Shape) -> None:
    if array.dtype != np.float32:
        raise ArtifactError(f"{what} must be float32, found {array.dtype}")
    if array.ndim != len(shape) or any(n is not None and n != m for n, m in zip(shape, array.shape, strict=True)):
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise ArtifactError(f"{what} must have shape ({wanted}), found {array.shape}")
    if not np.isfinite(array).all():
        raise ArtifactError(f"{what} holds values that are not finite; the training diverged")
