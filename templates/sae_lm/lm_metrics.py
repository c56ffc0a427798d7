"""What an SAE is worth to the language model it was trained on. Protected; formulas in sae_metrics.py.

The dictionary's size is fixed and its L0 bounded, so that the FVU of any two runs may be compared.
"""

from pathlib import Path

import torch
from torch import Tensor

from activations import Prepared
from artifacts import ArtifactError, is_smoke, load_arrays
from sae_files import SavedSAE
from sae_metrics import dead_fraction, density, fvu, l0, loss_recovered, mutual_information

N_LATENTS = 1152
MAX_L0 = 33.6
"""The baseline's 32 and 5 %, for architectures that reach their sparsity by a threshold."""
DENSE = 0.1
"""A latent that fires on a larger share of tokens than this is dense."""
MASSIVE = 3.0
"""An activation is massive if its norm exceeds this many times the median norm."""
NO_PARENT = -1
SMOKE_WINDOWS = 2


def measure(
    prepared: Prepared, layer: int, split: str, sae: SavedSAE, parents: Tensor | None = None
) -> dict[str, list[float]]:
    """Every metric, one value per seed, on the tokens of `split`.

    Args:
        parents: [S, m], the parent of each latent, NO_PARENT where it has none; None for a flat dictionary.

    Raises:
        ArtifactError: the SAEs are of no use: no latent ever fires, or more fire than may.
    """
    x = prepared.activations(split, layer)[: SMOKE_WINDOWS if is_smoke() else None]
    flat = x.flatten(0, 1)
    z = sae.encode(flat.expand(len(sae.W_dec), -1, -1))
    xhat = sae.decode(z)
    tokens = prepared.ce_tokens(split)
    clean, zero = prepared.reference_cross_entropy(split, layer)
    scale = prepared.scale(layer)
    ordinary = ~massive(flat)
    values: dict[str, list[float]] = {}
    for seed in range(len(z)):
        refuse_useless(z[seed], sae.W_dec[seed])
        shares = density(z[seed])
        replacement = scale * xhat[seed].view_as(x)[: len(tokens)]
        ce_sae = float(prepared.model.cross_entropy(tokens, layer, replacement).mean())
        of_seed = {
            "fvu": fvu(flat, xhat[seed]),
            "fvu_ordinary": fvu(flat[ordinary], xhat[seed][ordinary]),
            "l0": l0(z[seed]),
            "dead": dead_fraction(z[seed]),
            "dense": float((shares > DENSE).double().mean()),
            "median_density": float(shares.median()),
            "ce_sae": ce_sae,
            "ce_clean": clean,
            "ce_zero": zero,
            "loss_recovered": loss_recovered(clean, ce_sae, zero),
            "parent_child_mi": parent_child_mi(z[seed], None if parents is None else parents[seed]),
        }
        for metric, value in of_seed.items():
            values.setdefault(metric, []).append(value)
    return values


def massive(x: Tensor) -> Tensor:
    """Which rows of x [N, d] are massive activations (Sun et al. 2024, arXiv 2402.17762), [N] of bool."""
    norms = x.norm(dim=1)
    return norms > MASSIVE * norms.median()


def refuse_useless(z: Tensor, w_dec: Tensor) -> None:
    """Raise ArtifactError unless latents z [N, m] fire, not too many, and the decoder w_dec [m, d] is not zero."""
    if not (z.any() and w_dec.any()):
        raise ArtifactError("the SAE reconstructs nothing: no latent fires, or W_dec is zero")
    if not is_smoke() and l0(z) > MAX_L0:
        raise ArtifactError(f"L0 is {l0(z):.1f}, above the {MAX_L0:g} up to which runs are compared")


def parent_child_mi(z: Tensor, parents: Tensor | None = None) -> float:
    """Mean over latents of I(parent fires; latent fires) in nats, measured on the second half of the tokens.

    A latent counts 0 if it has no parent, or one that fires more rarely on the first half: a declaration about the same
    latents hardly raises the mean. In a flat dictionary the parent of a latent is, of those that fire more often, the
    one it shares most information with on the first half: chosen on other tokens than measured, so that chance does not
    count.

    Args:
        z: latents [N, m].
        parents: [m], as in `measure`.
    """
    chosen_on, measured_on = z.chunk(2)
    shares = density(chosen_on)
    if parents is None:
        information = mutual_information(chosen_on, chosen_on)
        information[shares[:, None] <= shares] = 0
        shared, parents = information.max(dim=0)
        parents[shared == 0] = NO_PARENT
    children = torch.nonzero((parents != NO_PARENT) & (shares[parents] >= shares)).flatten()
    if len(children) == 0:
        return 0.0
    different, number = parents[children].unique(return_inverse=True)
    information = mutual_information(measured_on[:, different], measured_on[:, children])
    return float(information[number, torch.arange(len(children))].sum() / len(parents))


def load_parents(path: Path, n_seeds: int) -> Tensor | None:
    """Key "parent" of parents.npz: float32 [S, m], whole numbers; None if there is no such file.

    Raises:
        ArtifactError: the file does not say that, or a latent is its own ancestor.
    """
    if not path.exists():
        return None
    parents = torch.from_numpy(load_arrays(path, {"parent": (n_seeds, N_LATENTS)})["parent"])
    whole = parents.long()
    if (whole != parents).any() or (whole < NO_PARENT).any() or (whole >= N_LATENTS).any():
        raise ArtifactError(f"{path.name}: parents must be other latents' numbers, or {NO_PARENT} for none")
    if any(has_cycle(of_seed) for of_seed in whole):
        raise ArtifactError(f"{path.name}: a latent is its own ancestor")
    return whole


def has_cycle(parents: Tensor) -> bool:
    """Whether some latent is its own ancestor; parents [m], NO_PARENT where there is none."""
    ancestor = torch.cat([parents, torch.tensor([NO_PARENT])])  # NO_PARENT, as an index, finds itself at the end
    for _ in range(len(parents).bit_length()):
        ancestor = ancestor[ancestor]  # twice as many generations up
    return bool((ancestor != NO_PARENT).any())
