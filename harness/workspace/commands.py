"""Calling git, as the harness and without any user's configuration. The only importer of git.

Git is given the paths of the repository and of the files, so that nothing among the files (a `.git`, a
`.gitattributes`, a hook) can redirect it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import git

from harness.errors import WorkspaceError
from harness.files import remove_tree

OUR_NAME = "harness"
OUR_MAIL = "harness@localhost"


def git_in(folder: Path, **variables: str) -> git.Git:
    """Git for `call`, working in `folder`."""
    command = git.Git(folder)
    command.update_environment(
        GIT_CONFIG_GLOBAL=os.devnull,
        GIT_CONFIG_NOSYSTEM="1",
        GIT_CONFIG_COUNT="3",
        GIT_CONFIG_KEY_0="core.hooksPath",
        GIT_CONFIG_VALUE_0=os.devnull,
        GIT_CONFIG_KEY_1="core.quotePath",
        GIT_CONFIG_VALUE_1="false",
        GIT_CONFIG_KEY_2="core.attributesFile",
        GIT_CONFIG_VALUE_2=os.devnull,
        GIT_AUTHOR_NAME=OUR_NAME,
        GIT_AUTHOR_EMAIL=OUR_MAIL,
        GIT_COMMITTER_NAME=OUR_NAME,
        GIT_COMMITTER_EMAIL=OUR_MAIL,
        GIT_TERMINAL_PROMPT="0",
        **variables,
    )
    return command


def readable(text: str) -> str:
    """Text that can be printed and stored: bytes that were not UTF-8 become a question mark."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def call(command: git.Git, *arguments: str, given: str = "") -> str:
    """Run a git command; gives what it prints, without the last line end.

    Args:
        given: its standard input.

    Raises:
        WorkspaceError: git failed or is not there.
    """
    try:
        if not given:
            return str(command.execute(["git", *arguments]))
        with tempfile.TemporaryFile() as stdin:
            stdin.write(given.encode())
            stdin.seek(0)
            return str(command.execute(["git", *arguments], istream=stdin))  # type: ignore[call-overload]  # any file
    except git.GitCommandError as error:
        raise WorkspaceError(f"git {arguments[0]} failed: {str(error.stderr).strip() or error}") from error
    except git.GitCommandNotFound as error:
        raise WorkspaceError("git is not installed or not on the PATH") from error


def write_tree(command: git.Git, root: Path) -> str:
    """The git tree of all files in `root`, which `command` has as its working tree."""
    try:
        call(command, "add", "--all", ".")
    except WorkspaceError:  # a repository without a commit among the files: make it a plain folder
        for folder, folders, files in os.walk(root):
            if Path(folder) != root and ".git" in (*folders, *files):
                nested = Path(folder, ".git")
                remove_tree(nested) if nested.is_dir() and not nested.is_symlink() else nested.unlink()
        call(command, "add", "--all", ".")
    return call(command, "write-tree")


def apply_patch(patch: bytes, folder: Path) -> None:
    """Apply a patch of `Workspace.exact_patch` to the files in `folder`: all of it or nothing.

    Raises:
        WorkspaceError: it does not fit.
    """
    with tempfile.TemporaryDirectory() as place:  # a repository of its own, so that none around the folder counts
        call(git_in(folder), "init", "--quiet", "--bare", place)
        file = Path(place, "patch")
        file.write_bytes(patch)
        call(git_in(folder, GIT_DIR=place, GIT_WORK_TREE=str(folder)), "apply", "--whitespace=nowarn", str(file))
