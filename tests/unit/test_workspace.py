"""A study's worktree, with the real git and whatever an agent may do to the folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from harness.errors import UnknownName
from harness.execution import process
from harness.files import write_whole
from harness.state.events import EVENTS, TurnEnded
from harness.template.folder import Template
from harness.workspace import Lab, Workspace

from .conftest import EXPERIMENT, make_workspace

AT = 1_700_000_000.0
ODD_NAMES = [
    "with space.py",
    "new\nline.py",
    "tab\t.py",
    "ünïcode 日本.py",
    '"quoted".py',
    "-dash.py",
    "back\\slash.py",
    "a*b.py",
]


def listing(root: Path) -> dict[str, str]:
    """Every file of a worktree that is the study's own: name → content or link."""
    files = [p for p in root.rglob("*") if (p.is_symlink() or p.is_file()) and p != root / ".git"]
    return {str(p.relative_to(root)): str(p.readlink()) if p.is_symlink() else p.read_text() for p in files}


def git(workspace: Workspace, *arguments: str) -> str:
    """What a person would see who types git in the worktree."""
    done = process.run(["git", *arguments], cwd=workspace.root)
    assert done.code == 0, done.err
    return done.out


def test_a_snapshot_can_be_restored_exactly(workspace: Workspace) -> None:
    before = listing(workspace.root)
    tree = workspace.snapshot()
    (workspace.root / "experiment.py").write_text("changed")
    (workspace.root / "notes.md").unlink()
    (workspace.root / "new.py").write_text("new")
    (workspace.root / "folder" / "deep").mkdir(parents=True)
    (workspace.root / "folder" / "deep" / "x.bin").write_bytes(b"\x00\x01")
    (workspace.root / "empty").mkdir()
    workspace.restore(tree)
    assert listing(workspace.root) == before
    assert not (workspace.root / "empty").exists()
    assert workspace.snapshot() == tree


def test_restoring_goes_forward_as_well(workspace: Workspace) -> None:
    first = workspace.snapshot()
    (workspace.root / "helper.py").write_text("x = 1\n")
    second, there = workspace.snapshot(), listing(workspace.root)
    workspace.restore(first)
    assert "helper.py" not in listing(workspace.root)
    workspace.restore(second)
    assert listing(workspace.root) == there


def test_restoring_replaces_what_became_another_kind_of_thing(workspace: Workspace, tmp_path: Path) -> None:
    tree, before = workspace.snapshot(), listing(workspace.root)
    (tmp_path / "outside.py").write_text("outside")
    (workspace.root / "experiment.py").unlink()
    (workspace.root / "experiment.py").mkdir()
    (workspace.root / "experiment.py" / "inside.py").write_text("")
    (workspace.root / "data.py").unlink()
    (workspace.root / "data.py").symlink_to(tmp_path / "outside.py")
    workspace.restore(tree)
    assert listing(workspace.root) == before
    assert (tmp_path / "outside.py").read_text() == "outside"


def test_outputs_and_private_files_are_kept_and_never_in_git(workspace: Workspace) -> None:
    tree = workspace.snapshot()
    kept = ["run_1/final_info.json", "run_1/big.npz", "plots/a.png", ".harness/journal.jsonl"]
    for name in kept:
        (workspace.root / name).parent.mkdir(exist_ok=True)
        (workspace.root / name).write_text("kept")
    assert workspace.snapshot() == tree
    workspace.restore(tree)
    assert [(workspace.root / name).read_text() for name in kept] == ["kept"] * 4


def test_named_results_are_added_and_only_those(workspace: Workspace) -> None:
    before = workspace.snapshot()
    (workspace.root / "run_1").mkdir()
    for name in ("final_info.json", "big.npz"):
        (workspace.root / "run_1" / name).write_text("x")
    after = workspace.with_results(before, ["run_1/final_info.json", "run_1/verified.json"])
    assert workspace.snapshot() == before, "the worktree and its index are as they were"
    sha = workspace.commit(after, workspace.head(), "Run 1", AT)
    assert git(workspace, "ls-tree", "-r", "--name-only", sha, "--", "run_1").split() == ["run_1/final_info.json"]
    assert workspace.changes(before, after) == []


def test_a_result_that_is_a_link_is_not_followed(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (workspace.root / "run_1").mkdir()
    (workspace.root / "run_1" / "final_info.json").symlink_to(tmp_path / "secret")
    before = workspace.snapshot()
    tree = workspace.with_results(before, ["run_1/final_info.json"])
    assert tree == before


@pytest.mark.parametrize("name", ODD_NAMES)
def test_unusual_names_are_seen_and_restored(workspace: Workspace, name: str) -> None:
    before = workspace.snapshot()
    (workspace.root / name).write_text("odd\n")
    after = workspace.snapshot()
    assert [(c.path, c.status, c.mode) for c in workspace.changes(before, after)] == [(name, "A", "100644")]
    workspace.restore(before)
    assert not (workspace.root / name).exists()
    workspace.restore(after)
    assert (workspace.root / name).read_text() == "odd\n"


def test_a_name_that_is_no_unicode_text_can_still_be_journalled(workspace: Workspace) -> None:
    before = workspace.snapshot()
    try:
        (workspace.root / os.fsdecode(b"latin-\xe9.py")).write_text("odd\n")
    except OSError:
        pytest.skip("this file system takes only unicode names")
    after = workspace.snapshot()
    (change,) = workspace.changes(before, after)
    event = TurnEnded(turn=1, purpose="next", status="rejected", tree=before, changed=(change.path,))
    assert EVENTS.validate_json(f"[{event.model_dump_json()}]") == [event]
    workspace.restore(before)
    assert workspace.snapshot() == before


def test_content_that_is_no_unicode_text_can_be_kept_as_a_patch(workspace: Workspace, tmp_path: Path) -> None:
    before = workspace.snapshot()
    (workspace.root / "notes.md").write_bytes(b"caf\xe9\n")
    write_whole(tmp_path / "rejected.patch", workspace.patch(before, workspace.snapshot()))
    assert "caf" in (tmp_path / "rejected.patch").read_text(encoding="utf-8")


def test_changes_tell_additions_modifications_deletions_links_and_types(workspace: Workspace, tmp_path: Path) -> None:
    before = workspace.snapshot()
    (workspace.root / "added.py").write_text("")
    (workspace.root / "experiment.py").write_text("modified")
    (workspace.root / "notes.md").unlink()
    (workspace.root / "link.py").symlink_to("/etc/passwd")
    (workspace.root / "data.py").unlink()
    (workspace.root / "data.py").symlink_to(tmp_path)
    changes = {c.path: (c.status, c.mode) for c in workspace.changes(before, workspace.snapshot())}
    assert changes == {
        "added.py": ("A", "100644"),
        "experiment.py": ("M", "100644"),
        "notes.md": ("D", "000000"),
        "link.py": ("A", "120000"),
        "data.py": ("T", "120000"),
    }


@pytest.mark.parametrize("name", ["run_helper.py", "run_x/helper.py", "runs.py", "plots.py"])
def test_code_cannot_hide_behind_a_name_like_that_of_an_output(workspace: Workspace, name: str) -> None:
    before, digest = workspace.snapshot(), workspace.executed_digest()
    (workspace.root / name).parent.mkdir(exist_ok=True)
    (workspace.root / name).write_text("x = 1\n")
    assert workspace.executed_digest() != digest
    assert [c.path for c in workspace.changes(before, workspace.snapshot())] == [name]
    workspace.restore(before)
    assert not (workspace.root / name).exists()


def test_a_link_with_the_name_of_an_output_is_seen_and_removed(workspace: Workspace, tmp_path: Path) -> None:
    before = workspace.snapshot()
    (workspace.root / "run_3").symlink_to(tmp_path)
    assert [(c.path, c.mode) for c in workspace.changes(before, workspace.snapshot())] == [("run_3", "120000")]
    workspace.restore(before)
    assert not (workspace.root / "run_3").is_symlink()


def test_a_gitignore_hides_nothing_from_a_restore(workspace: Workspace) -> None:
    before = workspace.snapshot()
    (workspace.root / ".gitignore").write_text("*\n")
    (workspace.root / "sitecustomize.py").write_text("")
    workspace.restore(before)
    assert not (workspace.root / "sitecustomize.py").exists()
    assert not (workspace.root / ".gitignore").exists()


def test_gitattributes_change_no_byte(workspace: Workspace) -> None:
    before = workspace.snapshot()
    (workspace.root / ".gitattributes").write_text("* text eol=crlf\n*.py ident filter=evil\n")
    (workspace.root / "helper.py").write_bytes(b"# $Id$\r\nx = 1\n")
    after = workspace.snapshot()
    workspace.restore(before)
    workspace.restore(after)
    workspace.restore(before)
    assert (workspace.root / "experiment.py").read_bytes() == EXPERIMENT.encode()


@pytest.mark.parametrize("kind", ["file", "folder", "link", "gone"])
def test_a_git_entry_replaced_by_an_agent_is_mended_and_never_followed(
    workspace: Workspace, tmp_path: Path, kind: str
) -> None:
    tree = workspace.snapshot()
    elsewhere = tmp_path / "elsewhere"
    assert process.run(["git", "init", "--quiet", "--bare", str(elsewhere)]).code == 0
    before = listing(elsewhere)
    (workspace.root / ".git").unlink()
    if kind == "file":
        (workspace.root / ".git").write_text(f"gitdir: {elsewhere}\n")
    elif kind == "folder":
        shutil.copytree(elsewhere, workspace.root / ".git")
    elif kind == "link":
        (workspace.root / ".git").symlink_to(elsewhere)
    (workspace.root / "experiment.py").write_text("changed")
    changed = workspace.snapshot()
    assert [c.path for c in workspace.changes(tree, changed)] == ["experiment.py"]
    workspace.commit(changed, workspace.head(), "Changed", AT)
    workspace.restore(tree)
    assert (workspace.root / "experiment.py").read_text() == EXPERIMENT
    assert listing(elsewhere) == before
    assert git(workspace, "log", "-1", "--format=%s").strip() == "Changed"


def test_hooks_and_filters_that_an_agent_plants_are_not_run(workspace: Workspace, tmp_path: Path) -> None:
    trap = f"#!/bin/sh\ntouch {tmp_path / 'sprung'}\n"
    for name in ("pre-commit", "post-checkout", "post-index-change", "reference-transaction"):
        hook = workspace.root / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(trap)
        hook.chmod(0o755)
    (workspace.root / ".gitconfig").write_text(f"[core]\n\thooksPath = {workspace.root / 'hooks'}\n")
    tree = workspace.snapshot()
    workspace.commit(tree, workspace.head(), "Trap", AT)
    workspace.restore(tree)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("kind", ["new", "with a commit", "link"])
def test_a_nested_repository_is_seen_and_removed(workspace: Workspace, tmp_path: Path, kind: str) -> None:
    before = workspace.snapshot()
    nested = workspace.root / "nested"
    nested.mkdir()
    (nested / "evil.py").write_text("")
    assert process.run(["git", "init", "--quiet"], cwd=nested).code == 0
    if kind == "with a commit":
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        assert process.run(["git", *identity, "commit", "--allow-empty", "-qm", "x"], cwd=nested).code == 0
    elif kind == "link":
        (nested / ".git").rename(tmp_path / "elsewhere")
        (nested / ".git").symlink_to(tmp_path / "elsewhere")
    changes = workspace.changes(before, workspace.snapshot())
    assert {c.path.split("/")[0] for c in changes} == {"nested"}
    workspace.restore(before)
    assert not nested.exists()
    assert workspace.snapshot() == before
    assert (tmp_path / "elsewhere" / "HEAD").exists() == (kind == "link")


def test_the_same_commit_made_twice_is_the_same_commit(workspace: Workspace) -> None:
    parent, tree = workspace.head(), workspace.snapshot()
    first = workspace.commit(tree, parent, "Run 1\n\nRun: 1", AT + 0.9)
    assert workspace.commit(tree, parent, "Run 1\n\nRun: 1", AT + 0.1) == first
    assert workspace.head() == first
    assert workspace.commit(tree, parent, "Run 1\n\nRun: 1", AT + 66) != first
    said = git(workspace, "log", "-1", "--format=%an <%ae> %ct %(trailers:key=Run,valueonly)", first).strip()
    assert said == "harness <harness@localhost> 1700000000 1"


def test_neither_a_user_nor_a_home_is_needed(
    template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.startswith(("GIT_", "XDG_")) or name in ("EMAIL", "HOME", "USER", "LOGNAME"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[commit]\n\tgpgSign = true\n[core]\n\tautocrlf = true\n\texcludesFile = /dev/zero\n"
    )
    home.chmod(0o555)
    monkeypatch.setenv("HOME", str(home))
    made = make_workspace(template, tmp_path / "runs" / "study")
    tree = made.snapshot()
    sha = made.commit(tree, made.head(), "x", AT)
    assert made.head() == sha
    (made.root / "experiment.py").unlink()
    made.restore(tree)
    assert (made.root / "experiment.py").read_bytes() == EXPERIMENT.encode()


def test_a_path_with_spaces_accents_and_quotes_works(template: Template, tmp_path: Path) -> None:
    made = make_workspace(template, tmp_path / "mes études d'été" / "runs" / "study")
    tree = made.snapshot()
    (made.root / "experiment.py").write_text("changed")
    assert [c.path for c in made.changes(tree, made.snapshot())] == ["experiment.py"]
    made.restore(tree)
    assert (made.root / "experiment.py").read_text() == EXPERIMENT
    assert git(made, "status", "--porcelain") != ""


def test_a_study_can_take_the_code_of_a_run_of_another(
    workspace: Workspace, template: Template, tmp_path: Path
) -> None:
    (workspace.root / "experiment.py").write_text("better")
    sha = workspace.commit(workspace.snapshot(), workspace.head(), "Run 1", AT)
    workspace.tag("run_1", sha)
    lab = Lab(tmp_path / "runs" / "lab.git")
    second = Workspace.create(lab, tmp_path / "runs" / "second", template)
    (second.root / "notes.md").write_text("its own")
    tree = second.take_code(lab.resolve("study", "1"))
    assert (second.root / "experiment.py").read_text() == "better"
    assert (second.root / "notes.md").read_text() == "its own"
    assert tree == second.snapshot()


def test_the_code_of_an_earlier_run_comes_back_and_every_result_stays(workspace: Workspace) -> None:
    commit = workspace.head()
    for number, text in enumerate(("zero", "one", "two")):
        (workspace.root / "experiment.py").write_text(text)
        (workspace.root / f"new_in_{text}.py").write_text("")
        result = workspace.root / f"run_{number}" / "final_info.json"
        result.parent.mkdir()
        result.write_text(text)
        results = [f"run_{n}/final_info.json" for n in range(number + 1)]
        tree = workspace.with_results(workspace.snapshot(), results)
        commit = workspace.commit(tree, commit, f"Run {number}", AT)
        workspace.tag(f"run_{number}", commit)
    back = workspace.with_code_of(1, tree)
    assert (workspace.root / "experiment.py").read_text() == "one"
    assert sorted(p.name for p in workspace.root.glob("new_in_*")) == ["new_in_one.py", "new_in_zero.py"]
    assert [(workspace.root / f"run_{n}" / "final_info.json").read_text() for n in range(3)] == ["zero", "one", "two"]
    assert {c.path for c in workspace.changes(tree, back)} == {"experiment.py", "new_in_two.py"}
    assert "run_2/final_info.json" in git(workspace, "ls-tree", "-r", "--name-only", back)


def test_what_was_changed_behind_our_back_is_named(workspace: Workspace) -> None:
    tree = workspace.snapshot()
    assert workspace.touched(tree) == ""
    (workspace.root / "experiment.py").write_text("rewritten")
    (workspace.root / "new.py").write_text("")
    (workspace.root / "left_by_an_editor.swp").write_text("")
    assert workspace.touched(tree) == "experiment.py, new.py"


def test_the_lock_of_a_git_that_was_killed_does_not_stop_us(workspace: Workspace) -> None:
    tree = workspace.snapshot()
    place = Path(git(workspace, "rev-parse", "--path-format=absolute", "--git-dir").strip())
    locks = [place / name for name in ("index.lock", "index.results.lock", "index.desk.lock")]
    for lock in locks:
        lock.touch()
    workspace.unlock()
    workspace.restore(workspace.with_results(tree, ["run_0/final_info.json"]))
    assert not any(lock.exists() for lock in locks)


def test_a_repository_behind_a_link_is_never_touched(workspace: Workspace, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert process.run(["git", "init", "--quiet", str(other)]).code == 0
    assert process.run(["git", "init", "--quiet", str(workspace.root / "nested")]).code == 0
    (workspace.root / "link").symlink_to(other)
    workspace.snapshot()
    assert (other / ".git" / "HEAD").is_file()


def test_runs_are_found_by_number_and_others_are_refused_with_the_known_ones(
    workspace: Workspace, tmp_path: Path
) -> None:
    lab = Lab(tmp_path / "runs" / "lab.git")
    first = workspace.commit(workspace.snapshot(), workspace.head(), "Run 1", AT)
    workspace.tag("template", first)
    for number in (1, 2, 10):
        workspace.tag(f"run_{number}", first)
    assert lab.runs("study") == ["1", "2", "10"]
    assert lab.resolve("study", "10") == lab.resolve("study", "template") == first
    with pytest.raises(UnknownName, match="no run of study named '3'; known: 1, 10, 2, template"):
        lab.resolve("study", "3")


def test_a_diff_shows_code_and_leaves_results_out(workspace: Workspace, tmp_path: Path) -> None:
    lab = Lab(tmp_path / "runs" / "lab.git")
    first = workspace.commit(workspace.snapshot(), workspace.head(), "Template", AT)
    (workspace.root / "experiment.py").write_text(EXPERIMENT.replace("RATE = 0.1", "RATE = 0.2"))
    (workspace.root / "run_1").mkdir()
    (workspace.root / "run_1" / "final_info.json").write_text("{}")
    tree = workspace.with_results(workspace.snapshot(), ["run_1/final_info.json"])
    second = workspace.commit(tree, first, "Run 1", AT + 1)
    text = lab.diff(first, second, color=False, stat=False)
    assert "-RATE = 0.1" in text
    assert "+RATE = 0.2" in text
    assert "final_info" not in text
    assert "\x1b[" in lab.diff(first, second, color=True, stat=False)
    assert "1 file changed" in lab.diff(first, second, color=False, stat=True)
    assert lab.diff(first, first, color=False, stat=False) == ""


def test_a_study_that_could_not_be_begun_leaves_nothing_and_its_name_is_free(
    workspace: Workspace, template: Template
) -> None:
    workspace.discard()
    assert not workspace.root.exists()
    again = make_workspace(template, workspace.root)
    assert again.head()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("RATE = 0.1  # the step", "RATE = 0.1"),
        ("def main()", "\n\n# a comment\ndef main()"),
        ('{"loss": [RATE', '{\n        "loss": [RATE'),
    ],
)
def test_comments_and_layout_make_no_new_experiment(workspace: Workspace, old: str, new: str) -> None:
    before = workspace.executed_digest()
    assert old in EXPERIMENT
    (workspace.root / "experiment.py").write_text(EXPERIMENT.replace(old, new, 1))
    assert workspace.executed_digest() == before


@pytest.mark.parametrize(
    "name", ["notes.md", "plot.py", "run_1/x.py", "plots/x.py", ".harness/x.py", "__pycache__/x.pyc"]
)
def test_notes_plots_and_outputs_make_no_new_experiment(workspace: Workspace, name: str) -> None:
    before = workspace.executed_digest()
    (workspace.root / name).parent.mkdir(exist_ok=True)
    (workspace.root / name).write_text("changed = 1\n")
    assert workspace.executed_digest() == before


def test_code_makes_a_new_experiment(workspace: Workspace) -> None:
    digests = [workspace.executed_digest()]
    (workspace.root / "experiment.py").write_text(EXPERIMENT.replace("RATE = 0.1", "RATE = 0.2"))
    digests.append(workspace.executed_digest())
    (workspace.root / "helper.py").write_text("x = 1\n")
    digests.append(workspace.executed_digest())
    (workspace.root / "config.json").write_text("{}")
    digests.append(workspace.executed_digest())
    (workspace.root / "helper.py").write_text("def broken(:\n")
    digests.append(workspace.executed_digest())
    (workspace.root / "helper.py").rename(workspace.root / "helper2.py")
    digests.append(workspace.executed_digest())
    assert len(set(digests)) == 6


def test_the_digest_is_the_same_for_the_same_files_whether_committed_or_not(workspace: Workspace) -> None:
    (workspace.root / "helper.py").write_text("x = 1\n")
    fresh = workspace.executed_digest()
    tree = workspace.snapshot()
    workspace.commit(tree, workspace.head(), "x", AT)
    assert workspace.executed_digest() == fresh
    (workspace.root / "helper.py").unlink()
    workspace.restore(tree)
    assert workspace.executed_digest() == fresh
