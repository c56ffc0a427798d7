"""Runs a case in its own process: sets it up and then answers requests, one JSON line each way.

    python ours.py CASE '{"argument": value, …}'

{"time": s}       run it for at least s seconds of CPU time → seconds per unit
{"memory": true}  set it up again and run it once → MiB that this adds to the process at its peak; ask for times first,
                  so that lazy imports are done already
{"observe": path} set it up again, so that nothing depends on earlier repetitions, and save what a check compares as an
                  npz → null

Both sides import this module, so that both are measured in the same way. It imports nothing that the peers' Python may
lack.
"""

import ctypes
import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray


class Case(NamedTuple):
    """Something to measure."""

    run: Callable[[], object]
    """One repetition, all of it timed."""
    observe: Callable[[], Mapping[str, NDArray[Any]]]
    """What must have the same distribution on both sides; checks.py describes the arrays."""
    units: float = 1.0
    """Work done in one repetition; times are per unit."""
    run_short: Callable[[], object] | None = None
    """A shorter case with the same peak memory, if a repetition takes minutes."""


def serve(cases: Mapping[str, Callable[..., Case]]) -> None:
    """Answer requests on standard input about the case named on the command line."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # so that output of libraries is not mistaken for an answer
    torch.set_num_threads(1)
    set_up = partial(cases[sys.argv[1]], **json.loads(sys.argv[2]))
    case = set_up()
    for line in sys.stdin:
        match json.loads(line):
            case {"time": least}:
                answer: object = seconds(case, least)
            case {"memory": _}:
                answer = memory(set_up)
            case {"observe": path}:
                np.savez(path, **set_up().observe())
                answer = None
        print(json.dumps(answer), file=answers, flush=True)


def seconds(case: Case, least: float) -> float:
    """CPU seconds of this process per unit, over enough repetitions to fill `least`."""
    started, took, repetitions = time.process_time(), -1.0, 0
    while took < least:
        case.run()
        took, repetitions = time.process_time() - started, repetitions + 1
    return took / repetitions / case.units


def memory(set_up: Callable[[], Case]) -> float:
    """MiB of resident memory that a new case and one repetition need at their peak."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # otherwise it would reuse memory freed by earlier repetitions
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak to the current value
    before = peak()
    case = set_up()
    (case.run_short or case.run)()
    return peak() - before


def peak() -> float:
    """Peak resident memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
