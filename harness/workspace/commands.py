"""Calling git, as the harness and without any user's configuration. The only importer of git.

Git is given the paths of the repository and of the files, so that nothing among the files (a `.git`, a
`.gitattributes`, a hook) can redirect it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import git

from harness.errors import WorkspaceError

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


def call(command: git.Git, *arguments: str) -> str:
    """Run a git command; gives what it prints, without the last line end.

    Raises:
        WorkspaceError: git failed or is not there.
    """
    try:
        return str(command.execute(["git", *arguments]))
    except git.GitCommandError as error:
        raise WorkspaceError(f"git {arguments[0]} failed: {str(error.stderr).strip() or error}") from error
    except git.GitCommandNotFound as error:
        raise WorkspaceError("git is not installed or not on the PATH") from error


def write_tree(command: git.Git, root: Path) -> str:
    """The git tree of all files in `root`, which `command` has as its working tree."""
    try:
        call(command, "add", "--all", ".")
    except WorkspaceError:  # a repository without a commit among the files: make it a plain folder
        for nested in root.glob("*/**/.git"):
            shutil.rmtree(nested) if nested.is_dir() and not nested.is_symlink() else nested.unlink()
        call(command, "add", "--all", ".")
    return call(command, "write-tree")


def apply_patch(patch: str, folder: Path) -> None:
    """Apply an exact patch to the files in `folder`: all of it or nothing.

    Raises:
        WorkspaceError: it does not fit.
    """
    command = git_in(folder, GIT_CEILING_DIRECTORIES=str(folder.parent))  # so that no repository around it counts
    with tempfile.NamedTemporaryFile() as file:
        file.write(patch.encode("utf-8", "surrogateescape"))
        file.flush()
        call(command, "apply", "--whitespace=nowarn", file.name)
