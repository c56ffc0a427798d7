"""The registry of sparse autoencoders: each architecture on weights set by hand, its gradients, its seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pinned
import pytest
import torch
from torch import Tensor

from .conftest import HYPERPARAMETERS

EACH = pytest.mark.parametrize("name", HYPERPARAMETERS)


@pytest.fixture(scope="module")
def sae_module() -> Iterator[ModuleType]:
    with pinned.imported(pinned.COMMON, "sae") as modules:
        yield modules["sae"]


@pytest.fixture
def make(sae_module: ModuleType) -> Callable[..., Any]:
    """Build an architecture by name, with the hyperparameters above unless others are given."""

    def build(name: str, seeds: tuple[int, ...] = (0,), d_in: int = 4, n_latents: int = 6, **changes: object) -> Any:
        return sae_module.ARCHITECTURES[name](seeds, d_in, n_latents, **{**HYPERPARAMETERS[name], **changes})

    return build


def by_hand(
    sae: Any, w_enc: list[list[float]], b_enc: list[float], w_dec: list[list[float]], b_dec: list[float]
) -> None:
    """The same weights in every seed."""
    with torch.no_grad():
        for parameter, value in ((sae.W_enc, w_enc), (sae.b_enc, b_enc), (sae.W_dec, w_dec), (sae.b_dec, b_dec)):
            parameter.copy_(torch.tensor(value).expand_as(parameter))


W_ENC = [[1.0, 0.0, 1.0, -1.0], [0.0, 1.0, 1.0, 0.0]]
B_ENC = [0.0, 0.5, 0.0, 0.0]
W_DEC = [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [-1.0, 0.0]]
B_DEC = [1.0, 0.0]
X = torch.tensor([[[3.0, 1.0], [0.0, 0.25]]])
# x - b_dec = (2, 1) and (-1, 0.25), so pre = (2, 1.5, 3, -2) and (-1, 0.75, -0.75, 1)
RELU = [[2.0, 1.5, 3.0, 0.0], [0.0, 0.75, 0.0, 1.0]]


def test_the_registry_has_the_seven_architectures(sae_module: ModuleType) -> None:
    assert list(sae_module.ARCHITECTURES) == list(HYPERPARAMETERS)


def set_up(make: Callable[..., Any], name: str, **changes: object) -> Any:
    sae = make(name, d_in=2, n_latents=4, **changes)
    by_hand(sae, W_ENC, B_ENC, W_DEC, B_DEC)
    return sae


def encoded(sae: Any, x: Tensor = X) -> list[list[float]]:
    with torch.no_grad():
        return sae.encode(x)[0].tolist()


def test_relu_l1_encodes_decodes_and_loses_what_was_computed_by_hand(make: Callable[..., Any]) -> None:
    sae = set_up(make, "relu_l1", l1=0.5)
    assert encoded(sae) == RELU
    # xhat = (2 + 1.8 + 1, 1.5 + 2.4) and (0 - 1 + 1, 0.75)
    with torch.no_grad():
        assert sae.decode(sae.encode(X))[0].tolist() == [pytest.approx([4.8, 3.9]), pytest.approx([0.0, 0.75])]
    # errors (1.8² + 2.9²) and (0.5²), sum of z 6.5 and 1.75
    losses = sae.loss(X)
    assert losses["mse"].item() == pytest.approx((3.24 + 8.41 + 0.25) / 2)
    assert losses["l1"].item() == pytest.approx(8.25 / 2)
    assert losses["total"].item() == pytest.approx((11.9 + 0.5 * 8.25) / 2)


def test_topk_keeps_the_k_largest_of_each_row(make: Callable[..., Any]) -> None:
    assert encoded(set_up(make, "topk", k=1)) == [[0, 0, 3, 0], [0, 0, 0, 1]]
    assert encoded(set_up(make, "topk", k=2)) == [[2, 0, 3, 0], [0, 0.75, 0, 1]]
    assert encoded(set_up(make, "topk", k=3)) == RELU, "a negative pre-activation never fires"


def test_batch_topk_keeps_the_largest_of_the_batch_and_learns_the_threshold(make: Callable[..., Any]) -> None:
    sae = set_up(make, "batch_topk", k=1.5)
    relu = torch.tensor([RELU])
    assert sae.keep(relu).tolist() == [[[2, 1.5, 3, 0], [0, 0, 0, 0]]], "1.5 per row of 2: the 3 largest"
    assert sae.least_kept.tolist() == [1.5]
    sae.after_step()
    assert sae.threshold.tolist() == [1.5], "the first batch sets it"
    assert encoded(sae) == [[2, 0, 3, 0], [0, 0, 0, 0]], "fires above the threshold"
    sae.least_kept = torch.tensor([0.5])
    for expected in (1.0, 5 / 6):
        sae.after_step()
        assert sae.threshold.item() == pytest.approx(expected), "a running mean"


def test_batch_topk_keeps_k_times_the_batch_in_every_seed(make: Callable[..., Any]) -> None:
    sae = make("batch_topk", seeds=(0, 1, 2), n_latents=20, k=1.12)
    kept = sae.keep(torch.rand(3, 200, 20, generator=torch.Generator().manual_seed(0)))
    assert (kept != 0).sum(dim=(1, 2)).tolist() == [224, 224, 224]


def test_the_k_of_batch_topk_falls_in_a_straight_line(make: Callable[..., Any]) -> None:
    sae = make("batch_topk", k=1.0, k_start=5.0, k_steps=4)
    seen = []
    for _ in range(6):
        seen.append(sae.current_k)
        sae.loss(torch.rand(1, 8, 4))
        sae.after_step()
    assert seen == [5, 4, 3, 2, 1, 1]


def test_latents_that_stay_silent_turn_to_the_worst_reconstructed_samples(
    make: Callable[..., Any], sae_module: ModuleType
) -> None:
    sae = make("batch_topk", (0, 1), d_in=2, n_latents=3, k=1, resample_steps=2)
    before = sae.W_dec.clone()
    sae.loss(torch.rand(2, 2, 2))
    sae.residual = torch.tensor([[[0.0, 1.0], [3.0, 4.0]]]).repeat(2, 1, 1)
    sae.silent_steps = torch.tensor([[0, sae_module.SILENT_STEPS, sae_module.SILENT_STEPS - 1]] * 2)
    sae.silent_steps[1] = 0
    sae.after_step()
    assert torch.allclose(sae.W_dec, before), "not yet"
    sae.after_step()
    # the worst two samples, cyclically: (3, 4), (0, 1), (3, 4); latent 1 of the first seed is dead
    assert sae.W_dec[0, 1].tolist() == sae.W_enc[0, :, 1].tolist() == [0, 1]
    kept = torch.tensor([[True, False, True], [True, True, True]])
    assert torch.allclose(sae.W_dec[kept], before[kept])


def test_a_latent_is_silent_until_it_fires_in_training(make: Callable[..., Any]) -> None:
    sae = set_up(make, "batch_topk", k=1.5)
    for _ in range(3):
        sae.loss(X)
    assert sae.silent_steps.tolist() == [[0, 0, 0, 3]]


def test_jump_relu_fires_above_the_threshold_and_pays_for_its_l0(make: Callable[..., Any]) -> None:
    sae = set_up(make, "jump_relu", target_l0=1.0, l0_penalty=0.5, bandwidth=0.5)
    with torch.no_grad():
        sae.log_threshold.copy_(torch.tensor([1.0, 1.0, 1.0, 2.0]).log())
    assert encoded(sae) == [[2, 1.5, 3, 0], [0, 0, 0, 0]]
    losses = sae.loss(X)
    assert losses["l0"].item() == 1.5
    # xhat = (4.8, 3.9) and b_dec: errors 11.65 and 1 + 0.0625
    assert losses["mse"].item() == pytest.approx((11.65 + 1.0625) / 2)
    assert losses["total"].item() == pytest.approx(losses["mse"].item() + 0.5 * 0.25)


def test_a_threshold_moves_only_where_pre_activations_are_near(sae_module: ModuleType) -> None:
    pre = torch.tensor([[[0.9, 1.4], [2.0, 0.5]]])
    threshold = torch.ones(1, 1, 2, requires_grad=True)
    sae_module.HeavisideSTE.apply(pre, threshold, 0.5).sum().backward()
    # within 0.25 of the threshold: only 0.9, hence -1 / 0.5
    assert threshold.grad is not None
    assert threshold.grad.tolist() == [[[-2.0, 0.0]]]


def test_gated_latents_have_their_own_magnitude(make: Callable[..., Any]) -> None:
    sae = set_up(make, "gated", l1=0.5)
    with torch.no_grad():
        sae.r.fill_(math.log(2))
        sae.b_mag.copy_(torch.tensor([0.0, 0.0, -1.0, 0.0]))
    # gate = pre; magnitude = 2 (x - b_dec) W_enc + b_mag = (4, 2, 5, -4) and (-2, 0.5, -2.5, 2)
    assert encoded(sae) == [pytest.approx([4, 2, 5, 0]), pytest.approx([0, 0.5, 0, 2])]
    losses = sae.loss(X)
    assert losses["l1"].item() == pytest.approx(8.25 / 2)
    assert losses["auxiliary"].item() == pytest.approx(11.9 / 2), "the error of decoding the open gates, as in relu_l1"
    # xhat = (4 + 3 + 1, 2 + 4) and (-2 + 1, 0.5): errors 25 + 25 and 1 + 0.0625
    assert losses["mse"].item() == pytest.approx(51.0625 / 2)
    assert losses["total"].item() == pytest.approx((51.0625 + 11.9 + 0.5 * 8.25) / 2)


def test_the_auxiliary_loss_of_gated_leaves_the_decoder_alone(make: Callable[..., Any]) -> None:
    sae = set_up(make, "gated")
    sae.loss(X)["auxiliary"].sum().backward()
    assert sae.W_dec.grad is None
    assert sae.W_enc.grad.abs().sum() > 0


def test_matryoshka_loses_the_mean_error_of_its_prefixes(make: Callable[..., Any]) -> None:
    sae = set_up(make, "matryoshka", k=4, prefixes=[1, 3])
    assert sae.prefix_widths() == [1, 3, 4]
    # row 1: x = (3, 1); first latent (2 + 1, 0); three latents (4.8, 3.9); all the same
    # row 2: x = (0, .25); first latent (1, 0); three (1, .75); all (0, .75)
    errors = [(1 + 1.0625) / 2, (11.65 + 1.25) / 2, (11.65 + 0.25) / 2]
    losses = sae.loss(X)
    assert losses["mse"].item() == pytest.approx(errors[-1])
    assert losses["total"].item() == pytest.approx(sum(errors) / 3)


def test_random_prefixes_end_with_all_latents_and_do_not_depend_on_the_seeds(make: Callable[..., Any]) -> None:
    one, three = make("matryoshka", n_latents=20, prefixes=10), make("matryoshka", (3, 4, 5), n_latents=20, prefixes=10)
    drawn = [one.prefix_widths() for _ in range(300)]
    assert drawn == [three.prefix_widths() for _ in range(300)]
    assert all(len(set(widths)) == 10 and widths == sorted(widths) and widths[-1] == 20 for widths in drawn)
    often = [sum(width in widths for widths in drawn) / 300 for width in range(1, 20)]
    assert all(abs(share - 9 / 19) < 5 * math.sqrt(0.25 / 300) for share in often), "every width equally likely"


def test_fine_latents_of_hier_sae_are_silent_without_their_parent(make: Callable[..., Any]) -> None:
    sae = make("hier_sae", d_in=2, n_latents=6, n_coarse=2)
    assert sae.parent.tolist() == [0, 0, 1, 1]
    z = torch.tensor([[[1.0, 0.0, 2.0, 3.0, 4.0, 5.0], [0.0, 0.5, 2.0, 3.0, 4.0, 5.0], [0.0, 0.0, 2.0, 3.0, 4.0, 5.0]]])
    assert sae.gate(z).tolist() == [[[1, 0, 2, 3, 0, 0], [0, 0.5, 0, 0, 4, 5], [0] * 6]]
    x = torch.randn(1, 500, 2, generator=torch.Generator().manual_seed(0))
    latents = sae.encode(x)[0]
    assert (latents[:, 2:] > 0).any()
    assert not ((latents[:, 2:] > 0) & (latents[:, sae.parent] == 0)).any()
    assert not ((sae.training_latents(x)[0, :, 2:] > 0) & (sae.training_latents(x)[0, :, sae.parent] == 0)).any()


def test_parents_share_the_fine_latents_out_as_evenly_as_they_can(make: Callable[..., Any]) -> None:
    assert make("hier_sae", n_latents=20, n_coarse=5).parent.bincount().tolist() == [3] * 5
    assert make("hier_sae", n_latents=20, n_coarse=11).parent.bincount(minlength=11).max() == 1


def first_batch(n_seeds: int = 1, d_in: int = 4) -> Tensor:
    return torch.randn(n_seeds, 32, d_in, generator=torch.Generator().manual_seed(0)).abs()


@EACH
def test_gradient_reaches_every_weight_of(make: Callable[..., Any], name: str) -> None:
    sae = make(name)
    sae.loss(first_batch())["total"].sum().backward()
    for which, parameter in sae.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, which


def trained(sae: Any, batches: list[Tensor], seed: int | None = None) -> Any:
    optimizer = torch.optim.Adam(sae.parameters(), lr=0.01)
    for x in batches:
        sae.loss(x if seed is None else x[seed : seed + 1])["total"].sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        sae.after_step()
    return sae


@EACH
def test_a_seed_does_not_depend_on_which_others_run_beside(make: Callable[..., Any], name: str) -> None:
    generator = torch.Generator().manual_seed(1)
    batches = [torch.randn(3, 32, 4, generator=generator).abs() for _ in range(30)]
    together, alone = trained(make(name, (5, 6, 7)), batches), trained(make(name, (6,)), batches, seed=1)
    x = batches[0]
    # Batches of one matrix and of three may round differently, and thirty steps make more of it.
    assert torch.allclose(together.encode(x)[1], alone.encode(x[1:2])[0], atol=1e-4)
    assert torch.allclose(together.W_dec[1], alone.W_dec[0], atol=1e-4)
    assert not torch.allclose(together.W_dec[0], together.W_dec[1], atol=0.1), "other seeds are other autoencoders"


@EACH
def test_a_row_is_encoded_by_itself(make: Callable[..., Any], name: str) -> None:
    sae = trained(make(name), [first_batch()] * 20)
    x = first_batch() + 0.1
    with torch.no_grad():
        whole = sae.encode(x)
        rows = torch.cat([sae.encode(x[:, row : row + 1]) for row in range(x.shape[1])], dim=1)
    assert (whole != 0).any()
    assert torch.allclose(whole, rows, atol=1e-6)


@EACH
def test_training_lowers_the_error_and_keeps_decoder_rows_at_length_one(make: Callable[..., Any], name: str) -> None:
    sae = make(name, n_latents=8)
    x = first_batch()
    before = sae.loss(x)["mse"].item()
    trained(sae, [x] * 200)
    assert sae.loss(x)["mse"].item() < 0.7 * before
    assert torch.allclose(sae.W_dec.norm(dim=2), torch.ones(1, 8), atol=1e-6)


def test_the_length_of_decoder_rows_gets_no_gradient(make: Callable[..., Any]) -> None:
    """Else Adam, which scales it per coordinate, turns the rows: an L1 penalty then never settles."""
    sae = make("relu_l1", l1=1.0)
    sae.loss(first_batch())["total"].sum().backward()
    assert sae.W_dec.grad.abs().sum() > 0
    assert (sae.W_dec.grad * sae.W_dec).sum(dim=2).abs().max() < 1e-4, "rounding: the gradient itself is about 1"


def test_weights_start_tied_and_with_unit_rows(make: Callable[..., Any]) -> None:
    sae = make("topk", (0, 1))
    assert torch.equal(sae.W_enc, sae.W_dec.mT)
    assert torch.allclose(sae.W_dec.norm(dim=2), torch.ones(2, 6))
    assert not sae.b_enc.any() and not sae.b_dec.any()


@pytest.mark.parametrize("n_features", [3, 6, 9])
def test_known_directions_can_be_the_start_whatever_their_number(make: Callable[..., Any], n_features: int) -> None:
    directions = 2 * torch.randn(n_features, 4, generator=torch.Generator().manual_seed(2))
    sae, untouched = make("relu_l1", (0, 1)), make("relu_l1", (0, 1))
    sae.init_from_directions(directions)
    n = min(n_features, 6)
    unit = directions[:n] / directions[:n].norm(dim=1, keepdim=True)
    for seed in (0, 1):
        assert torch.allclose(sae.W_dec[seed, :n], unit)
        assert torch.allclose(sae.W_enc[seed, :, :n], unit.mT)
    assert torch.equal(sae.W_dec[:, n:], untouched.W_dec[:, n:])


def test_noise_on_the_known_directions_is_each_seeds_own(make: Callable[..., Any]) -> None:
    directions = torch.eye(4).expand(2, 4, 4)
    both, second = make("relu_l1", (0, 1)), make("relu_l1", (1,))
    both.init_from_directions(directions, noise=0.1)
    second.init_from_directions(directions[:1], noise=0.1)
    noise = both.W_enc[:, :, :4] - torch.eye(4)
    assert noise.std().item() == pytest.approx(0.1, rel=0.5)
    assert torch.allclose(both.W_enc[1], second.W_enc[0])
    assert torch.equal(both.W_dec[:, :4], directions), "the decoder has none"


@EACH
def test_two_zero_matrices_are_refused_before_training(
    sae_module: ModuleType, make: Callable[..., Any], name: str
) -> None:
    sae = make(name, (0, 1))
    x = torch.randn(2, 32, 4, generator=torch.Generator().manual_seed(0))
    sae_module.refuse_dead_start(sae, x)
    assert all(parameter.grad is None for parameter in sae.parameters())
    with torch.no_grad():
        sae.W_enc[1], sae.W_dec[1] = 0.0, 0.0
    with pytest.raises(ValueError, match=r"autoencoder \[1\]; it cannot learn"):
        sae_module.refuse_dead_start(sae, x)
