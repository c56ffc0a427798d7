"""What a correct build must show, checked on a finished run. Protected.

    python known.py --run_dir=<run folder with verified.json> --out_dir=<folder>

Writes <out_dir>/known.json: a list of claims, what was expected, what was found, and whether it holds. The bounds are
those of TopK, k = 32, 1,152 latents, 800 steps of 512 rows, on SmolLM2-135M (Q4_1), layer 6.
"""

from pathlib import Path

from artifacts import Claim, check_known, verified

DATASET = "smollm2_layer6"


def claims(run_dir: Path) -> list[Claim]:
    """Each claim must hold in the worst seed."""
    scores = verified(run_dir)[DATASET]
    return [
        Claim.within("FVU is at most 0.15 in every seed", 0.0, 0.15, max(scores["fvu"])),
        Claim.within("loss recovered is at least 0.97 in every seed", 0.97, 1.0, min(scores["loss_recovered"])),
        Claim.near("L0 is 32 in every seed", 32, max(scores["l0"], key=lambda value: abs(value - 32)), 0.5),
    ]


if __name__ == "__main__":
    check_known(__doc__, claims)
