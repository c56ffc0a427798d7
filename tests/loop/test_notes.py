"""Claims in a study's notes are checked against its results; nothing is rewritten."""

from __future__ import annotations

import json

from lab import Project, notes, scale

FALSE = "Run 1 improved the loss to 0.1234.\nRun 2 was worse."


def test_a_claim_that_no_result_supports_is_listed_with_its_line(project: Project) -> None:
    study = project.run([scale(2.0), notes(FALSE)], "--max-runs", "1", "--confirm", "0")

    out = project.harness("show", "s").out
    line = next(
        n for n, text in enumerate((study.paths.root / "notes.md").read_text().split("\n"), 1) if "0.1234" in text
    )
    assert f"not supported by the results: notes.md:{line}: " in out and "0.1234" in out
    listed = json.loads(project.harness("compare", "s", "--json").out)[0]["unsupported_claims"]
    assert any("improved" in claim for claim in listed), "unconfirmed is not improved"
    assert FALSE.split("\n")[0] in study.git("show", "s:notes.md")


def test_a_claim_that_the_results_support_is_not(project: Project) -> None:
    first = project.run([scale(2.0), notes("nothing")], "--max-runs", "1", name="first")
    [seen] = [c for c in first.history.runs[1].comparisons if c.primary]
    confirmed = first.history.runs[1].confirmed
    assert confirmed is not None
    fresh = confirmed.comparisons[0]
    text = (
        f"Run 1 improved the loss from {seen.baseline_mean:.4g} to {seen.mean:.3f} (p = {seen.p:.2g}),\n"
        f"and to {fresh.mean:.3f} on fresh seeds."
    )
    project.run([scale(2.0), notes(text)], "--max-runs", "1")

    assert json.loads(project.harness("compare", "s", "--json").out)[0]["unsupported_claims"] == []


def test_a_value_on_fresh_seeds_is_supported_also_of_what_is_no_metric_of_the_template(project: Project) -> None:
    distances = '    values["distance"] = [abs(g - 3) for g in guesses]\n'
    means = "    means = {name: sum(each) / len(each) for name, each in values.items()}"
    project.change_template("experiment.py", means, distances + means)
    first = project.run([scale(2.0), notes("nothing")], "--max-runs", "1", name="first")
    confirmed = first.history.runs[1].confirmed
    assert confirmed is not None
    fresh = confirmed.scores["numbers"]["distance"]
    text = f"On fresh seeds, run 1 has a distance of {sum(fresh) / len(fresh):.5f}."
    project.run([scale(2.0), notes(text)], "--max-runs", "1")

    assert json.loads(project.harness("compare", "s", "--json").out)[0]["unsupported_claims"] == []
