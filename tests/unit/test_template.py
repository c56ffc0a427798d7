"""template.toml and ideas: whatever is wrong is said in one line that names the file and the key."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.errors import IdeaError, TemplateError, UnknownName
from harness.files import digest_of
from harness.template import folder as templates
from harness.template.baseline import fingerprint
from harness.template.folder import Template
from harness.template.ideas import read_idea
from harness.template.manifest import executed

from .conftest import MANIFEST


def refusal(folder: Path, old: str, new: str) -> str:
    """What is said when `old` in the manifest is replaced by `new`."""
    assert MANIFEST.count(old) >= 1, f"{old!r} is not in the manifest"
    (folder / "template.toml").write_text(MANIFEST.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(TemplateError) as refused:
        Template(folder)
    message = str(refused.value)
    assert str(folder / "template.toml") in message
    assert "\n" not in message
    return message


def test_a_sound_template_is_read(template: Template) -> None:
    manifest = template.manifest
    assert (template.name, manifest.primary, manifest.run.seeds) == ("toy", "loss", (0, 1, 2))
    assert manifest.run.timeout_seconds == 20.0
    assert manifest.run.memory_bytes == 512 * 2**20
    assert manifest.smoke is not None
    assert manifest.smoke.timeout_seconds == 10.0
    assert sorted(template.files) == ["data.py", "evaluate.py", "experiment.py", "notes.md", "plot.py"]
    assert template.manifest.has_evaluator


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[run]", "[run]\ntypo = 1", "run.typo: unknown key"),
        ("[template]", "unheard_of = 1\n[template]", "unheard_of: unknown key"),
        ("[metrics.loss]", "[metrics.loss]\nprimry = true", "metrics.loss.primry: unknown key"),
        ("primary = true", "", "exactly one metric must have primary = true; found: none"),
        (
            'goal = "max"',
            'goal = "max"\nprimary = true',
            "exactly one metric must have primary = true; found: loss, accu",
        ),
        ('goal = "min"', 'goal = "smaller"', "metrics.loss.goal"),
        ('summary = "A toy that takes milliseconds"', "", "template.summary: is missing"),
        (
            'editable = ["experiment.py"',
            'editable = ["gone.py", "experiment.py"',
            "names gone.py, which does not exist",
        ),
        ('protected = ["evaluate.py"', 'protected = ["gone.py", "evaluate.py"', "gone.py, which does not exist"),
        ('name = "toy"', 'name = "other"', "name is 'other', but the folder is 'toy'"),
        (
            'editable = ["experiment.py"',
            'editable = ["../experiment.py"',
            "'../experiment.py' is outside the template's",
        ),
        ('editable = ["experiment.py"', 'editable = ["/etc/passwd"', "'/etc/passwd' is outside the template's folder"),
        (
            'protected = ["evaluate.py"',
            'protected = ["a/../../b.py"',
            "'a/../../b.py' is outside the template's folder",
        ),
        (
            'editable = ["experiment.py"',
            'editable = ["plotting.py", "experiment.py"',
            "plotting.py takes no part in runs, so it must be protected or included",
        ),
        ('new_files = ["*.py"]', 'new_files = ["../*.py"]', "'../*.py' is outside the template's folder"),
        (
            'protected = ["evaluate.py"',
            'include = ["../gone.py"]\nprotected = ["evaluate.py"',
            "gone.py, which does not exist",
        ),
        (
            'protected = ["evaluate.py"',
            'held_out = ["gone.py"]\nprotected = ["evaluate.py"',
            "gone.py, which does not exist",
        ),
        (
            'protected = ["evaluate.py"',
            'held_out = ["evaluate.py"]\nprotected = ["evaluate.py"',
            "held_out names evaluate.py, which every study gets",
        ),
        (
            'protected = ["evaluate.py"',
            'answers = ["data.py"]\nprotected = ["evaluate.py"',
            "answers names data.py, which every study gets",
        ),
        (
            'protected = ["evaluate.py"',
            'answers = ["template.toml"]\nheld_out = ["template.toml"]\nprotected = ["evaluate.py"',
            "template.toml is both in held_out and in answers",
        ),
        ('timeout = "20s"', 'timeout = "20s"\nsampler = ["python", "data.py"]', "an argument that contains {out_dir}"),
        ('editable = ["experiment.py", "plot.py", "notes.md"]', "editable = []", "template.editable"),
        ('timeout = "20s"', 'timeout = "20"', "run.timeout: '20' is not a quantity; write a number and one of s, m, h"),
        ('timeout = "20s"', 'timeout = "soon"', "run.timeout: 'soon' is not a quantity"),
        ('timeout = "20s"', 'timeout = "-5s"', "run.timeout: '-5s' is not a quantity"),
        ('timeout = "20s"', 'timeout = "1.2.3s"', "run.timeout"),
        ('timeout = "20s"', 'timeout = "0s"', "run.timeout"),
        ('timeout = "10s"', 'timeout = "10 days"', "smoke.timeout: '10 days' is not a quantity"),
        (
            'memory = "512MiB"',
            'memory = "512MB"',
            "run.memory: '512MB' is not a quantity; write a number and one of KiB",
        ),
        ('memory = "512MiB"', 'memory = "0GiB"', "run.memory"),
        ("seeds = [0, 1, 2]", "seeds = []", "run.seeds"),
        ("seeds = [0, 1, 2]", 'seeds = ["one"]', "run.seeds"),
        ("seeds = [0, 1, 2]", "seeds = [0, 1, 2]\ncommand = []", "run.command"),
        ('type = "float"', 'type = "categorical"', "search_space.RATE: a categorical dimension needs choices"),
        ("low = 0.001", "low = 2.0", "search_space.RATE: low and high are required, and low must be below high"),
        ("low = 0.001", "", "search_space.RATE: low and high are required"),
        ("low = 0.001", "low = 0.0", "search_space.RATE: a log dimension needs low > 0"),
        ('type = "float"', 'type = "normal"', "search_space.RATE.type"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_said_with_its_key(toy: Path, old: str, new: str, said: str) -> None:
    assert said in refusal(toy, old, new)


def test_a_manifest_that_is_no_toml_is_refused(toy: Path) -> None:
    assert "not TOML" in refusal(toy, "[run]", "[run")


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"has no template\.toml"):
        Template(tmp_path)


def test_an_unknown_template_lists_the_known_ones(toy: Path) -> None:
    shutil.copytree(toy, toy.parent / "tree")
    with pytest.raises(UnknownName, match="no template named 'tyo'; known: toy, tree"):
        templates.load(toy.parent, "tyo")


def test_a_template_can_be_named_by_the_path_of_its_folder(toy: Path) -> None:
    assert templates.load(Path("/nowhere"), str(toy)).folder == toy


def test_the_command_gets_the_interpreter_and_the_output_folder(template: Template, tmp_path: Path) -> None:
    python, script, option = template.command("/usr/bin/python3", tmp_path / "run_1")
    assert python == "/usr/bin/python3"
    assert (script, option) == ("experiment.py", f"--out_dir={tmp_path / 'run_1'}")


def test_plots_and_notes_take_no_part_in_runs() -> None:
    names = (
        "experiment.py",
        "data.py",
        "helper.py",
        "weights.json",
        "prompts.txt",
        "plot.py",
        "plotting.py",
        "notes.md",
    )
    assert [executed(name) for name in names] == [True, True, True, True, True, False, False, False]


def test_a_pinned_copy_is_a_template_with_the_same_files_and_a_digest_of_its_own(
    template: Template, tmp_path: Path
) -> None:
    digest = template.pin(tmp_path / "s" / "template")
    pinned = Template(tmp_path / "s" / "template")
    assert pinned.name == "toy"
    assert sorted(pinned.files) == sorted(template.files)
    assert digest == digest_of(pinned.folder)
    (pinned.folder / "evaluate.py").write_text("print('all is well')\n")
    assert digest != digest_of(pinned.folder)


def test_a_template_with_shared_modules_can_be_pinned_and_read_again(toy: Path, tmp_path: Path) -> None:
    shared = toy.parent / "common" / "hierarchy.py"
    shared.parent.mkdir()
    shared.write_text("LEVELS = 3\n")
    (toy / "template.toml").write_text(MANIFEST.replace("[run]", 'include = ["../common/hierarchy.py"]\n[run]', 1))
    template = Template(toy)
    assert "hierarchy.py" in template.protected
    template.pin(tmp_path / "s" / "template")
    pinned = Template(tmp_path / "s" / "template")
    assert pinned.files["hierarchy.py"].read_text() == "LEVELS = 3\n"
    assert sorted(pinned.files) == sorted(template.files)


def test_recordings_and_ideas_are_not_pinned(template: Template, tmp_path: Path) -> None:
    (template.folder / "recordings").mkdir()
    template.pin(tmp_path / "template")
    assert not (tmp_path / "template" / "ideas").exists()
    assert not (tmp_path / "template" / "recordings").exists()


def test_an_idea_may_be_the_name_of_one_that_the_template_ships(template: Template) -> None:
    idea = read_idea(template, "wider")
    assert (idea.title, idea.prompt, idea.metrics) == ("Wider", "Make it wider.", ("loss",))


def test_an_idea_may_be_a_toml_or_a_json_file(template: Template, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"title": "T", "prompt": "P", "hypotheses": ["H"]}))
    (tmp_path / "a.toml").write_text('title = "T"\nprompt = "P"\nhypotheses = ["H"]\n')
    assert read_idea(template, str(tmp_path / "a.json")) == read_idea(template, str(tmp_path / "a.toml"))


@pytest.mark.parametrize(
    "text", ["!rm -rf /", "/drop", "/run ls", "!", "wid er", "~/x", "--model x", "a\nb.toml", "幅を広げる"]
)
def test_any_other_text_is_the_idea_itself_and_never_a_command(template: Template, text: str) -> None:
    idea = read_idea(template, text)
    assert idea.prompt == text
    assert idea.title == text.splitlines()[0]


def test_the_title_of_a_long_text_is_its_first_line_cut(template: Template) -> None:
    idea = read_idea(template, "\n  " + "word " * 100 + "\nsecond line\n")
    assert len(idea.title) <= 120
    assert "second" not in idea.title
    assert "second line" in idea.prompt


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.json", "not json", "not JSON"),
        ("x.json", "[" * 100_000, "not JSON"),
        ("x.toml", "= 3", "not TOML"),
        ("x.toml", 'prompt = "p"\n', "title: is missing"),
        ("x.toml", 'title = "t"\n', "prompt: is missing"),
        ("x.toml", 'title = ""\nprompt = "p"\n', "title"),
        ("x.toml", 'title = "  "\nprompt = "p"\n', "title"),
        ("x.toml", 'title = 3\nprompt = "p"\n', "title"),
        ("x.toml", 'title = "t"\nprompt = "p"\nmetric = ["loss"]\n', "metric: unknown key"),
        ("x.toml", 'title = "t"\nprompt = "p"\nmetrics = ["los"]\n', "toy has no metric 'los'; it has: loss, accuracy"),
        ("x.json", "[1, 2]", "x.json"),
        ("x.json", '"text"', "x.json"),
    ],
)
def test_a_bad_idea_file_is_named_with_what_is_wrong(
    template: Template, tmp_path: Path, name: str, content: str, said: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(IdeaError) as refused:
        read_idea(template, str(tmp_path / name))
    assert str(tmp_path / name) in str(refused.value)
    assert said in str(refused.value)


def test_an_idea_file_of_bytes_is_refused(template: Template, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(IdeaError, match="not text"):
        read_idea(template, str(tmp_path / "x.toml"))


def test_a_missing_idea_file_lists_the_ideas_that_are_shipped(template: Template) -> None:
    with pytest.raises(IdeaError, match=r"cannot read the idea gone\.toml.*ships: wider"):
        read_idea(template, "gone.toml")


def test_an_existing_file_of_another_kind_is_refused_and_not_taken_for_the_idea(
    template: Template, tmp_path: Path
) -> None:
    (tmp_path / "idea.yaml").write_text("title: T\n")
    with pytest.raises(IdeaError):
        read_idea(template, str(tmp_path / "idea.yaml"))


@pytest.mark.parametrize("text", ["", "   ", "\n\n"])
def test_an_empty_idea_is_refused(template: Template, text: str) -> None:
    with pytest.raises(IdeaError):
        read_idea(template, text)


def test_held_out_files_are_pinned_and_part_of_the_fingerprint_but_no_study_gets_them(
    toy: Path, tmp_path: Path
) -> None:
    (toy / "held_out.py").write_text("SEED = 1\n")
    (toy / "template.toml").write_text(MANIFEST.replace("[run]", 'held_out = ["held_out.py"]\n[run]', 1))
    template = Template(toy)
    before = fingerprint(template)
    assert "held_out.py" in before.files
    template.pin(tmp_path / "pinned" / "template")
    template.lay_out(tmp_path / "study")
    assert (tmp_path / "pinned" / "template" / "held_out.py").is_file()
    assert {path.name for path in (tmp_path / "study").iterdir()} == set(template.files)
    assert not (tmp_path / "study" / "held_out.py").exists()
    (toy / "held_out.py").write_text("SEED = 2\n")
    assert fingerprint(Template(toy)) != before
