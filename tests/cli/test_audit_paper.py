"""harness audit: the paper of a results folder, LaTeX as people and models write it, is checked like the notes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from harness.audit import paper

from .audits import Idea, audited, found, parsed, parsed_without_listing


@pytest.fixture
def idea(tmp_path: Path) -> Idea:
    """Run 1 is inconclusive, run 2 better."""
    idea = Idea(tmp_path / "results" / "idea")
    idea.run(0, {"val_loss": [1.0, 1.02, 0.98], "accuracy": [0.5, 0.52, 0.54]})
    idea.run(1, {"val_loss": [0.9, 1.1, 1.0], "accuracy": [0.5, 0.51, 0.55]}, "x = 1\n")
    idea.run(2, {"val_loss": [0.5, 0.51, 0.52], "accuracy": [0.7, 0.71, 0.75]}, "x = 2\n")
    (idea.root / "latex").mkdir()
    return idea


def write(idea: Idea, *lines: str, name: str = "template.tex") -> None:
    (idea.root / "latex" / name).parent.mkdir(exist_ok=True)
    (idea.root / "latex" / name).write_text("\n".join(lines))


def claims(idea: Idea) -> list[tuple[str, int, str]]:
    (only,) = parsed(idea.root)["ideas"]
    return [(item["file"], item["line"], item["message"]) for item in only["findings"] if item["kind"] == "claim"]


def numbers(idea: Idea, *lines: str) -> list[str]:
    """The numbers that are found wrong in a paper."""
    write(idea, *lines)
    return [message.split(" ")[0] for _, _, message in claims(idea)]


def skipped(idea: Idea) -> list[str]:
    (only,) = parsed(idea.root)["ideas"]
    return list(only["skipped"])


PAPER = r"""\documentclass{article} % the loss was 0.71
\begin{filecontents}{references.bib}
@article{a, title={A validation loss of 0.72}}
\end{filecontents}
\newcommand{\best}[1][x]{The validation loss was 0.73}
\begin{document}
\title{Lower Loss}
\begin{abstract}
The validation loss fell from $1.00 \pm 0.02$
to
\textbf{0.777}, says \citep[see][p.~3]{a}. The validation loss was 0.51.
\end{abstract}
\section{Results}\label{sec:results}
% The validation loss was 0.74.
\begin{equation}
  \text{validation loss} = 0.75
\end{equation}
\begin{table}[h]
\centering
\caption{Results. Lower is better}
\begin{tabular}{l|c@{ }cc}
\toprule
Model & Val Loss $\downarrow$ & \multicolumn{2}{c}{Accuracy} \\ \midrule
Baseline & 1.00 & 0.52 & \\[2pt]
\cmidrule(lr){2-3}
Ours &
\textbf{0.51} $\pm$ 0.01 & $0.81$ & \\
\bottomrule
\end{tabular}
\end{table}
\subsection{Run 1: a \emph{wider} layer}
The validation loss improved.
\subsection{Run 2}
The validation loss improved by 49\,\% to 0.51.
\end{document}
The validation loss was 0.79.
"""


def test_claims_of_the_paper_are_checked_and_told_with_the_lines_of_the_tex_file(idea: Idea) -> None:
    write(idea, PAPER)
    assert claims(idea) == [
        ("latex/template.tex", 9, "0.777 is not a recorded value of val_loss"),
        ("latex/template.tex", 26, "0.81 is not a recorded value of accuracy"),
        ("latex/template.tex", 32, '"improved" is said of run 1, whose verdict for val_loss is inconclusive'),
    ]
    assert "  ! latex/template.tex:9: 0.777 is not a recorded value of val_loss\n" in audited(idea.root).out


def test_notes_and_paper_are_checked_together(idea: Idea) -> None:
    write(idea, "The validation loss was 0.77.")
    idea.file("notes.txt", "The validation loss was 0.66.\n")
    assert [file for file, _, _ in claims(idea)] == ["notes.txt", "latex/template.tex"]
    assert "2 claims in notes and paper are not supported by the numbers" in audited(idea.root).out


@pytest.mark.parametrize(
    "text",
    [
        r"The loss $\,$ was~0.777.",
        r"The {\bf val\_loss} was $0.777$.",
        r"The \texttt{val\_loss} was $\mathbf{0.777}$.",
        r"The loss (\cref{tab:a}) was \(0.777\).",
        r"The loss was \num{0.777}.",
        r"The loss was {\color{red}0.777}\footnote{On all data.}",
        r"The loss was \textcolor{red}{0.777}.",
        "The loss % a comment, and a line\n  was 0.777.",
        "\\paragraph{Loss} The loss was 0.777.",
        "\\begin{itemize}\n\\item[a)] The loss was 0.777.\n\\end{itemize}",
        "\\begin{figure}[t]\n\\caption[short]{The loss was 0.777.}\n\\end{figure}",
        "\\iffalse The loss was 0.7. \\fi The loss was 0.777.",
        "\\begin{comment} \\end{a} The loss was 0.7. \\end{comment} The loss was 0.777.",
        "\\def\\x#1{The loss was 0.7.} The loss was 0.777.",
        "\\verb|a_b {| and a brace.\n\nThe loss was 0.777.",
        "$$ loss = 0.7 $$ \\[ loss = 0.7 \\] The loss was 0.777.",
        "The loss was 0.777, unbalanced } } { $ \\begin{tabular}",
        "\\section{The loss was 0.7} \\ref{a}\nThe loss was 0.777.",
        "\\begin{tabular*}{0.7\\textwidth}[t]{lc} Run & Loss \\\\ 1 & 0.777 \\\\ \\end{tabular*}",
        "\\begin{tabular}{lc} Run & Loss \\\\ \\multirow{2}{*}{1} & 0.777",
    ],
)
def test_latex_is_read_as_the_prose_that_it_prints(idea: Idea, text: str) -> None:
    assert numbers(idea, text) == ["0.777"]


@pytest.mark.parametrize(
    "text",
    [
        r"The loss fell to $5.1 \times 10^{-1}$.",
        r"The loss fell to 5.1$\times$10$^{-1}$.",
        r"The loss was $0.51_{\pm 0.01}$.",
        r"The loss fell by 49\%.",
        r"\citet{a} reach a loss of 0.777.",
        r"The loss was 0.51 \citep{loss0.777}.",
        r"The loss was 0.51. \includegraphics[width=0.777\textwidth]{loss_0.777.png}",
        "The loss was low.\n\nIt is 0.777 of the data.",
        "The loss was low.\n  \t\nIt is 0.777 of the data.",
    ],
)
def test_what_is_right_or_no_claim_is_not_listed(idea: Idea, text: str) -> None:
    assert numbers(idea, text) == []


def test_a_sentence_that_spans_lines_is_told_with_its_first_line_and_comments_do_not_end_it(idea: Idea) -> None:
    write(idea, "One. The validation", "% a comment", "loss was", "0.777. Two.", "", "% more", "The loss was 0.888.")
    assert [line for _, line, _ in claims(idea)] == [1, 7]


# Several files


def test_the_files_that_the_paper_includes_are_read(idea: Idea) -> None:
    write(idea, r"\input{results}", r"\include{parts/more.tex} % \input{comment}", r"\input last")
    write(idea, "", "The loss was 0.71.", name="results.tex")
    write(idea, r"\input{parts/deep}\input{results}", name="parts/more.tex")
    write(idea, "The loss was 0.72.", name="parts/deep.tex")
    write(idea, "The loss was 0.73.", name="last.tex")
    write(idea, "The loss was 0.74.", name="draft.tex")
    assert [(file, line) for file, line, _ in claims(idea)] == [
        ("latex/results.tex", 2),
        ("latex/parts/deep.tex", 1),
        ("latex/last.tex", 1),
    ]
    assert skipped(idea) == ["latex: not part of the paper: draft.tex"]


def test_without_a_template_every_tex_file_is_a_paper(idea: Idea) -> None:
    write(idea, "The loss was 0.71.", name="b.tex")
    write(idea, "The loss was 0.72.", name="a.tex")
    assert [file for file, _, _ in claims(idea)] == ["latex/a.tex", "latex/b.tex"]
    assert skipped(idea) == []


def test_a_folder_without_a_paper_is_said(idea: Idea) -> None:
    assert skipped(idea) == ["latex: contains no .tex file"]
    (idea.root / "latex").rmdir()
    (only,) = parsed(idea.root)["ideas"]
    assert "latex/template.tex: there is no paper whose claims could be checked" in only["missing"]


# Files that are not trusted


@pytest.mark.parametrize("name", ["../notes", "/etc/passwd", "a/../../secret", "~/secret", "|ls", "../../other/secret"])
def test_no_file_outside_the_folder_of_the_paper_is_read(idea: Idea, name: str) -> None:
    for secret in (idea.root / "secret.tex", idea.root / "notes.tex"):
        secret.write_text("The loss was 0.777.")
    write(idea, rf"\input{{{name}}}")
    assert claims(idea) == []
    assert skipped(idea) == [
        f"latex/template.tex: includes {name}, which is not in the folder of the paper, not read",
    ]


def test_links_are_not_followed_anywhere(idea: Idea, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a.tex").write_text("The loss was 0.777.")
    (idea.root / "latex" / "folder").symlink_to(tmp_path / "secret")
    (idea.root / "latex" / "file.tex").symlink_to(tmp_path / "secret" / "a.tex")
    os.mkfifo(idea.root / "latex" / "pipe.tex")
    write(idea, r"\input{folder/a}\input{file}\input{pipe}\input{none}")
    (only,) = parsed_without_listing(idea.root)["ideas"]
    assert only["skipped"] == [
        "latex/folder: a link, not followed",
        "latex/file.tex: a link, not followed",
        "latex/pipe.tex: is not a regular file, skipped",
        "latex/none.tex: No such file or directory",
    ]
    (idea.root / "latex").rename(tmp_path / "moved")
    (idea.root / "latex").symlink_to(tmp_path / "moved")
    (only,) = parsed_without_listing(idea.root)["ideas"]
    assert only["skipped"] == ["latex: is a link or not a folder, skipped"]


def test_bounds_on_files_depth_and_size_are_said(idea: Idea, monkeypatch: pytest.MonkeyPatch) -> None:
    write(idea, r"\input{a}\input{template}")
    write(idea, r"\input{b}", name="a.tex")
    write(idea, r"\input{a}", name="b.tex")
    assert skipped(idea) == []
    monkeypatch.setattr(paper, "DEPTH", 1)
    assert skipped(idea) == ["latex/b.tex: only the first 1 levels of included files were read"]
    monkeypatch.setattr(paper, "FILES", 1)
    assert skipped(idea) == [
        "latex/a.tex: only the first 1 files were read",
        "latex: not part of the paper: b.tex",
    ]
    monkeypatch.setattr(paper, "FILES", 9)
    monkeypatch.setattr(paper, "PAPER_LIMIT", 30)
    assert skipped(idea) == [
        "latex/a.tex: larger than 0 MiB, skipped",
        "latex: not part of the paper: b.tex",
    ]


EVIL = ["{", "}", "$", "\\(", "\\foo[", "\\begin{equation}", "\\begin{tabular}{c}", "\\section{", "\\[", "1", "&\\\\"]


@pytest.mark.parametrize("part", EVIL)
def test_no_text_takes_long_or_ends_the_audit(idea: Idea, part: str) -> None:
    write(idea, "The loss was 0.777.", "", part * ((paper.FILE_LIMIT - 100) // len(part)))
    started = time.monotonic()
    assert ("latex/template.tex", 1, "0.777 is not a recorded value of val_loss") in claims(idea)
    assert time.monotonic() - started < 60


def test_escapes_in_the_paper_do_no_harm(idea: Idea, tmp_path: Path) -> None:
    write(idea, "The loss was 0.777 \x1b[2J<script>\\input{<script>\x1b[2J}", name="x\x1b[2J<script>.tex")
    page = tmp_path / "page.html"
    assert "\x1b" not in audited(idea.root, "--html", str(page)).out
    assert "<script" not in page.read_text()
    assert len(found(idea.root, "claim")) == 1
