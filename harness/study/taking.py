"""What becomes of an agent's turn: all that it changed on its desk is accepted, or nothing of it."""

from __future__ import annotations

import re

from harness.agents.replies import says_done
from harness.checks.scope import check_scope
from harness.files import write_whole
from harness.records import Purpose, Reply
from harness.state.events import TurnEnded, TurnStatus
from harness.study.study import Study
from harness.template.manifest import executed
from harness.text import first_sentence
from harness.workspace import Taken

MOST_REJECTED = 2**20
"""Characters of a rejected edit that are kept."""


def take(study: Study, turn: int, purpose: Purpose, before: str, taken: Taken, reply: Reply) -> TurnEnded:
    """Accept what the agent changed on its desk, unless any of it is not allowed."""
    workspace, after = study.workspace, taken.tree
    changes = workspace.changes(before, after, results=True)
    problems = (*reply.problems, *taken.problems, *map(str, check_scope(changes, study.template, purpose)))
    changed = tuple(change.path for change in changes)
    status = _status(changed, purpose, reply.text)
    replicate = _replicate(study, reply.text) if not changed and purpose != "finish" else None
    if problems:
        status, replicate = "rejected", None
        write_whole(study.paths.rejected(turn), workspace.patch(before, after)[:MOST_REJECTED])
    elif replicate is not None:
        status, after = "replicate", workspace.with_code_of(replicate, before)
    return TurnEnded(
        turn=turn,
        purpose=purpose,
        status=status,
        tree=before if problems else after,
        changed=changed,
        problems=problems,
        left_out=() if problems else reply.left_out,
        said=first_sentence(reply.text),
        replicate_of=replicate,
        usage=reply.usage,
    )


def _status(changed: tuple[str, ...], purpose: Purpose, text: str) -> TurnStatus:
    """What a turn that is accepted comes to. Notes that come with the word for "done" end the runs, code does not."""
    if changed and (purpose == "finish" or any(map(executed, changed)) or not says_done(text)):
        return "edited"
    return "done" if says_done(text) else "nothing"


def _replicate(study: Study, text: str) -> int | None:
    """The run that the agent wants to repeat to see the noise, if it asks for one and it exists."""
    asked = re.search(r"^REPLICATE run_(\d{1,6})\s*$", text, re.MULTILINE)
    run = int(asked[1]) if asked else -1
    return run if run in {r.number for r in study.history.measured} else None
