"""harness show: the story of one study."""

from __future__ import annotations

from harness.cli.app import app, print_json, print_line, project
from harness.cli.options import Json, StudyName


@app.command()
def show(study: StudyName, as_json: Json = False) -> None:
    """Show what happened in a study, event by event."""
    from harness.state.journal import history, read

    paths = project().study(study)
    state = history(paths)
    events = read(paths.journal)
    if as_json:
        print_json([event.model_dump(mode="json") for event in events])
        return
    from harness.cli.formatting import print_warnings, style_of
    from harness.report.comparison import disagreements, elsewhere
    from harness.report.facts import facts, unsupported_claims
    from harness.report.story import tell
    from harness.text import plain, when

    for line in tell(events):
        print_line((when(line.at), "dim"), (line.text, style_of(line)))
    print_line()
    for key, value in facts(paths, state).items():
        print_line(f"{key + ':':10}{plain(value, 1000)}")
    print_warnings(elsewhere(state), "yellow")
    print_warnings(disagreements(state), "bold red")
    print_warnings([f"not supported by the results: {claim}" for claim in unsupported_claims(paths, state)], "yellow")
