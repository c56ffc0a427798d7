"""The shipped template: its stored baseline, its geometry and its evaluator."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pinned
import pytest

from harness.template import baseline
from harness.template.folder import Template
from harness.template.ideas import read_idea

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "templates" / "tms_geometry"
P = 0.05


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pinned.pin("tms_geometry", tmp_path_factory.mktemp("pinned") / "template")


@pytest.fixture(scope="module")
def modules(where: Path) -> Iterator[dict[str, ModuleType]]:
    with pinned.imported(where, "data", "geometry") as found:
        yield found


@pytest.fixture
def geometry(modules: dict[str, ModuleType]) -> ModuleType:
    return modules["geometry"]


@pytest.fixture
def data(modules: dict[str, ModuleType]) -> ModuleType:
    return modules["data"]


@pytest.fixture(scope="module")
def template() -> Template:
    return Template(FOLDER)


def test_the_stored_baseline_is_fresh_and_true(template: Template) -> None:
    scores = baseline.load(ROOT / "baselines", template).scores["sparse_uniform"]
    assert len(scores["loss"]) == len(template.manifest.run.seeds) == 5
    assert all(0.0039 <= loss <= 0.0041 for loss in scores["loss"])
    assert scores["features_represented"] == (8.0,) * 5
    assert all(0.3 < d < 0.5 for d in scores["mean_dimensionality"]), "8 features in 3 dimensions: 3/8 at most"
    assert set(scores) == {*template.manifest.metrics, "steps"}
    assert len(set(scores["loss"])) == 5, "seeds differ"


def test_the_stored_baseline_is_what_its_files_say(template: Template) -> None:
    stored = baseline.load(ROOT / "baselines", template)
    files = ROOT / "baselines" / "tms_geometry" / "run_0"
    verified = json.loads((files / "verified.json").read_text())["sparse_uniform"]["final_info_dict"]
    reported = json.loads((files / "final_info.json").read_text())["sparse_uniform"]
    assert {m: list(stored.scores["sparse_uniform"][m]) for m in verified} == verified
    assert list(stored.reported["sparse_uniform"]["loss"]) == reported["final_info_dict"]["loss"]
    spread = np.std(reported["final_info_dict"]["loss"], ddof=1) / math.sqrt(5)
    assert reported["stderrs"]["loss"] == pytest.approx(spread, rel=1e-9)


def test_the_stored_baseline_keeps_what_is_known(where: Path, tmp_path: Path) -> None:
    rows = pinned.known(where, pinned.baseline_run("tms_geometry"), tmp_path)
    assert len(rows) == 3
    assert all(row["holds"] for row in rows), rows


def test_every_idea_can_be_read_and_names_what_it_should_move(template: Template) -> None:
    ideas = [read_idea(template, name) for name in template.ideas()]
    assert len(ideas) == 5
    assert all(idea.hypotheses and idea.metrics for idea in ideas)
    assert len({idea.title for idea in ideas}) == 5


def weights(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


X, Y, Z, NONE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((X, Y, Z), (1, 1, 1)),
        ((X, (-1.0, 0.0, 0.0)), (1 / 2, 1 / 2)),
        ((X, X), (1 / 2, 1 / 2)),
        ((X, NONE), (1, 0)),
        ((X, (-1.0, 0.0, 0.0), Y), (1 / 2, 1 / 2, 1)),
        (((2.0, 0.0, 0.0), (0.0, 0.5, 0.0)), (1, 1)),
        # ||W_1|| = 2 and an antipode of length 1: D_1 = 4 / (4 + 1), D_2 = 1 / (1 + 4)
        (((2.0, 0.0, 0.0), (-1.0, 0.0, 0.0)), (4 / 5, 1 / 5)),
        # 60 degrees apart: cos = 1/2, D = 1 / (1 + 1/4)
        ((X, (0.5, math.sqrt(3) / 2, 0.0)), (4 / 5, 4 / 5)),
        # three at 120 degrees in a plane share two dimensions
        ((X, (-0.5, math.sqrt(3) / 2, 0.0), (-0.5, -math.sqrt(3) / 2, 0.0)), (2 / 3, 2 / 3, 2 / 3)),
    ],
)
def test_dimensionality_is_the_one_computed_by_hand(
    geometry: ModuleType, rows: tuple[tuple[float, ...], ...], expected: tuple[float, ...]
) -> None:
    assert geometry.dimensionality(weights(*rows)) == pytest.approx(expected, abs=1e-6)


def test_dimensions_add_up_to_the_rank_when_features_form_a_tight_frame(geometry: ModuleType) -> None:
    cube = [(x, y, z) for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)]
    assert geometry.dimensionality(weights(*cube)).sum() == pytest.approx(3.0, rel=1e-6)


def test_reconstruction_and_error_are_those_computed_by_hand(geometry: ModuleType) -> None:
    w, b = weights(X, (-1.0, 0.0, 0.0)), np.zeros(2, dtype=np.float32)
    x = weights((0.5, 0.0), (0.5, 0.5), (0.0, 1.0))
    assert geometry.hidden(x, w) == pytest.approx(weights((0.5, 0, 0), (0, 0, 0), (-1, 0, 0)))
    assert geometry.reconstruction(x, w, b) == pytest.approx(weights((0.5, 0.0), (0.0, 0.0), (0.0, 1.0)))
    assert geometry.mean_squared_error(x, w, b) == pytest.approx((0.25 + 0.25) / 6)
    shifted = geometry.reconstruction(x, w, np.array([-0.25, 0.0], dtype=np.float32))
    assert shifted[0] == pytest.approx((0.25, 0.0))


def test_the_loss_is_the_binomial_mean_over_the_number_of_active_features(geometry: ModuleType) -> None:
    # n = 2: (1 - p)^2 * a + 2 p (1 - p) * b + p^2 * c
    assert geometry.expected_loss([1.0, 2.0, 4.0], 0.1) == pytest.approx(0.81 + 2 * 0.18 + 4 * 0.01)
    assert geometry.expected_loss([1.0] * 9, P) == pytest.approx(1.0)


def test_zero_weights_lose_a_third_of_p(geometry: ModuleType, data: ModuleType) -> None:
    """E[x^2] = p / 3 per feature when nothing is reconstructed."""
    w, b = np.zeros((1, 8, 3), dtype=np.float32), np.zeros((1, 8), dtype=np.float32)
    measured = geometry.measure(w, b, np.random.default_rng(0))
    assert data.SPARSITY == 1 - P
    assert measured["loss"][0] == pytest.approx(P / 3, rel=2e-3)
    assert measured["loss_1_active"][0] == pytest.approx(1 / 24, rel=1e-4)
    assert measured["loss_2_active"][0] == pytest.approx(2 / 24, rel=5e-3)
    assert measured["features_represented"] == [0.0]
    assert measured["mean_dimensionality"] == [0.0]


def test_a_perfect_model_of_three_features_loses_only_the_other_five(geometry: ModuleType) -> None:
    w = np.zeros((1, 8, 3), dtype=np.float32)
    w[0, :3] = np.eye(3)
    measured = geometry.measure(w, np.zeros((1, 8), dtype=np.float32), np.random.default_rng(0))
    assert measured["loss"][0] == pytest.approx(P / 3 * 5 / 8, rel=2e-3)
    assert measured["features_represented"] == [3.0]
    assert measured["mean_dimensionality"][0] == pytest.approx(3 / 8)


@pytest.mark.parametrize("k", range(9))
def test_exactly_k_features_are_active_each_as_often_as_the_others(data: ModuleType, k: int) -> None:
    n = 20_000
    x = data.k_active_features(np.random.default_rng(k), n, k)
    active = x > 0
    assert x.shape == (n, 8)
    assert x.dtype == np.float32
    assert (active.sum(axis=1) == k).all()
    shares = active.mean(axis=0)
    assert np.abs(shares - k / 8).max() < 5 * math.sqrt(k / 8 * (1 - k / 8) / n) + 1e-9
    if k:
        assert x[active].mean() == pytest.approx(0.5, abs=0.01)
        assert x[active].std() == pytest.approx(1 / math.sqrt(12), abs=0.01)
        assert x.max() < 1.0


def test_every_pair_of_features_is_equally_likely(data: ModuleType) -> None:
    n = 28_000
    active = data.k_active_features(np.random.default_rng(1), n, 2) > 0
    together = (active.T.astype(float) @ active)[np.triu_indices(8, 1)]
    assert together.sum() == n
    assert np.abs(together - n / 28).max() < 5 * math.sqrt(n / 28)


@pytest.mark.parametrize("k", [-1, 9])
def test_an_impossible_number_of_active_features_is_refused(data: ModuleType, k: int) -> None:
    with pytest.raises(ValueError, match="between 0 and 8"):
        data.k_active_features(np.random.default_rng(0), 10, k)


def test_sparse_features_are_independent_with_the_right_marginals(data: ModuleType) -> None:
    x = data.sparse_features(np.random.default_rng(0), (100, 1000))
    active = (x > 0).reshape(-1, 8)
    assert x.shape == (100, 1000, 8)
    assert active.mean() == pytest.approx(P, rel=0.02)
    both = (active[:, 0] & active[:, 1]).mean()
    assert both == pytest.approx(P * P, rel=0.25)


def test_the_same_generator_gives_the_same_samples(data: ModuleType) -> None:
    first, second, other = (data.k_active_features(np.random.default_rng(s), 50, 3) for s in (7, 7, 8))
    assert (first == second).all()
    assert (first != other).any()


GOOD = np.stack([np.eye(8, 3, dtype=np.float32), np.eye(8, 3, dtype=np.float32)[:, ::-1]])
"""Two seeds with the same three features."""
CURVE = np.full((10, 2), 0.01, dtype=np.float32)


def test_the_evaluator_measures_saved_weights_on_its_own_data(where: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "weights.npz", W=GOOD)
    np.savez(tmp_path / "training_curve.npz", loss=CURVE)
    done = pinned.evaluate(where, tmp_path, tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    scores = json.loads((tmp_path / "out" / "final_info.json").read_text())["sparse_uniform"]
    assert scores["final_info_dict"]["features_represented"] == [3.0, 3.0]
    assert scores["final_info_dict"]["steps"] == [10.0, 10.0]
    assert scores["means"]["loss"] == pytest.approx(P / 3 * 5 / 8, rel=2e-3)
    assert "train_seconds" not in scores["means"]


def test_the_evaluator_gives_the_stored_baseline_again(where: Path, tmp_path: Path) -> None:
    """The same weights, the same data: the official numbers can be made anew by anybody."""
    files = ROOT / "baselines" / "tms_geometry" / "run_0"
    for name in ("weights.npz", "training_curve.npz"):
        (tmp_path / name).write_bytes((files / name).read_bytes())
    assert pinned.evaluate(where, tmp_path, tmp_path / "out", "0,1,2,3,4").returncode == 0
    again = json.loads((tmp_path / "out" / "final_info.json").read_text())["sparse_uniform"]["final_info_dict"]
    stored = json.loads((files / "verified.json").read_text())["sparse_uniform"]["final_info_dict"]
    for metric, values in stored.items():
        assert again[metric] == pytest.approx(values, rel=1e-5), metric


BAD = {
    "no such key": {"V": GOOD},
    "a key too many": {"W": GOOD, "extra": GOOD},
    "another shape": {"W": GOOD[:, :7]},
    "another number of seeds": {"W": GOOD[:1]},
    "no seeds axis": {"W": GOOD[0]},
    "double precision": {"W": GOOD.astype(np.float64)},
    "whole numbers": {"W": GOOD.astype(np.int32)},
    "not a number": {"W": np.where(GOOD == 1, np.float32("nan"), GOOD)},
    "infinite": {"W": np.where(GOOD == 1, np.float32("inf"), GOOD)},
    "so large that a metric overflows": {"W": GOOD * np.float32(1e30)},
    "a bias of another shape": {"W": GOOD, "b": np.zeros((2, 7), dtype=np.float32)},
    "objects": {"W": np.array([[{}]], dtype=object)},
}


@pytest.mark.parametrize("what", [*BAD, "missing", "no archive", "half an archive"])
def test_bad_weights_are_refused_in_one_line_with_exit_code_3(where: Path, tmp_path: Path, what: str) -> None:
    path = tmp_path / "weights.npz"
    np.savez(tmp_path / "training_curve.npz", loss=CURVE)
    if what in BAD:
        np.savez(path, **BAD[what])
    elif what == "no archive":
        path.write_text("nothing")
    elif what == "half an archive":
        np.savez(path, W=GOOD)
        path.write_bytes(path.read_bytes()[:200])
    done = pinned.evaluate(where, tmp_path, tmp_path / "out")
    assert done.returncode == 3, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "weights.npz" in done.stderr or "not finite" in done.stderr
    assert not (tmp_path / "out" / "final_info.json").exists()
