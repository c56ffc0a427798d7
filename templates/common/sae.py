"""Sparse autoencoders (SAEs), several seeds side by side in one batched module. Protected.

Every parameter has a leading axis of S seeds: W_enc [S, d, m], b_enc [S, 1, m], W_dec [S, m, d], b_dec [S, 1, d] for
d inputs and m latents. An architecture is a subclass of `SAE` in `ARCHITECTURES`; an experiment may add its own. To
train one:

    sae = ARCHITECTURES["batch_topk"](seeds, d_in=20, n_latents=20, k=1.12).to(device)
    refuse_dead_start(sae, x)
    optimizer = torch.optim.Adam(sae.parameters(), lr=1e-3, fused=True)
    for x in batches:                              # [S, N, d]
        sae.loss(x)["total"].sum().backward()      # summed over seeds: no gradient crosses from one seed to another
        optimizer.step()
        optimizer.zero_grad()
        sae.after_step()
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.linalg import vector_norm
from torch.nn import Module, Parameter
from torch.nn.functional import mse_loss, normalize

Losses = dict[str, Tensor]
"""Term → its value per seed [S]. "total" is what is minimised, "mse" the squared error of the reconstruction."""

SILENT_STEPS = 100
"""Training steps without firing after which a latent counts as dead."""
THRESHOLD_RATE = 0.01
"""Weight of the newest batch in the running mean of BatchTopK's threshold."""


class SAE(Module):
    """S sparse autoencoders: pre = (x - b_dec) W_enc + b_enc, z = activation(pre), xhat = z W_dec + b_dec.

    The rows of W_dec, one direction per latent, have unit length. They start as random directions from each seed's own
    generator, with W_enc = W_dec^T (Gao et al. 2024, arXiv 2406.04093, appendix A) and zero biases.

    Args:
        seeds: one autoencoder per seed; what becomes of it does not depend on the others.
        d_in: inputs d.
        n_latents: latents m.
    """

    def __init__(self, seeds: Sequence[int], d_in: int, n_latents: int) -> None:
        super().__init__()
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        directions = normalize(self.random_normal(n_latents, d_in), dim=2)
        self.W_enc = Parameter(directions.mT.clone())
        self.b_enc = Parameter(torch.zeros(len(seeds), 1, n_latents))
        self.W_dec = Parameter(directions)
        self.W_dec.register_hook(self._tangential)
        self.b_dec = Parameter(torch.zeros(len(seeds), 1, d_in))

    def _tangential(self, gradient: Tensor) -> Tensor:
        """The gradient of W_dec without the part that would only change the length of its rows.

        `after_step` undoes that part, but not what Adam makes of it: scaled per coordinate, it turns the rows as well.
        """
        return gradient - (gradient * self.W_dec).sum(dim=2, keepdim=True) * self.W_dec

    @property
    def n_latents(self) -> int:
        return self.W_dec.shape[1]

    def random_normal(self, *shape: int) -> Tensor:
        """Standard normal numbers [S, *shape], each seed's from its own generator."""
        return torch.stack([torch.randn(shape, generator=generator) for generator in self.generators])

    @torch.no_grad()
    def init_from_directions(self, directions: Tensor, noise: float = 0.0) -> None:
        """Start from known directions: W_dec = their unit vectors, W_enc = W_dec^T + noise * N(0, 1).

        With fewer directions than latents the other latents stay as they are; with more, the first m are used.

        Args:
            directions: [n, d] for all seeds alike, or [S, n, d].
            noise: standard deviation of what is added to every weight of these encoders.
        """
        n = min(directions.shape[-2], self.n_latents)
        self.W_dec[:, :n] = normalize(directions[..., :n, :].to(self.W_dec), dim=-1)
        self.W_enc[:, :, :n] = self.W_dec[:, :n].mT + noise * self.random_normal(self.W_dec.shape[2], n).to(self.W_enc)

    def pre_activations(self, x: Tensor) -> Tensor:
        """(x - b_dec) W_enc + b_enc, [S, N, m]."""
        bias = torch.baddbmm(self.b_enc, self.b_dec, self.W_enc, alpha=-1)
        return torch.baddbmm(bias, x, self.W_enc)

    def encode(self, x: Tensor) -> Tensor:
        """Latents z [S, N, m] of inputs x [S, N, d] as used after training: deterministic, each row by itself."""
        raise NotImplementedError

    def decode(self, z: Tensor) -> Tensor:
        """xhat = z W_dec + b_dec, [S, N, d]."""
        return torch.baddbmm(self.b_dec, z, self.W_dec)

    def loss(self, x: Tensor) -> Losses:
        """The loss on a training batch x [S, N, d]; what spans a batch, spans that of each seed."""
        raise NotImplementedError

    def error(self, x: Tensor, xhat: Tensor) -> Tensor:
        """Squared error ||x - xhat||^2, summed over inputs, mean over the batch: [S]."""
        return mse_loss(xhat, x, reduction="none").sum(dim=(1, 2)) / x.shape[1]

    @torch.no_grad()
    def after_step(self) -> None:
        """To be called after each step of the optimiser: brings the rows of W_dec back to unit length."""
        self.W_dec.div_(vector_norm(self.W_dec, dim=2, keepdim=True).clamp_min_(1e-12))  # half the time of normalize


class ReluL1(SAE):
    """z = ReLU(pre), loss ||x - xhat||^2 + l1 ||z||_1 (Bricken et al. 2023, Towards Monosemanticity).

    Args:
        l1: weight of the penalty.
    """

    def __init__(self, seeds: Sequence[int], d_in: int, n_latents: int, l1: float) -> None:
        super().__init__(seeds, d_in, n_latents)
        self.l1 = l1

    def encode(self, x: Tensor) -> Tensor:
        return torch.relu(self.pre_activations(x))

    def loss(self, x: Tensor) -> Losses:
        z = self.encode(x)
        mse, sparsity = self.error(x, self.decode(z)), z.sum(dim=(1, 2)) / x.shape[1]
        return {"total": mse.add(sparsity, alpha=self.l1), "mse": mse, "l1": sparsity}


class TopK(SAE):
    """z = the k largest of ReLU(pre) in each row, the others zero (Gao et al. 2024, arXiv 2406.04093; without AuxK).

    Args:
        k: latents that may fire in a row.
    """

    def __init__(self, seeds: Sequence[int], d_in: int, n_latents: int, k: int) -> None:
        super().__init__(seeds, d_in, n_latents)
        self.k = k

    def encode(self, x: Tensor) -> Tensor:
        z = torch.relu(self.pre_activations(x))
        values, indices = z.topk(self.k, dim=2, sorted=False)
        return torch.zeros_like(z).scatter(2, indices, values)

    def loss(self, x: Tensor) -> Losses:
        mse = self.error(x, self.decode(self.encode(x)))
        return {"total": mse, "mse": mse}


class BatchTopK(SAE):
    """z = the k N largest of ReLU(pre) in a batch of N rows (Bussmann et al. 2024, arXiv 2412.06410).

    After training a latent fires where it exceeds `threshold`, per seed the running mean of the least activation that a
    training batch kept.

    Args:
        k: latents that fire per row on average; may be a fraction.
        k_start: what k is in the first step, from where it falls to `k` in a straight line: with more latents firing at
            first, fewer die. None: `k` from the start.
        k_steps: steps until it has fallen.
        resample_steps: after every so many steps, latents that were silent for the last SILENT_STEPS are turned towards
            the worst reconstructed samples (after Bricken et al. 2023). None: they are left alone.
    """

    threshold: Tensor
    silent_steps: Tensor

    def __init__(
        self,
        seeds: Sequence[int],
        d_in: int,
        n_latents: int,
        k: float,
        k_start: float | None = None,
        k_steps: int = 2_000,
        resample_steps: int | None = None,
    ) -> None:
        super().__init__(seeds, d_in, n_latents)
        self.k, self.k_start, self.k_steps = k, k if k_start is None else k_start, k_steps
        self.resample_steps = resample_steps
        self.register_buffer("silent_steps", torch.zeros(len(seeds), n_latents))
        self.register_buffer("threshold", torch.zeros(len(seeds)))
        self.least_kept = self.threshold
        self.residual = torch.empty(0)
        self.n_updates = 0

    @property
    def current_k(self) -> float:
        return self.k + (self.k_start - self.k) * max(0.0, 1 - self.n_updates / self.k_steps)

    def encode(self, x: Tensor) -> Tensor:
        z = torch.relu(self.pre_activations(x))
        return z * (z > self.threshold[:, None, None])

    def keep(self, z: Tensor) -> Tensor:
        """The k N largest entries of each seed's z [S, N, m], zero elsewhere; notes the least that was kept, [S]."""
        n_kept = max(1, round(self.current_k * z.shape[1]))
        candidates = z.detach().flatten(1)
        least = candidates.topk(n_kept, dim=1, sorted=False).values.amin(dim=1, keepdim=True)
        self.least_kept = least[:, 0]
        return z * (z >= least[:, None])

    def training_latents(self, x: Tensor) -> Tensor:
        return self.keep(torch.relu(self.pre_activations(x)))

    def residuals(self, x: Tensor, z: Tensor) -> list[Tensor]:
        """What is left of x, [S, N, d] each; the last one after all latents."""
        return [x - self.decode(z)]

    def loss(self, x: Tensor) -> Losses:
        z = self.training_latents(x)
        residuals = self.residuals(x, z)
        self.silent_steps = (self.silent_steps + 1) * (z == 0).all(dim=1)
        self.residual = residuals[-1].detach()
        errors = torch.stack([residual.square().sum(dim=(1, 2)) for residual in residuals]) / x.shape[1]
        return {"total": errors.mean(dim=0), "mse": errors[-1]}

    @torch.no_grad()
    def after_step(self) -> None:
        super().after_step()
        self.n_updates += 1
        self.threshold.lerp_(self.least_kept, max(THRESHOLD_RATE, 1 / self.n_updates))
        if self.resample_steps and self.n_updates % self.resample_steps == 0:
            self.resample()

    def resample(self) -> None:
        """Give each dead latent the direction of what is left of one of the batch's worst reconstructed samples."""
        rank = torch.arange(self.n_latents, device=self.residual.device) % self.residual.shape[1]
        worst = self.residual.norm(dim=2).argsort(dim=1, descending=True)[:, rank]
        directions = normalize(self.residual.gather(1, worst[..., None].expand_as(self.W_dec)), dim=2)
        dead = (self.silent_steps >= SILENT_STEPS)[..., None]
        self.W_dec.copy_(torch.where(dead, directions, self.W_dec))
        self.W_enc.copy_(torch.where(dead, directions, self.W_enc.mT).mT)
        self.b_enc.masked_fill_(dead.mT, 0.0)


class HeavisideSTE(torch.autograd.Function):
    """H(pre - threshold); the threshold's gradient sees a rectangle of width `bandwidth` (arXiv 2407.14435, sec. 4)."""

    @staticmethod
    def forward(ctx: Any, pre: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
        gap = pre - threshold
        ctx.save_for_backward(gap)
        ctx.bandwidth = bandwidth
        return (gap > 0).to(pre)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, None]:
        (gap,) = ctx.saved_tensors
        near = gap.abs() < ctx.bandwidth / 2
        return None, -(gradients[0] * near).sum(dim=1, keepdim=True) / ctx.bandwidth, None


class JumpReLU(SAE):
    """z = pre H(pre - threshold), a learned threshold per latent (Rajamanoharan et al. 2024, arXiv 2407.14435).

    The loss is ||x - xhat||^2 + l0_penalty (L0 / target_l0 - 1)^2 with the batch's mean L0, the paper's form for
    training to a given sparsity.

    Args:
        target_l0: latents that should fire per row on average.
        l0_penalty: weight of missing it.
        bandwidth: width of the window around a threshold in which pre-activations move it; also the first threshold.
    """

    def __init__(
        self, seeds: Sequence[int], d_in: int, n_latents: int, target_l0: float, l0_penalty: float, bandwidth: float
    ) -> None:
        super().__init__(seeds, d_in, n_latents)
        self.target_l0, self.l0_penalty, self.bandwidth = target_l0, l0_penalty, bandwidth
        self.log_threshold = Parameter(torch.full((len(seeds), 1, n_latents), math.log(bandwidth)))

    def encode(self, x: Tensor) -> Tensor:
        pre = self.pre_activations(x)
        return pre * (pre > self.log_threshold.exp())

    def loss(self, x: Tensor) -> Losses:
        pre = self.pre_activations(x)
        fires: Tensor = HeavisideSTE.apply(pre, self.log_threshold.exp(), self.bandwidth)
        mse, l0 = self.error(x, self.decode(pre * fires)), fires.sum(dim=(1, 2)) / x.shape[1]
        return {"total": mse + self.l0_penalty * (l0 / self.target_l0 - 1).square(), "mse": mse, "l0": l0}


class Gated(SAE):
    """z = H(gate) ReLU(magnitude), two readings of the same directions (Rajamanoharan et al. 2024, arXiv 2404.16014).

    gate = pre, magnitude = exp(r) (x - b_dec) W_enc + b_mag. The loss is ||x - xhat||^2 + l1 ||ReLU(gate)||_1 plus the
    error of decoding ReLU(gate) with the decoder held fixed.

    Args:
        l1: weight of the penalty.
    """

    def __init__(self, seeds: Sequence[int], d_in: int, n_latents: int, l1: float) -> None:
        super().__init__(seeds, d_in, n_latents)
        self.l1 = l1
        self.r = Parameter(torch.zeros(len(seeds), 1, n_latents))
        self.b_mag = Parameter(torch.zeros(len(seeds), 1, n_latents))

    def gate_and_latents(self, x: Tensor) -> tuple[Tensor, Tensor]:
        gate = self.pre_activations(x)
        magnitude = self.r.exp() * (gate - self.b_enc) + self.b_mag
        return gate, torch.relu(magnitude) * (gate > 0)

    def encode(self, x: Tensor) -> Tensor:
        return self.gate_and_latents(x)[1]

    def loss(self, x: Tensor) -> Losses:
        gate, z = self.gate_and_latents(x)
        open_gate = torch.relu(gate)
        mse, sparsity = self.error(x, self.decode(z)), open_gate.sum(dim=(1, 2)) / x.shape[1]
        auxiliary = self.error(x, torch.baddbmm(self.b_dec.detach(), open_gate, self.W_dec.detach()))
        return {"total": mse + self.l1 * sparsity + auxiliary, "mse": mse, "l1": sparsity, "auxiliary": auxiliary}


class Matryoshka(BatchTopK):
    """BatchTopK whose first latents must reconstruct x alone, so that general ones come first and special ones later.

    The loss is the mean over prefixes p of ||x - xhat_p||^2, xhat_p being decoded from the first p latents (Bussmann et
    al. 2025, arXiv 2503.17547).

    Args:
        k: latents that fire per row on average; further keywords are those of BatchTopK.
        prefixes: widths p, the same in every step; or how many to draw in each step, uniformly without replacement
            (after Nabeshima 2024, Matryoshka Sparse Autoencoders). The last prefix is always all m latents.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        d_in: int,
        n_latents: int,
        k: float,
        prefixes: int | Sequence[int],
        **batch_topk: Any,
    ) -> None:
        super().__init__(seeds, d_in, n_latents, k, **batch_topk)
        self.prefixes = prefixes
        self.prefix_generator = torch.Generator().manual_seed(0)

    def prefix_widths(self) -> list[int]:
        """This step's prefix widths in rising order; drawn alike for all seeds, whichever these are."""
        if isinstance(self.prefixes, int):
            shuffled = torch.randperm(self.n_latents - 1, generator=self.prefix_generator) + 1
            return [*sorted(shuffled[: self.prefixes - 1].tolist()), self.n_latents]
        return [*sorted({p for p in self.prefixes if p < self.n_latents}), self.n_latents]

    def residuals(self, x: Tensor, z: Tensor) -> list[Tensor]:
        """x - xhat_p for every prefix; each block of latents is decoded once."""
        widths = [end - start for start, end in pairwise([0, *self.prefix_widths()])]
        residuals = [x - self.b_dec]
        for latents, minus_directions in zip(z.split(widths, dim=2), (-self.W_dec).split(widths, dim=1), strict=True):
            residuals.append(torch.baddbmm(residuals[-1], latents, minus_directions))
        return residuals[1:]


class HierSAE(Matryoshka):
    """A dictionary on two levels: the first n_coarse latents, and fine ones that can fire only where their parent does.

    Fine latents are dealt out in equal blocks: fine latent j has the parent j n_coarse // n_fine. By construction no
    fine latent ever fires without its parent. The coarse level must reconstruct x alone too: it leads, the fine one
    follows.

    Args:
        k: latents that may fire per row on average, coarse and fine together; further keywords are BatchTopK's.
        n_coarse: coarse latents, of n_latents in all.
    """

    parent: Tensor
    """Coarse latent of each fine one, [n_latents - n_coarse]."""

    def __init__(
        self, seeds: Sequence[int], d_in: int, n_latents: int, k: float, n_coarse: int, **batch_topk: Any
    ) -> None:
        super().__init__(seeds, d_in, n_latents, k, prefixes=(n_coarse,), **batch_topk)
        n_fine = n_latents - n_coarse
        self.n_coarse = n_coarse
        self.register_buffer("parent", torch.arange(n_fine) * n_coarse // n_fine)

    def gate(self, z: Tensor) -> Tensor:
        """z [S, N, m] with the fine latents of silent parents set to zero."""
        coarse, fine = z[..., : self.n_coarse], z[..., self.n_coarse :]
        return torch.cat([coarse, fine * (coarse > 0)[..., self.parent]], dim=2)

    def encode(self, x: Tensor) -> Tensor:
        return self.gate(super().encode(x))

    def training_latents(self, x: Tensor) -> Tensor:
        return self.gate(self.keep(self.gate(torch.relu(self.pre_activations(x)))))


ARCHITECTURES: dict[str, type[SAE]] = {
    "relu_l1": ReluL1,
    "topk": TopK,
    "batch_topk": BatchTopK,
    "jump_relu": JumpReLU,
    "gated": Gated,
    "matryoshka": Matryoshka,
    "hier_sae": HierSAE,
}


def refuse_dead_start(sae: SAE, x: Tensor) -> None:
    """Raise ValueError if the weights of a seed cannot learn from a first batch x [S, N, d].

    With W_enc = 0 and W_dec = 0 the gradient of each is zero because the other is: a saddle that no step leaves. Only
    b_dec learns, the mean of x. Where no latent fires at all it is the same.
    """
    sae.loss(x)["total"].sum().backward()
    gradients = [weight.grad for weight in (sae.W_enc, sae.W_dec) if weight.grad is not None]
    reached = sum(gradient.abs().sum(dim=(1, 2)) for gradient in gradients)
    sae.zero_grad()
    stuck = [s for s in range(x.shape[0]) if reached[s] == 0]
    if stuck:
        raise ValueError(
            f"{type(sae).__name__}: no gradient reaches the weights of autoencoder {stuck}; it cannot learn"
        )
