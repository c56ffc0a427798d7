"""Saved SAEs: what comes back is what was saved, and whatever else lies there is refused."""

from __future__ import annotations

import io
import json
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pinned
import pytest
import torch
from torch import Tensor

from .conftest import HYPERPARAMETERS, seeded

N_SEEDS, D_IN, N_LATENTS = 2, 4, 6


@pytest.fixture(scope="module")
def modules() -> Iterator[SimpleNamespace]:
    with pinned.imported(pinned.COMMON, "artifacts", "sae", "sae_files") as found:
        yield SimpleNamespace(**found)


def inputs(n_rows: int = 50, seed: int = 0) -> Tensor:
    return torch.randn(N_SEEDS, n_rows, D_IN, generator=seeded(seed)).abs()


def decided(sae: Any, x: Tensor) -> Tensor:
    """Rows of x, [N] of bool, on which no latent lies at its threshold, where rounding says whether it fires."""
    nudge = 1e-5 * torch.randn(x.shape, generator=seeded(2))
    return ((sae.encode(x + nudge) != 0) == (sae.encode(x - nudge) != 0)).all(dim=2).all(dim=0)


def build(modules: SimpleNamespace, name: str, **changes: object) -> Any:
    hyperparameters = {**HYPERPARAMETERS[name], **changes}
    sae = modules.sae.ARCHITECTURES[name](range(N_SEEDS), D_IN, N_LATENTS, **hyperparameters)
    for _ in range(3):
        sae.loss(inputs())
        sae.after_step()
    return sae


@pytest.fixture(scope="module")
def saved(modules: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saes") / "batch_topk"
    modules.sae_files.save_sae(folder, build(modules, "batch_topk"))
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    """A sound saved SAE, to be broken."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for file in saved.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def load(modules: SimpleNamespace, folder: Path) -> Any:
    return modules.sae_files.load_sae(folder, N_SEEDS, D_IN, N_LATENTS)


@pytest.mark.parametrize("name", HYPERPARAMETERS)
def test_what_is_loaded_encodes_and_decodes_as_what_was_saved(
    modules: SimpleNamespace, tmp_path: Path, name: str
) -> None:
    sae = build(modules, name)
    modules.sae_files.save_sae(tmp_path / name, sae)
    loaded = load(modules, tmp_path / name)
    for n_rows in (3, 50, 40_000):
        x = inputs(n_rows, seed=1)  # not those of the training: BatchTopK's threshold is one of their activations
        with torch.no_grad():
            z, rows = sae.encode(x), decided(sae, x)
            assert rows.double().mean() > 0.999
            assert torch.allclose(loaded.encode(x)[:, rows], z[:, rows], atol=1e-6), n_rows
            assert torch.allclose(loaded.decode(z), sae.decode(z), atol=1e-6)
    assert (z != 0).any()
    assert torch.equal(loaded.W_dec, sae.W_dec)
    assert torch.equal(loaded.b_dec, sae.b_dec)


class Softmax:
    """An architecture that no registry knows: a table of constants, a loop, a softmax."""

    @staticmethod
    def make(modules: SimpleNamespace) -> Any:
        sae: Any = modules.sae.SAE

        class Own(sae):
            def __init__(self) -> None:
                super().__init__(range(N_SEEDS), D_IN, N_LATENTS)
                self.table = torch.tensor([0, 0, 1, 1, 2, 2])

            def encode(self, x: Tensor) -> Tensor:
                pre = self.pre_activations(x)
                for step in range(1, 3):
                    pre = pre + 0.1 * torch.relu(pre[..., self.table]) / step
                shares = torch.nn.functional.softmax(pre, dim=-1)
                values, indices = shares.sort(dim=-1, descending=True)
                return torch.zeros_like(pre).scatter(-1, indices[..., :2], values[..., :2]) * (
                    x.norm(dim=-1, keepdim=True) > 1
                )

        return Own()


def test_an_architecture_of_ones_own_can_be_saved(modules: SimpleNamespace, tmp_path: Path) -> None:
    sae = Softmax.make(modules)
    modules.sae_files.save_sae(tmp_path / "own", sae)
    with torch.no_grad():
        z = sae.encode(inputs())
    assert 0 < (z != 0).float().mean() < 0.5
    assert torch.allclose(load(modules, tmp_path / "own").encode(inputs()), z, atol=1e-6)


def test_an_encoder_that_draws_random_numbers_cannot_be_saved(modules: SimpleNamespace, tmp_path: Path) -> None:
    sae = build(modules, "relu_l1")
    sae.encode = lambda x: torch.relu(sae.pre_activations(x)) * torch.rand(N_LATENTS)
    with pytest.raises(ValueError, match=r"encode uses aten\.rand\.default, which cannot be saved"):
        modules.sae_files.save_sae(tmp_path / "random", sae)


def test_an_encoder_that_looks_at_other_rows_is_refused_when_it_encodes(
    modules: SimpleNamespace, tmp_path: Path
) -> None:
    sae = build(modules, "relu_l1")
    sae.encode = lambda x: torch.relu(sae.pre_activations(x) - x.mean(dim=(1, 2), keepdim=True))
    modules.sae_files.save_sae(tmp_path / "neighbours", sae)
    loaded = load(modules, tmp_path / "neighbours")
    with pytest.raises(modules.artifacts.ArtifactError, match=r"^neighbours: .* depend on the other rows"):
        loaded.encode(inputs(200))


class Bomb:
    """Unpickling it leaves a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


def rewrite(folder: Path, **changes: Any) -> None:
    path = folder / "encoder.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def arrays(folder: Path, file: str, **changes: Any) -> None:
    with np.load(folder / file) as stored:
        kept = dict(stored)
    np.savez(folder / file, **{**kept, **changes})


def with_node(folder: Path, op: str, args: list[Any], **kwargs: Any) -> None:
    """The encoder's result goes through one more operation."""
    graph = json.loads((folder / "encoder.json").read_text())
    node = {"name": "last", "op": op, "args": [{"node": graph["output"]}, *args], "kwargs": kwargs}
    rewrite(folder, nodes=[*graph["nodes"], node], output="last")


def constant_of(folder: Path) -> str:
    return next(iter(json.loads((folder / "encoder.json").read_text())["constants"]))


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DECODER = {"W_dec": np.ones((N_SEEDS, N_LATENTS, D_IN), np.float32), "b_dec": np.zeros((N_SEEDS, 1, D_IN), np.float32)}
NAN = np.float32("nan")
BROKEN = {
    "no encoder.json": lambda f: (f / "encoder.json").unlink(),
    "no encoder.npz": lambda f: (f / "encoder.npz").unlink(),
    "no decoder.npz": lambda f: (f / "decoder.npz").unlink(),
    "not JSON": lambda f: (f / "encoder.json").write_text("{"),
    "a list": lambda f: (f / "encoder.json").write_text("[]"),
    "nested without end": lambda f: (f / "encoder.json").write_text("[" * 100_000),
    "too long": lambda f: (f / "encoder.json").write_text(" " * 2**21),
    "a pipe": lambda f: pipe(f / "encoder.json"),
    "half an archive": lambda f: (f / "encoder.npz").write_bytes((f / "encoder.npz").read_bytes()[:100]),
    "decoder of another shape": lambda f: arrays(f, "decoder.npz", W_dec=DECODER["W_dec"][:, :5]),
    "decoder of other seeds": lambda f: arrays(f, "decoder.npz", W_dec=DECODER["W_dec"][:1]),
    "decoder in double precision": lambda f: arrays(f, "decoder.npz", b_dec=DECODER["b_dec"].astype(float)),
    "decoder with NaN": lambda f: arrays(f, "decoder.npz", W_dec=DECODER["W_dec"] * NAN),
    "a key too many": lambda f: arrays(f, "decoder.npz", extra=DECODER["b_dec"]),
    "constants with NaN": lambda f: arrays(f, "encoder.npz", **{constant_of(f): np.full((N_SEEDS, N_LATENTS), NAN)}),
    "constants of another shape": lambda f: arrays(f, "encoder.npz", **{constant_of(f): np.ones(3, np.float32)}),
    "constants that are not there": lambda f: rewrite(f, constants={}),
    "a constant of no dtype": lambda f: rewrite(f, constants={constant_of(f): {"shape": [2, 6], "dtype": "load"}}),
    "an output that does not exist": lambda f: rewrite(f, output="nowhere"),
    "no nodes": lambda f: rewrite(f, nodes=[]),
    "nodes that are none": lambda f: rewrite(f, nodes=[1]),
    "another operation": lambda f: with_node(f, "os.system", []),
    "an attribute of another operation": lambda f: with_node(f, "aten.__class__.mro", []),
    "an operation that reads files": lambda f: with_node(f, "aten.from_file.default", []),
    "an operation in place": lambda f: with_node(f, "aten.relu_.default", []),
    "random numbers": lambda f: with_node(f, "aten.native_dropout.default", [0.5, True]),
    "memory as it lies": lambda f: with_node(f, "aten.as_strided.default", [[2, 7, 6], [0, 0, 1]]),
    "wrong arguments": lambda f: with_node(f, "aten.relu.default", [1, 2, 3]),
    "an argument of an unknown kind": lambda f: with_node(f, "aten.relu.default", [{"node": "relu", "torch": "load"}]),
    "another number of latents": lambda f: with_node(f, "aten.slice.Tensor", [2, 0, 3]),
    "latents in double precision": lambda f: with_node(f, "aten._to_copy.default", [], dtype={"torch": "float64"}),
    "latents that fill the memory": lambda f: with_node(f, "aten.repeat.default", [[10**6, 10**6, 1]]),
}


NOT_64_BITS = "ValueError a size must be an integer of 64 bits"
TOO_LARGE = r"encoder\.json: its results have more than .* numbers for 7 rows"
UNBOUNDED: dict[str, tuple[list[tuple[str, list[Any], dict[str, Any]]], str]] = {
    "a list times a number": ([("mul", [[0], 1000], {})], NOT_64_BITS),
    "a string times a number": ([("mul", ["0", 1000], {})], NOT_64_BITS),
    "a string that is formatted": ([("mod", ["%1000d", 1], {})], NOT_64_BITS),
    "a fraction": ([("add", [0.5, 1], {})], NOT_64_BITS),
    "an integer as long as it likes": ([("add", [2**63, 0], {})], NOT_64_BITS),
    "an integer that is squared again and again": (
        [("add", [3**20, 0], {}), *[("mul", [{"node": f"own_{k}"}] * 2, {}) for k in range(10)]],
        NOT_64_BITS,
    ),
    "a list of results in a list": ([("getitem", [[{"node": "relu"}], 0], {})], "AttributeError"),
    "a table of 4 TiB": ([("aten.full.default", [[2**40], 1], {})], TOO_LARGE),
    "a table of 4 TiB on a device of its own": ([("aten.full.default", [[2**40], 1], {"device": "cpu"})], TOO_LARGE),
    "numbers from 0 to 2^40": ([("aten.arange.start_step", [0, 2**40], {})], TOO_LARGE),
    "an axis that can be split without end": ([("aten.full.default", [[0, 2**40], 1], {})], TOO_LARGE),
    "a table that grows until memory overflows": (
        [
            ("aten.full.default", [[1024], 1], {}),
            *[("aten.repeat.default", [{"node": f"own_{k}"}, [64]], {}) for k in range(12)],
        ],
        TOO_LARGE,
    ),
}


@pytest.mark.parametrize("what", UNBOUNDED)
def test_time_and_memory_are_bounded_before_anything_is_computed(
    modules: SimpleNamespace, copy: Path, what: str
) -> None:
    operations, message = UNBOUNDED[what]
    graph = json.loads((copy / "encoder.json").read_text())
    nodes = [
        {"name": f"own_{k}", "op": op, "args": args, "kwargs": kwargs}
        for k, (op, args, kwargs) in enumerate(operations)
    ]
    rewrite(copy, nodes=[*graph["nodes"], *nodes])
    with pytest.raises(
        modules.artifacts.ArtifactError, match=rf"^mine: (the saved encoder cannot be used: )?{message}"
    ):
        load(modules, copy)


def test_results_that_grow_with_the_square_of_the_rows_are_refused_before_they_are_computed(
    modules: SimpleNamespace, tmp_path: Path
) -> None:
    def encode(x: Tensor) -> Tensor:
        return torch.relu(sae.pre_activations(x)) + 0 * (x @ x.mT).amax(dim=-1, keepdim=True)

    sae = build(modules, "relu_l1")
    sae.encode = encode
    modules.sae_files.save_sae(tmp_path / "square", sae)
    loaded = load(modules, tmp_path / "square")
    assert torch.allclose(loaded.encode(inputs(50)), encode(inputs(50)), atol=1e-6)
    with pytest.raises(modules.artifacts.ArtifactError, match=r"^square: .* more than .* numbers for 8000 rows"):
        loaded.encode(inputs(8000))


def test_results_of_several_parts_and_computed_sizes_can_be_saved(modules: SimpleNamespace, tmp_path: Path) -> None:
    def encode(x: Tensor) -> Tensor:
        one, two = torch.relu(sae.pre_activations(x)).split(N_LATENTS // 2, dim=-1)
        zeros = torch.zeros(2 * x.shape[1] - 1, 1)
        return torch.cat([two, one], dim=-1) + zeros[: x.shape[1]]

    sae = build(modules, "relu_l1")
    sae.encode = encode
    modules.sae_files.save_sae(tmp_path / "parts", sae)
    operations = {node["op"] for node in json.loads((tmp_path / "parts" / "encoder.json").read_text())["nodes"]}
    assert {"getitem", "mul", "aten.split_with_sizes.default", "aten.full.default"} <= operations
    assert torch.allclose(load(modules, tmp_path / "parts").encode(inputs()), encode(inputs()), atol=1e-6)


@pytest.mark.parametrize("op", ["aten.relu_.default", "aten.add.out", "aten._native_batch_norm_legit.default"])
def test_an_operation_that_changes_its_arguments_may_not_be_used(modules: SimpleNamespace, copy: Path, op: str) -> None:
    with_node(copy, op, [])
    with pytest.raises(modules.artifacts.ArtifactError, match=f"{op}' is no operation that an encoder may use"):
        load(modules, copy)


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_sae_is_refused_when_it_is_loaded(modules: SimpleNamespace, copy: Path, what: str) -> None:
    load(modules, copy)
    BROKEN[what](copy)
    with pytest.raises(modules.artifacts.ArtifactError, match=r"^mine(/|: )"):
        load(modules, copy)


def test_latents_that_overflow_are_refused_when_it_encodes(modules: SimpleNamespace, copy: Path) -> None:
    with_node(copy, "aten.exp.default", [])
    with_node(copy, "aten.mul.Tensor", [1e38])
    loaded = load(modules, copy)
    with pytest.raises(modules.artifacts.ArtifactError, match=r"^mine: .* not finite"):
        loaded.encode(1e4 * inputs())


def pickles(trace: Path) -> dict[str, bytes]:
    """A pickle in every wrapping that one of the readers might open."""
    bare = pickle.dumps(Bomb(trace))
    archive, objects = io.BytesIO(), io.BytesIO()
    torch.save(Bomb(trace), archive)
    np.savez(objects, W_dec=np.array([Bomb(trace)], dtype=object), b_dec=DECODER["b_dec"])
    return {"bare": bare, "torch.save": archive.getvalue(), "object array": objects.getvalue()}


@pytest.mark.parametrize("wrapping", ["bare", "torch.save", "object array"])
@pytest.mark.parametrize("file", ["encoder.json", "encoder.npz", "decoder.npz"])
def test_a_pickle_is_never_opened(modules: SimpleNamespace, copy: Path, file: str, wrapping: str) -> None:
    trace = copy / "trace"
    (copy / file).write_bytes(pickles(trace)[wrapping])
    with pytest.raises(modules.artifacts.ArtifactError, match=r"^mine"):
        load(modules, copy)
    assert not trace.exists()


def test_the_saved_files_hold_no_pickle(saved: Path) -> None:
    assert sorted(path.name for path in saved.iterdir()) == ["decoder.npz", "encoder.json", "encoder.npz"]
    for file in ("decoder.npz", "encoder.npz"):
        with np.load(saved / file, allow_pickle=False) as stored:
            assert all(stored[name].dtype == np.float32 for name in stored.files)
