"""What a correct build must score, checked on one run. Protected.

python known.py --run_dir=<run folder> --out_dir=<folder>
"""

from pathlib import Path

import numpy as np

from artifacts import Claim, check_known, verified
from data import DATASET, N_FEATURES, N_HIDDEN, SPARSITY
from geometry import measure


def claims(run_dir: Path) -> list[Claim]:
    """The zero model's loss p/3, exact, and the range of loss that 20 trained seeds showed."""
    nothing = np.zeros((1, N_FEATURES, N_HIDDEN), dtype=np.float32)
    zero = measure(nothing, nothing[..., 0], np.random.default_rng(0))["loss"][0]
    scores = verified(run_dir)[DATASET]
    loss, represented = np.array(scores["loss"]), scores["features_represented"]
    return [
        Claim.near("loss of the model that outputs zero", (1 - SPARSITY) / 3, zero, tolerance=1e-4),
        Claim.within("trained loss, mean over seeds", 0.0039, 0.0040, float(loss.mean())),
        Claim("features represented, every seed", "8 of 8", f"{min(represented):g} of 8", min(represented) == 8),
    ]


if __name__ == "__main__":
    check_known(__doc__, claims)
