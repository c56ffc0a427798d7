"""Synthetic features: directions, firing probabilities, correlations and magnitudes."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import foldnorm, kstest, multivariate_normal, norm

from .conftest import seeded

UNLIKELY = 1e-3


# Directions


@pytest.mark.parametrize(("n", "d"), [(1, 1), (3, 256), (20, 20)])
def test_orthogonal_directions_are_orthonormal(features: ModuleType, n: int, d: int) -> None:
    v = features.feature_directions(n, d, seeded())
    assert v.shape == (n, d)
    assert (v @ v.T).numpy() == pytest.approx(np.eye(n), abs=1e-5)


@pytest.mark.parametrize(("n", "d", "orthogonal"), [(40, 20, True), (300, 200, False)])
def test_other_directions_have_norm_1_and_random_angles(features: ModuleType, n: int, d: int, orthogonal: bool) -> None:
    v = features.feature_directions(n, d, seeded(), orthogonal=orthogonal)
    cosines = (v @ v.T)[tuple(np.triu_indices(n, 1))]
    assert v.norm(dim=1).numpy() == pytest.approx(1, abs=1e-5)
    assert cosines.mean().item() == pytest.approx(0, abs=0.01)
    assert cosines.std().item() == pytest.approx(1 / math.sqrt(d), rel=0.1)


def test_correlated_directions_keep_norm_1_and_have_the_cosines_asked_for(features: ModuleType) -> None:
    """(R + R^T) / 2 has off-diagonal standard deviation 1/√2, and the cosine of two mixed directions is twice that."""
    v = features.feature_directions(200, 200, seeded(), correlation=0.02)
    cosines = (v @ v.T)[tuple(np.triu_indices(200, 1))]
    assert v.norm(dim=1).numpy() == pytest.approx(1, abs=1e-5)
    assert cosines.std().item() == pytest.approx(0.02 * math.sqrt(2), rel=0.1)


def test_the_scale_of_directions_varies_as_asked_for(features: ModuleType) -> None:
    norms = features.feature_directions(2_000, 50, seeded(), scale_variation=0.1).norm(dim=1)
    assert kstest(norms.numpy(), norm(1, 0.1).cdf).pvalue > UNLIKELY


# Firing probabilities


def test_probabilities_fall_by_zipfs_law_to_a_lower_bound(features: ModuleType) -> None:
    assert features.zipf_probabilities(4, high=0.6, low=0.18).tolist() == pytest.approx([0.6, 0.3, 0.2, 0.18])
    assert features.zipf_probabilities(3, high=0.9, exponent=2.0).tolist() == pytest.approx([0.9, 0.225, 0.1])


def test_probabilities_fall_in_equal_steps(features: ModuleType) -> None:
    assert features.linear_probabilities(4, high=0.4, low=0.1).tolist() == pytest.approx([0.4, 0.3, 0.2, 0.1])


def test_random_probabilities_are_uniform_between_their_bounds(features: ModuleType) -> None:
    p = features.random_probabilities(5_000, seeded(), high=0.4, low=0.1)
    assert kstest((p.numpy() - 0.1) / 0.3, "uniform").pvalue > UNLIKELY
    assert p.equal(features.random_probabilities(5_000, seeded(), high=0.4, low=0.1))


# Correlations


def test_named_pairs_are_correlated_and_no_others(features: ModuleType) -> None:
    matrix = features.correlation_matrix(3, {(0, 2): 0.5, (1, 2): -0.25})
    assert matrix.tolist() == [[1, 0, 0.5], [0, 1, -0.25], [0.5, -0.25, 1]]


@pytest.mark.parametrize("n", [1, 300])
def test_a_random_correlation_matrix_is_one(features: ModuleType, n: int) -> None:
    matrix = features.random_correlation_matrix(n, seeded(), strength=0.8, rank=16)
    assert matrix.diagonal().eq(1).all()
    assert matrix.numpy() == pytest.approx(matrix.T.numpy(), abs=1e-12)
    assert torch.linalg.eigvalsh(matrix)[0] >= 0.2 - 1e-9
    if n > 1:
        others = matrix[tuple(np.triu_indices(n, 1))]
        assert others.std().item() == pytest.approx(0.8 / 4, rel=0.05)


def test_features_fire_as_often_and_as_often_together_as_the_copula_says(features: ModuleType) -> None:
    p = torch.tensor([0.3, 0.1, 0.2, 0.5])
    matrix = features.correlation_matrix(4, {(0, 1): 0.7, (0, 2): -0.4, (1, 2): -0.1})
    n = 200_000
    fires = features.CorrelatedFiring(p, matrix).sample(n, seeded())
    assert set(fires.unique().tolist()) == {0.0, 1.0}
    together = (fires.T @ fires).numpy() / n
    thresholds = norm.ppf(p)
    for i, j in [(0, 1), (0, 2), (1, 2), (0, 3)]:
        rho = matrix[i, j].item()
        both = multivariate_normal(cov=[[1, rho], [rho, 1]]).cdf([thresholds[i], thresholds[j]])
        assert together[i, j] == pytest.approx(both, abs=4.5 * math.sqrt(both / n))
    assert together.diagonal() == pytest.approx(p.numpy(), abs=4.5 * math.sqrt(0.25 / n))


def test_a_random_correlation_is_recovered_from_the_firing(features: ModuleType) -> None:
    """At p = 1/2 both fire with probability 1/4 + asin(rho) / 2π (Sheppard 1899)."""
    n = 100_000
    matrix = features.random_correlation_matrix(30, seeded(1), strength=0.9, rank=3)
    fires = features.CorrelatedFiring([0.5] * 30, matrix).sample(n, seeded())
    recovered = torch.sin(2 * math.pi * ((fires.T @ fires).double() / n - 0.25))
    apart = tuple(np.triu_indices(30, 1))
    assert (recovered - matrix)[apart].abs().max() < 4.5 * 2 * math.pi * math.sqrt(3 / 16 / n)


def test_what_always_or_never_fires_does_so_whatever_its_correlation(features: ModuleType) -> None:
    firing = features.CorrelatedFiring([0.0, 1.0, 0.5], features.correlation_matrix(3, {(0, 2): 0.5, (1, 2): 0.5}))
    assert firing.sample(1_000, seeded()).mean(0)[:2].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("p", "matrix", "message"),
    [
        ([0.5, 1.5], [[1, 0], [0, 1]], "between 0 and 1"),
        ([0.5, math.nan], [[1, 0], [0, 1]], "between 0 and 1"),
        ([0.5] * 3, [[1, 0], [0, 1]], r"must be \[3, 3\], got \[2, 2\]"),
        ([0.5] * 2, [[1, 0.2], [0.1, 1]], "symmetric with ones"),
        ([0.5] * 2, [[1, 0.2], [0.2, 2]], "symmetric with ones"),
        ([0.5] * 2, [[1, math.nan], [math.nan, 1]], "symmetric with ones"),
        ([0.5] * 2, [[1, 1.5], [1.5, 1]], "not positive definite; its smallest eigenvalue is -0.5"),
    ],
)
def test_what_is_no_correlation_matrix_is_refused(
    features: ModuleType, p: list[float], matrix: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        features.CorrelatedFiring(p, torch.tensor(matrix, dtype=torch.float64))


# Magnitudes and whole activations


def test_magnitudes_are_a_folded_normal_or_constant(features: ModuleType) -> None:
    drawn = features.magnitudes((20_000,), 0.5, 1.0, seeded())
    assert (drawn > 0).all()
    assert kstest(drawn.numpy(), foldnorm(0.5).cdf).pvalue > UNLIKELY
    assert features.magnitudes((3, 2), 2.5, 0.0, seeded()).unique().tolist() == [2.5]


def test_each_feature_may_have_magnitudes_of_its_own(generators: ModuleType) -> None:
    mean, std = torch.tensor([1.0, 5.0]), torch.tensor([0.0, 0.5])
    a = generators.ActivationGenerator([0.5, 0.25], magnitude_mean=mean, magnitude_std=std).sample(40_000)
    assert a[:, 0].unique().tolist() == [0, 1]
    large = a[:, 1][a[:, 1] > 0]
    assert len(large) / len(a) == pytest.approx(0.25, abs=0.01)
    assert kstest(large.numpy(), norm(5, 0.5).cdf).pvalue > UNLIKELY


def test_free_features_fire_independently(features: ModuleType, generators: ModuleType) -> None:
    p = features.linear_probabilities(10, 0.5, 0.05)
    a = generators.ActivationGenerator(p, seed=1).sample(100_000)
    together = (a.T @ a).numpy() / len(a)
    expected = np.outer(p, p)
    np.fill_diagonal(expected, p)
    assert np.abs(together - expected).max() < 4.5 * math.sqrt(0.25 / len(a))


@pytest.mark.parametrize("correlated", [False, True])
def test_activations_obey_their_hierarchy(
    features: ModuleType, generators: ModuleType, tree: ModuleType, correlated: bool
) -> None:
    roots = [tree.HierarchyNode(0, [tree.HierarchyNode(1), tree.HierarchyNode(2)], True)]
    matrix = features.correlation_matrix(4, {(1, 2): 0.9, (0, 3): 0.5}) if correlated else None
    p = [0.5, 0.4, 0.4, 0.2]
    a = generators.ActivationGenerator(p, correlation=matrix, hierarchy=roots, magnitude_std=0.3).sample(50_000)
    parent, first, second, free = (a > 0).T
    assert not (first & second).any()
    assert not ((first | second) & ~parent).any()
    assert parent.float().mean().item() == pytest.approx(0.5, abs=0.01)
    assert free.float().mean().item() == pytest.approx(0.2, abs=0.01)
    if correlated:
        assert (free & parent).float().mean().item() > 0.13, "0.10 if they were independent"
    else:
        assert first.float().mean().item() == pytest.approx(0.5 * 0.4 * 0.8, abs=0.006)


def test_a_seed_gives_the_same_activations_and_the_global_generator_is_left_alone(
    features: ModuleType, generators: ModuleType
) -> None:
    matrix = features.random_correlation_matrix(5, seeded())
    before = torch.get_rng_state()
    first, second, other = (
        generators.ActivationGenerator([0.3] * 5, correlation=matrix, magnitude_std=1.0, seed=seed).sample(100)
        for seed in (4, 4, 5)
    )
    assert first.equal(second)
    assert not first.equal(other)
    assert torch.get_rng_state().equal(before)
