"""How often the checks that read code stop working code, and what they still catch: idioms and modules of packages.

    python benchmarks/refused_code.py [--modules 50]

Each module of an installed package is checked as it is and with one planted error. Where a template has a smoke run,
that decides instead of the type check.
"""

from __future__ import annotations

import argparse
import ast
import random
import shutil
import sys
import sysconfig
import tempfile
from collections import Counter
from pathlib import Path

from harness.checks.lint import lint
from harness.checks.types import certain, errors

IDIOMS = Path(__file__).parents[1] / "tests" / "data" / "idioms.txt"
PLANTED = {
    "missing argument": "def planted(a, b):\n    return a + b\n\n\nplanted(1)\n",
    "unknown argument": "def planted(a, b=2):\n    return a + b\n\n\nplanted(1, depth=3)\n",
    "function that a module lacks": "import json as planted\n\nplanted.lodas('1')\n",
    "method that a list lacks": "planted = [1]\nplanted.push(2)\n",
}
MISSPELT = "misspelt name"


def idioms() -> dict[str, str]:
    """Name → source of working code."""
    parts = IDIOMS.read_text(encoding="utf-8").split("### ")[1:]
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}


def modules(most: int) -> list[Path]:
    """Modules of installed packages, none of them long, at most three of a package."""
    site = Path(sysconfig.get_path("purelib"))
    found = [p for p in sorted(site.glob("*/*.py")) if p.name != "__init__.py" and 2_000 < p.stat().st_size < 40_000]
    random.Random(0).shuffle(found)
    taken: Counter[str] = Counter()
    kept = []
    for path in found:
        taken[path.parent.name] += 1
        if taken[path.parent.name] <= 3:
            kept.append(path)
    return kept[:most]


def misspelt(source: str) -> str | None:
    """The source with one letter more in the last name that a function reads; None if there is none."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    names = [
        node
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id.isascii()
    ]
    if not names:
        return None
    last = max(names, key=lambda node: (node.lineno, node.col_offset))
    lines = source.split("\n")
    line = lines[last.lineno - 1].encode()
    end = last.end_col_offset or 0
    lines[last.lineno - 1] = (line[:end] + b"x" + line[end:]).decode()
    return "\n".join(lines)


def stopped(sources: dict[str, str]) -> dict[str, str]:
    """Name → the first finding that would stop it, of sources that are each in a folder of their own."""
    found = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name, source in sources.items():
            (folder / name).mkdir()
            (folder / name / "experiment.py").write_text(source, encoding="utf-8")
        every = errors(sys.executable, folder)
        for name in sources:
            own = [f.model_copy(update={"file": "experiment.py"}) for f in every if f.file == f"{name}/experiment.py"]
            first = [*lint(folder / name), *certain(own, folder / name, sys.executable)]
            if first:
                found[name] = str(first[0])
            shutil.rmtree(folder / name)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modules", type=int, default=50)
    parser.add_argument("--small", action="store_true", help="only check that it runs")
    options = parser.parse_args()
    listed = modules(5 if options.small else options.modules)
    working = {f"module_{at}": path.read_text(encoding="utf-8") for at, path in enumerate(listed)}
    code = list(idioms().values())
    refused = stopped({f"idiom_{at}": source for at, source in enumerate(code)})
    print(f"working idioms stopped: {len(refused)} of {len(code)}")
    for name, why in refused.items():
        print(f"  {list(idioms())[int(name.removeprefix('idiom_'))]}: {why}")
    refused = stopped(working)
    print(f"working modules stopped: {len(refused)} of {len(working)}")
    for name, why in refused.items():
        print(f"  {listed[int(name.removeprefix('module_'))]}: {why}")
    kinds = (*PLANTED, MISSPELT)
    broken, planted = {}, Counter[str]()
    for at, (name, source) in enumerate(working.items()):
        kind = kinds[at % len(kinds)]
        changed = misspelt(source) if kind == MISSPELT else f"{source}\n\n{PLANTED[kind]}"
        if changed is not None:
            broken[name] = changed
            planted[kind] += 1
    caught = Counter(kinds[int(name.removeprefix("module_")) % len(kinds)] for name in stopped(broken))
    print(f"planted errors caught: {caught.total()} of {planted.total()}")
    for kind in kinds:
        print(f"  {kind}: {caught[kind]} of {planted[kind]}")


if __name__ == "__main__":
    main()
