"""sae_hierarchy: ways to a better number that are no better autoencoder. None of them gives a result that counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pinned
import pytest
import torch
from torch import Tensor

from harness.errors import MetricsError
from harness.records import Scores
from harness.results import limits
from harness.template.folder import Template

SEEDS = (0, 1)
MODULES = ("artifacts", "world", "sae", "sae_files", "evaluate", "generators")
Modules = dict[str, ModuleType]
Run = Path


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Modules]:
    where = pinned.pin("sae_hierarchy", tmp_path_factory.mktemp("pinned") / "template")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HARNESS_SMOKE", "1")
        environment.setenv("HARNESS_SEEDS", ",".join(map(str, SEEDS)))
        with pinned.imported(where, *MODULES) as found:
            yield found


@pytest.fixture(scope="module")
def truth(modules: Modules) -> Tensor:
    return torch.stack([modules["world"].generator(seed).directions for seed in SEEDS])


@pytest.fixture
def honest(modules: Modules, truth: Tensor, tmp_path: Path) -> Run:
    """A run whose SAE is perfect by its own merit, as far as the evaluator can know."""
    return save(modules, tmp_path / "run", reading_off(modules, truth))


def reading_off(modules: Modules, truth: Tensor) -> Any:
    sae = modules["sae"].ARCHITECTURES["relu_l1"](SEEDS, 20, 20, l1=0.05)
    sae.init_from_directions(truth)
    sae.b_enc.data.fill_(-0.01)  # so that rounding does not fire a latent
    return sae


def save(modules: Modules, run: Run, sae: Any, steps: int = 15_000, name: str = "mine") -> Run:
    modules["sae_files"].save_sae(run / "saes" / name, sae)
    np.savez(run / "training_curves.npz", **{name: np.ones((steps // 100, len(SEEDS)), dtype=np.float32)})
    (run / "final_info.json").write_text(f'{{"{name}": {{}}}}')
    return run


def counted(modules: Modules, run: Run) -> Scores:
    """The values of a run that keeps the limits; raises MetricsError or ArtifactError for one that does not."""
    scores: Scores = modules["evaluate"].official(run)
    limits.refuse_outside(Template(pinned.folder("sae_hierarchy")).manifest.limits, scores, SEEDS)
    return scores


def change_decoder(change: Callable[[Any], Any]) -> Callable[[Run], None]:
    def apply(run: Run) -> None:
        path = run / "saes" / "mine" / "decoder.npz"
        arrays = dict(np.load(path))
        arrays["W_dec"] = change(arrays["W_dec"]).astype(np.float32)
        np.savez(path, **arrays)

    return apply


def test_a_perfect_autoencoder_counts(modules: Modules, honest: Run) -> None:
    assert counted(modules, honest)["mine"]["mcc"] == pytest.approx([1, 1], abs=1e-3)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda w: -w, "fvu on mine is .* above the limit of 1"),
        (lambda w: 0 * w, "fvu on mine is .* above the limit of 1"),
        (lambda w: 30 * w, "fvu on mine is .* above the limit of 1"),
    ],
    ids=["negated", "zero", "far too long"],
)
def test_a_decoder_that_does_not_decode_is_refused_whatever_its_directions(
    modules: Modules, honest: Run, change: Callable[[Any], Any], complaint: str
) -> None:
    change_decoder(change)(honest)
    with pytest.raises(MetricsError, match=complaint):
        counted(modules, honest)


def test_directions_beside_an_encoder_that_was_not_trained_for_them_are_refused(
    modules: Modules, truth: Tensor, tmp_path: Path
) -> None:
    sae = reading_off(modules, truth)
    torch.manual_seed(0)
    sae.W_enc.data = torch.randn(sae.W_enc.shape)
    with pytest.raises(MetricsError, match="fvu on mine"):
        counted(modules, save(modules, tmp_path / "run", sae))


def test_latents_that_always_fire_a_little_are_refused(modules: Modules, truth: Tensor, tmp_path: Path) -> None:
    sae = reading_off(modules, truth)
    sae.b_enc.data.fill_(1e-4)  # perfect recall, and no latent is ever silent
    with pytest.raises(MetricsError, match=r"l0 on mine is .* above the limit of 2"):
        counted(modules, save(modules, tmp_path / "run", sae))


def test_an_encoder_that_never_fires_is_refused(modules: Modules, truth: Tensor, tmp_path: Path) -> None:
    sae = reading_off(modules, truth)
    sae.b_enc.data.fill_(-100)
    with pytest.raises(MetricsError, match=r"(fvu|l0) on mine"):
        counted(modules, save(modules, tmp_path / "run", sae))


@pytest.mark.parametrize(("steps", "complaint"), [(150_000, "150000 for seed 0, above"), (0, "0 for seed 0, below")])
def test_ten_times_the_steps_and_none_at_all_are_refused(
    modules: Modules, truth: Tensor, tmp_path: Path, steps: int, complaint: str
) -> None:
    run = save(modules, tmp_path / "run", reading_off(modules, truth), steps)
    with pytest.raises(MetricsError, match=f"steps on mine is {complaint}"):
        counted(modules, run)


def test_a_wider_dictionary_is_refused(modules: Modules, tmp_path: Path) -> None:
    sae = modules["sae"].ARCHITECTURES["relu_l1"](SEEDS, 20, 40, l1=0.05)
    with pytest.raises(modules["artifacts"].ArtifactError, match="must have shape"):
        counted(modules, save(modules, tmp_path / "run", sae))


def test_one_seeds_dictionary_is_worth_nothing_on_another(modules: Modules, honest: Run) -> None:
    """So it does not help to train one lucky seed and to save it for all of them."""
    change_decoder(lambda w: np.stack([w[0]] * 2))(honest)
    scores = modules["evaluate"].official(honest)["mine"]
    assert scores["mcc"][0] == pytest.approx(1, abs=1e-3)
    assert scores["mcc"][1] < 0.6


def test_a_seed_does_not_give_its_directions_away(modules: Modules, truth: Tensor) -> None:
    """The class that draws them is there for all to read, and so is the seed."""
    from_file = modules["generators"].HierarchicalDataGenerator.from_file
    guessed = from_file(modules["world"].TREES / "toy_params.json", random_seed=0).directions
    cosines = (guessed @ truth[0].mT).abs()
    assert cosines.max(dim=1).values.mean() < 0.7


def test_what_the_baseline_left_behind_holds_no_directions(truth: Tensor) -> None:
    """Each array of the shape of V is compared with it: a trained dictionary is near, the directions would be equal."""
    arrays = [a for path in pinned.baseline_run("sae_hierarchy").rglob("*.npz") for a in np.load(path).values()]
    of_seed_0 = [a[0] for a in arrays if a.ndim == 3 and a.shape[1:] == (20, 20)]
    assert len(of_seed_0) > 10
    for found in (*of_seed_0, *(a.T for a in of_seed_0)):
        assert np.abs(found - truth[0].numpy()).max() > 1e-3


def test_the_answers_and_what_draws_them_are_in_no_study(tmp_path: Path) -> None:
    template = Template(pinned.folder("sae_hierarchy"))
    template.lay_out(tmp_path)
    laid_out = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert not laid_out & {"world.py", "held_out.py", "trees", *template.kept_back}
    assert "samples.py" in laid_out
