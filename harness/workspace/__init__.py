"""The files of a study and their history. Touches `runs/lab.git`, worktrees and desks; no other room calls git."""

from harness.workspace.commands import apply_patch
from harness.workspace.desk import Desk, Taken
from harness.workspace.lab import Lab
from harness.workspace.worktree import Change, Workspace

__all__ = ["Change", "Desk", "Lab", "Taken", "Workspace", "apply_patch"]
