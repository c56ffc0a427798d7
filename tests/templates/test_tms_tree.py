"""The tree template: its laws, its gradient, its metrics, its evaluator and its stored baseline."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pinned
import pytest

from harness.template import baseline
from harness.template.folder import Template
from harness.template.ideas import read_idea

ROOT = Path(__file__).parents[2]
NAME = "tms_tree"
RUN = pinned.baseline_run(NAME)
LAWS = ("early_stopping", "full_depth", "independent")
PATHS = LAWS[:2]
N_CELLS = dict(zip(LAWS, (42, 42, 23), strict=True))

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pinned.pin(NAME, tmp_path_factory.mktemp("pinned") / "template")


@pytest.fixture(scope="module")
def modules(where: Path) -> Iterator[dict[str, ModuleType]]:
    with pinned.imported(where, "data", "minibatches", "sweep", "experiment", "artifacts") as found:
        yield found


@pytest.fixture
def data(modules: dict[str, ModuleType]) -> ModuleType:
    return modules["data"]


@pytest.fixture
def minibatches(modules: dict[str, ModuleType]) -> ModuleType:
    return modules["minibatches"]


@pytest.fixture
def sweep(modules: dict[str, ModuleType]) -> ModuleType:
    return modules["sweep"]


@pytest.fixture
def experiment(modules: dict[str, ModuleType]) -> ModuleType:
    return modules["experiment"]


@pytest.fixture(scope="module")
def template() -> Template:
    return Template(pinned.folder(NAME))


def test_the_stored_baseline_is_fresh_and_complete(template: Template) -> None:
    scores = baseline.load(ROOT / "baselines", template).scores
    assert set(scores) == set(LAWS)
    for law in LAWS:
        assert set(scores[law]) == {*template.manifest.metrics, "steps"}
        assert len(set(scores[law]["fvu_mean"])) == 3, "seeds differ"
        ordered = zip(*(scores[law][f"fvu_{which}"] for which in ("min", "median", "mean")), strict=True)
        assert all(0 <= lowest <= middle and lowest <= mean < 1 for lowest, middle, mean in ordered)


def test_everything_known_holds_on_the_stored_baseline(where: Path, tmp_path: Path) -> None:
    rows = pinned.known(where, RUN, tmp_path)
    assert len(rows) == 4
    assert all(row["holds"] for row in rows), rows


def test_the_evaluator_gives_the_stored_baseline_again(where: Path, tmp_path: Path) -> None:
    done = pinned.evaluate(where, RUN, tmp_path, "0,1,2")
    assert (done.returncode, done.stderr) == (0, "")
    again, stored = (json.loads((folder / name).read_text()) for folder, name in
                     ((tmp_path, "final_info.json"), (RUN, "verified.json")))  # fmt: skip
    for law in LAWS:
        for metric, values in stored[law]["final_info_dict"].items():
            # One of a seed's instances may be stuck by a margin that rounding decides.
            slack = 1 / (5 * N_CELLS[law]) if metric == "stuck_fraction" else 1e-9
            assert again[law]["final_info_dict"][metric] == pytest.approx(values, rel=1e-4, abs=slack), (law, metric)


def test_the_recorded_settings_are_those_of_the_run() -> None:
    configs = json.loads((RUN / "config.json").read_text())
    assert [config["law"] for config in configs] == [*LAWS, "early_stopping"]
    assert [len(config["cells"]) for config in configs] == [42, 42, 23, 1]
    for config in configs:
        assert (config["n_steps"], config["batch_size"], config["learning_rate"]) == (10_000, 1024, 1e-3)
        assert (config["seeds"], config["device"]) == ([0, 1, 2], "cpu")
    assert [config["minibatches"] for config in configs] == ["counted", "counted", "merged", "counted"]
    assert configs[3]["init_std"] == pytest.approx([(2 / (7 * 6)) ** 0.5])


def test_every_idea_can_be_read_and_names_what_it_should_move(template: Template) -> None:
    ideas = [read_idea(template, name) for name in template.ideas()]
    assert len(ideas) >= 5
    assert all(idea.hypotheses and idea.metrics for idea in ideas)


def test_the_inputs_of_the_smallest_trees_are_those_listed_by_hand(data: ModuleType) -> None:
    """Depth 2: nodes a, b under the root, aa, ab under a, ba, bb under b."""
    x, p = data.inputs("early_stopping", 2, None)
    nothing, a, b = (0, 0, 0, 0, 0, 0), (1, 0, 0, 0, 0, 0), (0, 1, 0, 0, 0, 0)
    leaves = [(1, 0, 1, 0, 0, 0), (1, 0, 0, 1, 0, 0), (0, 1, 0, 0, 1, 0), (0, 1, 0, 0, 0, 1)]
    assert x.tolist() == [list(map(float, row)) for row in (nothing, a, b, *leaves)]
    assert p.tolist() == [1 / 2, 1 / 8, 1 / 8, *[1 / 16] * 4]
    x, p = data.inputs("full_depth", 2, None)
    assert x.tolist() == [list(map(float, row)) for row in leaves]
    assert p.tolist() == [1 / 4] * 4


@pytest.mark.parametrize(
    ("law", "depth"), [(law, depth) for law in LAWS for depth in (1, 2, 3, 6) if law in PATHS or depth <= 3]
)
def test_probabilities_add_up_and_give_the_marginals(data: ModuleType, law: str, depth: int) -> None:
    x, p = data.inputs(law, depth, None)
    assert len(np.unique(x, axis=0)) == len(x)
    assert p.sum() == pytest.approx(1)
    child = 1 / 2 if law == "full_depth" else 1 / 4
    assert p @ x == pytest.approx(child ** data.level_of(depth), rel=1e-6)


def test_there_are_42_cells(data: ModuleType) -> None:
    assert {law: len(data.cells(law)) for law in LAWS} == N_CELLS
    assert data.cells("full_depth")[:3] == [(1, 2), (2, 2), (2, 3)]


def cofiring(x: np.ndarray, p: np.ndarray) -> np.ndarray:
    """E x_i x_j; the marginals stand on its diagonal."""
    together: np.ndarray = (x * p[:, None]).T @ x
    return together


@pytest.mark.parametrize("law", PATHS)
def test_sampled_and_counted_paths_have_the_exact_cofiring(data: ModuleType, law: str) -> None:
    depth, n = 4, 200_000
    exact = cofiring(*data.inputs(law, depth, None))
    rows = data.paths(depth)
    nodes = data.sample_nodes(np.random.default_rng(0), law, depth, (n,))
    counts = data.sample_counts(np.random.default_rng(1), law, depth, n, ())
    for frequencies in (np.bincount(nodes, minlength=len(rows)) / n, counts / n):
        assert np.abs(cofiring(rows, frequencies) - exact).max() < 5 * 0.5 / n**0.5


def test_independent_features_have_the_marginals_of_the_tree_and_are_independent(data: ModuleType) -> None:
    depth, n = 4, 200_000
    x = data.unpack(data.sample_codes(np.random.default_rng(0), depth, (n,)), data.n_features(depth))
    marginals = 0.25 ** data.level_of(depth)
    together = cofiring(x, np.full(n, 1 / n))
    expected = np.outer(marginals, marginals)
    np.fill_diagonal(expected, marginals)
    assert (np.abs(together - expected) < 6 * np.sqrt(expected / n)).all()


@pytest.mark.parametrize("law", PATHS)
@pytest.mark.parametrize("shallow", [1, 2, 4])
def test_counts_of_a_tree_cut_off_follow_the_law_of_the_shallow_tree(data: ModuleType, law: str, shallow: int) -> None:
    folded = data.path_probabilities(law, 4) @ data.shallower(4, shallow)
    assert folded == pytest.approx(data.path_probabilities(law, shallow))


def test_independent_features_that_do_not_fit_into_a_code_are_refused(data: ModuleType) -> None:
    with pytest.raises(ValueError, match="depth 5 does not fit into 32 bits"):
        data.sample_codes(np.random.default_rng(0), 5, (10,))


def test_distinct_codes_are_counted_row_by_row(data: ModuleType) -> None:
    values, counts = data.distinct(np.array([[1, 1, 4, 4, 4], [0, 2, 3, 3, 9]]))
    assert values.tolist() == [[1, 4, 0, 0], [0, 2, 3, 9]]
    assert counts.tolist() == [[2, 3, 0, 0], [1, 1, 2, 1]]
    values, counts = data.distinct(values // 4, counts)
    assert (values * counts).sum(axis=1).tolist() == [3, 2]
    assert counts.sum(axis=1).tolist() == [5, 5]


def plan(minibatches: ModuleType, law: str, seeds: tuple[int, ...] = (0, 1), n_steps: int = 3) -> Any:
    return minibatches.Plan(law, (2, 3, 4), seeds, 2, 64, n_steps, torch.device("cpu"))


def models(depth: int, groups: int = 4) -> tuple:
    """Random weights in which many ReLUs are off and many on."""
    generator = torch.Generator().manual_seed(depth)
    n = 2 ** (depth + 1) - 2
    w = 0.4 * torch.randn(groups, 3, 5, n, generator=generator)
    w[:, 0, 2:] = 0
    return w, 0.3 * torch.randn(groups, 3, n, generator=generator)


@pytest.mark.parametrize(("law", "stream"), [(LAWS[0], "counted"), (LAWS[0], "sampled"), (LAWS[2], "merged")])
def test_the_gradient_is_that_of_autograd(
    minibatches: ModuleType, experiment: ModuleType, law: str, stream: str
) -> None:
    for depth, (x, weight) in next(minibatches.STREAMS[stream](plan(minibatches, law))).items():
        w, b = models(depth)
        by_hand = experiment.gradient(x, weight, w, b)
        w.requires_grad_()
        b.requires_grad_()
        automatic = torch.autograd.grad(experiment.losses(x, weight, w, b).sum(), (w, b))
        for ours, theirs in zip(by_hand, automatic, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
        assert not by_hand[0][:, 0, 2:].any(), "padding gets exactly no gradient"


def test_counts_have_the_gradient_of_the_batch_that_they_count(data: ModuleType, experiment: ModuleType) -> None:
    """The same batch once as samples and once as counts over the distinct inputs."""
    depth, groups, batch = 3, 4, 64
    nodes = data.sample_nodes(np.random.default_rng(0), "early_stopping", depth, (groups, batch))
    rows = torch.from_numpy(data.paths(depth))
    counts = np.stack([np.bincount(of_group, minlength=len(rows)) for of_group in nodes])
    w, b = models(depth)
    sampled = experiment.gradient(rows[torch.from_numpy(nodes)], torch.full((groups, batch), 1 / batch), w, b)
    counted = experiment.gradient(rows, torch.from_numpy(np.float32(counts / batch)), w, b)
    for one, other in zip(sampled, counted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-7)


def test_merged_batches_are_the_sampled_ones(minibatches: ModuleType) -> None:
    """The same generator draws both, so the mean input must agree exactly, depth by depth."""
    batches = minibatches.sampled(plan(minibatches, "independent"))
    for sampled, merged in zip(batches, minibatches.merged(plan(minibatches, "independent")), strict=True):
        for depth in (2, 3, 4):
            (x, p), (y, q) = sampled[depth], merged[depth]
            torch.testing.assert_close(p[:, None] @ x, q[:, None] @ y)
            assert y.shape[1] < x.shape[1]


@pytest.mark.parametrize("law", LAWS)
def test_a_seed_sees_the_same_batches_whatever_seeds_run_beside_it(minibatches: ModuleType, law: str) -> None:
    stream = minibatches.STREAMS[minibatches.CHEAPEST[law]]
    alone = next(stream(plan(minibatches, law, (1,))))
    beside = next(stream(plan(minibatches, law, (0, 1))))
    for depth in (2, 3, 4):
        x, weight = alone[depth]
        y, other = beside[depth]
        mean, other_mean = (
            torch.einsum("gk,gkn->gn", p, z.expand(len(p), -1, -1)) for p, z in ((weight, x), (other, y))
        )
        torch.testing.assert_close(mean, other_mean[2:])


def test_training_lowers_the_loss_and_leaves_the_padding_at_zero(experiment: ModuleType) -> None:
    config = experiment.Config("early_stopping", ((2, 2), (2, 4), (3, 3)), "counted", n_steps=200)
    stacks, curve = experiment.train(config, [0, 1], torch.device("cpu"))
    assert {depth: w.shape for depth, (w, _) in stacks.items()} == {2: (2, 5, 2, 4, 6), 3: (2, 5, 1, 3, 14)}
    assert not stacks[2][0][:, :, 0, 2:].any()
    assert curve.shape == (2, 2)
    assert (curve[1] < curve[0]).all()
    alone, _ = experiment.train(config, [1], torch.device("cpu"))
    assert alone[2][0][0] == pytest.approx(stacks[2][0][1], abs=1e-3)


def test_the_initial_scale_does_not_depend_on_how_many_models_train(experiment: ModuleType) -> None:
    few, many = (experiment.Config("full_depth", ((5, 4),), "counted", n_instances=n) for n in (5, 400))
    stds = [experiment.initial_weights(config, [0], 5).std() for config in (few, many)]
    assert stds == pytest.approx([(2 / (9 * 62)) ** 0.5] * 2, rel=0.05)


def test_losses_are_those_computed_by_hand(data: ModuleType, sweep: ModuleType) -> None:
    x, p = data.inputs("early_stopping", 1, None)
    w, b = np.zeros((3, 2, 2), dtype=np.float32), np.zeros((3, 2), dtype=np.float32)
    w[1] = np.eye(2)
    w[2, 0, 0] = 1
    # Each of 2 features is 1 with probability 1/4: the zero model loses both, the identity none, the last model one.
    assert sweep.losses(w, b, x, p).tolist() == [0.25, 0, 0.125]
    assert sweep.variance(x, p) == pytest.approx(1 / 4 * 3 / 4)


def test_a_model_that_loses_one_leaf_of_cell_2_2_has_the_loss_of_the_local_minimum(
    data: ModuleType, sweep: ModuleType
) -> None:
    x, p = data.inputs("early_stopping", 2, None)
    w = np.eye(6, dtype=np.float32)
    w[5, 5] = 0
    assert sweep.losses(w, np.zeros(6, dtype=np.float32), x, p) == pytest.approx(1 / 96)


def test_a_depth_that_no_cell_solves_has_no_min_n_hidden(data: ModuleType, sweep: ModuleType) -> None:
    loss = [np.full((3, 5), 1e-3) for _ in data.cells("independent")]
    assert sweep.min_n_hidden("independent", loss) == {"2": None, "3": None, "4": None}
    loss[data.cells("independent").index((3, 7))][2, 4] = 9e-6
    loss[data.cells("independent").index((3, 9))][:] = 0
    assert sweep.min_n_hidden("independent", loss) == {"2": None, "3": 7, "4": None}


def test_metrics_are_means_over_cells_of_statistics_over_instances(sweep: ModuleType) -> None:
    loss = [np.array([[0, 1e-3, 2e-3]]), np.array([[4e-6, 4e-6, 1e-3]])]
    fvu = [np.array([[0.0, 0.009, 0.3]]), np.array([[0.1, 0.1, 0.1]])]
    measured = sweep.metrics(loss, fvu)
    assert measured["fvu_min"] == pytest.approx([0.05])
    assert measured["fvu_median"] == pytest.approx([(0.009 + 0.1) / 2])
    assert measured["fvu_mean"] == pytest.approx([(0.103 + 0.1) / 2])
    assert measured["stuck_fraction"] == pytest.approx([1 / 6])
    assert measured["cells_solved"] == [2]


def good(sweep: ModuleType) -> dict[str, np.ndarray]:
    """Empty but valid weights of one seed under the independent law."""
    arrays = {}
    for depth in (2, 3, 4):
        hiddens, n = sweep.n_hiddens(depth), 2 ** (depth + 1) - 2
        arrays[f"W{depth}"] = np.zeros((1, 5, len(hiddens), max(hiddens), n), dtype=np.float32)
        arrays[f"b{depth}"] = np.zeros((1, 5, len(hiddens), n), dtype=np.float32)
    return arrays


def spoilt(arrays: dict[str, np.ndarray], how: str) -> dict[str, np.ndarray]:
    if how == "a key is missing":
        del arrays["b3"]
    elif how == "a key too many":
        arrays["W9"] = arrays["W2"]
    elif how == "another shape":
        arrays["W3"] = arrays["W3"][:, :4]
    elif how == "another number of seeds":
        arrays = {key: np.repeat(array, 2, axis=0) for key, array in arrays.items()}
    elif how == "double precision":
        arrays["W4"] = arrays["W4"].astype(np.float64)
    elif how == "not a number":
        arrays["b2"][0, 0, 0, 0] = np.nan
    elif how == "objects":
        arrays["b2"] = np.array([{}], dtype=object)
    elif how == "more hidden units than the cell has":
        arrays["W2"][0, 0, 0, 2, 0] = 1e-30
    return arrays


@pytest.mark.parametrize(
    "how",
    [
        "a key is missing",
        "a key too many",
        "another shape",
        "another number of seeds",
        "double precision",
        "not a number",
        "objects",
        "more hidden units than the cell has",
    ],
)
def test_hostile_weights_are_refused_in_one_line(
    modules: dict[str, ModuleType], sweep: ModuleType, tmp_path: Path, how: str
) -> None:
    np.savez(tmp_path / "weights_independent.npz", **spoilt(good(sweep), how))
    with pytest.raises(modules["artifacts"].ArtifactError, match=r"^weights_independent.npz: ") as caught:
        sweep.load_stacks(tmp_path, "independent", 1)
    assert "\n" not in str(caught.value)


def test_the_evaluator_refuses_a_run_with_exit_code_3(where: Path, tmp_path: Path) -> None:
    for name in ("curves.npz", "config.json", *(f"weights_{law}.npz" for law in LAWS)):
        (tmp_path / name).write_bytes((RUN / name).read_bytes())
    with np.load(RUN / "weights_full_depth.npz") as saved:
        arrays = {key: saved[key] for key in saved.files}
    arrays["b6"] = arrays["b6"] * np.float32(1e30) + np.float32(1e30)
    np.savez(tmp_path / "weights_full_depth.npz", **arrays)
    done = pinned.evaluate(where, tmp_path, tmp_path / "out", "0,1,2")
    assert done.returncode == 3, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out" / "final_info.json").exists()


def test_the_plots_are_drawn_from_saved_files_and_a_broken_run_is_skipped(where: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(where, study)
    shutil.copytree(RUN, study / "run_0")
    shutil.copytree(RUN, study / "run_1")
    (study / "run_2").mkdir()
    done = pinned.script(study, "plot.py", "--out_dir=plots")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("run_2: skipped")
    assert len(list((study / "plots").glob("*.png"))) == 6
