"""Templates have no type errors. ty checks them, because mypy refuses two modules of one name."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import pinned
import pytest

from harness.checks import run_tool
from harness.template.folder import Template

TEMPLATES = pinned.ROOT / "templates"
NAMES = sorted(path.parent.name for path in TEMPLATES.glob("*/template.toml"))
OPTIONS = (
    # Python 3.13 wants Generator as the result of a context manager's function, Python 3.10 takes Iterator.
    *("--ignore", "deprecated"),
    # Packages of a template's own environment.
    *("--config", 'analysis.allowed-unresolved-imports = ["transformers.**"]'),
)
KNOWN = Counter(
    {
        ("common/quick_start.py", "invalid-assignment"): 1,  # torch._dynamo is replaced on purpose
        ("common/sae.py", "not-subscriptable"): 1,  # sum() of a list that is never empty
        ("sae_hierarchy/evaluate.py", "invalid-argument-type"): 2,  # Coder.W_dec could be read-only; a list of worlds
        ("sae_hierarchy/experiment.py", "invalid-argument-type"): 1,  # the same
        ("sae_lm/sources.py", "invalid-argument-type"): 1,  # a ModuleList is no Sequence
        ("sae_lm/texts.py", "missing-union-attribute"): 1,  # extractfile of a member that is a file
        ("tms_tree/data.py", "invalid-assignment"): 1,  # counts are whole numbers or, here, ones
        ("tms_tree/data.py", "missing-union-attribute"): 1,  # the same counts
    }
)
"""Errors in executed files, whose bytes are part of the baselines' fingerprints: corrected at the next refresh."""


@pytest.mark.parametrize("name", NAMES)
def test_a_template_has_no_type_error_but_the_known_ones(name: str, tmp_path: Path) -> None:
    source = {file: path.resolve().relative_to(TEMPLATES) for file, path in Template(pinned.folder(name)).files.items()}
    how = ("--python", sys.executable, "--output-format", "concise", "--exit-zero", "--no-progress")
    told = run_tool("ty", "check", *how, *OPTIONS, ".", folder=pinned.pin(name, tmp_path / "template")).out
    errors = Counter(
        (str(source[file]), rule) for file, rule in re.findall(r"^(\S+?):\d+:\d+: \w+\[(\S+)\]", told, re.MULTILINE)
    )
    assert told.endswith(f"Found {errors.total()} diagnostic{'s' * (errors.total() != 1)}\n" if errors else "passed!\n")
    assert errors - KNOWN == Counter(), told
