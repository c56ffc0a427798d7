"""A model behind real HTTP: what a refusing, failing or silent endpoint does to a study, and that it can be resumed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from lab import Controller, Endpoint, Project, Said, Study, notes, processes_in, scale, serving, until

GOOD = (scale(2.0), notes())


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving() as started:
        yield started


def start(project: Project, endpoint: Endpoint, *command: str) -> Controller:
    return project.process(*command, "--model-timeout", "1", "--model-retries", "1", **endpoint.environment)


def begin(project: Project, endpoint: Endpoint) -> Controller:
    model = ("--model", "openai/anything")
    return start(project, endpoint, "run", "tiny", "--idea", "nearer", "--name", "s", "--max-runs", "1", *model)


def resume(project: Project, endpoint: Endpoint) -> Controller:
    return start(project, endpoint, "resume", "s")


def assert_paused(study: Study, said: Said, told: str) -> None:
    assert said.code == 1
    assert study.ending.status == "paused"
    assert told in study.ending.reason and "openai/anything" in study.ending.reason
    assert told in said.out and "harness resume s" in said.out
    assert "Traceback" not in said.out + said.err
    assert study.launches == [], "a call that failed is not an edit"


def assert_finished(study: Study, said: Said) -> None:
    assert said.code == 0, said
    assert study.ending.status == "done"
    assert study.outcomes == [(1, 1, "ok")]
    assert study.verdicts == {1: "better"}
    assert len(study.turns) == 2


def test_a_whole_study_over_http(project: Project, endpoint: Endpoint) -> None:
    endpoint.now(*GOOD)
    said = begin(project, endpoint).wait()
    study = project.study()

    assert_finished(study, said)
    assert len(endpoint.asked) == 2, "one call per instruction, and no others"
    assert {key.removeprefix("Bearer ") for key in endpoint.keys} == {endpoint.environment["OPENAI_API_KEY"]}
    assert "Move the guess nearer to the target" in str(endpoint.asked[0]["messages"])
    assert study.prompt(2).strip() in "".join(str(message["content"]) for message in endpoint.asked[1]["messages"])
    assert (study.history.usage.calls, study.history.usage.tokens) == (2, 220)


def test_a_study_is_paused_by_every_lasting_failure_and_resumes_each_time(project: Project, endpoint: Endpoint) -> None:
    """A refused key is not tried again; what may pass is, as often as --model-retries says."""
    failures: dict[str | int, tuple[str, int]] = {
        401: ("AuthenticationError", 1),
        429: ("RateLimitError", 2),
        500: ("InternalServerError", 2),
        "hang": ("Timeout", 2),
    }
    command = begin
    for step, (told, calls) in failures.items():
        endpoint.now(step)
        said = command(project, endpoint).wait()
        assert_paused(project.study(), said, told)
        assert len(endpoint.asked) == calls, step
        command = resume
    endpoint.now(*GOOD)
    said = resume(project, endpoint).wait()

    assert_finished(project.study(), said)
    assert len(endpoint.asked) == 2
    assert str(endpoint.asked[0]["messages"]).count("Move the guess nearer to the target") == 1


def test_a_failure_that_passes_is_tried_again_and_told_to_the_user(project: Project, endpoint: Endpoint) -> None:
    endpoint.now(429, GOOD[0], "hang", GOOD[1])
    said = begin(project, endpoint).wait()

    assert_finished(project.study(), said)
    assert len(endpoint.asked) == 4
    assert said.out.count("model call failed, trying again in 1 s") == 2
    assert project.study().history.calls == 2


def test_dollars_spent_stop_the_study_which_says_so(project: Project, endpoint: Endpoint) -> None:
    endpoint.served_as, endpoint.tokens_in = "gpt-4o-mini-2024-07-18", 400_000  # 0.06 dollars
    study = spending(project, endpoint)

    assert "$0.04" in study.prompt(2), "the agent is told what is left"
    replayed = project.harness("replay", "s")
    assert replayed.code == 0 and "0 differences" in replayed.out, replayed


def test_dollars_count_whatever_the_endpoint_calls_its_model(project: Project, endpoint: Endpoint) -> None:
    """What it costs is what the model that was asked for costs."""
    endpoint.served_as, endpoint.tokens_in = "house-model", 400_000
    spending(project, endpoint)


def spending(project: Project, endpoint: Endpoint) -> Study:
    """A study that spends more than it may with its second call."""
    endpoint.now(scale(1.5), scale(2.0, 1.5), scale(2.5, 2.0))
    options = ("--model", "openai/gpt-4o-mini", "--max-dollars", "0.1")
    said = start(project, endpoint, "run", "tiny", "--idea", "nearer", "--name", "s", *options).wait()
    study = project.study()
    assert said.code == 0, said
    assert 0.12 <= study.history.usage.dollars < 0.13
    assert study.ending.status == "done" and study.ending.reason == "the budget of $0.1 is spent"
    assert study.outcomes == [(1, 1, "ok")]
    return study


def test_an_endpoint_that_fails_in_the_middle_of_a_study_leaves_what_was_measured(
    project: Project, endpoint: Endpoint
) -> None:
    endpoint.now(GOOD[0], 401)
    said = begin(project, endpoint).wait()
    study = project.study()
    assert (said.code, study.ending.status, study.verdicts) == (1, "paused", {1: "better"})
    endpoint.now(GOOD[1])
    again = resume(project, endpoint).wait()

    assert_finished(study, again)
    asked = str(endpoint.asked[0]["messages"])
    assert "Move the guess nearer to the target" in asked and "I set SCALE to 2.0." in asked, "it knows what was said"


def test_a_closed_port_pauses_the_study(project: Project, endpoint: Endpoint) -> None:
    unreachable = {**endpoint.environment, "OPENAI_API_BASE": "http://127.0.0.1:9/v1"}
    model = ("--model", "openai/anything", "--model-retries", "0")
    said = project.process("run", "tiny", "--idea", "nearer", "--name", "s", *model, **unreachable).wait()

    assert_paused(project.study(), said, "Connection")


def test_ctrl_c_while_the_model_is_silent_ends_the_study_at_once(project: Project, endpoint: Endpoint) -> None:
    endpoint.now("hang")
    with begin(project, endpoint) as controller:
        until(lambda: endpoint.asked, "the call")
        since = time.monotonic()
        controller.interrupt()
        said = controller.wait()
    study = project.study()

    assert said.code == 130 and study.ending.status == "interrupted"
    assert time.monotonic() - since < 1.0 + 5.0
    assert study.turns == [] and "Traceback" not in said.out + said.err
    assert processes_in(project.root) == []


def test_a_long_conversation_costs_no_call_of_its_own_and_its_oldest_part_is_left_out(
    project: Project, endpoint: Endpoint
) -> None:
    """gpt-4 has a context of 8,192 tokens; the first reply alone fills more than half of it."""
    endpoint.now("A reply of many words. " * 900 + scale(2.0), scale(2.5, 2.0), notes())
    options = ("--model", "openai/gpt-4", "--max-runs", "2", "--confirm", "0")
    said = start(project, endpoint, "run", "tiny", "--idea", "nearer", "--name", "s", *options).wait()
    study = project.study()

    assert said.code == 0, said
    assert study.ending.status == "done" and study.outcomes == [(1, 1, "ok"), (2, 1, "ok")]
    assert len(endpoint.asked) == study.history.usage.calls == 3
    assert "A reply of many words." not in str(endpoint.asked[1]["messages"])
    replayed = project.harness("replay", "s")
    assert replayed.code == 0 and "0 differences" in replayed.out, replayed


def test_an_error_that_holds_the_key_is_told_without_it(project: Project, endpoint: Endpoint) -> None:
    endpoint.now("echo")
    said = begin(project, endpoint).wait()
    key, study = endpoint.environment["OPENAI_API_KEY"], project.study()

    assert study.ending.status == "paused" and "[redacted]" in study.ending.reason
    assert key not in said.out + said.err + study.paths.journal.read_text()
