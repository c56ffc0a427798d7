"""A baseline can be reproduced, and is checked against the known results of a correct build."""

from __future__ import annotations

import json

import pytest
from lab import Project

KNOWN = """\
import argparse
import json
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--run_dir", type=Path)
parser.add_argument("--out_dir", type=Path)
given = parser.parse_args()
loss = json.loads((given.run_dir / "verified.json").read_text())["numbers"]["means"]["loss"]
rows = [{"claim": "the loss is high", "expected": "above LIMIT", "found": f"{loss:.3g}", "holds": loss > LIMIT}]
given.out_dir.mkdir(parents=True, exist_ok=True)
(given.out_dir / "known.json").write_text(json.dumps(rows))
"""


def with_known(project: Project, script: str) -> None:
    folder = project.root / "templates" / "tiny"
    (folder / "known.py").write_text(script)
    manifest = folder / "template.toml"
    manifest.write_text(manifest.read_text().replace('"data.py"]', '"data.py", "known.py"]'))


@pytest.mark.parametrize(("limit", "word", "code"), [("0.0", "pass", 0), ("1e9", "FAIL", 1)])
def test_what_is_known_is_printed_with_pass_or_fail(project: Project, limit: str, word: str, code: int) -> None:
    with_known(project, KNOWN.replace("LIMIT", limit))
    refreshed = project.harness("baseline", "tiny", "--refresh")
    assert refreshed.code == 0
    assert f"{word}  the loss is high" in refreshed.out
    stored = (project.root / "baselines" / "tiny" / "baseline.json").read_bytes()
    again = project.harness("baseline", "--again")
    assert again.code == code
    assert any(line.startswith(word) and "the loss is high" in line for line in again.out.splitlines())
    assert "pass  tiny" in again.out and "as stored" in again.out
    assert (project.root / "baselines" / "tiny" / "baseline.json").read_bytes() == stored
    rows = json.loads(project.harness("baseline", "tiny", "--again", "--json").out)
    assert [row["holds"] for row in rows] == [code == 0, True]


def test_a_run_that_scores_otherwise_than_what_is_stored_fails(project: Project) -> None:
    path = project.root / "baselines" / "tiny" / "baseline.json"
    content = json.loads(path.read_text())
    (dataset,) = content["scores"]
    content["scores"][dataset]["loss"] = [value * 1.5 for value in content["scores"][dataset]["loss"]]
    path.write_text(json.dumps(content))
    again = project.harness("baseline", "tiny", "--again")
    assert again.code == 1
    assert "0 of 1 hold" in again.out


@pytest.mark.parametrize("script", ["raise SystemExit(1)\n", "", KNOWN.replace("LIMIT", "0").replace('"holds"', '"h"')])
def test_a_broken_known_py_is_the_templates_fault_and_nothing_is_stored(project: Project, script: str) -> None:
    with_known(project, script)
    stored = (project.root / "baselines" / "tiny" / "baseline.json").read_bytes()
    said = project.harness("baseline", "tiny", "--refresh")
    assert said.code == 1
    assert "known.py" in said.err
    assert (project.root / "baselines" / "tiny" / "baseline.json").read_bytes() == stored


def test_an_evaluator_that_spells_the_dataset_otherwise_gives_no_baseline(project: Project) -> None:
    evaluator = project.root / "templates" / "tiny" / "evaluate.py"
    evaluator.write_text(evaluator.read_text().replace('"numbers"', '"Numbers"'))
    said = project.harness("baseline", "tiny", "--refresh")
    assert said.code == 2
    assert "evaluate.py does not measure the dataset 'numbers' (it measures: Numbers)" in said.err


def test_json_is_all_that_is_printed_when_a_baseline_is_made(project: Project) -> None:
    said = project.harness("baseline", "tiny", "--refresh", "--json")
    assert list(json.loads(said.out)) == ["tiny"]
    assert "stored in" in said.err


def test_files_too_large_for_git_are_named_and_not_kept(project: Project) -> None:
    script = project.root / "templates" / "tiny" / "experiment.py"
    saves = '    (out_dir / "prediction.json")'
    large = '    (out_dir / "big.bin").write_bytes(bytes(3 * 2**20))\n'
    assert saves in script.read_text()
    script.write_text(script.read_text().replace(saves, large + saves))
    said = project.harness("baseline", "tiny", "--refresh")
    assert said.code == 0, said.err
    assert "too large to keep: big.bin" in said.out
    assert not (project.root / "baselines" / "tiny" / "run_0" / "big.bin").exists()
