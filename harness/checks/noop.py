"""Would this launch execute code that was executed before? Then it is not a new experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.records import Finding
from harness.workspace import Workspace

WAYS_ON = "change the experiment, or reply with the one line REPLICATE run_N to repeat run N on fresh seeds"
"""For the agent; people are shown only the first finding."""


@dataclass(frozen=True)
class NoOpCheck:
    """Compares the digest of the executed code with those of every earlier launch."""

    known: Mapping[str, str]
    """Digest → what executed it, such as "run 2"."""

    def check(self, workspace: Workspace) -> tuple[Finding, ...]:
        earlier = self.known.get(workspace.executed_digest())
        if earlier is None:
            return ()
        message = (
            f"the code that would be executed is identical to that of {earlier} (notes, plots, comments and blank "
            "lines do not count), so it was not launched"
        )
        return (Finding(check="no-op", message=message), Finding(check="no-op", message=WAYS_ON))
