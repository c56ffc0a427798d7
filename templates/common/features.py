"""Synthetic features apart from their hierarchy: directions, firing probabilities, correlations, magnitudes. Protected.

All randomness comes from the generator that is passed in; results are on that generator's device.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor


def feature_directions(
    n_features: int,
    d_model: int,
    generator: Generator,
    *,
    orthogonal: bool = True,
    correlation: float = 0.0,
    scale_variation: float = 0.0,
) -> Tensor:
    """Directions V [n_features, d_model].

    Orthogonal directions are columns of the Q of a Gaussian matrix. Where there are more features than dimensions, or
    `orthogonal` is false, they are Gaussian. They are then mixed by the symmetric part of I + correlation · N(0, 1),
    brought to norm 1, and scaled by 1 + N(0, scale_variation).
    """
    device = generator.device
    if orthogonal and n_features <= d_model:
        gaussian = torch.randn(d_model, n_features, generator=generator, device=device)
        directions = torch.linalg.qr(gaussian).Q.T
    else:
        directions = torch.randn(n_features, d_model, generator=generator, device=device)
    mixing = correlation * torch.randn(n_features, n_features, generator=generator, device=device)
    directions = directions + (mixing + mixing.T) / 2 @ directions
    directions = torch.nn.functional.normalize(directions, dim=1)
    return directions * (1 + scale_variation * torch.randn(n_features, 1, generator=generator, device=device))


def zipf_probabilities(n_features: int, high: float = 0.3, low: float = 0.01, exponent: float = 1.0) -> Tensor:
    """Firing probabilities [n_features] by Zipf's law: high · rank^-exponent, but at least `low`."""
    rank = torch.arange(1, n_features + 1, dtype=torch.float64)
    return (high * rank**-exponent).clamp(min=low)


def linear_probabilities(n_features: int, high: float = 0.3, low: float = 0.01) -> Tensor:
    """Firing probabilities [n_features] that fall from `high` to `low` in equal steps."""
    return torch.linspace(high, low, n_features, dtype=torch.float64)


def random_probabilities(n_features: int, generator: Generator, high: float = 0.3, low: float = 0.01) -> Tensor:
    """Firing probabilities [n_features], uniform between `low` and `high`."""
    u = torch.rand(n_features, generator=generator, device=generator.device, dtype=torch.float64)
    return low + (high - low) * u


def correlation_matrix(n_features: int, pairs: Mapping[tuple[int, int], float]) -> Tensor:
    """The correlation matrix [n_features, n_features] in which only the named pairs of features are correlated."""
    matrix = torch.eye(n_features, dtype=torch.float64)
    for (i, j), correlation in pairs.items():
        matrix[i, j] = matrix[j, i] = correlation
    return matrix


def random_correlation_matrix(n_features: int, generator: Generator, strength: float = 0.5, rank: int = 10) -> Tensor:
    """A random correlation matrix [n_features, n_features], always positive definite for strength < 1.

    A factor model: off the diagonal strength · L Lᵀ, where L [n_features, rank] holds a random unit vector per feature.
    These entries have mean 0 and standard deviation strength / √rank.
    """
    loadings = torch.randn(n_features, rank, generator=generator, device=generator.device, dtype=torch.float64)
    loadings = torch.nn.functional.normalize(loadings, dim=1)
    return (strength * loadings @ loadings.T).fill_diagonal_(1.0)


class CorrelatedFiring:
    """Features that fire together or apart: a Gaussian copula.

    Feature i fires where z_i < Φ⁻¹(p_i), z ~ N(0, correlation). The correlation is that of z; that of the firing itself
    is weaker. The Cholesky factor is made once.

    Args:
        probabilities: [n] marginal firing probabilities.
        correlation: [n, n], symmetric, positive definite, with ones on the diagonal.
        device: where samples are drawn.

    Raises:
        ValueError: the probabilities are none, or the matrix is no correlation matrix of that size.
    """

    def __init__(self, probabilities: Sequence[float], correlation: Tensor, device: torch.device | str = "cpu") -> None:
        p = torch.as_tensor(probabilities, dtype=torch.float64)
        matrix = torch.as_tensor(correlation, dtype=torch.float64)
        if not ((p >= 0) & (p <= 1)).all():
            raise ValueError("firing probabilities must lie between 0 and 1")
        if matrix.shape != (len(p), len(p)):
            raise ValueError(f"the correlation matrix must be [{len(p)}, {len(p)}], got {list(matrix.shape)}")
        if not torch.allclose(matrix, matrix.T) or not torch.allclose(matrix.diagonal(), torch.ones_like(p)):
            raise ValueError("the correlation matrix must be symmetric with ones on its diagonal")
        factor, failed = torch.linalg.cholesky_ex(matrix)
        if failed:
            smallest = torch.linalg.eigvalsh(matrix)[0].item()
            raise ValueError(
                f"the correlation matrix is not positive definite; its smallest eigenvalue is {smallest:.3g}"
            )
        self._mixing = factor.T.float().to(device)
        self._threshold = torch.special.ndtri(p).float().to(device)

    def sample(self, n: int, generator: Generator) -> Tensor:
        """Draw which features fire: float [n, n_features] of zeros and ones."""
        z = torch.randn(n, len(self._threshold), generator=generator, device=self._mixing.device) @ self._mixing
        return (z < self._threshold).float()


def magnitudes(shape: Sequence[int], mean: float | Tensor, std: float | Tensor, generator: Generator) -> Tensor:
    """Firing magnitudes |N(mean, std)| of the given shape.

    Folded at 0 and not cut off, so that a feature that fires is never silent; constant where std is 0.
    """
    return (mean + std * torch.randn(*shape, generator=generator, device=generator.device)).abs()
