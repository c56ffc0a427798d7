"""A stored baseline is believed only while everything that it depends on is as it was."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from harness.errors import BaselineError
from harness.records import Machine
from harness.template import baseline
from harness.template.baseline import Baseline
from harness.template.folder import Template

from .conftest import BASELINE, MANIFEST

MACHINE = Machine(system="Linux x86_64", processor="a processor", threads=2, packages={"torch": "2.13.0"})
REFRESH = "harness baseline toy --refresh"


@pytest.fixture
def stored(template: Template, tmp_path: Path) -> Path:
    """The folder baselines/, with a fresh baseline of the toy in it."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "final_info.json").write_text("{}")
    save(tmp_path, template)
    return tmp_path / "baselines"


def save(tmp_path: Path, template: Template) -> None:
    made = Baseline(
        template=template.name,
        fingerprint=baseline.fingerprint(template),
        scores=BASELINE,
        reported=BASELINE,
        seconds=1.235,
        machine=MACHINE,
        made_at=time.time(),
        seeding="varies",
    )
    baseline.save(tmp_path / "baselines", made, tmp_path / "out")


def refusal(stored: Path, folder: Path) -> str:
    with pytest.raises(BaselineError) as refused:
        baseline.load(stored, Template(folder))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_what_was_stored_is_loaded_while_it_is_fresh(stored: Path, template: Template) -> None:
    loaded = baseline.load(stored, template)
    assert (loaded.template, loaded.scores, loaded.reported, loaded.seconds) == ("toy", BASELINE, BASELINE, 1.235)
    assert loaded.machine == MACHINE
    assert (stored / "toy" / "run_0" / "final_info.json").read_text() == "{}"


def test_storing_again_leaves_nothing_of_the_old_run(stored: Path, template: Template, tmp_path: Path) -> None:
    (tmp_path / "out" / "final_info.json").unlink()
    (tmp_path / "out" / "other").write_text("")
    save(tmp_path, template)
    assert [p.name for p in (stored / "toy" / "run_0").iterdir()] == ["other"]


@pytest.mark.parametrize("name", ["experiment.py", "evaluate.py", "data.py"])
def test_a_changed_file_makes_it_stale_and_is_named_with_the_command(stored: Path, toy: Path, name: str) -> None:
    (toy / name).write_text((toy / name).read_text() + "# one more byte counts, whatever it means\n")
    message = refusal(stored, toy)
    assert f"the baseline of toy is stale: {name} has changed" in message
    assert REFRESH in message


def test_a_file_that_joined_or_left_is_named(stored: Path, toy: Path) -> None:
    (toy / "more.py").write_text("")
    (toy / "template.toml").write_text(MANIFEST.replace('"data.py"]', '"data.py", "more.py"]'))
    assert "more.py is new" in refusal(stored, toy)
    (toy / "template.toml").write_text(MANIFEST.replace(', "data.py"]', "]"))
    assert "data.py is gone" in refusal(stored, toy)


def test_other_seeds_or_another_command_make_it_stale(stored: Path, toy: Path) -> None:
    (toy / "template.toml").write_text(MANIFEST.replace("[0, 1, 2]", "[0, 1]"))
    assert "the seeds were 0, 1, 2" in refusal(stored, toy)
    command = 'command = ["python", "-O", "experiment.py", "--out_dir={out_dir}"]'
    (toy / "template.toml").write_text(MANIFEST.replace("[run]", f"[run]\n{command}"))
    assert "the run command was python experiment.py" in refusal(stored, toy)


def test_a_baseline_is_stale_once_its_data_are_made_otherwise(stored: Path, toy: Path) -> None:
    before = baseline.fingerprint(Template(toy)).digest
    manifest = toy / "template.toml"
    text = manifest.read_text()
    manifest.write_text(text.replace("[run]\n", '[run]\nsampler = ["python", "data.py", "{out_dir}"]\n'))
    assert "the sampler was not there" in refusal(stored, toy)
    assert baseline.fingerprint(Template(toy)).digest != before
    manifest.write_text(text)
    assert baseline.fingerprint(Template(toy)).digest == before


def test_plots_notes_ideas_and_limits_do_not_make_it_stale(stored: Path, toy: Path) -> None:
    (toy / "plot.py").write_text("print('new')\n")
    (toy / "notes.md").write_text("new\n")
    (toy / "ideas" / "new.toml").write_text('title = "t"\nprompt = "p"\n')
    (toy / "README.md").write_text("new\n")
    (toy / "template.toml").write_text(MANIFEST.replace("20s", "30s").replace("512MiB", "1GiB"))
    assert baseline.load(stored, Template(toy)).template == "toy"


def test_a_missing_baseline_names_the_command_that_makes_it(template: Template, tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match=r"toy has no baseline .* create it with: harness baseline toy"):
        baseline.load(tmp_path / "baselines", template)


def test_the_baseline_of_another_template_is_refused(stored: Path, toy: Path) -> None:
    path = stored / "toy" / "baseline.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "template": "tree"}))
    assert "is the baseline of 'tree', not of 'toy'" in refusal(stored, toy)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"template": "toy"}'])
def test_a_baseline_that_cannot_be_read_is_refused_with_the_command(stored: Path, toy: Path, content: str) -> None:
    (stored / "toy" / "baseline.json").write_text(content)
    message = refusal(stored, toy)
    assert "baseline.json" in message
    assert REFRESH in message


def test_a_metric_that_the_stored_baseline_lacks_is_named(stored: Path, toy: Path) -> None:
    (toy / "template.toml").write_text(
        MANIFEST.replace("[metrics.accuracy]", '[metrics.recall]\ngoal = "max"\n[metrics.accuracy]')
    )
    message = refusal(stored, toy)
    assert "recall" in message
    assert REFRESH in message


def test_the_digest_of_a_fingerprint_changes_with_every_part_of_it(template: Template) -> None:
    whole = baseline.fingerprint(template)
    others = [
        whole.model_copy(update={"files": {**whole.files, "data.py": "0"}}),
        whole.model_copy(update={"command": ("python",)}),
        whole.model_copy(update={"seeds": (9,)}),
    ]
    assert len({whole.digest, *(other.digest for other in others)}) == 4
    assert Baseline.model_fields["fingerprint"].annotation is type(whole)
