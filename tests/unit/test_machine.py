"""What machine a job runs on: enough of it to tell whether equal code must give equal values."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from harness.execution import machine, process
from harness.execution.executors.local import LocalExecutor
from harness.execution.jobs import Jobs
from harness.execution.launcher import Launcher
from harness.records import Machine
from harness.state.events import StudyStarted
from harness.template.folder import Template

HERE = Machine(system="Linux x86_64", processor="A, AVX-512", threads=2, packages={"python": "3.11", "torch": "2.13.0"})


def here(template: Template) -> Machine:
    found = Launcher(Jobs(template, Path(), ""), LocalExecutor()).machine
    assert found is not None
    return found


def test_a_job_finds_this_machine_with_the_packages_of_its_python(template: Template) -> None:
    found = here(template)
    assert found == here(template)
    assert found.system == f"{platform.system()} {platform.machine()}"
    assert found.processor and found.threads >= 1
    assert found.packages["python"] == ".".join(map(str, sys.version_info[:2]))
    assert {"torch", "numpy"} <= set(found.packages)


def test_the_packages_are_those_of_another_interpreter_where_a_template_has_one() -> None:
    assert machine.packages(sys.executable) == machine.packages("")
    assert machine.packages("/nowhere/python") == {}


@pytest.mark.parametrize("name", ["ATEN_CPU_CAPABILITY", "MKL_CBWR", "OPENBLAS_CORETYPE"])
def test_a_variable_that_chooses_kernels_reaches_the_job_and_makes_it_another_machine(
    template: Template, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = here(template)
    monkeypatch.setenv(name, "other")
    assert process.clean_variables()[name] == "other"
    after = here(template)
    assert after.settings == {name: "other"}
    assert after.differences(before) == [f"{name} other, not unset"]


@pytest.mark.parametrize(("wanted", "threads"), [("1", "1"), ("1,4", "1"), ("100000", None), ("0", None), ("x", None)])
def test_a_user_may_ask_for_fewer_threads_but_not_for_more_than_there_are_processors(
    monkeypatch: pytest.MonkeyPatch, wanted: str, threads: str | None
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    most = process.thread_limits()["OMP_NUM_THREADS"]
    monkeypatch.setenv("OMP_NUM_THREADS", wanted)
    assert process.thread_limits()["OMP_NUM_THREADS"] == (threads or most)


def test_every_part_of_a_machine_makes_it_another_one_and_is_named() -> None:
    others = {
        "system": "Linux aarch64",
        "processor": "A, AVX2",
        "threads": 8,
        "gpus": ("NVIDIA H100",),
        "settings": {"MKL_CBWR": "AVX2"},
        "packages": {"python": "3.11", "torch": "2.14.1"},
    }
    assert set(others) == set(Machine.model_fields)
    digests = {HERE.digest}
    for field, value in others.items():
        other = HERE.model_copy(update={field: value})
        assert len(other.differences(HERE)) == 1
        digests.add(other.digest)
    assert len(digests) == len(others) + 1
    newer = HERE.model_copy(update={"packages": {"python": "3.11", "torch": "2.14.1"}})
    assert newer.differences(HERE) == ["torch 2.14.1, not 2.13.0"]
    assert HERE.differences(HERE) == []


def test_a_machine_is_named_in_one_line() -> None:
    assert str(HERE) == "Linux x86_64, A, AVX-512; 2 threads, python 3.11, torch 2.13.0"


def test_the_machine_of_an_old_journal_which_was_only_a_name_is_not_known() -> None:
    (field,) = (f for name, f in StudyStarted.model_fields.items() if name == "baseline_machine")
    assert field.is_required()
    from pydantic import TypeAdapter

    known = TypeAdapter(field.rebuild_annotation())
    assert known.validate_python("Linux x86_64, 2 × AMD EPYC") is None
    assert known.validate_python(HERE.model_dump()) == HERE
