"""What `prepare.py` left for the runs, and the cache of activations that both use. Protected.

prepared = Prepared.from_environment()
for dataset, layer in prepared.datasets.items():
    x = prepared.activations("train", layer)        # [windows, T - 1, d], mean square 1 per dimension
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from artifacts import Array, is_smoke
from sources import LanguageModel, load_model

CODE = ("activations.py", "sources.py", "char_gpt.py")
"""Modules whose text is part of a key: a change of how activations are computed makes all of them anew."""
CE_WINDOWS = {"validation": 4, "evaluation": 16}
"""Windows of a split on which cross-entropy is measured: the first ones; the whole model is slow."""
SMOKE_WINDOWS = 1


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def code_digest(*names: str) -> str:
    """Digest of the text of some of the modules beside this one."""
    return digest(b"".join(Path(__file__).with_name(name).read_bytes() for name in names))


@dataclass(frozen=True)
class Key:
    """Everything that a cached array depends on; its name is a digest of all of it."""

    what: str
    """ "residual" or their "scale"; "clean" or "zero": cross-entropy per window, untouched or with zeros put in."""
    model: str
    layer: int
    tokens: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    code: str = ""

    @property
    def file_name(self) -> str:
        return f"{self.what}_{digest(json.dumps(asdict(self), sort_keys=True).encode())[:20]}.npy"


def cached(key: Key, folder: Path, compute: Callable[[], Array], trusted: Path | None = None) -> Array:
    """The array of that key: from `trusted` or `folder` where it lies whole, else computed and written to `folder`.

    A file that is torn, or is not of the key's shape and dtype, is computed again. It is written beside and renamed.
    """
    for path in (place / key.file_name for place in (trusted, folder) if place is not None):
        if (array := _whole(path, key)) is not None:
            return array
    array = np.ascontiguousarray(compute(), dtype=key.dtype)
    if array.shape != tuple(key.shape):
        raise ValueError(f"{key.what} of layer {key.layer} has shape {array.shape}, expected {key.shape}")
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"{key.file_name}.{os.getpid()}.part"
    with unfinished.open("wb") as file:
        np.save(file, array, allow_pickle=False)
    unfinished.replace(folder / key.file_name)
    return array


def _whole(path: Path, key: Key) -> Array | None:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return array if array.shape == tuple(key.shape) and array.dtype == key.dtype else None


class Prepared:
    """The assets: a model, three splits of tokens, and the activations of the layers that are studied.

    assets/
      source.json                name, layers, d_model, digest of the model
      model/                     weights and tokenizer
      vocabulary.json            each token as text
      train.npy, validation.npy  tokens [windows, T], int32
      cache/                     activations and cross-entropies by key
    held_out/                    only evaluators have it
      evaluation.npy, cache/     the same of the evaluation split
    """

    def __init__(self, folder: Path, held_out: Path | None = None) -> None:
        self.folder = folder
        self._held_out = held_out
        source = json.loads((folder / "source.json").read_text())
        self.name: str = source["name"]
        self.layers: list[int] = source["layers"]
        self.d_model: int = source["d_model"]
        self._model_digest: str = source["model"]
        self._code = code_digest(*CODE)

    @classmethod
    def from_environment(cls) -> "Prepared":
        """The assets in HARNESS_ASSETS, with HARNESS_HELD_OUT where that is given; ends the program with one line
        where there are none."""
        folder, held_out = os.environ.get("HARNESS_ASSETS", ""), os.environ.get("HARNESS_HELD_OUT")
        if not (Path(folder) / "source.json").is_file():
            how = "python prepare.py --out_dir=FOLDER --held_out=ANOTHER"
            sys.exit(f"HARNESS_ASSETS names no prepared folder; make one with: {how}")
        return cls(Path(folder), Path(held_out) if held_out else None)

    @property
    def datasets(self) -> dict[str, int]:
        """Name of each dataset and its layer."""
        return {f"{self.name}_layer{layer}": layer for layer in self.layers}

    @cached_property
    def model(self) -> LanguageModel:
        return load_model(self.folder / "model")

    @cached_property
    def vocabulary(self) -> list[str]:
        return json.loads((self.folder / "vocabulary.json").read_text())

    def place(self, split: str) -> Path:
        """The folder that holds everything of a split.

        Raises:
            LookupError: it is the evaluation split, which only evaluators are given.
        """
        if split != "evaluation":
            return self.folder
        if self._held_out is None:
            raise LookupError("the evaluation split is held out: HARNESS_HELD_OUT is set for evaluators only")
        return self._held_out

    def tokens(self, split: str) -> Tensor:
        """The windows of "train", "validation" or "evaluation", [windows, T] int64."""
        return torch.from_numpy(np.load(self.place(split) / f"{split}.npy").astype(np.int64))

    def raw_activations(self, split: str, layer: int, own: Path | None = None) -> Array:
        """Residual stream after `layer` at all positions but the first, [windows, T - 1, d], as the model computes it.

        Args:
            split: which tokens.
            layer: any layer; one that was not prepared is computed.
            own: folder to keep what has to be computed; the prepared ones cannot be written by a run.
        """
        tokens = self.tokens(split)
        shape = (tokens.shape[0], tokens.shape[1] - 1, self.d_model)
        return self._cached("residual", split, layer, tokens, shape, lambda: self.model.residual(tokens, layer), own)

    def scale(self, layer: int, own: Path | None = None) -> float:
        """Root mean square of the training activations of a layer: what `activations` divides by."""

        def root_mean_square() -> Tensor:
            x = self.raw_activations("train", layer, own)
            return torch.tensor([np.sqrt(np.mean([np.square(window).mean(dtype=np.float64) for window in x]))])

        return float(self._cached("scale", "train", layer, self.tokens("train"), (1,), root_mean_square, own)[0])

    def activations(self, split: str, layer: int, own: Path | None = None) -> Tensor:
        """The same divided by `scale`, so that E||x||^2 = d on the training split of every layer."""
        return torch.from_numpy(self.raw_activations(split, layer, own) / np.float32(self.scale(layer, own)))

    def ce_tokens(self, split: str) -> Tensor:
        """The windows of a split that cross-entropy is measured on."""
        return self.tokens(split)[: CE_WINDOWS[split]][: SMOKE_WINDOWS if is_smoke() else None]

    def reference_cross_entropy(self, split: str, layer: int) -> tuple[float, float]:
        """Cross-entropy in nats per token on `ce_tokens`: untouched, and with zeros for the layer's residual stream."""
        tokens = self.tokens(split)[: CE_WINDOWS[split]]
        zeros = torch.zeros(len(tokens), tokens.shape[1] - 1, self.d_model)
        clean, zero = (
            self._cached(
                what, split, layer, tokens, (len(tokens),), lambda put=put: self.model.cross_entropy(tokens, layer, put)
            )
            for what, put in (("clean", None), ("zero", zeros))
        )
        measured = slice(len(self.ce_tokens(split)))
        return float(clean[measured].mean()), float(zero[measured].mean())

    def _cached(
        self,
        what: str,
        split: str,
        layer: int,
        tokens: Tensor,
        shape: tuple[int, ...],
        compute: Callable[[], Tensor],
        own: Path | None = None,
    ) -> Array:
        key = Key(what, self._model_digest, layer, digest(tokens.numpy().tobytes()), shape, code=self._code)
        prepared = self.place(split) / "cache"
        return cached(key, own or prepared, lambda: compute().numpy(), trusted=prepared)
