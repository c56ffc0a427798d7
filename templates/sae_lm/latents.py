"""What single latents respond to: the tokens they fire on most, written for people and plots. Protected."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from artifacts import is_smoke
from lm_metrics import NO_PARENT
from sae import SAE
from sae_metrics import density, mutual_information

N_WINDOWS, SMOKE_WINDOWS = 96, 4
"""Windows of text that latents are described by."""
N_CONTEXTS = 6
"""Tokens shown per latent."""
BEFORE, AFTER = 8, 4
"""Tokens of context on each side."""
N_FLAT = 24
"""Latents shown of a flat dictionary, spread evenly over those that fire, from rare to common."""
N_PARENTS, N_CHILDREN = 6, 4
"""Of a hierarchical dictionary: the coarse latents with the most informative children, and how many of these."""


def top_positions(activity: Tensor, n: int) -> list[tuple[int, int]]:
    """Places (window, position) where one latent's `activity` [windows, positions] is largest, one a window at most.

    Only places where it fires: fewer than n if it fires in fewer windows.
    """
    peaks, positions = activity.max(dim=1)
    best = peaks.argsort(descending=True, stable=True)[:n]
    return [(int(window), int(positions[window])) for window in best if peaks[window] > 0]


def contexts(activity: Tensor, tokens: Tensor, vocabulary: Sequence[str]) -> list[dict[str, Any]]:
    """The tokens that one latent fires on most, with what stands around them.

    Args:
        activity: [windows, T - 1], of positions 1 to T - 1.
        tokens: [windows, T].
    """
    found = []
    for window, place in top_positions(activity, N_CONTEXTS):
        words = [vocabulary[token] for token in tokens[window].tolist()]
        at = place + 1
        found.append(
            {
                "activation": round(float(activity[window, place]), 3),
                "before": "".join(words[max(0, at - BEFORE) : at]),
                "token": words[at],
                "after": "".join(words[at + 1 : at + 1 + AFTER]),
            }
        )
    return found


@torch.no_grad()
def describe(
    folder: Path, sae: SAE, x: Tensor, tokens: Tensor, vocabulary: Sequence[str], parents: Tensor | None
) -> None:
    """Write density.npz (share of tokens on which each latent fires, [S, m]) and latents.json (of the first seed).

    Args:
        x: activations [windows, T - 1, d]; the first N_WINDOWS windows are looked at.
        tokens: [windows, T].
        vocabulary: each token as text.
        parents: [S, m] as in `lm_metrics.measure`, None for a flat dictionary; saved as parents.npz.
    """
    some = slice(SMOKE_WINDOWS if is_smoke() else N_WINDOWS)
    x, tokens = x[some], tokens[some]
    z = sae.encode(x.flatten(0, 1).to(sae.W_dec).expand(len(sae.W_dec), -1, -1)).cpu()
    np.savez(folder / "density.npz", density=np.stack([density(of_seed).float().numpy() for of_seed in z]))
    if parents is not None:
        np.savez(folder / "parents.npz", parent=parents.float().numpy())
    chosen = spread_latents(z[0]) if parents is None else informative_families(z[0], parents[0])
    shares = density(z[0])
    described = [
        {
            "latent": latent,
            "parent": parent,
            "density": float(shares[latent]),
            "contexts": contexts(z[0, :, latent].view(x.shape[:2]), tokens, vocabulary),
        }
        for latent, parent in chosen
    ]
    (folder / "latents.json").write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n")


def spread_latents(z: Tensor) -> list[tuple[int, int | None]]:
    """N_FLAT of the latents z [N, m] that fire, evenly spaced in order of density, none with a parent."""
    shares = density(z)
    alive = shares.argsort(stable=True)[int((shares == 0).sum()) :]
    places = np.linspace(0, len(alive) - 1, min(N_FLAT, len(alive))).round().astype(int)
    return [(int(alive[place]), None) for place in places]


def informative_families(z: Tensor, parents: Tensor) -> list[tuple[int, int | None]]:
    """N_PARENTS latents, each followed by its N_CHILDREN children that share most information with it, of z [N, m]."""
    children = torch.nonzero(parents != NO_PARENT).flatten()
    information = torch.zeros(len(parents), dtype=torch.float64)
    information[children] = mutual_information(z, z)[parents[children], children]
    best = {
        parent: children[parents[children] == parent][
            information[children[parents[children] == parent]].argsort(descending=True)[:N_CHILDREN]
        ]
        for parent in parents[children].unique().tolist()
    }
    ranked = sorted(best, key=lambda parent: -float(information[best[parent]].sum()))[:N_PARENTS]
    chosen: list[tuple[int, int | None]] = []
    for parent in ranked:
        chosen.append((parent, None))
        chosen += [(child, parent) for child in best[parent].tolist() if information[child] > 0]
    return chosen
