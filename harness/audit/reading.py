"""A results folder, read with suspicion: bounded, links not followed, every text made fit to be printed.

The format is that of the AI-Scientist system: `run_0 … run_5/final_info.json`, `run_i.py` (what run i executed),
`experiment.py`, `notes.txt`, `*_aider.txt` (the conversation with the coding agent), `log.txt`.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.audit.records import Material, Metric, Source
from harness.errors import UserError
from harness.excerpt import clean
from harness.meaning import meaning
from harness.metrics import LARGEST

EXPECTED = (
    "expected the folder of one idea with run_0 … run_5/final_info.json, run_1.py …, notes.txt, *_aider.txt and "
    "log.txt (all of them optional but one run), or a folder of such folders"
)
JSON_LIMIT, CODE_LIMIT, TEXT_LIMIT = 4 * 2**20, 2 * 2**20, 32 * 2**20
"""Bytes of a final_info.json, of a source file and of any text that are read; larger files are skipped."""
NOTES_LIMIT = 2**20
ENTRIES = 20_000
"""Entries of one folder that are looked at."""
IDEAS, RUNS, DEPTH = 1000, 50, 3
"""Ideas that are audited, runs of one idea, and how deep below the folder ideas are looked for."""
DATASETS, METRICS = 50, 500
"""Datasets of one final_info.json, and metrics over all of them."""
_RUN = re.compile(r"run_(0|[1-9]\d{0,3})")
_SNAPSHOT = re.compile(r"run_(0|[1-9]\d{0,3})\.py")


class Unusable(Exception):
    """A file that is left out; the message says why."""


def ideas(folder: Path) -> tuple[list[Material], list[str]]:
    """Every idea in a folder, or the folder itself as the one idea; and what was left out on the way.

    Raises:
        UserError: there is nothing here that can be audited.
    """
    if not folder.is_dir():
        problem = "no folder" if folder.exists() else "not there"
        raise UserError(f"{tame(str(folder))} is {problem}; {EXPECTED}")
    skipped: list[str] = []
    found: list[Material] = []
    for place in _idea_folders(folder, folder, 0, skipped):
        if len(found) == IDEAS:
            skipped.append(f"only the first {IDEAS:,} ideas were audited")
            break
        found.append(_material(place, folder))
    if not found:
        why = f" ({'; '.join(skipped[:3])})" if skipped else ""
        raise UserError(f"nothing to audit in {tame(str(folder))}{why}; {EXPECTED}")
    return found, skipped


def _idea_folders(place: Path, root: Path, depth: int, skipped: list[str]) -> Iterator[Path]:
    try:
        entries = _entries(place, skipped)
    except OSError as error:
        skipped.append(f"{tame(os.path.relpath(place, root))}: {error.strerror or error}")
        return
    if any(_is_sign(entry) for entry in entries.values()):
        yield place
        return
    if depth == DEPTH:
        return
    for name, entry in entries.items():
        if entry.is_dir(follow_symlinks=False) and not name.startswith("."):
            yield from _idea_folders(place / name, root, depth + 1, skipped)
        elif entry.is_symlink():
            skipped.append(f"{tame(os.path.relpath(place / name, root))}: a link, not followed")


def _is_sign(entry: os.DirEntry[str]) -> bool:
    """Whether an entry shows that its folder is an idea's."""
    if entry.is_dir(follow_symlinks=False):
        return _RUN.fullmatch(entry.name) is not None
    return bool(_SNAPSHOT.fullmatch(entry.name)) or entry.name.endswith("_aider.txt")


def _entries(folder: Path, skipped: list[str]) -> dict[str, os.DirEntry[str]]:
    """The entries of a folder by name, sorted; no more than ENTRIES of them."""
    found: list[os.DirEntry[str]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if len(found) == ENTRIES:
                skipped.append(f"{tame(folder.name)}: more than {ENTRIES:,} entries, the rest was not looked at")
                break
            found.append(entry)
    return {entry.name: entry for entry in sorted(found, key=lambda entry: entry.name)}


def _material(folder: Path, root: Path) -> Material:
    skipped: list[str] = []
    entries = _entries(folder, skipped)
    numbers = sorted({int(m[1]) for name in entries if (m := _RUN.fullmatch(name) or _SNAPSHOT.fullmatch(name))})
    if len(numbers) > RUNS:
        skipped.append(f"only the first {RUNS} of {len(numbers)} runs were audited")
    runs = tuple(_source(folder, number, entries) for number in numbers[:RUNS])
    chats = [name for name in entries if name.endswith("_aider.txt")]
    parts = [_text(folder, name, TEXT_LIMIT, skipped) for name in chats[:8]]
    chat = "\n".join(part for part in parts if part is not None) if any(p is not None for p in parts) else None
    there = {
        "notes.txt": _text(folder, "notes.txt", NOTES_LIMIT, skipped) if "notes.txt" in entries else None,
        "log.txt": _text(folder, "log.txt", TEXT_LIMIT, skipped) if "log.txt" in entries else None,
    }
    skipped += [f"{problem}" for run in runs for problem in run.problems]
    return Material(
        name=tame(folder.name if folder == root else os.path.relpath(folder, root)) or tame(str(folder.resolve().name)),
        folder=tame(str(folder), 4000),
        runs=runs,
        notes=there["notes.txt"],
        chat=chat,
        log=there["log.txt"],
        chat_file=tame(chats[0]) if chats else "",
        missing=tuple(_missing(runs, entries, chats)),
        skipped=tuple(skipped),
    )


def _missing(runs: tuple[Source, ...], entries: dict[str, os.DirEntry[str]], chats: list[str]) -> Iterator[str]:
    by_number = {run.number: run for run in runs}
    if not (0 in by_number and by_number[0].measured):
        yield "run_0/final_info.json: no run can be compared with the baseline"
    without = [f"run_{n}.py" for n, run in by_number.items() if n and run.measured and f"run_{n}.py" not in entries]
    if without:
        yield f"{', '.join(without)}: what these runs executed is not known"
    if not chats:
        yield "*_aider.txt: what the agent was told, and edits of other files, are not known"
    if "log.txt" not in entries and not chats:
        yield "log.txt: failed launches are not known"
    if "notes.txt" not in entries:
        yield "notes.txt: there are no claims to check"


def _source(folder: Path, number: int, entries: dict[str, os.DirEntry[str]]) -> Source:
    name, problems = f"run_{number}", []
    results: dict[str, dict[str, Metric]] = {}
    code, measured = None, False
    entry = entries.get(name)
    if entry is not None and entry.is_symlink():
        problems.append(f"{name}: a link, not followed")
    elif entry is not None and entry.is_dir(follow_symlinks=False):
        path = folder / name / "final_info.json"
        try:
            results, left_out = _results(_bytes(path, JSON_LIMIT))
            measured = True
            problems += [f"{name}/final_info.json: {why}" for why in left_out]
        except FileNotFoundError:
            pass
        except (Unusable, OSError) as error:
            problems.append(f"{name}/final_info.json: {_reason(error)}")
    if f"{name}.py" in entries:
        try:
            content = _bytes(folder / f"{name}.py", CODE_LIMIT)
            code = hashlib.sha256(meaning(content, python=True).encode("utf-8", "surrogatepass")).hexdigest()
        except (Unusable, OSError) as error:
            problems.append(f"{name}.py: {_reason(error)}")
    return Source(number=number, results=results, measured=measured, problems=tuple(problems), code=code)


def _text(folder: Path, name: str, limit: int, skipped: list[str]) -> str | None:
    """A text file; bytes that are no UTF-8 become question marks, and a file that is no text is left out."""
    try:
        content = _bytes(folder / name, limit)
        if b"\0" in content[:8192]:
            raise Unusable("is no text, skipped")
    except (Unusable, OSError) as error:
        skipped.append(f"{tame(name)}: {_reason(error)}")
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        skipped.append(f"{tame(name)}: is not UTF-8 throughout; bytes that could not be read were replaced")
        return content.decode("utf-8", "replace")


def _bytes(path: Path, limit: int) -> bytes:
    """The content of an ordinary file of bounded size; links and devices are not opened."""
    if path.is_symlink():
        raise Unusable("a link, not followed")
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Unusable("is no ordinary file, skipped")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise Unusable(f"larger than {limit >> 20} MiB, skipped")
    return content


def _reason(error: Exception) -> str:
    return tame(str(error.strerror if isinstance(error, OSError) and error.strerror else error))


def _results(content: bytes) -> tuple[dict[str, dict[str, Metric]], list[str]]:
    """What a final_info.json records, and what of it was left out.

    Means may be named like the values per seed or with `_mean` behind it, standard errors likewise with `_stderr`.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Unusable(f"is not readable JSON: {error}") from error
    if not isinstance(body, dict) or not body:
        raise Unusable("is no object with one entry per dataset")
    results: dict[str, dict[str, Metric]] = {}
    left_out: list[str] = []
    count = 0
    for key, entry in body.items():
        dataset = tame(key, 100)
        if not isinstance(entry, dict) or not isinstance(entry.get("means"), dict):
            left_out.append(f'dataset {dataset} has no "means"')
            continue
        metrics = dict(_metrics(dataset, entry, left_out))
        count += len(metrics)
        if count > METRICS or len(results) == DATASETS:
            left_out.append(f"more than {METRICS} metrics or {DATASETS} datasets; left out from {dataset} on")
            break
        if metrics:
            results[dataset] = metrics
    if not results:
        raise Unusable(f"records no number{f' ({left_out[0]})' if left_out else ''}")
    return results, left_out


def _metrics(dataset: str, entry: dict[str, Any], left_out: list[str]) -> Iterator[tuple[str, Metric]]:
    means, stderrs, seeds = (_object(entry.get(key)) for key in ("means", "stderrs", "final_info_dict"))
    names = {name: name.removesuffix("_mean") if name.removesuffix("_mean") in seeds else name for name in means}
    names |= {name: name for name in seeds if name not in names.values() and f"{name}_mean" not in means}
    for full, base in names.items():
        listed, claimed = seeds.get(base), means.get(full)
        values = _finite(listed) if isinstance(listed, list) else None
        if values is None and listed not in (None, []) and _holds_numbers(listed):
            left_out.append(f"{tame(base, 100)} of {dataset} has a value per seed that is no finite number")
            continue
        if values is None and _number(claimed) is None:
            if isinstance(claimed, float):
                left_out.append(f"{tame(full, 100)} of {dataset} is no finite number")
            continue
        error = next((stderrs[key] for key in (base, f"{base}_stderr", full) if key in stderrs), None)
        yield (
            tame(base, 100),
            Metric(
                values=values if values is not None else (_number(claimed) or 0.0,),
                per_seed=values is not None,
                mean=_number(claimed),
                stderr=_number(error),
            ),
        )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _finite(values: list[Any]) -> tuple[float, ...] | None:
    """The values of all seeds; None where there are none or one is no finite number."""
    numbers = [_number(value) for value in values[:10_000]]
    return tuple(n for n in numbers if n is not None) if numbers and None not in numbers else None


def _holds_numbers(listed: Any) -> bool:
    """Whether a list was meant to hold one number per seed: some of it is one."""
    return isinstance(listed, list) and any(isinstance(v, int | float) and not isinstance(v, bool) for v in listed)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -LARGEST < value < LARGEST:
        return None
    return float(value) if math.isfinite(value) else None


def tame(text: str, limit: int = 300) -> str:
    """One line of text from outside that can be printed anywhere: no control characters, no escapes, bounded."""
    readable = text[: 4 * limit].encode("utf-8", "replace").decode()
    return " ".join(" ".join(clean(readable)).split())[:limit]
