"""From the content of an idea's folder to its report. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from harness.audit import standard_errors, transcript
from harness.audit.claims import claims_of
from harness.audit.duplicates import Code, code_of, describe_code, replicates
from harness.audit.metric_names import Wanted
from harness.audit.records import IdeaReport, Item, Judgement, Material, RunReport, Source, Text
from harness.audit.verdicts import judgements_of, primary_of
from harness.audit.words import listing
from harness.claims.check import Known
from harness.claims.recorded import collect

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?")


def judge(material: Material, wanted: Wanted) -> IdeaReport:
    """The report on one idea."""
    chat = transcript.read_chats(material.chats, material.chats_whole) if material.chats else None
    log = transcript.read_log(material.log) if material.log else transcript.Story()
    measured = {run.number: run for run in material.runs if run.measured}
    primary, goal, chosen = primary_of(measured, wanted)
    code = code_of(measured, chat)
    judgements = judgements_of(measured, primary, goal, code.repeated) if primary else {}
    same = replicates(measured, code, wanted)
    seen = _seen(measured, material.chats, chat)
    errors, wrong = standard_errors.check(measured)
    claims, unread = claims_of(material.notes, material.paper, _known(measured, judgements, primary, wanted))
    return IdeaReport(
        name=material.name,
        folder=material.folder,
        primary=primary,
        goal=goal,
        chosen=chosen,
        runs=tuple(_run_report(run, code, seen, judgements) for run in material.runs),
        failures_known=chat is not None or material.log is not None,
        replicates=tuple(same),
        standard_errors=errors,
        findings=(
            *describe_code(same, code, primary),
            *_unseen(seen),
            *_failed(chat, log),
            *_without_result(material),
            *wrong,
            *claims,
        ),
        missing=material.missing,
        skipped=(*material.skipped, *(chat.cut("*_aider.txt") if chat else ()), *log.cut("log.txt"), *unread),
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


# What the agent saw, and what failed


def _seen(
    measured: Mapping[int, Source], texts: Sequence[Text], chat: transcript.Story | None
) -> dict[int, bool | None]:
    """run → whether its result is in the chat: in the prompt that reports it, or as a number that only this run has."""
    if chat is None:
        return {run: None for run in measured if run}
    there = {event.run for event in chat.events if event.kind == "completed"} | _shown(measured, texts)
    return {run: True if run in there else False if chat.whole else None for run in measured if run}


def _shown(measured: Mapping[int, Source], texts: Sequence[Text]) -> set[int]:
    """Runs with a number of their own that occurs in the chat."""
    prints = {number: _fingerprints(run) for number, run in measured.items()}
    owners = Counter(text for of_run in prints.values() for text in of_run)
    owner = {text: number for number, of_run in prints.items() for text in of_run if owners[text] == 1}
    return {owner[match[0]] for text in texts for match in _NUMBER.finditer(text.content) if match[0] in owner}


def _fingerprints(run: Source) -> set[str]:
    """A run's means as Python prints them, without sign; only those with enough digits to be recognized."""
    means = [metric.mean for each in run.results.values() for metric in each.values() if metric.mean is not None]
    return {text for text in (repr(abs(value)) for value in means) if sum(c.isdigit() for c in text) >= 7}


def _unseen(seen: Mapping[int, bool | None]) -> list[Item]:
    return [
        Item(kind="unseen", run=run, message=f"the agent never saw the result of run {run}")
        for run, known in seen.items()
        if known is False
    ]


def _failed(chat: transcript.Story | None, log: transcript.Story) -> Iterator[Item]:
    for event in transcript.failures(chat, log):
        launch = f"a launch for run {event.run} failed" if event.run is not None else "a launch failed"
        message = f"{launch}: {event.text}"
        yield Item(kind="failed launch", run=event.run, file=event.file, line=event.line, message=message)


def _without_result(material: Material) -> Iterator[Item]:
    """Runs that were launched, or should have been, and have no readable result."""
    for run in material.runs:
        if run.measured or not run.number:
            continue
        if run.unreadable:
            text = f"run {run.number} has no readable result"
        elif run.code is not None:
            text = f"run {run.number} was launched (run_{run.number}.py is there) and gave no result"
        else:
            text = f"run {run.number} has no final_info.json"
        yield Item(kind="no result", run=run.number, message=text)
    there = {run.number for run in material.runs}
    gaps = [str(number) for number in range(1, max(there)) if number not in there]
    if gaps:
        text = f"run{'s' if len(gaps) > 1 else ''} {listing(gaps, 10)} between the others: no files left"
        yield Item(kind="no result", message=text)


# What was recorded


def _known(
    measured: Mapping[int, Source], judgements: Mapping[int, list[Judgement]], primary: str | None, wanted: Wanted
) -> Known:
    """What was recorded, including claimed means and standard errors; if these are wrong, other findings say so."""
    claimed = {
        number: collect(
            (name, value)
            for each in run.results.values()
            for name, metric in each.items()
            for value in (metric.mean, metric.stderr)
        )
        for number, run in measured.items()
    }
    return Known(
        scores={
            number: {d: {name: m.values for name, m in each.items()} for d, each in run.results.items()}
            for number, run in measured.items()
        },
        verdicts={run: {j.dataset: j.said for j in each} for run, each in judgements.items() if run},
        primary=primary or "",
        goals={name: goal for of_run in claimed.values() for name in of_run if (goal := wanted.goal(name)) is not None},
        of_runs=claimed,
    )
