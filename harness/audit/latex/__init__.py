"""LaTeX as plain prose, each line with its number in the file. Pure.

The result has one sentence, heading (`# …`), item of a list (`- …`) or row of a table (`| … | … |`) a line, and an
empty line between paragraphs. Left out are comments, the preamble, formulas on lines of their own, code, citations, and
the list of references. Inline formulas are spelled out: `$0.42 \\pm 0.01$` is "0.42 ± 0.01", `$3 \\times 10^{-4}$` is
"3e-4". Commands that the file defines are not expanded.

The tokens are read once, in order, without recursion: no file takes long, and no nesting is too deep. What TeX would
reject is read as far as it makes sense.
"""

from __future__ import annotations

from harness.audit.latex.lines import Line
from harness.audit.latex.reader import Reader
from harness.audit.latex.tokens import document, inputs, tokens_of


def prose(source: str) -> list[Line]:
    """The prose of a LaTeX file, without the files that it includes."""
    return Reader(document(tokens_of(source))).lines()


__all__ = ["Line", "inputs", "prose"]
