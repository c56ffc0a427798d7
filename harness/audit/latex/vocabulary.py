"""What the commands and environments of LaTeX are to a reader of plain prose. Data only."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def _each(names: str, value: T) -> dict[str, T]:
    return dict.fromkeys(names.split(), value)


HIDDEN = {
    **_each("cite citep citealp citeyear parencite autocite nocite footcite label tag url href", 1),
    **_each("ref eqref autoref cref Cref pageref hyperref input include subfile bibliography", 1),
    **_each("bibliographystyle includegraphics graphicspath captionsetup usepackage documentclass", 1),
    **_each("pagestyle thispagestyle thanks date color textcolor colorbox rowcolor cellcolor", 1),
    **_each("columncolor vspace hspace phantom scalebox rotatebox parbox cmidrule cline", 1),
    **_each("multirow resizebox setlength addtolength setcounter addtocounter fontsize newtheorem", 2),
    **_each("newcommand renewcommand providecommand DeclareMathOperator", 2),
    "definecolor": 3,
}
"""command → how many of its first arguments are not printed as text; any other argument of any command is."""

SPOKEN = dict.fromkeys(("citet", "textcite", "citeauthor"), "Authors et al.")
"""Commands of one argument that are words of the sentence."""

_SYMBOLS = """
    pm=± textpm=± times=× cdot=· approx=≈ simeq=≈ sim=~ to=→ rightarrow=→ uparrow=↑ downarrow=↓ neq=≠ ne=≠ infty=∞ leq=≤
    le=≤ geq=≥ ge=≥ lt=< ll=< gt=> gg=> ldots=… dots=… cdots=… textasciitilde=~ textpercent=% textendash=– textemdash=—
    alpha=α beta=β gamma=γ delta=δ epsilon=ε varepsilon=ε eta=η theta=θ kappa=κ lambda=λ mu=μ pi=π rho=ρ sigma=σ tau=τ
    phi=φ psi=ψ omega=ω chi=χ Delta=Δ Sigma=Σ Omega=Ω ell=ℓ
"""
SYMBOLS = {
    **_each("quad qquad newline linebreak mid textbar", " "),
    **dict(pair.split("=") for pair in _SYMBOLS.split()),
}
"""command → what it prints."""

CHARACTERS = {**{c: c for c in "%&#$_{}"}, **dict.fromkeys(",;: \n\t", " ")}
"""c → what `\\c` prints; accents, for example, print nothing."""

HEADINGS = {"part": "# ", "chapter": "# ", "section": "# ", "subsection": "## ", "subsubsection": "### "}
RUN_IN = {"paragraph", "subparagraph"}
"""Headings that begin a paragraph."""
ALONE = {"caption", "captionof", "title"}
"""Commands whose argument is a paragraph by itself."""

TABLES = {"tabular": 1, "tabular*": 2, "tabularx": 2, "tabulary": 2, "longtable": 1, "tabu": 1, "array": 1}
"""Environments with rows and cells → how many arguments they have."""
ARGUMENTS = {
    **_each("minipage subfigure subtable multicols adjustbox spacing", 1),
    **_each("wrapfigure wraptable", 2),
}
"""Other environments with arguments that are not text."""
NO_PROSE = _each(
    "equation align gather multline eqnarray displaymath math flalign alignat tikzpicture pgfpicture picture verbatim "
    "Verbatim lstlisting minted algorithm algorithmic algorithm2e comment filecontents thebibliography CCSXML",
    None,
)
"""Environments, with or without a star, that are left out: formulas, drawings, code and lists of references."""
