"""What somebody is told who uses the harness for the first time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from lab import Project

from .conftest import refused


def test_an_agent_without_a_model_says_that_it_does_not_try_the_idea(project: Project) -> None:
    order = ("run", "tiny", "--agent", "tuner", "--max-runs", "1", "--confirm", "0")
    said = project.harness(*order, "--idea", "Use momentum")
    assert said.code == 0
    assert "the agent tuner uses no model: --idea only names the study, and is not tried" in said.err
    assert "--idea" not in project.harness(*order).err


def test_without_an_idea_the_ways_to_go_on_are_named(project: Project) -> None:
    message = refused(project, "run", "tiny", "--model", "manual")
    assert "or the name of one: nearer; or, without a model: --agent tuner" in message
    shutil.rmtree(project.root / "templates" / "tiny" / "ideas")
    assert "or a file; or, without a model: --agent tuner" in refused(project, "run", "tiny", "--model", "manual")


def test_one_word_where_no_idea_ships_is_explained(project: Project) -> None:
    shutil.rmtree(project.root / "templates" / "tiny" / "ideas")
    message = refused(project, "run", "tiny", "--model", "manual", "--idea", "momentum")
    assert "'momentum' is one word, so it is read as the name of an idea; tiny ships none" in message
    assert message.endswith("Describe the idea in several words\n")


def test_an_unknown_setting_lists_the_known_ones(project: Project) -> None:
    assert refused(project, "run", "tiny", "--agent", "tuner", "--set", "foo=1") == (
        "harness: --set foo: unknown key; known: seed\n"
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("primary = true", "primry = true", "metrics.loss.primry: unknown key; did you mean primary?"),
        ("summary =", "sumary =", "template.sumary: unknown key; did you mean summary?"),
        ("[smoke]\ntimeout", "[smoke]\ntimeuot", "smoke.timeuot: unknown key; did you mean timeout?"),
        ("low = 0.5", "lowest = 0.5", "search_space.SCALE.lowest: unknown key; did you mean low?"),
        ("[search_space.SCALE]", "[searchspace.SCALE]", "searchspace: unknown key; did you mean search_space?"),
        ("[smoke]", "[xyz]", "xyz: unknown key; known: template, run, smoke, metrics, limits, search_space"),
        ("seeds = [0, 1, 2]", "seeds = 3", "run.seeds: must be a list, such as [0, 1, 2]"),
        ('protected = ["evaluate.py", "data.py"]', 'protected = "data.py"', 'must be a list, such as ["a"]'),
        ('"plot.py", ', '"plots.py", ', "[template] editable names plots.py, which does not exist"),
        ('"data.py"]', '"date.py"]', "[template] protected names date.py, which does not exist"),
    ],
)
def test_a_mistake_in_template_toml_is_told_with_what_was_meant(
    project: Project, old: str, new: str, said: str
) -> None:
    manifest = project.root / "templates" / "tiny" / "template.toml"
    assert old in manifest.read_text()
    manifest.write_text(manifest.read_text().replace(old, new))
    assert said in refused(project, "run", "tiny", "--agent", "tuner")


def test_outside_a_project_the_folder_is_named_in_full_and_a_project_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    message = refused(Project(Path()), "status")
    assert f"no templates/ folder at or above {tmp_path}; run this inside a project, a folder that holds" in message


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"final_info_dict": values', '"final_info_dict": {"loss": 0.5}', "must be a list with one value per seed"),
        ('(out_dir / "final_info.json")', '(out_dir / "other.json")', "without writing out/final_info.json"),
    ],
)
def test_a_script_without_usable_results_is_told_what_it_lacks(project: Project, old: str, new: str, said: str) -> None:
    script = project.root / "templates" / "tiny" / "experiment.py"
    assert old in script.read_text()
    script.write_text(script.read_text().replace(old, new))
    found = project.harness("baseline", "tiny", "--refresh")
    assert found.code == 2
    assert said in found.err
    assert found.err.endswith(
        "the unmodified tiny gave no metrics that count, for the reason above; "
        "to run it by hand: harness template checkout tiny FOLDER\n"
    )


def copy_of_tiny(project: Project, name: str) -> Path:
    folder = shutil.copytree(project.root / "templates" / "tiny", project.root / "templates" / name)
    manifest = folder / "template.toml"
    manifest.write_text(manifest.read_text().replace('name = "tiny"', f'name = "{name}"'))
    return folder


def test_every_baseline_is_checked_also_after_a_broken_template(project: Project) -> None:
    (copy_of_tiny(project, "broken") / "template.toml").write_text("[template")
    copy_of_tiny(project, "fresh")
    said = project.harness("baseline", "--check")
    assert said.code == 2
    assert "tiny: up to date" in said.out
    assert "broken: " in said.err and "not TOML" in said.err
    assert "fresh: fresh has no baseline" in said.err
    assert said.err.endswith("harness: 2 of 3 templates have problems: broken, fresh\n")


def test_a_template_check_warns_of_a_constant_outside_its_space_and_of_a_single_seed(project: Project) -> None:
    said = project.harness("template", "check", "tiny")
    assert said.code == 0 and "warning" not in said.out
    manifest = project.root / "templates" / "tiny" / "template.toml"
    changed = manifest.read_text().replace("low = 0.5", "low = 2.5").replace("seeds = [0, 1, 2]", "seeds = [0]")
    manifest.write_text(changed)
    shutil.rmtree(project.root / "baselines")
    said = project.harness("template", "check", "tiny")
    assert said.code == 0, said.err
    assert "warning: SCALE = 1.0 is outside its [search_space.SCALE]" in said.out
    assert "warning: no verdict is possible with one seed" in said.out
