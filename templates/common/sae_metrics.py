"""How well one sparse autoencoder (SAE) reconstructs its inputs and recovers the features behind them. Protected.

Plain functions on the tensors of one seed, with the same names throughout:

    x, xhat      [N, d]  inputs and their reconstructions xhat = z D + b_dec
    z            [N, m]  latents; a latent fires on a sample when it is not zero there
    a            [N, n]  true feature activations; a feature is active on a sample when it is not zero there
    dictionary   [m, d]  decoder rows D_j
    directions   [n, d]  true feature directions V_f
    cosines      [m, n]  |cos(D_j, V_f)|, from `absolute_cosines`
    latents      [n]     m(f), the latent that stands for feature f, from `best_latents`
    pairs        (parent feature, child feature), one per edge of the feature hierarchy

N samples, d input dimensions, m latents, n features; m and n may differ. Sums over samples are taken in float64. A
run can make latents die or decoder rows vanish, so every function says what it returns then, and that is finite. Data
without a sample to average over is the caller's mistake and raises ValueError.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

Pairs = Sequence[tuple[int, int]]

SMALLEST_NORM = 1e-6
"""Samples shorter than this have no direction and no relative length."""
RECOVERED_COSINE = 0.9
FULL_ABSORPTION_COSINE = 0.025
ABSORBER_COSINE = 0.1
ABSORBER_SHARE = 0.4
MOST_ABSORBERS = 3
"""The four thresholds of SAEBench's feature_absorption_calculator.py (Karvonen et al. 2025, arXiv 2503.09532)."""
SILENT = 1e-8
"""A latent below this counts as silent for absorption, as in SAEBench."""


# Reconstruction


def mse(x: Tensor, xhat: Tensor) -> float:
    """Mean over samples of ||x - xhat||^2, summed over the d dimensions."""
    return _mean((x - xhat).square().sum(dim=1))


def fvu(x: Tensor, xhat: Tensor) -> float:
    """Fraction of variance unexplained, sum ||x - xhat||^2 / sum ||x - mean(x)||^2, both sums over all samples.

    0 is perfect; 1 is what the constant mean(x) reaches; anything worse is larger. The residual is not centred, so a
    constant offset of xhat counts as the error it is. Source: sae_lens.evals.ExplainedVarianceCalculator (1 - FVU).

    Raises:
        ValueError: all x are equal, so there is no variance to explain.
    """
    mean = x.mean(dim=0, dtype=torch.float64).to(x.dtype)
    total = (x - mean).square().sum(dtype=torch.float64)
    if not total > 0:
        raise ValueError("x has no variance to explain")
    return float((x - xhat).square().sum(dtype=torch.float64) / total)


def explained_variance(x: Tensor, xhat: Tensor) -> float:
    """1 - FVU."""
    return 1 - fvu(x, xhat)


def shrinkage(x: Tensor, xhat: Tensor) -> float:
    """Mean of ||xhat|| / ||x|| over samples with ||x|| > 1e-6; below 1 where an L1 penalty pulls activations down.

    Source: sae_lens.synthetic.
    """
    length = x.norm(dim=1)
    return _mean((xhat.norm(dim=1) / length)[length > SMALLEST_NORM])


def relative_reconstruction_bias(x: Tensor, xhat: Tensor) -> float:
    """E||xhat||^2 / E[x . xhat], the factor by which xhat should be divided to lie closest to x; 1 is unbiased.

    Source: Rajamanoharan et al. 2024, Improving Dictionary Learning with Gated SAEs (arXiv 2404.16014), eq. 10.
    0 where no such factor exists, because E[x . xhat] <= 0 (xhat = 0, for instance).
    """
    overlap = _mean((x * xhat).sum(dim=1))
    return _mean(xhat.square().sum(dim=1)) / overlap if overlap > 0 else 0.0


def reconstruction_cosine(x: Tensor, xhat: Tensor) -> float:
    """Mean of cos(x, xhat) over samples with ||x|| > 1e-6; a sample with xhat = 0 counts as 0."""
    has_direction = x.norm(dim=1) > SMALLEST_NORM
    return _mean((_unit(x) * _unit(xhat)).sum(dim=1)[has_direction])


# Sparsity


def l0(z: Tensor) -> float:
    """Mean over samples of the number of latents that fire."""
    return _mean(torch.count_nonzero(z, dim=1))


def l1(z: Tensor, dictionary: Tensor) -> float:
    """Mean over samples of sum_j |z_j| ||D_j||: what the usual penalty is when decoder rows have length 1."""
    return _mean((z.abs() * dictionary.norm(dim=1)).sum(dim=1))


def density(z: Tensor) -> Tensor:
    """Share of samples on which each latent fires, [m] in float64."""
    _refuse_empty(z)
    return torch.count_nonzero(z, dim=0).double() / len(z)


def dead_fraction(z: Tensor) -> float:
    """Share of latents that fire on none of the N samples; N is part of the result."""
    return _mean(density(z) == 0)


# Feature recovery: the dictionary against the true directions


def absolute_cosines(dictionary: Tensor, directions: Tensor) -> Tensor:
    """|cos(D_j, V_f)| of every latent and feature, [m, n] in float64; 0 where a row is zero."""
    return (_unit(dictionary.double()) @ _unit(directions.double()).mT).abs()


def best_latents(cosines: Tensor) -> Tensor:
    """m(f), the latent whose decoder row lies closest to feature f, [n] of indices; two features may share one."""
    return cosines.argmax(dim=0)


def mcc(cosines: Tensor) -> float:
    """Mean correlation coefficient: mean |cos| over the one-to-one matching that makes it largest (Hungarian method).

    min(m, n) pairs are matched; what is left over on the longer side does not count.
    Source: sae_lens.evals.mean_correlation_coefficient, after arXiv 2505.20254.
    """
    matched = cosines.cpu().numpy()
    return float(matched[linear_sum_assignment(matched, maximize=True)].mean())


def mmcs(cosines: Tensor) -> float:
    """Mean over features of the largest |cos| with any latent; not one-to-one, so it never falls below MCC at m >= n.

    Source: Sharkey et al. 2022, Taking features out of superposition with sparse autoencoders.
    """
    return _mean(cosines.amax(dim=0))


def uniqueness(cosines: Tensor) -> float:
    """Number of different features that latents lie closest to, divided by m; a zero decoder row lies close to none.

    Source: sae_lens.synthetic (feature_uniqueness).
    """
    closest, features = cosines.max(dim=1)
    return len(features[closest > 0].unique()) / len(cosines)


class Recovery(NamedTuple):
    """Precision and recall of a dictionary as a list of features."""

    precision: float
    recall: float


def feature_recovery(cosines: Tensor, threshold: float = RECOVERED_COSINE) -> Recovery:
    """Share of latents with |cos| > threshold to some feature, and share of features with that to some latent."""
    close = cosines > threshold
    return Recovery(precision=_mean(close.any(dim=1)), recall=_mean(close.any(dim=0)))


class Classification(NamedTuple):
    """Means over latents of their scores as detectors of a feature."""

    precision: float
    recall: float
    f1: float


def classification(z: Tensor, a: Tensor, cosines: Tensor) -> Classification:
    """Each latent as a detector of the feature it lies closest to, argmax_f |cos(D_j, V_f)|.

    With TP the samples on which both are active: precision TP / fired, recall TP / active, F1 2 TP / (fired + active).
    A score is 0 where its denominator is (a dead latent, a feature that never occurs) or where D_j = 0.
    Source: sae_lens.synthetic (ClassificationMetrics), which takes the same means over latents.
    """
    closest, features = cosines.max(dim=1)
    fires, active = z != 0, (a != 0)[:, features]
    _refuse_empty(fires)
    hits = (fires & active).sum(dim=0) * (closest > 0)
    fired, occurred = fires.sum(dim=0), active.sum(dim=0)
    return Classification(
        precision=_mean(_quotient(hits, fired)),
        recall=_mean(_quotient(hits, occurred)),
        f1=_mean(_quotient(2 * hits, fired + occurred)),
    )


# Hierarchy: what becomes of a parent feature when its children fire


class Absorption(NamedTuple):
    """Rates in [0, 1], higher is worse."""

    full: float
    fraction: float


def absorption(
    x: Tensor, z: Tensor, a: Tensor, dictionary: Tensor, directions: Tensor, latents: Tensor, pairs: Pairs
) -> Absorption:
    """How far latents of children do the work of the latent m(p) of their parent p.

    Over the samples on which p and its child are both active, with the share of the input x . Vhat_p that latent j
    explains, s_j = z_j D_j . Vhat_p / (x . Vhat_p):

    full      m(p) is silent and another latent with cos(D_j, V_p) >= 0.025 has the largest share, s_j >= 0.4.
    fraction  A / (A + M), where M is the share of m(p) and A = min(sum of the three largest other positive shares of
              latents with cos(D_j, V_p) >= 0.1, 1 - M); 0 where M >= 1 or that sum is below 0.4, 1 where M <= 0.

    Means over samples, then over the pairs that occur. Samples with x . Vhat_p <= 0 count as 0.
    Source: Chanin et al. 2024, A is for Absorption (arXiv 2409.14507), with the thresholds of SAEBench and the true
    directions in place of its probes.

    Raises:
        ValueError: no sample has a parent and its child active.
    """
    parents = _unit(directions.double())
    cosine = _unit(dictionary.double()) @ parents.mT
    explained = (dictionary.double() @ parents.mT).to(z.dtype)
    active = a != 0
    rates = []
    for parent, child in pairs:
        rows = active[:, parent] & active[:, child]
        if not rows.any():
            continue
        main, cos = latents[parent], cosine[:, parent]
        total = x[rows] @ parents[parent].to(x.dtype)
        shares = _quotient(z[rows] * explained[:, parent], total.clamp(min=0)[:, None])
        silent = z[rows][:, main].abs() < SILENT
        main_share = shares[:, main].clone()
        shares[:, main] = -torch.inf
        rates.append((_mean(_fully(shares, cos) & silent), _mean(_fractions(shares, main_share, cos))))
    if not rates:
        raise ValueError("no sample has a parent and its child active, so there is nothing to absorb")
    return Absorption(*(sum(rate) / len(rates) for rate in zip(*rates, strict=True)))


def _fully(others: Tensor, cos: Tensor) -> Tensor:
    """Whether one other latent explains enough of each sample. others [rows, m], cos [m] → [rows] of bool."""
    largest, latent = others.max(dim=1)
    return (largest >= ABSORBER_SHARE) & (cos[latent] >= FULL_ABSORPTION_COSINE)


def _fractions(others: Tensor, main: Tensor, cos: Tensor) -> Tensor:
    """The absorbed part of what main and absorbers explain of each sample. others [rows, m], main [rows] → [rows]."""
    candidates = others.clamp(min=0) * (cos >= ABSORBER_COSINE)
    absorbers = candidates.topk(min(MOST_ABSORBERS, candidates.shape[1]), dim=1).values.sum(dim=1)
    absorbed = torch.minimum(absorbers, 1 - main)
    fraction = torch.where(main <= 0, torch.ones_like(main), _quotient(absorbed, absorbed + main))
    return fraction * ((main < 1) & (absorbers >= ABSORBER_SHARE))


def parent_recall(z: Tensor, a: Tensor, latents: Tensor, pairs: Pairs) -> float:
    """P(m(p) fires | p active), mean over the different parents that occur.

    Raises:
        ValueError: no parent is ever active.
    """
    parents = torch.tensor(sorted({parent for parent, _ in pairs}), dtype=torch.long, device=a.device)
    active, fires = a[:, parents] != 0, z[:, latents[parents]] != 0
    occurred = active.sum(dim=0)
    if not occurred.any():
        raise ValueError("no parent is ever active, so there is nothing to recall")
    return _mean(_quotient((active & fires).sum(dim=0), occurred)[occurred > 0])


def hierarchy_violation(z: Tensor, latents: Tensor, pairs: Pairs) -> float:
    """P(m(p) silent | m(c) fires) for parent p and child c, mean over the pairs whose m(c) fires at all (0 if none).

    0 where latents keep the hierarchy of their features, high where a child's latent has absorbed its parent's.
    """
    _refuse_empty(z)
    parents, children = torch.tensor(list(pairs), dtype=torch.long, device=z.device).reshape(-1, 2).unbind(dim=1)
    child_fires = z[:, latents[children]] != 0
    violated = child_fires & (z[:, latents[parents]] == 0)
    fired = child_fires.sum(dim=0)
    return _mean(_quotient(violated.sum(dim=0), fired)[fired > 0]) if fired.any() else 0.0


def mutual_information(first: Tensor, second: Tensor) -> Tensor:
    """Mutual information of firing, sum over the four cells of p(u, v) log[p(u, v) / (p(u) p(v))], in nats.

    Args:
        first: indicators or activations, [N, p]; whatever is not zero fires.
        second: the same of other units on the same samples, [N, q].

    Returns:
        [p, q] in float64, every unit of `first` with every one of `second`; 0 for one that always or never fires.
        Source: Cover & Thomas, Elements of Information Theory, ch. 2.
    """
    _refuse_empty(first)
    n = len(first)
    # Counts of at most 2^24 samples are exact in float32, so a cell that is empty is exactly 0.
    u, v = (first != 0).float(), (second != 0).float()
    both = (u.mT @ v).double()
    fires_u, fires_v = u.sum(dim=0).double()[:, None], v.sum(dim=0).double()
    cells = (
        (both, fires_u * fires_v),
        (fires_u - both, fires_u * (n - fires_v)),
        (fires_v - both, (n - fires_u) * fires_v),
        (n - fires_u - fires_v + both, (n - fires_u) * (n - fires_v)),
    )
    nats = torch.stack([torch.xlogy(joint, joint * n) - torch.xlogy(joint, apart) for joint, apart in cells])
    return (nats.sum(dim=0) / n).clamp(min=0)


def normalized_mutual_information(parents: Tensor, children: Tensor) -> Tensor:
    """Mutual information divided by the entropy of the child: the share of what the child tells that the parent tells.

    Args and shapes as in `mutual_information`; in [0, 1], and 0 for a child that always or never fires.
    """
    p = density(children)
    entropy = torch.special.entr(p) + torch.special.entr(1 - p)
    return _quotient(mutual_information(parents, children), entropy)


# Language models


def loss_recovered(clean: float, reconstructed: float, ablated: float) -> float:
    """(CE_ablated - CE_reconstructed) / (CE_ablated - CE_clean): 1 for a perfect SAE, 0 for one no better than zeros.

    CE is the model's cross-entropy in nats per token with its activations untouched, replaced by xhat, or set to zero.
    With KL divergences from the clean model instead (clean = 0) it is the KL score. Source: SAEBench, core evaluation.

    Raises:
        ValueError: ablation does not hurt, so there is nothing to recover.
    """
    if not ablated > clean:
        raise ValueError(f"zero-ablation must raise the loss, but {ablated} is not above {clean}")
    return (ablated - reconstructed) / (ablated - clean)


# Several SAEs: the trade of sparsity against reconstruction


def pareto_front(points: Tensor) -> Tensor:
    """Which of the points (L0, FVU), [k, 2], no other one dominates, [k] of bool.

    Both coordinates are minimised: a point dominates another if it is no worse in both and better in one.
    """
    no_worse = (points[:, None] <= points).all(dim=2)
    better = (points[:, None] < points).any(dim=2)
    return ~(no_worse & better).any(dim=0)


def hypervolume(points: Tensor, reference: tuple[float, float]) -> float:
    """Area that points (L0, FVU), [k, 2], dominate, up to a reference point that is worse in both coordinates.

    Points that do not beat the reference in both coordinates add nothing. Larger is better.
    Source: Zitzler & Thiele 1998, Multiobjective optimization using evolutionary algorithms.
    """
    worst = torch.tensor(reference, dtype=torch.float64, device=points.device)
    inside = points.double()[(points < worst).all(dim=1)]
    front = inside[pareto_front(inside)].unique(dim=0)  # sorted by L0, so FVU falls from row to row
    right = torch.cat([front[1:, 0], worst[:1]])
    return float(((right - front[:, 0]) * (worst[1] - front[:, 1])).sum())


def _mean(values: Tensor) -> float:
    """Mean of all values, in float64."""
    _refuse_empty(values)
    return float(values.mean(dtype=torch.float64))


def _quotient(numerator: Tensor, denominator: Tensor) -> Tensor:
    """numerator / denominator, and 0 where the denominator is 0."""
    return torch.where(denominator == 0, 0.0, numerator / denominator)


def _unit(rows: Tensor) -> Tensor:
    """Rows divided by their length; a zero row stays zero."""
    return torch.nn.functional.normalize(rows, dim=1, eps=torch.finfo(rows.dtype).tiny)


def _refuse_empty(values: Tensor) -> None:
    if values.numel() == 0:
        raise ValueError("there is no sample to average over")
