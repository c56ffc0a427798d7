"""What a correct build must find, checked on one run. Protected.

python known.py --run_dir=<run folder> --out_dir=<folder>
"""

from pathlib import Path

import numpy as np

from artifacts import Claim, check_known, load_arrays, verified
from data import inputs
from held_out import EVALUATION_SEED
from sweep import SOLVED, load_stacks, losses, measure_law, min_n_hidden

NOT_REACHED = "–"
SMALLEST = {
    "early_stopping": ["2", "3", "4", "6", "9", NOT_REACHED],
    "full_depth": ["2", "2", "3", "4", "5", "6"],
    "independent": ["6", NOT_REACHED, NOT_REACHED],
}
"""Law → smallest n_hidden that solves each of its depths."""
LOCAL_MINIMUM = 1 / 96
"""Loss of a model of cell (2, 2) that never reconstructs one of its four leaves: 1/16 in one of 6 features."""


def smallest_n_hidden(run_dir: Path, law: str, n_seeds: int) -> Claim:
    """Over the instances of all seeds: what a cell can reach, not what the next start will."""
    loss, _ = measure_law(law, load_stacks(run_dir, law, n_seeds), np.random.default_rng(EVALUATION_SEED))
    reached = min_n_hidden(law, loss)
    found = [NOT_REACHED if smallest is None else str(smallest) for smallest in reached.values()]
    claim = f"{law}: smallest n_hidden with best-instance loss < {SOLVED:g}, depth {', '.join(reached)}"
    return Claim(claim, ", ".join(SMALLEST[law]), ", ".join(found), found == SMALLEST[law])


def local_minimum(run_dir: Path) -> Claim:
    """Share of the restarts of cell (2, 2) in its local minimum.

    Known is about 1 in 10 (0.10 to 0.14 in samples of 20 and 100). The range accepted is 0.12 plus and minus three
    standard deviations of the share among 300 restarts, sqrt(0.12 * 0.88 / 300) = 0.019; among the 15 instances of the
    sweep that share would say nothing.
    """
    restarts = load_arrays(run_dir / "restarts.npz", {"W": (None, None, 1, 2, 6), "b": (None, None, 1, 6)})
    loss = losses(restarts["W"], restarts["b"], *inputs("early_stopping", 2, np.random.default_rng(0)))
    share = float((np.abs(loss - LOCAL_MINIMUM) < 1e-4).mean())
    return Claim.within(f"share of {loss.size} restarts of cell (2, 2) at loss {LOCAL_MINIMUM:.7f}", 0.06, 0.18, share)


def claims(run_dir: Path) -> list[Claim]:
    n_seeds = len(verified(run_dir)["early_stopping"]["fvu_min"])
    return [*(smallest_n_hidden(run_dir, law, n_seeds) for law in SMALLEST), local_minimum(run_dir)]


if __name__ == "__main__":
    check_known(__doc__, claims)
