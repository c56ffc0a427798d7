"""Applies the edits of a reply to texts: each to the file that it names, exactly, all of them or none. Pure.

Notes are a transaction of their own: an edit of notes that does not fit takes no good code with it.
"""

from __future__ import annotations

import ast
import difflib
import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from harness.agents.replies import Block, Whole
from harness.agents.thoughts import DIVIDER
from harness.template.manifest import executed
from harness.template.text_file import NotText

_LEFT_OUT = re.compile(
    r"\s*(?:(?:#|//|<!--|\[)?\s*\.\.\.\s*(?:-->|\])?|(?:#|//|<!--|\[)\s*(?:\.\.\.|…).*|"
    r"(?:#|//|<!--|\[)\s*(?:the\s+)?(?:rest|remaining|remainder|everything else)\b.*"
    r"(?:unchanged|same|as before|as is|remains?|here|code|file).*)",
    re.IGNORECASE,
)
_DEFINED = re.compile(r"^(?:(?:async )?def|class) +(\w+)|^(\w+) *(?::[^=\n]+)?=(?!=)", re.MULTILINE)
_FEW = 5
"""Lines that are not blank: shorter files may be replaced by anything."""
_MOST_COMPARED = 2_000_000


class DoesNotFit(ValueError):
    """An edit cannot be applied; says why, for after the file's name."""


@dataclass
class Applied:
    """What the edits of a reply make of its files."""

    texts: dict[str, str] = field(default_factory=dict)
    """New content of each file."""
    problems: list[str] = field(default_factory=list)
    """Why nothing may be written."""
    left_out: list[str] = field(default_factory=list)
    """Why notes are not among the texts."""


def apply(
    edits: Iterable[Block | Whole],
    load: Callable[[str], str | None],
    why_not: Callable[[str], str | None],
    *,
    finishing: bool = False,
) -> Applied:
    """Apply edits in their order.

    Args:
        edits: of one reply.
        load: the text of a file, None if there is none; raises NotText if it cannot be edited.
        why_not: why a file may not be written, or None.
        finishing: only notes and plots are written now, so an edit of notes that does not fit is a problem.
    """
    by_file: dict[str, list[Block | Whole]] = {}
    for edit in edits:
        by_file.setdefault(edit.path, []).append(edit)
    done = Applied()
    for path, own in by_file.items():
        try:
            if (why := why_not(path)) is not None:
                raise DoesNotFit(why)
            done.texts[path] = _edited(path, load(path), own)
        except (DoesNotFit, NotText) as error:
            apart = is_notes(path) and why_not(path) is None
            (done.left_out if apart else done.problems).append(f"{path} {error}")
    if done.left_out and (finishing or not any(not is_notes(path) for path in done.texts)):
        done.problems, done.left_out = [*done.problems, *done.left_out], []
    if done.problems:
        done.texts, done.left_out = {}, []
    return done


def is_notes(path: str) -> bool:
    """Whether a file is prose for people."""
    return not executed(path) and not path.endswith(".py")


def _edited(path: str, before: str | None, edits: list[Block | Whole]) -> str:
    """The text of one file after all of its edits."""
    if len(edits) > 1 and any(isinstance(edit, Whole) for edit in edits):
        if len(set(edits)) > 1:
            raise DoesNotFit("is sent as a whole and once more; send it once")
        edits = edits[:1]
    text = before
    for edit in edits:
        after = _whole(path, text, edit.text) if isinstance(edit, Whole) else _block(path, text, edit.lines)
        if text and text.strip() and not after.strip():
            raise DoesNotFit("would be empty")
        text = after
    return text or ""


def _whole(path: str, before: str | None, after: str) -> str:
    """The new content of a file, unless parts of it seem to be left out."""
    if not before or not before.strip():
        return after
    _nothing_left_out(path, before, after)
    old, new = (sum(1 for line in text.split("\n") if line.strip()) for text in (before, after))
    if is_notes(path) or old < _FEW or 2 * new >= old or _keeps_names(before, after):
        return after
    raise DoesNotFit(
        f"has {old} lines, and you sent {new} as the whole file; if they are a part of it, send them as a "
        "SEARCH/REPLACE block"
    )


def _nothing_left_out(path: str, before: str, after: str) -> None:
    """Raise DoesNotFit for a line of code that stands for lines that were not sent, such as `# ... rest unchanged`."""
    if is_notes(path):
        return
    known = {line.strip() for line in before.split("\n")}
    for line in after.split("\n"):
        stands_for_more = _LEFT_OUT.fullmatch(line) and (line.strip() != "..." or line == "...")
        if stands_for_more and line.strip() not in known:
            raise DoesNotFit(f"would lose lines: {line.strip()[:60]!r} stands for others; write them out")


def _keeps_names(before: str, after: str) -> bool:
    """Whether at least half of what a Python file defines at its top level is still defined."""
    old, new = ({a or b for a, b in _DEFINED.findall(text)} for text in (before, after))
    return bool(old) and 2 * len(old & new) >= len(old)


def _block(path: str, before: str | None, lines: tuple[str, ...]) -> str:
    """The text after one SEARCH/REPLACE block."""
    dividers = [n for n, line in enumerate(lines) if DIVIDER.fullmatch(line)]
    if not dividers:
        raise DoesNotFit("has a block without a line `=======` between SEARCH and REPLACE")
    splits = [(list(lines[:n]), list(lines[n + 1 :])) for n in dividers]
    if len(splits) == 1:
        return _replaced(path, before, *splits[0])
    return _replaced(path, before, *_the_split_that_fits(path, before, splits))


def _the_split_that_fits(
    path: str, before: str | None, splits: list[tuple[list[str], list[str]]]
) -> tuple[list[str], list[str]]:
    """Where to divide a block with several `=======` lines: the SEARCH part must be in the file, and the result must
    be valid Python if the file was. Among several such places, that which leaves as many of these lines on each side.
    """
    fits = [split for split in splits if _fits(path, before, *split)]
    balanced = [s for s in fits if sum(map(_divides, s[0])) == sum(map(_divides, s[1]))]
    chosen = fits if len(fits) == 1 else balanced
    if len(chosen) == 1:
        return chosen[0]
    raise DoesNotFit(
        f"has a block with {len(splits)} lines of `=`, and it is not clear which of them ends its SEARCH part"
        f"{'' if fits else ' (with none of them does it match and leave a valid file)'}. "
        "Send the whole file, or leave such lines out of the block"
    )


def _divides(line: str) -> bool:
    return DIVIDER.fullmatch(line) is not None


def _fits(path: str, before: str | None, search: list[str], replace: list[str]) -> bool:
    try:
        after = _replaced(path, before, search, replace)
    except DoesNotFit as error:
        return isinstance(error, _SeveralTimes)
    return not path.endswith(".py") or _is_python(after) or not _is_python(before or "")


def _is_python(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as invalid escapes
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


class _SeveralTimes(DoesNotFit):
    pass


def _replaced(path: str, before: str | None, search: list[str], replace: list[str]) -> str:
    """The text with one part of it replaced."""
    new = "".join(f"{line}\n" for line in replace)
    if not any(line.strip() for line in search):
        return _filled(path, before, new)
    if before is None:
        raise DoesNotFit("does not exist; to add a file, leave the SEARCH part empty")
    lines = before.split("\n")
    ends_with_newline = lines[-1] == ""
    lines = lines[:-1] if ends_with_newline else lines
    found = _places(lines, search, replace)
    if not found:
        quoted = "\n".join(search)
        raise DoesNotFit(f"has no lines that match this SEARCH block exactly:\n{quoted}\n{_similar(search, lines)}")
    if len(found) > 1:
        quoted = "\n".join(search)
        raise _SeveralTimes(f"has these lines {len(found)} times; add lines around them to the SEARCH block:\n{quoted}")
    at, shifted = found[0]
    _nothing_left_out(path, before, "\n".join(replace))
    after = [*lines[:at], *shifted, *lines[at + len(search) :]]
    return "\n".join(after) + ("\n" if ends_with_newline and after else "")


def _filled(path: str, before: str | None, new: str) -> str:
    """What an empty SEARCH part means: a new file, or a whole one."""
    if before is None or not before.strip():
        return new
    if path.endswith(".py") and _is_python(new) and _keeps_names(before, new):
        return _whole(path, before, new)
    raise DoesNotFit(
        "exists already, so its SEARCH part may not be empty: quote the lines to replace, or send the whole file in a "
        "fence without markers"
    )


def _places(lines: list[str], search: list[str], replace: list[str]) -> list[tuple[int, list[str]]]:
    """Where the SEARCH part is, with what to put there: exact lines, or else all of them indented alike."""
    size = len(search)
    every = range(len(lines) - size + 1)
    exact = [(n, replace) for n in every if lines[n : n + size] == search]
    if exact:
        return exact
    shifted = ((n, _shifted(lines[n : n + size], search, replace)) for n in every)
    return [(n, new) for n, new in shifted if new is not None]


def _shifted(lines: list[str], search: list[str], replace: list[str]) -> list[str] | None:
    """The replacement with the indentation of `lines`, if `search` differs from these in nothing else."""
    first = next(n for n, line in enumerate(search) if line.strip())
    theirs, own = lines[first], search[first]
    more, less = theirs.removesuffix(own), own.removesuffix(theirs)
    if theirs.endswith(own) and not more.strip():
        less = ""
    elif own.endswith(theirs) and not less.strip():
        more = ""
    else:
        return None
    if any(line.strip() and not line.startswith(less) for line in (*search, *replace)):
        return None
    moved, new = (
        [more + line.removeprefix(less) if line.strip() else line for line in part] for part in (search, replace)
    )
    same = all(a == b or not (a.strip() or b.strip()) for a, b in zip(moved, lines, strict=True))
    return new if same else None


def _similar(search: list[str], lines: list[str]) -> str:
    """A hint: the lines that are most like the SEARCH part."""
    size = len(search)
    if size > len(lines) or len(lines) * size * size > _MOST_COMPARED:
        return ""
    wanted = "\n".join(search)
    best, ratio = "", 0.6
    for n in range(len(lines) - size + 1):
        candidate = "\n".join(lines[n : n + size])
        matcher = difflib.SequenceMatcher(None, candidate, wanted, autojunk=False)
        if matcher.real_quick_ratio() > ratio and matcher.quick_ratio() > ratio and matcher.ratio() > ratio:
            best, ratio = candidate, matcher.ratio()
    return f"The most similar lines are:\n{best}" if best else ""
