"""Get the model and the text, and compute the activations that every run needs, once. Protected.

    python prepare.py --out_dir=assets --held_out=held_out [--source=smollm2|pythia|char | --model=ORG/NAME]
                      [--layers=3,4] [--text=FILE]

Into `held_out` goes what only evaluators may read: the evaluation split of the text and what is made of it. Needs the
network for what is not there yet (`--source=char --text=FILE` needs none). What is there and was made from the same
source, text and code is kept.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch

from activations import CE_WINDOWS, Prepared, code_digest, digest
from char_gpt import CONTEXT
from sources import FETCH, PRESETS, Preset, load_model, load_tokenizer, model_digest
from texts import SPLITS, part, shakespeare, windows

N_WINDOWS = {"train": 800, "validation": 16, "evaluation": 64}
TINY_WINDOWS = {"train": 16, "validation": 4, "evaluation": 8}
CHAR_STEPS = 600
TINY_CHAR_STEPS = 30
TEXT_CODE = ("texts.py", "downloads.txt")
MODEL_CODE = ("sources.py", "char_gpt.py", "downloads.txt")
"""Files that say what is fetched: when one changes, it is fetched again."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for folder in ("out_dir", "held_out"):
        parser.add_argument(f"--{folder}", type=Path, required=True)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--source", choices=PRESETS, default="smollm2")
    which.add_argument("--model", help="any causal model that transformers can read: a model hub's name, or a folder")
    parser.add_argument(
        "--layers", type=layer_numbers, help="like 3,4; else the source's own, or the model's middle one"
    )
    parser.add_argument("--text", type=Path, help="a text file in place of Shakespeare's works")
    parser.add_argument("--tiny", action="store_true", help="few windows and training steps: for tests")
    arguments = parser.parse_args()
    name, preset = arguments.source, PRESETS[arguments.source]
    if arguments.model:
        name, preset = Path(arguments.model).name, Preset("hub", (), arguments.model)
    assets: Path = arguments.out_dir
    held_out: Path = arguments.held_out
    for place in (assets, held_out):
        place.mkdir(parents=True, exist_ok=True)

    text = read_text(held_out, arguments.text)
    prepare_model(assets, preset, part(text, "train"), TINY_CHAR_STEPS if arguments.tiny else CHAR_STEPS)
    describe_source(assets, name, arguments.layers or preset.layers)
    prepared = Prepared(assets, held_out)
    prepare_tokens(prepared, text, TINY_WINDOWS if arguments.tiny else N_WINDOWS)
    prepare_activations(prepared)


def layer_numbers(listed: str) -> tuple[int, ...]:
    return tuple(int(number) for number in listed.split(","))


def read_text(held_out: Path, file: Path | None) -> str:
    """The text of `file`, or Shakespeare's works, which are kept in `held_out`."""
    if file is not None:
        return file.read_text(errors="replace")
    kept = held_out / f"shakespeare_{code_digest(*TEXT_CODE)[:12]}.txt"
    if not kept.is_file():
        print("fetching the text", flush=True)
        unfinished = kept.with_suffix(".part")
        unfinished.write_text(shakespeare())
        unfinished.replace(kept)
    return kept.read_text()


def prepare_model(assets: Path, preset: Preset, train_text: str, char_steps: int) -> None:
    """Put the model into assets/model, whole or not at all."""
    made_from: dict[str, str | int] = {"reference": preset.reference, "code": code_digest(*MODEL_CODE)}
    if preset.kind == "char":
        made_from |= {"steps": char_steps, "text": digest(train_text.encode())}
    record = assets / "model.json"
    if record.is_file() and json.loads(record.read_text())["made_from"] == made_from:
        return
    print(f"making the model: {preset.kind} {preset.reference}", flush=True)
    record.unlink(missing_ok=True)
    shutil.rmtree(assets / "model", ignore_errors=True)
    (assets / "model").mkdir()
    FETCH[preset.kind](preset.reference, assets / "model", train_text, char_steps)
    d_model = load_model(assets / "model").residual(torch.zeros(1, 2, dtype=torch.long), 0).shape[2]
    found = {"made_from": made_from, "digest": model_digest(assets / "model"), "d_model": d_model}
    record.write_text(json.dumps(found))


def describe_source(assets: Path, name: str, layers: tuple[int, ...]) -> None:
    """Write source.json; ends the program with one line where the model lacks one of the layers."""
    depth = len(load_model(assets / "model").blocks)
    if lacking := [layer for layer in layers if not 0 <= layer < depth]:
        sys.exit(f"prepare.py: {name} has the layers 0 to {depth - 1}, not {lacking[0]}")
    model = json.loads((assets / "model.json").read_text())
    source = {"name": name, "layers": layers or [depth // 2], "d_model": model["d_model"], "model": model["digest"]}
    (assets / "source.json").write_text(json.dumps(source))


def prepare_tokens(prepared: Prepared, text: str, n_windows: dict[str, int]) -> None:
    """Write the vocabulary, and the text and the windows of each split."""
    tokenizer = load_tokenizer(prepared.folder / "model")
    (prepared.folder / "vocabulary.json").write_text(json.dumps(tokenizer.vocabulary))
    for split in SPLITS:
        of_split, place = part(text, split), prepared.place(split)
        (place / f"{split}.txt").write_text(of_split)
        tokens = np.array(tokenizer.encode(of_split), dtype=np.int32)
        np.save(place / f"{split}.npy", windows(tokens, n_windows[split], CONTEXT))


def prepare_activations(prepared: Prepared) -> None:
    """Compute what is not in the caches yet."""
    for dataset, layer in prepared.datasets.items():
        for split in SPLITS:
            n, positions, _ = prepared.activations(split, layer).shape
            print(f"{dataset}: {n * positions} activations of the {split} text", flush=True)
        for split in CE_WINDOWS:
            clean, zero = prepared.reference_cross_entropy(split, layer)
            print(f"{dataset}: cross-entropy {clean:.3f}, with zeros {zero:.3f} nats per token ({split})", flush=True)


if __name__ == "__main__":
    main()
