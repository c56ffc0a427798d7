"""An agent works at a desk; the study takes what is allowed from it, and can make the same changes again without it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from lab import DONE, Project, Study, in_real_runs, notes, scale

from harness.agents.turns import read
from harness.state.events import ModelCalled

RAISE_SCALE = (
    "text = (desk / 'experiment.py').read_text()\n"
    "(desk / 'experiment.py').write_text(text.replace('SCALE = ', 'SCALE = 0.5 + '))"
)
VANDAL = '''\
from pathlib import Path

from harness.agents import Instruction, Request, Setup
from harness.records import PricedModel, Record, Reply, Usage


class VandalSettings(Record):
    code: str


class Vandal:
    """Runs a piece of Python on its desk, then says that all is well."""

    Settings = VandalSettings
    uses_model = False
    how_to_edit = "Do as you like."

    def __init__(self, setup: Setup) -> None:
        self.code = setup.settings.code

    @staticmethod
    def check(request: Request) -> PricedModel:
        return PricedModel()

    def edit(self, instruction: Instruction, desk: Path) -> Reply:
        exec(self.code, {"desk": desk, "turn": len(instruction.history.turns) + 1})
        return Reply(text="All is well.", usage=Usage(calls=2, tokens_in=70, tokens_out=30, dollars=0.25))

    def close(self) -> None:
        pass
'''


@pytest.fixture
def vandal(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Project:
    """The project, with an agent that does what its setting says."""
    (tmp_path / "vandal.py").write_text(VANDAL)
    monkeypatch.syspath_prepend(str(tmp_path))
    return project


def worked(project: Project, code: str, *options: str) -> Study:
    said = project.harness(
        *(
            "run",
            "tiny",
            "--idea",
            "Try anything at all",
            "--name",
            "s",
            "--agent",
            "vandal:Vandal",
            "--set",
            f"code={json.dumps(code)}",
        ),
        *("--confirm", "0", *options),
    )
    assert said.code in (0, 1), said.err
    return project.study()


@pytest.mark.parametrize(
    ("code", "path"),
    [
        ("(desk / 'run_0/final_info.json').write_text('{}')", "run_0/final_info.json"),
        ("(desk / 'evaluate.py').chmod(0o644); (desk / 'evaluate.py').write_text('')", "evaluate.py"),
        ("(desk / 'evaluate.py').unlink()", "evaluate.py"),
        ("(desk / 'link.py').symlink_to('/etc/passwd')", "link.py"),
        ("(desk / 'sitecustomize.py').write_text('')", "sitecustomize.py"),
        ("(desk / '.gitignore').write_text('*')", ".gitignore"),
        ("(desk / '.gitattributes').write_text('*.py ident')", ".gitattributes"),
        ("import os; os.mkfifo(desk / 'pipe.py')", "pipe.py"),
        ("import os; open(os.fsencode(desk) + b'/z\\xff.py', 'w').close()", "z\\udcff.py"),
        ("(desk / 'new\\nline.py').write_text('')", "new\nline.py"),
        ("(desk / '.GIT').mkdir(); (desk / '.GIT/x').write_text('')", ".GIT/x"),
        ("(desk / 'git~1').write_text('')", "git~1"),
        ("import subprocess; subprocess.run(['git', 'init', '-q', str(desk / 'sub')], check=True)", "sub/.git/HEAD"),
        ("(desk / 'run_0').rename(desk / 'moved')", "moved/final_info.json"),
    ],
)
def test_a_forbidden_change_of_the_desk_never_reaches_the_study(vandal: Project, code: str, path: str) -> None:
    code = f"(desk / 'experiment.py').write_text('SCALE = 2.0'); {code}"
    study = worked(vandal, code, "--max-runs", "1", "--max-fixes", "1")
    assert study.turns[0].status == "rejected"
    assert any(problem.startswith(f"{path}: ") for problem in study.turns[0].problems), study.turns[0].problems
    assert study.history.tree == study.history.begun.tree
    assert "SCALE = 1.0" in study.file("experiment.py")
    assert "+SCALE = 2.0" in study.paths.rejected(1).read_text()
    assert not study.paths.desk.exists(), "the study is over"


def test_outputs_on_the_desk_are_no_edit_and_gone_at_the_next_turn(vandal: Project) -> None:
    code = (
        "assert not (desk / '.harness').exists() and not (desk / 'run_9').exists()\n"
        "for name in ('.harness', 'run_9', '__pycache__'):\n"
        "    (desk / name).mkdir()\n"
        "    (desk / name / 'x.pyc').write_text('')\n"
        "(desk / 'run_9' / 'final_info.json').write_text('{}')\n"
        "(desk / 'run_9').chmod(0o500)\n" + RAISE_SCALE
    )
    study = worked(vandal, code, "--max-runs", "2")
    assert study.outcomes == [(1, 1, "ok"), (2, 1, "ok")]
    assert not (study.paths.root / "run_9").exists()


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import shutil; shutil.rmtree(desk)", "is gone"),
        ("import shutil; shutil.rmtree(desk); desk.symlink_to('/usr')", "is gone"),
        ("import shutil; shutil.rmtree(desk); desk.write_text('')", "is gone"),
        ("import os; (desk / 'big.bin').write_bytes(b''); os.truncate(desk / 'big.bin', 2**40)", "too much"),
        ("[(desk / f'{n}.py').write_text('') for n in range(5001)]", "too much"),
        ("(desk / 'experiment.py').unlink(); (desk / 'experiment.py').mkdir()", "experiment.py: was deleted"),
    ],
)
def test_a_desk_that_cannot_be_taken_is_a_rejected_turn(vandal: Project, code: str, problem: str) -> None:
    study = worked(vandal, code, "--max-fixes", "1")
    assert study.turns[0].status == "rejected"
    assert problem in study.turns[0].problems[0]
    assert study.ending.status == "failed"


def test_an_agent_that_uses_git_finds_no_repository(vandal: Project) -> None:
    code = (
        "import subprocess\n"
        "for what in ('status', 'add -A', 'commit -qm mine', 'rev-parse --show-toplevel'):\n"
        "    assert subprocess.run(['git', *what.split(' ', 1)], cwd=desk, capture_output=True).returncode, what\n"
        + RAISE_SCALE
    )
    study = worked(vandal, code, "--max-runs", "1")
    assert study.outcomes == [(1, 1, "ok")]
    assert study.git("rev-parse", "s").strip() == study.history.commit


def test_a_repository_that_a_link_on_the_desk_names_is_left_alone(vandal: Project, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "other")], check=True)
    code = f"(desk / 'sub').mkdir(); (desk / 'link').symlink_to({str(tmp_path / 'other')!r})"
    assert worked(vandal, code, "--max-fixes", "1").turns[0].status == "rejected"
    assert (tmp_path / "other" / ".git" / "HEAD").is_file()


def test_an_agent_that_fails_pauses_its_study(vandal: Project) -> None:
    study = worked(vandal, "1 / 0", "--max-runs", "1")
    assert study.ending.status == "paused"
    assert study.ending.reason == "the agent vandal:Vandal failed: ZeroDivisionError: division by zero"


def test_protected_files_are_read_only_on_the_desk_and_results_are_there_to_be_read(vandal: Project) -> None:
    code = (
        "import json\n"
        "assert not (desk / 'evaluate.py').stat().st_mode & 0o222\n"
        "assert (desk / 'experiment.py').stat().st_mode & 0o200\n"
        "assert json.loads((desk / f'run_{turn - 1}/final_info.json').read_text())\n" + RAISE_SCALE
    )
    assert worked(vandal, code, "--max-runs", "2").outcomes == [(1, 1, "ok"), (2, 1, "ok")]


def test_what_an_agent_used_counts_though_it_reported_no_call(vandal: Project) -> None:
    study = worked(vandal, "pass", "--max-fixes", "2")
    assert (study.history.usage.calls, study.history.usage.tokens, study.history.usage.dollars) == (4, 200, 0.5)
    spent = json.loads(vandal.harness("status", "--json").out)
    assert spent[0]["dollars"] == 0.5


def test_a_budget_in_dollars_holds_for_an_agent_that_reports_no_call(vandal: Project) -> None:
    study = worked(vandal, "pass", "--max-fixes", "9", "--max-dollars", "0.6")
    assert len(study.turns) == 3
    assert "budget of $0.6 is spent" in study.ending.reason


def test_every_turn_is_recorded_with_instruction_text_patch_and_usage(project: Project) -> None:
    study = project.run([scale(2.0), scale(9.0), notes()], "--max-runs", "2", "--max-fixes", "1")
    first, second, last = read(study.paths.turns)
    assert first.instruction == study.prompt(1)
    assert first.text.startswith("I set SCALE to 2.0.")
    assert "-SCALE = 1.0\n+SCALE = 2.0" in first.patch
    assert (second.patch, len(second.problems)) == ("", 1), "SCALE was no longer 1.0"
    assert (last.purpose, "notes.md" in last.patch) == ("finish", True)
    assert [turn.usage.calls for turn in (first, second, last)] == [1, 1, 1]


def test_recorded_turns_make_the_same_study_without_the_agent(project: Project) -> None:
    replies = [
        in_real_runs("raise ValueError('no')"),
        scale(2.0, 7.0),
        scale(2.0),
        "REPLICATE run_1",
        f"{DONE}",
        notes(),
    ]
    first = project.run(replies, "--max-runs", "3", "--attempts", "2")
    options = ("--max-runs", "3", "--attempts", "2", "--agent", "recorded", "--set", f"turns={first.paths.turns}")
    said = project.harness("run", "tiny", "--idea", "Make it better", "--name", "again", *options)
    again = project.study("again")
    assert [(t.status, t.changed) for t in again.turns] == [(t.status, t.changed) for t in first.turns]
    assert again.outcomes == first.outcomes
    assert again.history.edits == first.history.edits, said.err
    assert again.of(ModelCalled) == []
    assert again.history.usage == first.history.usage


def test_a_study_of_any_agent_is_replayed_from_its_turns(vandal: Project) -> None:
    code = RAISE_SCALE
    study = worked(vandal, code, "--max-runs", "2")
    said = vandal.harness("replay", "s")
    assert said.code == 0, said.err
    assert said.out.endswith("0 differences in edits and metrics between s and s-replay\n")
    assert vandal.study("s-replay").history.begun.agent == "recorded"
    assert "differs" not in said.out, "the recorded agent is told to edit as the first one was"
    assert study.history.edits == vandal.study("s-replay").history.edits


@pytest.mark.parametrize("content", ["", "{}\n", "[1]\n", '{"agent": 1}\n', "\x00\n"])
def test_a_file_that_holds_no_turns_is_refused_before_anything_is_written(project: Project, content: str) -> None:
    file = project.root / "turns.jsonl"
    file.write_text(content)
    said = project.harness("run", "tiny", "--name", "s", "--agent", "recorded", "--set", f"turns={file}")
    assert said.code == 2
    assert str(file) in said.err
    assert not (project.root / "runs" / "s").exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("seed", "NAME=VALUE"),
        ("seed=-1", "seed"),
        ("sed=1", "sed: unknown key"),
        ('seed="x"', "seed"),
    ],
)
def test_a_setting_that_an_agent_does_not_take_is_refused(project: Project, change: str, why: str) -> None:
    said = project.harness("run", "tiny", "--agent", "tuner", "--set", change)
    assert (said.code, len(said.err.splitlines())) == (2, 1)
    assert why in said.err


def test_settings_come_from_the_project_and_the_command_line_and_stay_with_the_study(project: Project) -> None:
    (project.root / "harness.toml").write_text("[agent.tuner]\nseed = 4\n")
    assert project.harness("run", "tiny", "--agent", "tuner", "--max-runs", "1", "--name", "s").code == 0
    assert project.study().history.begun.agent_settings == {"seed": 4}
    changed = ("run", "tiny", "--agent", "tuner", "--max-runs", "1", "--name", "t", "--set", "seed=5")
    assert project.harness(*changed).code == 0
    assert project.study("t").history.begun.agent_settings == {"seed": 5}
    assert project.study("t").file("experiment.py") != project.study("s").file("experiment.py")


@pytest.mark.parametrize(
    ("text", "change", "said"),
    [
        ("[agent.tuner]\nsede = 1\n", "seed=3", "harness.toml: [agent.tuner] sede: unknown key"),
        ("[agent.tuner]\nseed = 1\n", "sede=3", "--set sede: unknown key"),
        ("[agent.gone]\nseed = 1\n", "seed=3", "harness.toml: [agent.gone]: no agent named 'gone'"),
        ("", "seed=" + "[" * 5000, "--set seed"),
        ("", "seed=1\nsede=2", "--set seed"),
    ],
)
def test_a_wrong_setting_is_blamed_on_the_place_where_it_stands(
    project: Project, text: str, change: str, said: str
) -> None:
    (project.root / "harness.toml").write_text(text)
    refused = project.harness("run", "tiny", "--agent", "tuner", "--set", change)
    assert refused.code == 2
    assert said in refused.err


def test_a_setting_that_a_journal_cannot_hold_is_refused(vandal: Project, tmp_path: Path) -> None:
    secret = VANDAL.replace("code: str", "code: SecretStr").replace(
        "from harness.agents", "from pydantic import SecretStr\n\nfrom harness.agents", 1
    )
    (tmp_path / "secretive.py").write_text(secret)
    refused = vandal.harness("run", "tiny", "--idea", "Try it now", "--agent", "secretive:Vandal", "--set", "code=x")
    assert (refused.code, "cannot keep as JSON" in refused.err) == (2, True)


def test_a_file_of_turns_with_one_missing_is_refused(project: Project) -> None:
    study = project.run([scale(2.0), notes()], "--max-runs", "1", "--confirm", "0")
    lines = study.paths.turns.read_text().splitlines(keepends=True)
    study.paths.turns.write_text("".join(lines[1:]))
    refused = project.harness("run", "tiny", "--agent", "recorded", "--set", f"turns={study.paths.turns}")
    assert (refused.code, "turn 1 is missing" in refused.err) == (2, True)


def test_a_project_whose_path_has_a_colon_can_be_replayed(vandal: Project, tmp_path: Path) -> None:
    moved = Project(tmp_path / "co:lon")
    vandal.root.rename(moved.root)
    assert worked(moved, RAISE_SCALE, "--max-runs", "1").outcomes == [(1, 1, "ok")]
    assert "0 differences" in moved.harness("replay", "s").out
