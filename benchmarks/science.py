"""The speed of the templates' code compared with common code: `python benchmarks/science.py [--only NAME …] [--small]`.

Each side of a comparison runs in its own process (cases/ours.py; cases/loops.py for loops as in published code;
cases/peers.py for sae-lens), and the two take turns. Times are CPU seconds of one thread, which a busy machine disturbs
less than wall time; each is a median over the turns. Memory is what set-up and one repetition add at the peak. Next to
every ratio, the table says whether both sides drew from the same distribution (cases/checks.py).

The newest sae-lens is installed into .benchmarks/peers, with the torch that runs here; `--peers PYTHON` names an
interpreter that already has it. If it is not available, its rows are skipped. Exit status 1: something was too slow or
the distributions differed. With --small, every side does little work, once; nothing is installed or called too slow.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
CASES = Path(__file__).parent / "cases"
TEMPLATES = ROOT / "templates"
ENVIRONMENT = ROOT / ".benchmarks" / "peers"
TOY_TREE = TEMPLATES / "sae_hierarchy" / "trees" / "matryoshka_toy.json"

TURNS = 9
CPU_SECONDS = 0.1
"""Minimum duration of a turn; fast cases are repeated until then."""


@dataclass(frozen=True)
class Contender:
    """One of our implementations."""

    what: str
    at_least: float
    """How many times faster it must be."""
    case: dict[str, Any] = field(default_factory=dict)
    """Arguments of the case in ours.py, in addition to those of both sides."""


@dataclass(frozen=True)
class Comparison:
    """One job done by the other side and by one or more contenders."""

    group: str
    case: str
    """Name in ours.py and in the other side's script."""
    against: str
    script: str
    ours: tuple[Contender, ...]
    arguments: dict[str, Any]
    small: dict[str, Any] = field(default_factory=dict)
    """Smaller arguments for --small."""
    template: str = "sae_hierarchy"
    turns: int = TURNS
    cpu_seconds: float = CPU_SECONDS

    def made_small(self) -> Comparison:
        """The same code with little work, one turn of one repetition and no minimum duration."""
        ours = tuple(replace(contender, at_least=0) for contender in self.ours)
        return replace(self, ours=ours, arguments=self.arguments | self.small, turns=1, cpu_seconds=0)


@dataclass(frozen=True)
class Row:
    """A line of the table; times in seconds, memory in MiB."""

    group: str
    what: str
    against: str
    ours: float
    theirs: float
    at_least: float
    our_memory: float
    their_memory: float
    same_law: bool
    found: str

    @property
    def ratio(self) -> float:
        return self.theirs / self.ours

    @property
    def passed(self) -> bool:
        return self.same_law and self.ratio >= self.at_least


def comparisons() -> Iterator[Comparison]:
    for batch, at_least in ((200, 300), (1_000, 1_000)):
        yield Comparison(
            group="tree",
            case="tree_sampling",
            against="recursion per sample, as published",
            script="loops.py",
            ours=(Contender(f"exclusive tree, 20 features, batch {batch:,}", at_least),),
            arguments={"tree": str(TOY_TREE), "batch": batch, "observed": 20_000},
            small={"observed": 1_000},
        )
    for n_roots in (3, 200):
        for batch in (1_024, 10_000):
            yield Comparison(
                group="hierarchy",
                case="hierarchy",
                against="sae-lens",
                script="peers.py",
                ours=(Contender(f"sample + exclusive hierarchy, {5 * n_roots:,} features, batch {batch:,}", 3),),
                arguments={"n_roots": n_roots, "batch": batch, "observed": 20_000},
                small={"observed": 1_000},
            )
    yield Comparison(
        group="correlated",
        case="correlated",
        against="sae-lens",
        script="peers.py",
        ours=(Contender("correlated sampling, 1,000 features, batch 1,024", 20),),
        arguments={"n_features": 1_000, "batch": 1_024, "observed": 8_192},
        small={"observed": 1_024},
        turns=5,
    )
    for rows in (10_000, 100_000):
        yield Comparison(
            group="k_active",
            case="k_active",
            against="np.random.choice per row",
            script="loops.py",
            ours=(Contender(f"exactly 3 of 8 features active, {rows:,} rows", 100),),
            arguments={"rows": rows, "k": 3, "n_features": 8, "observed": 50_000},
            small={"observed": 5_000},
            template="tms_geometry",
        )
    yield Comparison(
        group="tms_tree",
        case="tms_tree",
        against="one model at a time (extrapolated)",
        script="loops.py",
        ours=(
            Contender("tms_tree, 42 cells × 10k steps, counts", 30, {"minibatches": "counted"}),
            Contender("tms_tree, 42 cells × 10k steps, sampled", 3, {"minibatches": "sampled"}),
        ),
        arguments={"steps": 100, "observed_steps": 400, "observed_instances": 100},
        small={"steps": 5, "observed_steps": 20, "observed_instances": 25},
        template="tms_tree",
        turns=3,
    )
    for batch in (200, 1_024):
        yield Comparison(
            group="sae_step",
            case="sae_step",
            against="sae-lens's toy trainer",
            script="peers.py",
            ours=(
                Contender(f"SAE step, 20 latents, batch {batch:,}, of 3 seeds side by side", 2, {"n_seeds": 3}),
                Contender(f"SAE step, 20 latents, batch {batch:,}, alone", 2, {"n_seeds": 1}),
            ),
            arguments={"batch": batch, "observed_steps": 4_000},
        )


def main() -> None:
    options = arguments()
    chosen = [c for c in comparisons() if not options.only or c.group in options.only]
    peers: str | None = options.peers
    if peers is None and any(c.script == "peers.py" for c in chosen):
        peers = own_peers(may_install=not options.small)
    rows: list[Row] = []
    for comparison in chosen:
        python = peers if comparison.script == "peers.py" else sys.executable
        if python is None:
            say(f"skipped: {comparison.ours[0].what} (no sae-lens)")
            continue
        say(f"{comparison.ours[0].what} …")
        rows += measure(comparison.made_small() if options.small else comparison, python)
    if options.json:
        print(json.dumps([asdict(row) | {"ratio": row.ratio, "passed": row.passed} for row in rows], indent=1))
    elif rows:
        show(rows, peers)
    sys.exit(0 if all(row.passed for row in rows) else 1)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    groups = list(dict.fromkeys(comparison.group for comparison in comparisons()))
    parser.add_argument("--only", nargs="+", choices=groups, metavar="NAME", help=f"some of {', '.join(groups)}")
    parser.add_argument("--peers", metavar="PYTHON", help="interpreter of an environment that has sae-lens")
    parser.add_argument("--small", action="store_true", help="little work per row, no installation, no limits on time")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    return parser.parse_args()


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def own_peers(may_install: bool) -> str | None:
    """The interpreter of .benchmarks/peers, created if necessary; None if sae-lens is not available."""
    python = ENVIRONMENT / "bin" / "python"
    installed = ENVIRONMENT / "installed"
    if installed.exists():
        return str(python)
    if not may_install:
        return None
    say(f"Installing sae-lens into {ENVIRONMENT.relative_to(ROOT)}: this takes some minutes and 2 to 6 GB, once.")
    ENVIRONMENT.parent.mkdir(exist_ok=True)
    (ENVIRONMENT.parent / ".gitignore").write_text("*\n")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    same_torch = f"torch=={version('torch').partition('+')[0]}"
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True, stdout=sys.stderr)
        subprocess.run([*pip, "sae-lens", same_torch], check=True, stdout=sys.stderr)
    except subprocess.CalledProcessError:
        return None
    installed.touch()
    return str(python)


def measure(comparison: Comparison, their_python: str) -> Iterator[Row]:
    """Time the sides in turns, then measure memory, then compare the samples."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-science-")))
        start = stack.enter_context
        ours = [
            start(Side(sys.executable, "ours.py", comparison, comparison.arguments | contender.case, scratch))
            for contender in comparison.ours
        ]
        theirs = start(Side(their_python, comparison.script, comparison, comparison.arguments, scratch))
        sides = [theirs, *ours]
        turns = [[side.ask(time=comparison.cpu_seconds) for side in sides] for _ in range(comparison.turns)]
        their_seconds, *our_seconds = (statistics.median(column) for column in zip(*turns, strict=True))
        their_memory, *our_memory = (side.ask(memory=True) for side in sides)
        for i, side in enumerate(sides):
            side.ask(observe=str(scratch / f"{i}.npz"))
        for i, contender in enumerate(comparison.ours):
            verdict = check(scratch / f"{i + 1}.npz", scratch / "0.npz")
            yield Row(
                group=comparison.group,
                what=contender.what,
                against=comparison.against,
                ours=our_seconds[i],
                theirs=their_seconds,
                at_least=contender.at_least,
                our_memory=our_memory[i],
                their_memory=their_memory,
                same_law=verdict["same"],
                found=verdict["found"],
            )


class Side:
    """A process that runs one case; cases/worker.py describes the requests."""

    def __init__(
        self, python: str, script: str, comparison: Comparison, arguments: dict[str, Any], scratch: Path
    ) -> None:
        modules = [TEMPLATES / "common", TEMPLATES / comparison.template]
        self.errors = scratch / f"{script}.stderr"
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(
                [python, CASES / script, comparison.case, json.dumps(arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(map(str, modules))},
            )

    def ask(self, **request: Any) -> Any:
        """Send a request. Raises RuntimeError with the end of the process's output if it dies instead of answering."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
            return json.loads(self.process.stdout.readline())
        except (BrokenPipeError, ValueError):
            self.process.wait()
            raise RuntimeError(f"{self.errors.stem} died:\n{self.errors.read_text()[-2_000:]}") from None

    def __enter__(self) -> Side:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()


def check(ours: Path, theirs: Path) -> dict[str, Any]:
    printed = subprocess.run(
        [sys.executable, CASES / "checks.py", ours, theirs], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    verdict: dict[str, Any] = json.loads(printed)
    return verdict


def show(rows: list[Row], peers: str | None) -> None:
    versions = f"torch {version('torch')}" + (f", sae-lens {version_in(peers)}" if peers else "")
    table = Table(
        *("what", "against", "ours", "theirs", "ratio", "at least", "", "memory", "theirs", "same distribution?"),
        title=f"medians of CPU time, one thread; memory that it adds; {versions}",
        show_lines=True,
    )
    for row in rows:
        table.add_row(
            row.what,
            row.against,
            duration(row.ours),
            duration(row.theirs),
            f"{row.ratio:,.3g}×" if row.ratio < 1000 else f"{row.ratio:,.0f}×",
            f"{row.at_least:,}×",
            "ok" if row.passed else "differs" if not row.same_law else "too slow",
            f"{row.our_memory:.1f} MiB",
            f"{row.their_memory:.1f} MiB",
            row.found,
        )
    Console(width=160).print(table)


def version_in(python: str) -> str:
    line = "import importlib.metadata as m; print(m.version('sae-lens'))"
    return subprocess.run([python, "-c", line], check=True, capture_output=True, text=True).stdout.strip()


def duration(seconds: float) -> str:
    if seconds >= 100:
        return f"{seconds / 60:.1f} min"
    for unit, scale in (("s", 1.0), ("ms", 1e3)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


if __name__ == "__main__":
    main()
