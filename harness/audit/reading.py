"""Reads a results folder without trusting it: sizes are limited, and links are not followed. Each limit that is hit is
reported.

The format is that of the AI-Scientist system: `run_0 … run_5/final_info.json`, `run_i.py` (what run i executed),
`experiment.py`, `notes.txt`, `*_aider.txt` (the conversation with the coding agent), `log.txt`, and the paper,
`latex/template.tex`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from harness.audit.opening import Unusable, entries_of, read_bytes, read_text, reason
from harness.audit.paper import read_paper
from harness.audit.records import Material, Metric, Source
from harness.audit.words import listing, tame
from harness.errors import UserError
from harness.results.final_info import LARGEST, metric_names
from harness.template.code import meaning

EXPECTED = (
    "expected the folder of one idea with run_0 … run_5/final_info.json, run_1.py …, notes.txt, *_aider.txt, "
    "log.txt and latex/template.tex (all optional, but at least one run), or a folder of such folders"
)
JSON_LIMIT, CODE_LIMIT, TEXT_LIMIT = 4 * 2**20, 2 * 2**20, 32 * 2**20
"""Maximum bytes of a final_info.json, a source file and any other text; larger files are skipped."""
NOTES_LIMIT = 2**20
ENTRIES = 20_000
"""Maximum entries of one folder."""
IDEAS, RUNS, DEPTH = 1000, 50, 3
"""Maximum number of ideas, of runs per idea, and depth of ideas below the folder."""
DATASETS, METRICS = 50, 500
"""Maximum datasets of one final_info.json, and metrics over all of them."""
SEEDS = 10_000
"""Maximum values of one metric; metrics with more are skipped."""
CHATS = 8
"""Maximum number of *_aider.txt files of one idea."""
_RUN = re.compile(r"run_(0|[1-9]\d{0,3})")
_SNAPSHOT = re.compile(r"run_(0|[1-9]\d{0,3})\.py")


def ideas(folder: Path) -> tuple[list[Material], list[str]]:
    """All ideas in a folder, or the folder itself as the only idea, and what was skipped.

    Raises:
        UserError: there is nothing to audit.
    """
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise UserError(f"{tame(str(folder))} {problem}; {EXPECTED}")
    skipped: list[str] = []
    places = _idea_folders(folder, folder, 0, skipped)
    found = [_material(place, folder) for place in islice(places, IDEAS)]
    if more := sum(1 for _ in places):
        skipped.append(f"only the first {IDEAS:,} of {IDEAS + more:,} ideas were audited")
    if not found:
        why = f" (skipped: {listing(skipped, 3)})" if skipped else ""
        raise UserError(f"nothing to audit in {tame(str(folder))}{why}; {EXPECTED}")
    return found, skipped


def _idea_folders(place: Path, root: Path, depth: int, skipped: list[str]) -> Iterator[Path]:
    shown, unlisted = tame(os.path.relpath(place, root)), list[str]()
    try:
        entries = entries_of(place, shown, ENTRIES, unlisted)
    except OSError as error:
        skipped.append(f"{shown}: {reason(error)}")
        return
    if any(_is_sign(entry) for entry in entries.values()):
        yield place
        return
    skipped += unlisted
    for name, entry in entries.items():
        if entry.is_symlink():
            skipped.append(f"{tame(os.path.relpath(place / name, root))}: a link, not followed")
    folders = [n for n, entry in entries.items() if entry.is_dir(follow_symlinks=False) and not n.startswith(".")]
    if depth < DEPTH:
        for name in folders:
            yield from _idea_folders(place / name, root, depth + 1, skipped)
    elif folders:
        skipped.append(f"{shown}: {len(folders):,} subfolder(s), too deep to be checked")


def _is_sign(entry: os.DirEntry[str]) -> bool:
    """Whether an entry shows that its folder is an idea's."""
    if entry.is_dir(follow_symlinks=False):
        return _RUN.fullmatch(entry.name) is not None
    return bool(_SNAPSHOT.fullmatch(entry.name)) or entry.name.endswith("_aider.txt")


def _material(folder: Path, root: Path) -> Material:
    skipped: list[str] = []
    name = tame(folder.resolve().name if folder == root else os.path.relpath(folder, root))
    entries = entries_of(folder, name, ENTRIES, skipped)
    numbers = sorted({int(m[1]) for name in entries if (m := _RUN.fullmatch(name) or _SNAPSHOT.fullmatch(name))})
    if len(numbers) > RUNS:
        skipped.append(f"only the first {RUNS} of {len(numbers)} runs were audited")
    runs = tuple(_source(folder, number, entries) for number in numbers[:RUNS])
    chats = [name for name in entries if name.endswith("_aider.txt")]
    if len(chats) > CHATS:
        skipped.append(f"only the first {CHATS} of {len(chats):,} *_aider.txt files were read")
    texts = [text for chat in chats[:CHATS] if (text := read_text(folder, chat, TEXT_LIMIT, skipped)) is not None]
    return Material(
        name=name,
        folder=tame(str(folder), 4000),
        runs=runs,
        notes=read_text(folder, "notes.txt", NOTES_LIMIT, skipped) if "notes.txt" in entries else None,
        paper=read_paper(folder, entries, skipped),
        log=read_text(folder, "log.txt", TEXT_LIMIT, skipped) if "log.txt" in entries else None,
        chats=tuple(texts),
        chats_whole=len(texts) == len(chats),
        missing=tuple(_missing(runs, entries, chats)),
        skipped=(*skipped, *(problem for run in runs for problem in run.problems)),
    )


def _missing(runs: tuple[Source, ...], entries: dict[str, os.DirEntry[str]], chats: list[str]) -> Iterator[str]:
    if not any(run.measured for run in runs if run.number == 0):
        yield "run_0/final_info.json: no run can be compared with the baseline"
    snapshots = [f"run_{run.number}.py" for run in runs if run.number and run.measured]
    if without := [name for name in snapshots if name not in entries]:
        yield f"{', '.join(without)}: the code of these runs is not known"
    if not chats:
        yield "*_aider.txt: what the agent saw, and edits of other files, are not known"
    if "log.txt" not in entries and not chats:
        yield "log.txt: failed launches are not known"
    if "notes.txt" not in entries:
        yield "notes.txt: there are no claims to check"
    if "latex" not in entries:
        yield "latex/template.tex: there is no paper whose claims could be checked"


def _source(folder: Path, number: int, entries: dict[str, os.DirEntry[str]]) -> Source:
    name = f"run_{number}"
    problems: list[str] = []
    results: dict[str, dict[str, Metric]] = {}
    code, unreadable = None, False
    if name in entries and entries[name].is_symlink():
        unreadable = True
        problems.append(f"{name}: a link, not followed")
    elif name in entries:
        try:
            results, left_out = _results(read_bytes(folder / name / "final_info.json", JSON_LIMIT))
            problems += [f"{name}/final_info.json: {why}" for why in left_out]
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (Unusable, OSError) as error:
            unreadable = True
            problems.append(f"{name}/final_info.json: {reason(error)}")
    if f"{name}.py" in entries:
        try:
            content = read_bytes(folder / f"{name}.py", CODE_LIMIT)
            code = hashlib.sha256(meaning(content, python=True).encode("utf-8", "surrogatepass")).hexdigest()
        except (Unusable, OSError) as error:
            problems.append(f"{name}.py: {reason(error)}")
    return Source(number=number, results=results, unreadable=unreadable, problems=tuple(problems), code=code)


def _results(content: bytes) -> tuple[dict[str, dict[str, Metric]], list[str]]:
    """What a final_info.json records, and which of it was skipped.

    Means are named like the values per seed, or with the suffix `_mean`; standard errors likewise with `_stderr`.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Unusable(f"is not readable JSON: {error}") from error
    if not isinstance(body, dict) or not body:
        raise Unusable("is not an object with one entry per dataset")
    left_out: list[str] = []
    if len(body) > DATASETS:
        left_out.append(f"only the first {DATASETS} of {len(body):,} datasets were read")
    found = [metric for key in list(body)[:DATASETS] for metric in _metrics(tame(key, 100), body[key], left_out)]
    if len(found) > METRICS:
        left_out.append(f"only the first {METRICS} of {len(found):,} metrics were read")
    results: dict[str, dict[str, Metric]] = {}
    for dataset, name, metric in found[:METRICS]:
        if name in results.setdefault(dataset, {}):
            left_out.append(f"{name} of {dataset} occurs twice; the first one is used")
        results[dataset].setdefault(name, metric)
    if not results:
        raise Unusable(f"contains no numbers{f' ({left_out[0]})' if left_out else ''}")
    return results, left_out


def _metrics(dataset: str, entry: Any, left_out: list[str]) -> Iterator[tuple[str, str, Metric]]:
    if not isinstance(entry, dict) or not isinstance(entry.get("means"), dict):
        left_out.append(f'dataset {dataset} has no "means"')
        return
    means, stderrs, seeds = (_object(entry.get(key)) for key in ("means", "stderrs", "final_info_dict"))
    names = metric_names(entry)
    covered = set(names.values())
    names |= {name: name for name in seeds if name not in covered}
    for full, base in names.items():
        listed, claimed = seeds.get(base), _number(means.get(full))
        name = tame(base, 100)
        error = next((stderrs[key] for key in (base, f"{base}_stderr", full, f"{full}_stderr") if key in stderrs), None)
        if isinstance(listed, list) and any(_is_number(value) for value in listed):
            values = tuple(value for value in map(_number, listed) if value is not None)
            if len(values) < len(listed):
                left_out.append(f"{name} of {dataset} has a value per seed that is not a finite number")
            elif len(values) > SEEDS:
                left_out.append(f"{name} of {dataset} has {len(values):,} values per seed, more than {SEEDS:,}")
            else:
                yield dataset, name, Metric(values=values, per_seed=True, mean=claimed, stderr=_number(error))
        elif claimed is not None:
            yield dataset, name, Metric(values=(claimed,), per_seed=False, mean=claimed, stderr=_number(error))
        elif _is_number(means.get(full)):
            left_out.append(f"{name} of {dataset} is not a finite number")


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> float | None:
    return float(value) if _is_number(value) and -LARGEST < value < LARGEST else None
