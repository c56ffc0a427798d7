"""Metrics of sparse autoencoders against values computed by hand, and what they give in degenerate cases."""

from __future__ import annotations

import math

import pinned
import pytest
import torch
from torch import Tensor

with pinned.imported(pinned.COMMON, "sae_metrics") as modules:
    m = modules["sae_metrics"]

HALF = 1 / math.sqrt(2)


def rows(*values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


# Reconstruction

X = rows((1, 0), (3, 0), (2, 3))
"""Mean (2, 1); squared distances from it 2, 2, 4."""
XHAT = rows((1, 0), (3, 2), (2, 2))
"""Squared errors 0, 4, 1."""


def test_error_and_unexplained_variance_are_those_computed_by_hand() -> None:
    assert m.mse(X, XHAT) == pytest.approx(5 / 3)
    assert m.fvu(X, XHAT) == pytest.approx(5 / 8)
    assert m.explained_variance(X, XHAT) == pytest.approx(3 / 8)


def test_the_mean_explains_nothing_and_a_constant_offset_counts_as_error() -> None:
    assert m.fvu(X, X.mean(dim=0).expand_as(X)) == pytest.approx(1)
    # Every row off by (1, 1): 3 * 2 / 8. Centred residuals would give 0.
    assert m.fvu(X, X + 1) == pytest.approx(6 / 8)


def test_variance_is_measured_from_the_mean_however_far_that_is() -> None:
    assert m.fvu(X + 1000, XHAT + 1000) == pytest.approx(5 / 8, rel=1e-6)


def test_sums_over_many_samples_do_not_lose_precision() -> None:
    x = X.repeat(100_000, 1)
    assert m.fvu(x, XHAT.repeat(100_000, 1)) == pytest.approx(5 / 8, rel=1e-6)


def test_constant_data_has_no_variance_to_explain() -> None:
    with pytest.raises(ValueError, match="no variance"):
        m.fvu(torch.ones(4, 2), torch.zeros(4, 2))


def test_shrinkage_is_the_mean_ratio_of_lengths_over_samples_that_have_one() -> None:
    x, xhat = rows((3, 4), (0, 2), (0, 0)), rows((0, 4), (2, 0), (9, 9))
    assert m.shrinkage(x, xhat) == pytest.approx((4 / 5 + 1) / 2)
    assert m.reconstruction_cosine(x, xhat) == pytest.approx((4 / 5 + 0) / 2)


def test_relative_bias_is_the_factor_by_which_the_reconstruction_is_too_long() -> None:
    assert m.relative_reconstruction_bias(X, 0.8 * X) == pytest.approx(0.8)
    # ||xhat||^2: 1, 13, 8; x . xhat: 1, 9, 10
    assert m.relative_reconstruction_bias(X, XHAT) == pytest.approx(22 / 20)


def test_a_reconstruction_of_zeros_has_finite_metrics() -> None:
    zeros = torch.zeros_like(X)
    assert m.relative_reconstruction_bias(X, zeros) == 0
    assert m.relative_reconstruction_bias(X, -X) == 0
    assert m.reconstruction_cosine(X, zeros) == 0
    assert m.shrinkage(X, zeros) == 0
    assert m.fvu(X, zeros) == pytest.approx((1 + 9 + 13) / 8)


# Sparsity

Z = rows((1, 0, 0), (2, 0, -3), (0, 0, 1), (0, 0, 4))


def test_sparsity_is_the_one_counted_by_hand() -> None:
    assert m.l0(Z) == 5 / 4
    assert m.density(Z).tolist() == [0.5, 0, 0.75]
    assert m.dead_fraction(Z) == pytest.approx(1 / 3)
    assert m.l1(Z, torch.eye(3)) == pytest.approx(11 / 4)
    assert m.l1(Z, rows((2, 0), (0, 0), (3, 4))) == pytest.approx((3 * 2 + 8 * 5) / 4)


def test_no_samples_are_refused() -> None:
    nothing = torch.zeros(0, 3)
    for metric in (m.l0, m.density, m.dead_fraction):
        with pytest.raises(ValueError, match="no sample"):
            metric(nothing)
    for metric in (m.mse, m.relative_reconstruction_bias, m.shrinkage, m.mutual_information):
        with pytest.raises(ValueError, match="no sample"):
            metric(nothing, nothing)
    with pytest.raises(ValueError, match="no sample"):
        m.shrinkage(torch.zeros(2, 3), torch.ones(2, 3))


# Feature recovery


def test_cosines_have_no_sign_and_no_length_and_are_zero_for_zero_rows() -> None:
    cosines = m.absolute_cosines(rows((-2, 0), (1, 1), (0, 0)), rows((1, 0), (0, 5)))
    assert cosines.flatten().tolist() == pytest.approx([1, 0, HALF, HALF, 0, 0])


GREEDY_FAILS = torch.tensor([[0.9, 0.8], [0.8, 0.1]])
"""The best single pair (.9) leaves .1; the best matching is .8 + .8."""


def test_mcc_takes_the_best_one_to_one_matching() -> None:
    assert m.mcc(GREEDY_FAILS) == pytest.approx(0.8)
    assert m.mmcs(GREEDY_FAILS) == pytest.approx((0.9 + 0.8) / 2)


@pytest.mark.parametrize("cosines", [GREEDY_FAILS[:1], GREEDY_FAILS[:, :1]])
def test_mcc_matches_as_many_pairs_as_the_shorter_side_has(cosines: Tensor) -> None:
    assert m.mcc(cosines) == pytest.approx(0.9)


def test_the_absorbed_optimum_of_the_twenty_feature_tree_has_its_closed_form_mcc() -> None:
    # 11 latents stand for their feature alone; 9 children's latents point to (child + parent) / sqrt(2).
    directions = torch.eye(20)
    dictionary = directions.clone()
    for parent in range(3):
        for child in range(3):
            dictionary[3 + 3 * parent + child, parent] = 1
    cosines = m.absolute_cosines(dictionary, directions)
    assert m.mcc(cosines) == pytest.approx((11 + 9 / math.sqrt(2)) / 20)
    assert m.uniqueness(m.absolute_cosines(directions, directions)) == 1
    assert m.feature_recovery(cosines) == pytest.approx((11 / 20, 11 / 20))


def test_uniqueness_counts_features_that_latents_share_once_and_zero_rows_never() -> None:
    dictionary = rows((0, 1), (0.1, 1), (0, -3), (0, 0))
    assert m.uniqueness(m.absolute_cosines(dictionary, torch.eye(2))) == 1 / 4
    assert m.uniqueness(m.absolute_cosines(torch.zeros(4, 2), torch.eye(2))) == 0


def test_recovery_has_a_precision_over_latents_and_a_recall_over_features() -> None:
    cosines = torch.tensor([[0.95, 0.0], [0.99, 0.1], [0.2, 0.85]])
    assert m.feature_recovery(cosines) == pytest.approx((2 / 3, 1 / 2))
    assert m.feature_recovery(cosines, threshold=0.8) == (1, 1)


def test_classification_scores_each_latent_against_its_closest_feature() -> None:
    cosines = torch.tensor([[0.9, 0.1], [0.2, 0.7]])
    a = rows((1, 0), (1, 0), (1, 1), (0, 0))
    z = rows((1, 0), (1, 1), (0, 1), (1, 0))
    # latent 0: fires on 0, 1, 3, feature on 0, 1, 2: P = R = F1 = 2/3. latent 1: fires on 1, 2, feature on 2.
    precision, recall, f1 = m.classification(z, a, cosines)
    assert precision == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert recall == pytest.approx((2 / 3 + 1) / 2)
    assert f1 == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_dead_latents_absent_features_and_zero_rows_score_zero() -> None:
    a = rows((1, 0), (1, 0))
    z = rows((1, 0, 0, 1), (1, 0, 1, 1))
    dictionary = rows((1, 0), (1, 0), (0, 1), (0, 0))
    # perfect, dead, closest to a feature that never occurs, closest to none
    assert m.classification(z, a, m.absolute_cosines(dictionary, torch.eye(2))) == (1 / 4, 1 / 4, 1 / 4)


# Hierarchy. Feature 0 is the parent of 1; both directions are axes of length 1.

PAIRS = [(0, 1)]
AXES = torch.eye(3)
BOTH = rows((1, 1, 0))
"""Parent and child active, each at 1, so x . Vhat_p = 1."""


def absorbed(z: Tensor, dictionary: Tensor, latent_of_parent: int = 0) -> tuple[float, float]:
    latents = torch.tensor([latent_of_parent, 1, 2])
    return tuple(m.absorption(BOTH, z, BOTH, dictionary, AXES, latents, PAIRS))


def test_a_child_latent_that_writes_its_parent_absorbs_it_fully() -> None:
    assert absorbed(rows((0, 1)), rows((1, 0, 0), (1, 1, 0))) == (1, 1)


def test_latents_that_keep_apart_absorb_nothing() -> None:
    assert absorbed(rows((1, 1)), rows((1, 0, 0), (0, 1, 0))) == (0, 0)


def test_a_parent_latent_that_fires_weakly_is_absorbed_in_part() -> None:
    # M = .25; the child's latent writes .5 of the parent: A / (A + M) = 2/3. The parent's latent fires: not full.
    full, fraction = absorbed(rows((0.25, 1)), rows((1, 0, 0), (0.5, 1, 0)))
    assert full == 0
    assert fraction == pytest.approx(2 / 3)


def test_no_more_can_be_absorbed_than_the_parents_latent_leaves() -> None:
    # M = .75, the other latent writes 1: A = min(1, .25)
    assert absorbed(rows((0.75, 1)), rows((1, 0, 0), (1, 1, 0)))[1] == pytest.approx(0.25)
    assert absorbed(rows((1.0, 1)), rows((1, 0, 0), (1, 1, 0)))[1] == 0


@pytest.mark.parametrize(("share", "expected"), [(0.39, (0, 0)), (0.41, (1, 1))])
def test_an_absorber_must_explain_four_tenths_of_the_parents_part(share: float, expected: tuple[int, int]) -> None:
    assert absorbed(rows((0, 1)), rows((1, 0, 0), (share, 1, 0))) == expected


def test_an_absorber_must_point_towards_the_parent() -> None:
    # cos = .05 (0.5 of a row of length 10): enough for full absorption, too little for the fraction; .02 for neither.
    length = math.sqrt(100 - 0.25)
    assert absorbed(rows((0, 1)), rows((1, 0, 0), (0.5, length, 0))) == (1, 0)
    assert absorbed(rows((0, 1)), rows((1, 0, 0), (0.5, 25, 0))) == (0, 0)


def test_the_three_largest_absorbers_count_together_but_full_absorption_needs_one() -> None:
    fifth = (0.2, 0.5, 0)
    assert absorbed(rows((0, 1, 1, 1, 1)), rows((1, 0, 0), fifth, fifth, fifth, fifth)) == (0, 1)
    # .15 * 3 = .45 passes, .1 * 3 = .3 does not, although all four together would
    assert absorbed(rows((0, 1, 1, 1, 1)), rows((1, 0, 0), *[(0.1, 0.5, 0)] * 4)) == (0, 0)


def test_absorption_is_averaged_over_samples_and_then_over_the_pairs_that_occur() -> None:
    # Pair (0, 1): absorbed on one of two samples; pair (0, 2): absorbed on its only one; pair (1, 2) never occurs.
    x = a = rows((1, 1, 0), (1, 1, 0), (1, 0, 1), (0, 0, 0))
    z = rows((1, 1, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0))
    dictionary = rows((1, 0, 0), (1, 1, 0), (1, 0, 1))
    latents = torch.tensor([0, 1, 2])
    full, fraction = m.absorption(x, z, a, dictionary, AXES, latents, [(0, 1), (0, 2), (1, 2)])
    assert full == pytest.approx((1 / 2 + 1) / 2)
    assert fraction == pytest.approx((1 / 2 + 1) / 2)


def test_directions_and_decoder_rows_of_any_length_give_the_same_absorption() -> None:
    latents = torch.tensor([0, 1, 2])
    dictionary, z = rows((4, 0, 0), (2, 4, 0)), rows((0.0625, 0.25))
    scores = m.absorption(BOTH, z, BOTH, dictionary, 3 * AXES, latents, PAIRS)
    assert scores == pytest.approx((0, 2 / 3))


def test_a_single_latent_and_a_zero_dictionary_absorb_nothing() -> None:
    assert absorbed(rows((0,)), rows((1, 0, 0))) == (0, 0)
    assert absorbed(rows((0, 1)), torch.zeros(2, 3)) == (0, 0)


def test_a_parents_direction_that_is_missing_from_the_input_cannot_be_absorbed() -> None:
    latents = torch.tensor([0, 1, 2])
    dictionary, z = rows((1, 0, 0), (1, 1, 0)), rows((0, 1))
    assert m.absorption(-BOTH, z, BOTH, dictionary, AXES, latents, PAIRS) == (0, 0)
    assert m.absorption(0 * BOTH, z, BOTH, dictionary, AXES, latents, PAIRS) == (0, 0)


def test_data_without_an_active_parent_is_refused() -> None:
    latents, nothing = torch.tensor([0, 1, 2]), torch.zeros(5, 3)
    with pytest.raises(ValueError, match="nothing to absorb"):
        m.absorption(nothing, nothing, nothing, AXES, AXES, latents, PAIRS)
    with pytest.raises(ValueError, match="nothing to recall"):
        m.parent_recall(nothing, nothing, latents, PAIRS)


def test_parent_recall_counts_each_parent_once() -> None:
    a = rows((1, 0, 1, 1), (1, 1, 0, 1), (1, 0, 0, 0), (0, 0, 0, 0))
    z = rows((1, 0, 9, 0), (0, 0, 9, 0), (1, 0, 9, 0), (1, 0, 9, 0))
    latents = torch.arange(4)
    # Parent 0 fires on 2 of its 3 samples, parent 3 on 0 of 2.
    assert m.parent_recall(z, a, latents, [(0, 1), (0, 2), (3, 1)]) == pytest.approx((2 / 3 + 0) / 2)
    assert m.parent_recall(z, a, latents, [(0, 1), (0, 2)]) == pytest.approx(2 / 3)
    # Feature 0 is now told by latent 2, which always fires; a parent that never occurs does not count.
    a[:, 3] = 0
    assert m.parent_recall(z, a, torch.tensor([2, 1, 2, 3]), [(0, 1), (3, 1)]) == 1


def test_a_violation_is_a_child_that_fires_without_its_parent() -> None:
    z = rows((1, 1, 0), (0, 1, 0), (0, 1, 0), (1, 0, 0))
    latents = torch.arange(3)
    assert m.hierarchy_violation(z, latents, PAIRS) == pytest.approx(2 / 3)
    assert m.hierarchy_violation(z, latents, [(0, 1), (0, 2)]) == pytest.approx(2 / 3), "latent 2 never fires"
    assert m.hierarchy_violation(z, latents, [(0, 1), (1, 0)]) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert m.hierarchy_violation(0 * z, latents, PAIRS) == 0


def indicators(both: int, first: int, second: int, neither: int) -> tuple[Tensor, Tensor]:
    cells = [(1, 1)] * both + [(1, 0)] * first + [(0, 1)] * second + [(0, 0)] * neither
    u, v = torch.tensor(cells, dtype=torch.float32).unbind(dim=1)
    return u[:, None], v[:, None]


def test_mutual_information_is_log_two_for_copies_of_a_coin_and_zero_for_independent_coins() -> None:
    assert m.mutual_information(*indicators(5, 0, 0, 5)).item() == pytest.approx(math.log(2))
    assert m.mutual_information(*indicators(0, 5, 5, 0)).item() == pytest.approx(math.log(2))
    assert m.mutual_information(*indicators(1, 1, 1, 1)).item() == 0


def test_parent_and_child_of_the_twenty_feature_tree_share_what_its_probabilities_say() -> None:
    # P(parent) = .15, P(child | parent) = .2: of 100 samples 3 have both, 12 the parent alone, 85 neither.
    parent, child = indicators(3, 12, 0, 85)
    by_hand = 0.03 * math.log(0.03 / (0.15 * 0.03)) + 0.12 * math.log(0.12 / (0.15 * 0.97)) - 0.85 * math.log(0.97)
    assert by_hand == pytest.approx(0.05968, abs=5e-6)
    assert m.mutual_information(parent, child).item() == pytest.approx(by_hand)
    assert m.normalized_mutual_information(parent, child).item() == pytest.approx(0.443, abs=5e-4)


def test_mutual_information_is_given_for_every_pair_of_units() -> None:
    first, second = torch.randn(64, 3).relu(), torch.randn(64, 2).relu()
    table = m.mutual_information(first, second)
    assert table.shape == (3, 2)
    for i in range(3):
        for j in range(2):
            assert m.mutual_information(first[:, [i]], second[:, [j]]).item() == pytest.approx(table[i, j].item())
    assert torch.allclose(table, m.mutual_information(second, first).mT)


def test_units_that_always_or_never_fire_share_nothing() -> None:
    units = torch.stack([torch.zeros(7), torch.ones(7), torch.arange(7.0)], dim=1)
    table = m.mutual_information(units, units)
    assert table[:2].tolist() == [[0, 0, 0]] * 2
    assert table[2, 2] > 0
    shares = m.normalized_mutual_information(units, units)
    assert shares[:, :2].tolist() == [[0, 0]] * 3
    assert shares[2, 2].item() == pytest.approx(1)


# Language models and fronts


def test_loss_recovered_is_one_for_the_clean_loss_and_zero_for_the_ablated() -> None:
    assert m.loss_recovered(clean=4.462, reconstructed=4.603, ablated=14.37) == pytest.approx(0.98577, abs=1e-5)
    assert m.loss_recovered(2.0, 2.0, 5.0) == 1
    assert m.loss_recovered(2.0, 5.0, 5.0) == 0
    with pytest.raises(ValueError, match="must raise the loss"):
        m.loss_recovered(clean=5.0, reconstructed=4.0, ablated=5.0)


POINTS = rows((1, 0.5), (2, 0.25), (2, 0.5), (3, 0.25), (0.5, 1), (2, 0.25))


def test_the_front_is_what_no_other_point_dominates() -> None:
    assert m.pareto_front(POINTS).tolist() == [True, True, False, False, True, True]
    assert m.pareto_front(rows((1, 1))).tolist() == [True]


def test_hypervolume_is_the_area_of_the_steps_under_the_reference() -> None:
    # Widths .5 (L0 .5 to 1), 1 and 2 (to the reference at 4); heights 1 - 1, 1 - .5, 1 - .25.
    assert m.hypervolume(POINTS, (4, 1)) == pytest.approx(0.5 * 0 + 1 * 0.5 + 2 * 0.75)
    assert m.hypervolume(POINTS, (4, 2)) == pytest.approx(0.5 * 1 + 1 * 1.5 + 2 * 1.75)


def test_points_beyond_the_reference_add_nothing() -> None:
    assert m.hypervolume(POINTS, (1.5, 1)) == pytest.approx(0.5 * 0.5)
    assert m.hypervolume(POINTS, (0.5, 1)) == 0
    assert m.hypervolume(POINTS[:0], (4, 1)) == 0


# The whole set on a broken SAE


def test_every_metric_of_a_dead_sae_with_other_counts_of_latents_and_features_is_finite() -> None:
    generator = torch.Generator().manual_seed(0)
    x, a = torch.randn(50, 4, generator=generator), torch.ones(50, 6)
    directions, pairs = torch.randn(6, 4, generator=generator), [(0, 1), (0, 2), (3, 4)]
    for n_latents in (1, 2, 9):
        z, dictionary = torch.zeros(50, n_latents), torch.zeros(n_latents, 4)
        cosines = m.absolute_cosines(dictionary, directions)
        latents = m.best_latents(cosines)
        assert latents.shape == (6,)
        values = [m.l0(z), m.l1(z, dictionary), m.mcc(cosines), m.mmcs(cosines), m.uniqueness(cosines)]
        values += [*m.feature_recovery(cosines), *m.classification(z, a, cosines)]
        values += [*m.absorption(x, z, a, dictionary, directions, latents, pairs)]
        values += [m.parent_recall(z, a, latents, pairs), m.hierarchy_violation(z, latents, pairs)]
        values += m.normalized_mutual_information(z, z).flatten().tolist()
        assert values == [0.0] * len(values)
        assert m.dead_fraction(z) == 1
