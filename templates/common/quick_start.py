"""Makes a script that trains with torch start 1.6 s sooner.

The first optimizer of torch.optim imports torch._dynamo, the front end of torch.compile, only to tell it to keep out of
the way. `without_compiler` puts a module in its place that answers just that, and that loads the real one as soon as
anything else of it is asked for, so that torch.compile works as ever. It changes no value that is computed.
"""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

import torch

NAME = "torch._dynamo"
Function = TypeVar("Function", bound=Callable[..., Any])


class _Compiler(ModuleType):
    """Stands for torch._dynamo until something needs it."""

    def disable(self, function: Function, *_: Any, **__: Any) -> Function:
        """What is never compiled need not be kept from being compiled."""
        return function

    def graph_break(self, *_: Any, **__: Any) -> None:
        """Nor is there a graph to break."""

    def __getattr__(self, name: str) -> Any:
        if name in ("__file__", "__wrapped__"):  # asked for by tools that look at all modules
            raise AttributeError(name)
        return getattr(_real(), name)


def without_compiler() -> None:
    """Keep torch.optim from importing the compiler, unless it is there already."""
    if NAME not in sys.modules:
        sys.modules[NAME] = torch._dynamo = _Compiler(NAME)


def _real() -> ModuleType:
    if isinstance(sys.modules.get(NAME), _Compiler):
        del sys.modules[NAME]
        del torch._dynamo
    return importlib.import_module(NAME)
