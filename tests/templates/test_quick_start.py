"""A script that trains starts without torch.compile's front end, computes the same, and still can compile."""

from __future__ import annotations

import subprocess
import sys

import pinned

TRAINS = """
import sys
import torch
if "quick" in sys.argv:
    from quick_start import without_compiler
    without_compiler()
torch.manual_seed(0)
w = torch.randn(5, 3, requires_grad=True)
optimizers = [torch.optim.Adam([w], lr=0.01, fused=True), torch.optim.SGD([w], lr=0.1, momentum=0.9)]
schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.9**step) for optimizer in optimizers]
for _ in range(20):
    for optimizer, schedule in zip(optimizers, schedules):
        optimizer.zero_grad()
        (w @ w.mT).square().sum().backward()
        optimizer.step()
        schedule.step()
optimizers[0].load_state_dict(optimizers[0].state_dict())
print(w.tolist(), "sympy" in sys.modules, sep="\\n")
if "compile" in sys.argv:
    double = torch.compile(lambda x: 2 * x, backend="eager", fullgraph=True)
    print(double(torch.ones(2)).tolist(), torch._dynamo.__file__.endswith("__init__.py"))
    optimizers[0].step()
    print(torch._dynamo.utils.counters["stats"]["unique_graphs"])
"""


def trained(*arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", TRAINS, *arguments], cwd=pinned.COMMON, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_optimizers_and_schedules_compute_the_same_and_the_compiler_is_not_imported() -> None:
    usual, quick = trained(), trained("quick")
    assert quick[0] == usual[0]
    assert (usual[1], quick[1]) == ("True", "False"), "where torch no longer imports it, quick_start.py can go"


def test_what_wants_to_compile_gets_the_real_compiler() -> None:
    assert trained("quick", "compile")[2:] == ["[2.0, 2.0] True", "1"]
