"""From what was found in an idea's folder to what may be said of it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from harness.audit import chat as chats
from harness.audit import claimed
from harness.audit.naming import Wanted
from harness.audit.records import IdeaReport, Item, Judgement, Material, RunReport, Source, listing
from harness.audit.sameness import Code, code_of, replicates, said_of_code
from harness.audit.verdicts import judgements_of, primary_of
from harness.claims import Known, unsupported

FAILURES = 500
"""Failed launches that are listed at most."""
FINGERPRINTS = 8
"""Numbers of a run that are looked for in the chat."""


def judge(material: Material, wanted: Wanted) -> IdeaReport:
    """Everything that can be said of one idea."""
    told = chats.events(material.chat or "")
    measured = {run.number: run for run in material.runs if run.measured}
    primary, goal, chosen = primary_of(measured, wanted)
    code = code_of(measured, told, material.chat is not None)
    judgements = judgements_of(measured, primary, goal, code.repeated) if primary else {}
    same = replicates(measured, code, wanted)
    seen = _seen(measured, material.chat, told)
    errors, wrong = claimed.check(measured)
    return IdeaReport(
        name=material.name,
        folder=material.folder,
        primary=primary,
        goal=goal,
        chosen=chosen,
        runs=tuple(_run_report(run, code, seen, judgements) for run in material.runs),
        failures_known=material.chat is not None or material.log is not None,
        replicates=tuple(same),
        standard_errors=errors,
        findings=(
            *said_of_code(same, code, primary),
            *_unseen(seen),
            *_failed(material, told),
            *_without_result(material),
            *wrong,
            *_claims(material, measured, judgements, primary, wanted),
        ),
        missing=material.missing,
        skipped=material.skipped,
    )


def _run_report(
    run: Source, code: Code, seen: Mapping[int, bool | None], judgements: Mapping[int, list[Judgement]]
) -> RunReport:
    first = code.first.get(run.number, run.number)
    return RunReport(
        number=run.number,
        status="measured" if run.measured else "no result",
        same_code_as=first if first != run.number else None,
        snapshot=run.code is not None,
        seen=seen.get(run.number),
        judgements=tuple(judgements.get(run.number, ())),
    )


# What the agent was told, and what failed


def _seen(measured: Mapping[int, Source], chat: str | None, told: list[chats.ChatEvent]) -> dict[int, bool | None]:
    """run → whether its result is in the chat: by the prompt that announces it, or by a number that only it has."""
    if chat is None:
        return {run: None for run in measured if run}
    announced = {event.run for event in told if event.kind == "completed"}
    prints = {number: _fingerprints(run) for number, run in measured.items()}
    owners = Counter(text for texts in prints.values() for text in texts)
    return {
        run: run in announced or any(text in chat for text in [t for t in prints[run] if owners[t] == 1][:FINGERPRINTS])
        for run in measured
        if run
    }


def _fingerprints(run: Source) -> list[str]:
    """A run's means as Python prints them, those with digits enough to know them by."""
    means = [metric.mean for each in run.results.values() for metric in each.values() if metric.mean is not None]
    return sorted({repr(value) for value in means if sum(c.isdigit() for c in repr(value)) >= 7})


def _unseen(seen: Mapping[int, bool | None]) -> list[Item]:
    return [
        Item(kind="unseen", run=run, message=f"the agent was never told the result of run {run}")
        for run, known in seen.items()
        if known is False
    ]


def _failed(material: Material, told: list[chats.ChatEvent]) -> Iterator[Item]:
    found, where = chats.failures(told, material.log or "")
    file = material.chat_file if where == "chat" else "log.txt"
    for failure in found[:FAILURES]:
        launch = f"a launch for run {failure.run} failed" if failure.run is not None else "a launch failed"
        message = f"{launch}: {failure.error}"
        yield Item(kind="failed launch", run=failure.run, file=file, line=failure.line, message=message)


def _without_result(material: Material) -> Iterator[Item]:
    """Runs that were launched, or should have been, and gave no result that can be read."""
    for run in material.runs:
        if run.measured or not run.number:
            continue
        if any("final_info.json" in problem or "not followed" in problem for problem in run.problems):
            text = f"run {run.number} has no result that can be read"
        elif run.code is not None:
            text = f"run {run.number} was launched (run_{run.number}.py is there) and gave no result"
        else:
            text = f"run {run.number} has no final_info.json"
        yield Item(kind="no result", run=run.number, message=text)
    there = {run.number for run in material.runs}
    gaps = [str(number) for number in range(1, max(there)) if number not in there]
    if gaps:
        shown = listing([*gaps[:10], *([f"{len(gaps) - 10} more"] if len(gaps) > 10 else [])])
        text = f"run{'s' if len(gaps) > 1 else ''} {shown} between the others: nothing is left"
        yield Item(kind="no result", message=text)


# The notes


def _claims(
    material: Material,
    measured: Mapping[int, Source],
    judgements: Mapping[int, list[Judgement]],
    primary: str | None,
    wanted: Wanted,
) -> list[Item]:
    if material.notes is None or not measured:
        return []
    known = _known(measured, judgements, primary, wanted)
    return [
        Item(kind="claim", file="notes.txt", line=finding.line, message=finding.message)
        for finding in unsupported(material.notes, known)
    ]


def _known(
    measured: Mapping[int, Source], judgements: Mapping[int, list[Judgement]], primary: str | None, wanted: Wanted
) -> Known:
    """What was recorded, claimed means and standard errors too: that these are wrong is said elsewhere."""
    metrics = [(name, m) for run in measured.values() for each in run.results.values() for name, m in each.items()]
    others: dict[str, set[float]] = {name: set() for name, _ in metrics}
    for name, metric in metrics:
        others[name].update(value for value in (metric.mean, metric.stderr) if value is not None)
    return Known(
        scores={
            number: {d: {name: m.values for name, m in each.items()} for d, each in run.results.items()}
            for number, run in measured.items()
        },
        verdicts={run: {j.dataset: j.said for j in each} for run, each in judgements.items() if run},
        primary=primary or "",
        goals={name: goal for name in others if (goal := wanted.goal(name)) is not None},
        others={name: frozenset(values) for name, values in others.items()},
    )
