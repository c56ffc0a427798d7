"""The controls: no language model, only Optuna over the constants in `[search_space]`. The one importer of optuna.

Its state is a fold of the study's history: the sampler is seeded, so asking again with the same results gives the same
suggestions, and a resumed study goes on as if it had never stopped.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from harness.agents import Instruction, Request, Setup
from harness.errors import TemplateError, UserError
from harness.records import PricedModel, Record, Reply
from harness.results.final_info import mean
from harness.state.history import History
from harness.template.folder import Template
from harness.template.manifest import Dimension
from harness.template.text_file import TextFile, read_text

if TYPE_CHECKING:
    import optuna

SCRIPT = "experiment.py"


class TunerSettings(Record):
    """`[agent.tuner]`, `[agent.random]`"""

    seed: int = Field(0, ge=0, lt=2**32, strict=True)
    """Of the sampler: another one makes other suggestions."""


class TunerAgent:
    """Suggests values, writes them into experiment.py, learns from the primary metric."""

    Settings = TunerSettings
    uses_model = False
    how_to_edit = ""

    def __init__(self, setup: Setup) -> None:
        self._template = setup.template
        self._seed: int = setup.settings.seed

    @staticmethod
    def check(request: Request) -> PricedModel:
        """No model, but constants to set."""
        if request.model:
            raise UserError(f"the tuner uses no model; leave out --model {request.model}")
        template = request.template
        space = template.manifest.search_space
        if not space:
            raise TemplateError(f"{template.name} has no [search_space] in template.toml, so there is nothing to tune")
        constants(read_text(template.folder / SCRIPT), space)
        return PricedModel()

    def edit(self, instruction: Instruction, desk: Path) -> Reply:
        if instruction.purpose == "finish":
            return Reply(text="The tuner writes no notes.")
        template = self._template
        space = template.manifest.search_space
        path = desk / SCRIPT
        file = TextFile.read(path.read_bytes(), python=True)
        defaults = constants(read_text(template.folder / SCRIPT), space)
        trial = _study(self.sampler(), template, defaults, instruction.history).ask(_distributions(space))
        values = {name: _short(value) for name, value in trial.params.items()}
        path.write_bytes(file.written(with_constants(file.text, values), python=True))
        return Reply(text=", ".join(f"{name} = {value!r}" for name, value in values.items()))

    def sampler(self) -> optuna.samplers.BaseSampler:
        """Learns from the results so far."""
        import optuna

        return optuna.samplers.TPESampler(seed=self._seed, n_startup_trials=4, multivariate=True)

    def close(self) -> None:
        pass


class RandomAgent(TunerAgent):
    """Draws the constants at random: what random search achieves with the same budget."""

    def sampler(self) -> optuna.samplers.BaseSampler:
        import optuna

        return optuna.samplers.RandomSampler(seed=self._seed)


def _study(
    sampler: optuna.samplers.BaseSampler, template: Template, defaults: Mapping[str, Any], history: History
) -> optuna.Study:
    """The Optuna study after everything that happened so far: the baseline, then one trial per earlier turn."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    primary = template.manifest.primary
    minimize = template.manifest.metrics[primary].goal == "min"
    direction = optuna.study.StudyDirection.MINIMIZE if minimize else optuna.study.StudyDirection.MAXIMIZE
    space = template.manifest.search_space
    distributions = _distributions(space)
    study = optuna.create_study(direction=direction, sampler=sampler)
    if not outside(defaults, space):  # only then can Optuna learn from the baseline
        baseline = _primary(history.begun.baseline, primary)
        study.add_trial(optuna.trial.create_trial(params=dict(defaults), distributions=distributions, value=baseline))
    for value in _values(history, primary):
        trial = study.ask(distributions)
        if value is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, value)
    return study


def outside(values: Mapping[str, Any], space: Mapping[str, Dimension]) -> list[str]:
    """Names of the constants whose values the search space does not contain."""
    distributions = _distributions(space)
    return [name for name, value in values.items() if not _allows(distributions[name], value)]


def _allows(distribution: Any, value: Any) -> bool:
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except (TypeError, ValueError):
        return False


def _values(history: History, primary: str) -> list[float | None]:
    """For each turn of the past, the primary metric that came of it, or None if the turn gave no result."""
    by_turn = {r.recorded.turn: r.measured.scores for r in history.measured if r.recorded and r.measured}
    return [_primary(by_turn[t.turn], primary) if t.turn in by_turn else None for t in history.turns]


def _primary(scores: Mapping[str, Mapping[str, tuple[float, ...]]], metric: str) -> float:
    """Mean over datasets of the mean over seeds."""
    return mean(tuple(mean(metrics[metric]) for metrics in scores.values()))


def _short(value: Any) -> Any:
    """Floats with six significant digits, which is enough to review."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _distributions(space: Mapping[str, Dimension]) -> dict[str, Any]:
    from optuna import distributions as d

    made: dict[str, Any] = {}
    for name, dim in space.items():
        if dim.type == "categorical":
            made[name] = d.CategoricalDistribution(dim.choices)
        elif dim.type == "int":
            made[name] = d.IntDistribution(int(dim.low or 0), int(dim.high or 0), log=dim.log)
        else:
            made[name] = d.FloatDistribution(dim.low or 0.0, dim.high or 0.0, log=dim.log)
    return made


def constants(source: str, names: Iterable[str]) -> dict[str, Any]:
    """Values of the named module-level constants.

    Raises:
        TemplateError: a name is not assigned once, at module level, to a literal.
    """
    return {name: ast.literal_eval(node) for name, node in _value_nodes(source, names).items()}


def with_constants(source: str, values: Mapping[str, Any]) -> str:
    """`source` with the named module-level constants set; every other character stays as it is."""
    lines = source.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    raw = source.encode()
    nodes = _value_nodes(source, values)
    for name, node in sorted(nodes.items(), key=lambda item: (-item[1].lineno, -item[1].col_offset)):
        first = starts[node.lineno - 1] + node.col_offset
        last = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        raw = raw[:first] + repr(values[name]).encode() + raw[last:]
    return raw.decode()


def _value_nodes(source: str, names: Iterable[str]) -> dict[str, ast.expr]:
    found: dict[str, list[ast.expr]] = {name: [] for name in names}
    for statement in ast.parse(source).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in found:
                found[name].append(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if name in found:
                found[name].append(value)
    for name, nodes in found.items():
        if len(nodes) != 1 or not _is_literal(nodes[0]):
            raise TemplateError(
                f"[search_space.{name}] needs one module-level line `{name} = <literal>` in {SCRIPT}; "
                f"found {len(nodes)}"
            )
    return {name: nodes[0] for name, nodes in found.items()}


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (TypeError, ValueError):
        return False
    return True
