"""Every error the harness raises on purpose.

HarnessError                    anything the harness can explain in one line
├── UserError                   the user can fix it: one line, exit 2, nothing written
│   ├── TemplateError           a template folder or its template.toml is wrong
│   ├── IdeaError               an idea file cannot be used
│   ├── EnvironmentFault        the environment that a template asks for cannot be built
│   ├── BaselineError           the stored baseline is missing, stale or belongs to another template
│   ├── UnknownName             no such template, study, run, agent, model or plug-in; lists the known ones
│   └── JournalCorrupt          a journal line other than a torn last one cannot be read
├── StudyPaused                 the study cannot continue now, but `harness resume` can continue it later
│   ├── ModelFailed             the model refused, hung or could not be reached
│   └── WorkerDied              the agent's process ended without an answer
├── MetricsError                final_info.json is missing, malformed or holds a value that is not a number
├── TemplateFault               the template's own evaluator or protected files failed: not the agent's fault
└── WorkspaceError              git refused something the harness needs
"""


class HarnessError(Exception):
    """Root of the tree; `exit_code` is what the command line ends with."""

    exit_code = 1


class UserError(HarnessError):
    """The user can fix it. Printed as one line, without a traceback."""

    exit_code = 2


class TemplateError(UserError):
    """The template's folder or manifest is invalid."""


class EnvironmentFault(UserError):
    """pip or the template's `prepare` failed, or another process is building it."""


class IdeaError(UserError):
    """The idea is invalid or cannot be read."""


class BaselineError(UserError):
    """The stored baseline does not match the current template."""


class UnknownName(UserError):
    """Nothing has this name."""

    def __init__(self, what: str, name: str, known: list[str]) -> None:
        choices = ", ".join(sorted(known)) or "none yet"
        super().__init__(f"no {what} named {name!r}; known: {choices}")


class JournalCorrupt(UserError):
    """A journal line in the middle of the file is unreadable; the file is not modified."""


class StudyPaused(HarnessError):
    """The study stops and can be resumed; nothing is lost."""


class ModelFailed(StudyPaused):
    """A model call failed permanently. It is never treated as an edit."""


class WorkerDied(StudyPaused):
    """The agent's worker process ended or stopped responding before it answered."""


class MetricsError(HarnessError):
    """A run's metrics are invalid; the message names the metric and the problem."""


class TemplateFault(HarnessError):
    """The template's own files failed or have changed. The agent is not blamed; the study stops."""


class WorkspaceError(HarnessError):
    """A git command that the harness relies on failed."""
