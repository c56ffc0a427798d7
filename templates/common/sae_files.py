"""Saved SAEs: the encoder as a graph of plain tensor operations, so that any architecture can be evaluated. Protected.

`save_sae` traces `sae.encode` with torch.export and writes what it does, without code or pickles; arrays are float32:

    encoder.json   {"input": name, "output": name, "constants": {name: {"shape", "dtype"}},
                    "nodes": [{"name", "op", "args", "kwargs"}, …]}
    encoder.npz    the constants (weights, thresholds, index tables) by name
    decoder.npz    W_dec [S, m, d] and b_dec [S, 1, d]: xhat = z W_dec + b_dec

`load_sae` takes only operations of PyTorch's core ATen set, which compute tensors from tensors and touch nothing else.
(torch.export's own .pt2 files are not used: reading one may unpickle objects and evaluate strings.)
"""

import json
import math
import operator
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.nn import Module

from artifacts import ArtifactError, blamed_on, load_arrays, load_json
from sae import SAE

CANNOT_BE_USED = "the saved encoder cannot be used"
MOST_ELEMENTS = 256
"""Numbers that all intermediate results together may have, as a multiple of those in input, latents and constants."""
CHUNK_ELEMENTS = 2**18
"""Inputs are encoded in chunks of this many numbers: rows times d + m."""
SIZE_OPERATORS = ("add", "sub", "mul", "floordiv", "mod", "neg")
"""What a traced graph may do to sizes."""
BESIDE_CORE = ("linalg_vector_norm",)
"""Operations that are not in the core set but as harmless."""
NEVER = ("empty", "empty_strided", "as_strided", "nonzero", "_local_scalar_dense")
"""Core operations that read memory as it lies, or whose result has no shape before it is computed."""
TORCH_CONSTANTS = torch.dtype | torch.layout | torch.memory_format


@dataclass(frozen=True)
class _Parts:
    """The results of an operation that has several; only getitem takes them."""

    parts: tuple[Tensor, ...]


def _getitem(several: _Parts, index: int) -> Tensor:
    return several.parts[index]


def _on_sizes(name: str) -> Callable[..., int]:
    """Python's operator of that name, on 64-bit integers and nothing else."""
    compute = getattr(operator, name)

    def checked(*sizes: int) -> int:
        result: int = compute(*map(_size, sizes))
        return _size(result)

    return checked


def _size(value: Any) -> int:
    if not isinstance(value, int) or abs(value) >= 2**63:
        raise ValueError("a size must be an integer of 64 bits")
    return value


PYTHON_OPERATORS = {"getitem": _getitem, **{name: _on_sizes(name) for name in SIZE_OPERATORS}}


class _Encoder(Module):
    """torch.export takes a module's forward."""

    def __init__(self, sae: SAE) -> None:
        super().__init__()
        self.sae = sae

    def forward(self, x: Tensor) -> Tensor:
        return self.sae.encode(x)


def save_sae(folder: Path, sae: SAE) -> None:
    """Write encoder.json, encoder.npz and decoder.npz into `folder`, which is made.

    Raises:
        ValueError: `encode` does what cannot be saved, such as a random draw; the message names the operation.
    """
    folder.mkdir(parents=True, exist_ok=True)
    n_seeds, _, d_in = sae.W_dec.shape
    example = torch.zeros(n_seeds, 7, d_in, device=sae.W_dec.device)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch.export calls what torch has deprecated
        exported = torch.export.export(
            _Encoder(sae), (example,), dynamic_shapes=({1: torch.export.Dim("rows", min=2)},)
        )
        exported = exported.run_decompositions()
    graph = exported.graph
    for node in reversed(graph.nodes):
        if node.name.startswith("_assert"):
            graph.erase_node(node)
    graph.eliminate_dead_code()
    stored = {**exported.state_dict, **exported.constants}
    targets = {spec.arg.name: spec.target for spec in exported.graph_signature.input_specs}
    nodes, names, tensors = [], {}, {}
    for node in graph.nodes:
        if node.op == "call_function":
            arguments = {"args": _packed(node.args), "kwargs": {key: _packed(arg) for key, arg in node.kwargs.items()}}
            nodes.append({"name": node.name, "op": _op_name(node.target), **arguments})
        elif node.op == "output":
            names["output"] = node.args[0][0].name
        elif targets[node.name] is None:
            names["input"] = node.name
        elif node.users:
            tensors[node.name] = stored[targets[node.name]].detach()
    constants = {name: {"shape": list(t.shape), "dtype": _packed(t.dtype)["torch"]} for name, t in tensors.items()}
    (folder / "encoder.json").write_text(json.dumps({**names, "constants": constants, "nodes": nodes}, indent=1))
    _save_arrays(folder / "encoder.npz", tensors)
    _save_arrays(folder / "decoder.npz", {"W_dec": sae.W_dec.detach(), "b_dec": sae.b_dec.detach()})


def _save_arrays(path: Path, tensors: dict[str, Tensor]) -> None:
    np.savez(path, **{name: tensor.float().cpu().numpy() for name, tensor in tensors.items()})


def _op_name(target: Any) -> str:
    name = str(target) if isinstance(target, OpOverload) else getattr(target, "__name__", str(target))
    if _operation(name) is None:
        raise ValueError(
            f"encode uses {name}, which cannot be saved: it must be made of deterministic tensor operations"
        )
    return name


def _operation(name: str) -> Callable[..., Any] | None:
    """The operation of that name; None if it is not one of those that a saved encoder may use."""
    if name in PYTHON_OPERATORS:
        return PYTHON_OPERATORS[name]
    namespace, packet, overload, *_ = [*name.split("."), "", ""]
    operation = getattr(getattr(torch.ops.aten, packet, None), overload, None)
    if namespace != "aten" or packet in NEVER or not isinstance(operation, OpOverload):
        return None
    known = torch.Tag.core in operation.tags or packet in BESIDE_CORE
    impure = operation._schema.is_mutable or torch.Tag.nondeterministic_seeded in operation.tags
    return operation if known and not impure else None


def _takes_device(operation: Callable[..., Any]) -> bool:
    """Whether an argument says on which device the operation's result lies."""
    return isinstance(operation, OpOverload) and any(arg.name == "device" for arg in operation._schema.arguments)


def _packed(value: Any) -> Any:
    """An argument of a node as JSON: {"node": name}, {"torch": dtype, layout or memory format}, {"device": "input"}."""
    if isinstance(value, list | tuple):
        return [_packed(item) for item in value]
    if isinstance(value, torch.fx.Node):
        return {"node": value.name}
    if isinstance(value, TORCH_CONSTANTS):
        return {"torch": str(value).removeprefix("torch.")}
    return {"device": "input"} if isinstance(value, torch.device) else value


def _unpacked(value: Any, results: dict[str, Any], device: torch.device) -> Any:
    if isinstance(value, list):
        return [_unpacked(item, results, device) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, name),) = value.items()
    if kind == "node":
        return results[name]
    return device if kind == "device" else _torch_constant(name)


def _torch_constant(name: str) -> Any:
    constant = getattr(torch, name, None)
    if not isinstance(constant, TORCH_CONSTANTS):
        raise ValueError(f"torch has no dtype, layout or memory format {name!r}")
    return constant


@dataclass(frozen=True)
class _Graph:
    """What encoder.json and encoder.npz say: operations in order, each on results before it."""

    nodes: list[tuple[str, Callable[..., Any], list[Any], dict[str, Any]]]
    constants: dict[str, Tensor]
    input: str
    output: str

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> "_Graph":
        path = folder / "encoder.json"
        saved = load_json(path)
        nodes = []
        for node in saved["nodes"]:
            operation = _operation(str(node["op"]))
            if operation is None:
                raise ArtifactError(f"{path.name}: {node['op']!r:.80} is no operation that an encoder may use")
            kwargs = dict(node["kwargs"])
            if _takes_device(operation):  # it has no other say: on "meta", nothing may be allocated
                kwargs["device"] = {"device": "input"}
            nodes.append((str(node["name"]), operation, list(node["args"]), kwargs))
        wanted = saved["constants"]
        arrays = load_arrays(folder / "encoder.npz", {name: tuple(spec["shape"]) for name, spec in wanted.items()})
        constants = {
            name: torch.from_numpy(array).to(device, _torch_constant(wanted[name]["dtype"]))
            for name, array in arrays.items()
        }
        return cls(nodes, constants, str(saved["input"]), str(saved["output"]))

    def results(self, x: Tensor, constants: dict[str, Tensor]) -> Iterator[tuple[str, Any]]:
        """Every result and its name, as it is computed; the constants and the input x [S, N, d] come first."""
        results: dict[str, Any] = {**constants, self.input: x}
        yield from results.items()
        for name, operation, args, kwargs in self.nodes:
            named = {key: _unpacked(arg, results, x.device) for key, arg in kwargs.items()}
            result = operation(*_unpacked(args, results, x.device), **named)
            results[name] = _Parts(tuple(result)) if isinstance(result, list | tuple) else result
            yield name, results[name]

    def encode(self, x: Tensor, n_latents: int) -> Tensor:
        """z [S, N, m] for x [S, N, d]."""
        z = dict(self.results(x, self.constants))[self.output]
        _refuse_misshapen(z, x, n_latents)
        if not torch.isfinite(z).all():
            raise ArtifactError("the encoder's latents are not finite; the training diverged")
        checked: Tensor = z
        return checked

    def refuse_large(self, x: Tensor, n_latents: int) -> None:
        """Raise ArtifactError if the results for an x of this shape take too much room; nothing is computed."""
        constants = {name: constant.to("meta") for name, constant in self.constants.items()}
        most = MOST_ELEMENTS * (
            x.shape[0] * x.shape[1] * (x.shape[2] + n_latents) + sum(c.numel() for c in constants.values())
        )
        results, n_elements = {}, 0
        for name, result in self.results(x.to("meta"), constants):
            results[name] = result
            n_elements += _n_elements(result)
            if n_elements > most:
                raise ArtifactError(
                    f"encoder.json: its results have more than {most:.2g} numbers for {x.shape[1]} rows"
                )
        _refuse_misshapen(results[self.output], x, n_latents)


def _n_elements(result: Any) -> int:
    """Numbers in a result; an axis of no length counts as one, because the result can be split along the others."""
    if isinstance(result, _Parts):
        return sum(map(_n_elements, result.parts))
    return math.prod(max(1, length) for length in result.shape) if isinstance(result, Tensor) else 1


def _refuse_misshapen(z: Any, x: Tensor, n_latents: int) -> None:
    wanted = (torch.float32, (*x.shape[:2], n_latents))
    found = (z.dtype, tuple(z.shape)) if isinstance(z, Tensor) else (type(z).__name__, ())
    if found != wanted:
        raise ArtifactError(f"the encoder's latents must be {wanted[0]} {wanted[1]}, found {found[0]} {found[1]}")


@dataclass(frozen=True)
class SavedSAE:
    """A saved SAE: its decoder W_dec [S, m, d] and b_dec [S, 1, d], and the two functions."""

    name: str
    W_dec: Tensor
    b_dec: Tensor
    graph: _Graph

    def encode(self, x: Tensor) -> Tensor:
        """z [S, N, m] of inputs x [S, N, d], float32.

        Raises:
            ArtifactError: the graph does not compute such a z, its results are too large for so many rows, a value is
                not finite, or a row depends on other rows.
        """
        n_latents, d_in = self.W_dec.shape[1:]
        rows = max(2, CHUNK_ELEMENTS // (d_in + n_latents))
        with blamed_on(self.name, CANNOT_BE_USED):
            some = slice(1, 128, 2)
            chunks = x.split(rows, dim=1)
            # Results may grow faster than the number of rows, so that each number is tried before it is computed.
            for part in {part.shape[1]: part for part in (*chunks, x[:, some])}.values():
                self.graph.refuse_large(part, n_latents)
            z = torch.cat([self.graph.encode(chunk, n_latents) for chunk in chunks], dim=1)
            alone = self.graph.encode(x[:, some], n_latents)
            differ = (alone - z[:, some]).abs().amax(dim=(0, 2)) > 1e-3 * z.abs().max()
            # One row may: matrix products of another size round differently, and a threshold may lie just there.
            if differ.sum() > 1:
                raise ArtifactError("the encoder's latents of a row depend on the other rows")
        return z

    def decode(self, z: Tensor) -> Tensor:
        """xhat = z W_dec + b_dec, [S, N, d]."""
        return torch.baddbmm(self.b_dec, z, self.W_dec)


def load_sae(folder: Path, n_seeds: int, d_in: int, n_latents: int, device: torch.device | str = "cpu") -> SavedSAE:
    """Read what `save_sae` wrote; nothing in the files is trusted.

    Raises:
        ArtifactError: a file is missing, unreadable or too large, or holds another operation, shape, dtype or NaN.
    """
    with blamed_on(folder.name, CANNOT_BE_USED):
        shapes = {"W_dec": (n_seeds, n_latents, d_in), "b_dec": (n_seeds, 1, d_in)}
        decoder = load_arrays(folder / "decoder.npz", shapes)
        graph = _Graph.load(folder, torch.device(device))
        graph.refuse_large(torch.empty(n_seeds, 7, d_in), n_latents)
        w_dec, b_dec = (torch.from_numpy(decoder[key]).to(device) for key in ("W_dec", "b_dec"))
    return SavedSAE(folder.name, w_dec, b_dec, graph)
