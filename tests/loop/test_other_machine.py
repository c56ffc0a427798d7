"""A baseline from another kind of machine: told, measured here once, and never taken for exact.

Another machine is another code path of the same library here: OpenBLAS is made to multiply as on an old processor.
"""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

import pytest
from lab import DATA, Controller, Project, Study, edit, until

from harness.execution import lock
from harness.state.events import AttemptEnded, StudyStarted
from harness.state.verdicts import judge
from harness.template.baseline import Baseline

OTHER = {"OPENBLAS_CORETYPE": "Prescott"}
DIFFERENCE = "OPENBLAS_CORETYPE Prescott, not unset"
TOLD = "the stored one of kernels comes from another kind of machine"
SHIFTS = 'SHIFTS = {{"left": {}, "right": 0.0}}'
LEFT = "Only the left one.\n\n" + edit("experiment.py", SHIFTS.format(0.0), SHIFTS.format(-0.5))
FAILS_ELSEWHERE = """\
def main() -> None:
    if "OPENBLAS_CORETYPE" in os.environ:
        raise OSError("no such kernel")
"""
IDEA = "Shift the left loss and leave the right one alone"


@pytest.fixture
def kernels(project: Project) -> Project:
    """A project with the template `kernels`, whose baseline was stored on this machine as it is."""
    shutil.copytree(DATA / "kernels", project.root / "templates" / "kernels")
    said = project.harness("baseline", "kernels")
    assert said.code == 0, said.err
    return project


def order(project: Project, name: str, *options: str) -> list[str]:
    recording = project.recording([LEFT, "ALL_COMPLETED"], name)
    budget = ("--max-runs", "1", "--confirm", "0")
    return ["run", "kernels", "--idea", IDEA, "--name", name, "--model", recording, *budget, *options]


def worked(project: Project, name: str, *options: str) -> Study:
    return project.study(name, project.harness(*order(project, name, *options)))


def verdicts(study: Study) -> dict[str, str]:
    return {dataset: word for dataset, (word, _) in judge(study.history)[1].items()}


def kept(project: Project) -> list[Path]:
    return sorted((project.root / "runs" / "baselines").glob("*/kernels/baseline.json"))


def test_on_the_machine_of_the_stored_baseline_nothing_is_measured_again(kernels: Project) -> None:
    study = worked(kernels, "s")
    assert "baseline" not in study.said.err
    assert kept(kernels) == []
    assert verdicts(study) == {"left": "promising, unconfirmed", "right": "unchanged"}


def test_on_another_machine_the_baseline_is_measured_once_and_unchanged_is_right(
    kernels: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = Baseline.model_validate_json((kernels.root / "baselines/kernels/baseline.json").read_bytes())
    for name, value in OTHER.items():
        monkeypatch.setenv(name, value)

    first = worked(kernels, "first")
    assert TOLD in first.said.err and DIFFERENCE in first.said.err and "--baseline stored" in first.said.err
    assert "once (it took " in first.said.err, "how long it will take"
    (path,) = kept(kernels)
    here = Baseline.model_validate_json(path.read_bytes())
    assert here.machine is not None and here.machine.settings == OTHER
    assert here.fingerprint == stored.fingerprint
    if platform.machine() == "x86_64":
        assert here.scores != stored.scores, "the other code path adds in another order"
    begun = first.of(StudyStarted)[0]
    assert (begun.baseline, begun.baseline_machine) == (here.scores, here.machine)
    assert [e.machine for e in first.of(AttemptEnded)] == [here.machine]
    assert verdicts(first) == {"left": "promising, unconfirmed", "right": "unchanged"}

    second = worked(kernels, "second")
    assert TOLD not in second.said.err and "as measured on this machine" in second.said.err
    assert kept(kernels) == [path]
    assert Baseline.model_validate_json(path.read_bytes()) == here, "the second study reuses it"
    assert second.of(StudyStarted)[0].baseline == here.scores
    assert verdicts(second)["right"] == "unchanged"


def test_with_the_stored_baseline_nothing_is_called_unchanged(
    kernels: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*next(iter(OTHER.items())))
    study = worked(kernels, "s", "--baseline", "stored")
    assert kept(kernels) == []
    assert DIFFERENCE in study.said.out and "no result of this machine is called unchanged" in study.said.out
    assert verdicts(study) == {"left": "promising, unconfirmed", "right": "inconclusive"}
    compared = kernels.harness("compare", "s").out
    assert f"run 1: measured on a different kind of machine than the baseline ({DIFFERENCE})" in compared
    assert f"({DIFFERENCE})" in kernels.harness("show", "s").out


def test_values_without_spread_are_not_compared_exactly_across_machines(
    kernels: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = kernels.root / "templates" / "kernels" / "experiment.py"
    script.write_text(script.read_text().replace("[seed, len(name)]", "[7, len(name)]"))
    assert kernels.harness("baseline", "kernels", "--refresh").code == 0
    assert verdicts(worked(kernels, "same")) == {"left": "promising, unconfirmed", "right": "inconclusive"}
    monkeypatch.setenv(*next(iter(OTHER.items())))
    assert verdicts(worked(kernels, "other", "--baseline", "stored")) == dict.fromkeys(("left", "right"), "cannot tell")


def test_a_study_that_is_confirmed_elsewhere_says_so(kernels: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    study = worked(kernels, "s")
    monkeypatch.setenv(*next(iter(OTHER.items())))
    said = kernels.harness("confirm", "s", "1")
    assert said.code == 0, said.err
    assert DIFFERENCE in said.out
    compared = kernels.harness("compare", "s").out
    assert "run 1 on fresh seeds: measured on a different kind of machine" in compared
    assert "run 1: measured" not in compared and "run 1," not in compared
    assert verdicts(study)["right"] == "unchanged", "that was measured at home"


def test_a_study_that_is_resumed_elsewhere_says_so(kernels: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = order(kernels, "s")
    kernels.recording(["I think first."], "s")
    assert kernels.study("s", kernels.harness(*arguments)).ending.status == "paused", "the recording is at its end"
    kernels.recording(["I think first.", LEFT, "ALL_COMPLETED"], "s")
    monkeypatch.setenv(*next(iter(OTHER.items())))
    study = kernels.resume(name="s")
    assert study.ending.status == "done"
    assert DIFFERENCE in study.said.out
    assert study.of(AttemptEnded)[0].machine != study.of(StudyStarted)[0].baseline_machine
    assert verdicts(study)["right"] == "inconclusive"


def test_a_template_that_fails_here_stops_the_study_before_it_began(
    kernels: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = kernels.root / "templates" / "kernels" / "experiment.py"
    script.write_text(script.read_text().replace("def main() -> None:\n", FAILS_ELSEWHERE))
    assert kernels.harness("baseline", "kernels", "--refresh").code == 0
    monkeypatch.setenv(*next(iter(OTHER.items())))
    study = worked(kernels, "s")
    assert study.said.code == 2
    assert "no such kernel" in study.said.err and "the unmodified kernels crashed" in study.said.err
    assert not study.paths.root.exists()
    assert kept(kernels) == []


def test_a_mistake_is_refused_before_anything_is_measured(kernels: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(*next(iter(OTHER.items())))
    study = worked(kernels, "a b")
    assert study.said.code == 2 and "a study's name is" in study.said.err
    assert kept(kernels) == [] and TOLD not in study.said.err


def test_two_commands_at_once_measure_it_once(kernels: Project) -> None:
    machine = kernels.root / "runs" / "baselines"
    first = kernels.process(*order(kernels, "one"), **OTHER)
    with first:
        until(lambda: [p for p in machine.glob("*/kernels.lock") if lock.holder(p)], "the first one measures")
        with kernels.process(*order(kernels, "two"), **OTHER) as second:
            told = [_told(first), _told(second)]
    assert sum(TOLD in err for err in told) == 1
    assert len(kept(kernels)) == 1


def _told(controller: Controller) -> str:
    said = controller.wait()
    assert said.code == 0, said.err
    return said.err
