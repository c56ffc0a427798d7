"""Train the toy model xhat = ReLU(x W W^T + b) by gradient descent, in plain numpy.

    python experiment.py --out_dir=run_1

Writes weights.npz, training_curve.npz and final_info.json into the output folder.
"""

import numpy as np

from artifacts import Array, is_smoke, requested_seeds, run_arguments, write_final_info
from toy import DATASET, N_FEATURES, N_HIDDEN, measure, sparse_features

N_STEPS = 2_000
BATCH_SIZE = 32
LEARNING_RATE = 0.02
INIT_SCALE = 0.3
"""Standard deviation of the initial weights."""
SMOKE_STEPS = 50


def gradient(x: Array, w: Array, b: Array) -> tuple[float, Array, Array]:
    """Mean squared error of a batch x [batch, n], and its gradients by W [n, d] and by b [n]."""
    h = x @ w
    xhat = np.maximum(h @ w.T + b, 0)
    by_output = 2 * (xhat - x) * (xhat > 0) / x.size
    return float(np.square(xhat - x).mean()), x.T @ (by_output @ w) + by_output.T @ h, by_output.sum(axis=0)


def train(seed: int, n_steps: int) -> tuple[Array, Array, list[float]]:
    """W [n, d], b [n] and the loss of every step. All that is random comes from the seed."""
    rng = np.random.default_rng(seed)
    w = INIT_SCALE * rng.standard_normal((N_FEATURES, N_HIDDEN), np.float32)
    b = np.zeros(N_FEATURES, np.float32)
    losses = []
    for _ in range(n_steps):
        loss, by_w, by_b = gradient(sparse_features(rng, BATCH_SIZE), w, b)
        w -= LEARNING_RATE * by_w
        b -= LEARNING_RATE * by_b
        losses.append(loss)
    return w, b, losses


def main() -> None:
    out_dir = run_arguments(__doc__).out_dir
    trained = [train(seed, SMOKE_STEPS if is_smoke() else N_STEPS) for seed in requested_seeds()]
    w, b, losses = (np.array(each, np.float32) for each in zip(*trained, strict=True))
    np.savez(out_dir / "weights.npz", W=w, b=b)
    np.savez(out_dir / "training_curve.npz", loss=losses.T)
    write_final_info(out_dir, {DATASET: measure(w, b)})


if __name__ == "__main__":
    main()
