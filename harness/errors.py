"""Every error the harness raises on purpose.

HarnessError                    anything the harness can explain in one line
├── UserError                   the person at the keyboard can fix it: one line, exit 2, nothing written
│   ├── TemplateError           a template folder or its template.toml is wrong
│   ├── IdeaError               an idea file cannot be used
│   ├── EnvironmentFault        the environment that a template asks for cannot be built
│   ├── BaselineError           the stored baseline is missing, stale or of another template
│   ├── UnknownName             no such template, study, run, agent, model or plug-in; lists the known ones
│   └── JournalCorrupt          a journal line that is not the torn last one cannot be read
├── StudyPaused                 the study cannot go on now, but `harness resume` can take it up again
│   ├── ModelFailed             the model refused, hung or could not be reached
│   └── WorkerDied              the agent's process ended without an answer
├── MetricsError                final_info.json is missing, malformed or holds a value that is no number
├── TemplateFault               the template's own evaluator or protected files failed: not the agent's doing
└── WorkspaceError              git refused something the harness needs
"""


class HarnessError(Exception):
    """Root of the tree; `exit_code` is what the command line ends with."""

    exit_code = 1


class UserError(HarnessError):
    """The user can fix it. Printed as one line, without a traceback."""

    exit_code = 2


class TemplateError(UserError):
    """The template's folder or manifest is not usable as it stands."""


class EnvironmentFault(UserError):
    """pip or the template's `prepare` failed, or another process is at it."""


class IdeaError(UserError):
    """The idea given cannot be read as one."""


class BaselineError(UserError):
    """The stored baseline does not belong to the template as it is now."""


class UnknownName(UserError):
    """A name that nothing answers to."""

    def __init__(self, what: str, name: str, known: list[str]) -> None:
        choices = ", ".join(sorted(known)) or "none yet"
        super().__init__(f"no {what} named {name!r}; known: {choices}")


class JournalCorrupt(UserError):
    """A journal line in the middle of the file is unreadable; the file is left as it was found."""


class StudyPaused(HarnessError):
    """The study stops here and can be resumed; nothing of it is lost."""


class ModelFailed(StudyPaused):
    """A model call failed for good. It is never taken for an edit."""


class WorkerDied(StudyPaused):
    """The agent's worker process ended or went silent before it answered."""


class MetricsError(HarnessError):
    """A run's metrics cannot be believed; the message names the metric and what is wrong with it."""


class TemplateFault(HarnessError):
    """The evaluator that the template ships failed. The agent is not blamed; the study stops."""


class WorkspaceError(HarnessError):
    """A git command that the harness relies on failed."""
