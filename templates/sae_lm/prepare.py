"""Get the model and the text, and compute the activations that every run needs, once. Protected.

    python prepare.py --out_dir=assets --held_out=held_out [--source=smollm2|pythia|char] [--model=NAME] [--text=FILE]

Into `held_out` goes what only evaluators may read: the whole text, and what is made of its evaluation split. Needs the
network for what is not there yet (`--source=char --text=FILE` needs none). What is there and was made from the same
source, text and code is kept.
"""

import argparse
import json
import shutil
from dataclasses import replace
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
    parser.add_argument("--source", choices=PRESETS, default="smollm2")
    parser.add_argument("--model", help="another model hub's name, or a folder, in place of the source's own")
    parser.add_argument("--text", type=Path, help="a text file in place of Shakespeare's works")
    parser.add_argument("--tiny", action="store_true", help="few windows and training steps: for tests")
    arguments = parser.parse_args()
    preset = PRESETS[arguments.source]
    if arguments.model:
        preset = replace(preset, reference=arguments.model)
    assets: Path = arguments.out_dir
    held_out: Path = arguments.held_out
    for place in (assets, held_out):
        place.mkdir(parents=True, exist_ok=True)

    text = read_text(held_out, arguments.text)
    prepare_model(assets, preset, part(text, "train"), TINY_CHAR_STEPS if arguments.tiny else CHAR_STEPS)
    describe_source(assets, arguments.source, preset)
    prepared = Prepared(assets, held_out)
    prepare_tokens(prepared, text, TINY_WINDOWS if arguments.tiny else N_WINDOWS)
    prepare_activations(prepared)


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


def describe_source(assets: Path, name: str, preset: Preset) -> None:
    """Write source.json."""
    model = json.loads((assets / "model.json").read_text())
    source = {"name": name, "layers": preset.layers, "d_model": model["d_model"], "model": model["digest"]}
    (assets / "source.json").write_text(json.dumps(source))


def prepare_tokens(prepared: Prepared, text: str, n_windows: dict[str, int]) -> None:
    """Write the vocabulary and the windows of each split."""
    tokenizer = load_tokenizer(prepared.folder / "model")
    (prepared.folder / "vocabulary.json").write_text(json.dumps(tokenizer.vocabulary))
    for split in SPLITS:
        tokens = np.array(tokenizer.encode(part(text, split)), dtype=np.int32)
        np.save(prepared.place(split) / f"{split}.npy", windows(tokens, n_windows[split], CONTEXT))


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
