"""What a run saved: sound files come back as they were saved, any other is refused in one line."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from zipfile import ZipFile

import numpy as np
import pinned
import pytest

SHAPES = {"W": (2, 3), "loss": (None,)}


@pytest.fixture(scope="module")
def artifacts() -> Iterator[ModuleType]:
    with pinned.imported(pinned.COMMON, "artifacts") as found:
        yield found["artifacts"]


def sound() -> bytes:
    file = io.BytesIO()
    normal = np.random.default_rng(0).normal
    np.savez(file, W=normal(size=(2, 3)).astype(np.float32), loss=normal(size=5).astype(np.float32))
    return file.getvalue()


def with_header(header: str) -> bytes:
    """An npz whose first array begins with this header."""
    file = io.BytesIO(sound())
    with ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    text = header.encode() + b"\n"
    members["W.npy"] = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(24)
    file = io.BytesIO()
    with ZipFile(file, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return file.getvalue()


def with_field(offset: int, value: int) -> bytes:
    """The sound npz with a byte changed in the first header of its archive, and the same in its directory."""
    changed = bytearray(sound())
    changed[changed.index(b"PK\x03\x04") + offset] = value
    changed[changed.index(b"PK\x01\x02") + offset + 2] = value
    return bytes(changed)


def of_shape(shape: str) -> str:
    return f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"


HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "half an archive": lambda: sound()[:300],
    "a shape beyond any memory": lambda: with_header(of_shape(f"({10**13},)")),
    "a shape beyond any integer": lambda: with_header(of_shape(f"({10**23},)")),
    "a shape nested without end": lambda: with_header(of_shape("-" * 5000 + "1")),
    "a header without end": lambda: with_header("{'descr': '<f4', ("),
    "a header of brackets": lambda: with_header("(" * 9000),
    "a header too long to be parsed": lambda: with_header(of_shape("(2, 3)") + " " * 20_000),
    "an encrypted member": lambda: with_field(6, 1),
    "an unknown compression": lambda: with_field(8, 99),
}


def test_arrays_come_back_as_they_were_saved(artifacts: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(sound())
    loaded = artifacts.load_arrays(path, {"W": (2, 3)}, {"loss": (None,), "more": (1,)})
    with np.load(path) as saved:
        assert list(loaded) == ["W", "loss"]
        assert all(np.array_equal(loaded[key], saved[key]) for key in loaded)


@pytest.mark.parametrize("how", HOSTILE)
def test_a_hostile_npz_is_refused_in_one_line(artifacts: ModuleType, tmp_path: Path, how: str) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(HOSTILE[how]())
    with pytest.raises(artifacts.ArtifactError, match=r"^weights\.npz: .") as caught:
        artifacts.load_arrays(path, SHAPES)
    assert "\n" not in str(caught.value)


def large(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**30 + 1)


UNOPENED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a pipe": (os.mkfifo, "is not a regular file"),
    "a folder": (Path.mkdir, "is not a regular file"),
    "a link": (lambda path: path.symlink_to("sound"), "is not a regular file"),
    "a link to a device": (lambda path: path.symlink_to("/dev/zero"), "is not a regular file"),
    "a file of more than a GiB": (large, "has 1,073,741,825 bytes"),
    "nothing": (lambda _: None, "cannot be read: FileNotFoundError"),
}


@pytest.mark.parametrize("name", ["weights.npz", "scores.json"])
@pytest.mark.parametrize("what", UNOPENED)
def test_only_a_regular_file_of_bounded_size_is_opened(
    artifacts: ModuleType, tmp_path: Path, what: str, name: str
) -> None:
    path = tmp_path / name
    (tmp_path / "sound").write_bytes(sound() if path.suffix == ".npz" else b"{}")
    make, message = UNOPENED[what]
    make(path)
    with pytest.raises(artifacts.ArtifactError, match=f"^{name}: {message}"):
        artifacts.load_arrays(path, SHAPES) if path.suffix == ".npz" else artifacts.load_json(path)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "1" * 10_000, "\udcff"])
def test_json_that_cannot_be_parsed_is_refused_in_one_line(artifacts: ModuleType, tmp_path: Path, text: str) -> None:
    path = tmp_path / "scores.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(artifacts.ArtifactError, match=r"^scores\.json: cannot be read: ") as caught:
        artifacts.load_json(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("reported", ["[]", "{", "[" * 100_000, '{"toy": 1}', '{"toy": {}}'])
def test_a_run_whose_scores_cannot_be_read_is_named_and_skipped(
    artifacts: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    reported: str,
) -> None:
    info = {"toy": {"means": {"fvu": 0.5}, "stderrs": {"fvu": None}, "final_info_dict": {"fvu": [0.5]}}}
    for run, text in {"run_0": reported, "run_1": json.dumps(info)}.items():
        (tmp_path / run).mkdir()
        (tmp_path / run / "final_info.json").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert artifacts.load_runs(artifacts.scores_of) == [{"toy": {"fvu": [0.5]}}]
    assert capsys.readouterr().out.startswith("run_0: skipped, ")


NUMBER_PER_SEED = "but wanted is a list with one number per seed of HARNESS_SEEDS (2), such as [0.4, 0.6]"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (0.5, "0.5"),
        (np.float32(0.5), "0.5"),
        ("0.5", "0.5"),
        (None, "None"),
        ([], "[]"),
        ([[0.5]], "[[0.5]]"),
        ({}, "{}"),
    ],
)
def test_what_is_no_list_of_numbers_ends_a_run_with_one_line_that_names_it(
    artifacts: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: object, shown: str
) -> None:
    monkeypatch.setenv("HARNESS_SEEDS", "0,1")
    with pytest.raises(SystemExit) as stopped:
        artifacts.write_final_info(tmp_path, {"toy": {"accuracy": [0.5, 0.6], "loss": values}})
    assert stopped.value.code == f"final_info.json: loss on toy is '{shown}', {NUMBER_PER_SEED}"
    assert not list(tmp_path.iterdir())


def test_metrics_without_a_dataset_end_a_run_with_one_line_and_status_1(tmp_path: Path) -> None:
    script = (
        "from artifacts import write_final_info; from pathlib import Path; write_final_info(Path(), {'loss': [0.5]})"
    )
    (tmp_path / "script.py").write_text(f"import sys; sys.path.insert(0, {str(pinned.COMMON)!r}); {script}")
    done = pinned.script(tmp_path, "script.py")
    assert done.returncode == 1
    assert done.stderr == (
        "final_info.json: loss is '[0.5]', but wanted is a dict of metrics, each with a list of one number per seed, "
        'such as {"loss": [0.4, 0.6]}\n'
    )


def test_lists_tuples_and_arrays_of_numbers_are_written(artifacts: ModuleType, tmp_path: Path) -> None:
    artifacts.write_final_info(tmp_path, {"toy": {"a": [1, 2], "b": (1.0, 2.0), "c": np.array([1.0, 2.0])}})
    (written,) = json.loads((tmp_path / "final_info.json").read_text()).values()
    assert written["final_info_dict"] == {key: [1.0, 2.0] for key in "abc"}


def test_seeds_that_differ_in_one_array_only_are_no_copies(
    artifacts: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_SEEDS", "7,8,9")
    w, b = np.zeros((3, 2), np.float32), np.arange(3, dtype=np.float32)
    artifacts.refuse_copies("weights.npz", w, b)
    with pytest.raises(artifacts.ArtifactError, match="the weights of seeds 7 and 9 are the same"):
        artifacts.refuse_copies("weights.npz", w, b % 2)
