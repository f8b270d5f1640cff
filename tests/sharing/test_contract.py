"""What every sharing scheme in conf/sharing promises, checked with autograd."""

from collections.abc import Iterable
from importlib import import_module

import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf
from torch import Tensor, nn

from mtlrun.backbones.cnn import CNN
from mtlrun.paths import CONF
from mtlrun.sharing.base import Sharing
from mtlrun.types import Feature

NAMES = sorted(path.stem for path in (CONF / "sharing").glob("*.yaml"))
CASES = [(name, {}) for name in NAMES] + [("hard", {"split": split}) for split in ("block1", "block2", "block3")]
TASKS = ["lane", "type", "values"]  # the last two are also attributes of nn.ModuleDict
ROWS = {
    "all": {"lane": None, "type": None, "values": None},
    "some": {"lane": torch.tensor([0, 2]), "type": torch.tensor([1, 2, 3]), "values": None},
}


def build(name: str, tasks: list[str], options: dict[str, object]) -> Sharing:
    settings = OmegaConf.to_container(OmegaConf.load(CONF / "sharing" / f"{name}.yaml")) | options
    torch.manual_seed(0)
    return get_class(settings.pop("_target_"))(
        backbone=lambda: CNN((3, 8, 8), channels=[4, 6, 8], norm="group"), tasks=tasks, **settings
    )


def project(outputs: list[Tensor]) -> Tensor:
    """A generic number that every stage output enters."""
    return sum((output * torch.randn_like(output)).sum() for output in outputs)


def influenced(scheme: Sharing, inputs: Tensor, rows: dict[str, Tensor | None]) -> dict[str, set[str]]:
    """Per task the names of the trainable parameters that its outputs depend on."""
    outputs = scheme(inputs, rows)
    parameters = {name: value for name, value in scheme.named_parameters() if value.requires_grad}
    found = {}
    for task in outputs:
        gradients = torch.autograd.grad(
            project(outputs[task]), [*parameters.values()], retain_graph=True, allow_unused=True
        )
        found[task] = {name for name, gradient in zip(parameters, gradients) if gradient is not None and gradient.any()}
    return found


def trainable_names(scheme: Sharing, parameters: Iterable[nn.Parameter]) -> set[str]:
    listed = [id(parameter) for parameter in parameters]
    assert len(listed) == len({*listed}), "a parameter is listed twice"
    return {name for name, value in scheme.named_parameters() if id(value) in listed and value.requires_grad}


def check_claims(scheme: Sharing, rows: dict[str, Tensor | None]) -> None:
    seen = influenced(scheme, torch.randn(4, 3, 8, 8), rows)
    count = {
        name: sum(name in names for names in seen.values())
        for name, value in scheme.named_parameters()
        if value.requires_grad
    }
    assert trainable_names(scheme, scheme.shared_parameters()) == {name for name in count if count[name] >= 2}
    for task in scheme.tasks:
        own = {name for name in seen[task] if count[name] == 1}
        assert trainable_names(scheme, scheme.task_parameters(task)) == own
    assert all(count.values()), "a parameter influences no task"


def test_every_scheme_has_its_yaml() -> None:
    modules = [path.stem for path in (CONF.parent / "mtlrun" / "sharing").glob("*.py")]
    schemes = [
        stem
        for stem in modules
        for value in vars(import_module(f"mtlrun.sharing.{stem}")).values()
        if isinstance(value, type) and issubclass(value, Sharing) and value.__module__ == f"mtlrun.sharing.{stem}"
    ]
    assert sorted(schemes) == sorted([*NAMES, "base"])
    assert {"hard", "independent"} <= {*NAMES}


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize(("name", "options"), CASES)
def test_claims_about_parameters_are_true(name: str, options: dict, rows: str) -> None:
    check_claims(build(name, TASKS, options), ROWS[rows])


@pytest.mark.parametrize(("name", "options"), CASES)
def test_claims_hold_with_frozen_parameters(name: str, options: dict) -> None:
    scheme = build(name, TASKS, options)
    for parameter in [*scheme.parameters()][::3]:
        parameter.requires_grad_(False)
    check_claims(scheme, ROWS["all"])


@pytest.mark.parametrize(("name", "options"), CASES)
def test_one_task_shares_nothing(name: str, options: dict) -> None:
    scheme = build(name, TASKS[:1], options)
    check_claims(scheme, {"lane": None})
    assert scheme.shared_parameters() == []
    assert scheme.last_shared_stage() == []


@pytest.mark.parametrize(("name", "options"), CASES)
def test_last_shared_stage_is_part_of_what_is_shared(name: str, options: dict) -> None:
    scheme = build(name, TASKS, options)
    shared, last = ({id(value) for value in part} for part in (scheme.shared_parameters(), scheme.last_shared_stage()))
    assert last <= shared
    assert bool(last) == bool(shared)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_outputs_match_features_and_rows(name: str, options: dict) -> None:
    scheme = build(name, TASKS, options)
    outputs = scheme(torch.randn(4, 3, 8, 8), ROWS["some"])
    assert [*outputs] == TASKS
    for task, count in zip(TASKS, (2, 3, 4)):
        assert [describe(output, count) for output in outputs[task]] == [
            (feature.channels, feature.stride) for feature in scheme.features
        ]
    assert all(isinstance(feature, Feature) for feature in scheme.features)


def describe(output: Tensor, rows: int) -> tuple[int, int | None]:
    assert len(output) == rows
    return output.shape[1], 8 // output.shape[2] if output.dim() == 4 else None


@pytest.mark.parametrize(("name", "options"), CASES)
def test_rows_select_what_the_whole_batch_would_give(name: str, options: dict) -> None:
    """Group normalisation lets no row see another, so selecting before and after must agree."""
    scheme = build(name, TASKS, options).eval()
    inputs = torch.randn(4, 3, 8, 8)
    whole, some = scheme(inputs, ROWS["all"]), scheme(inputs, ROWS["some"])
    for task, rows in ROWS["some"].items():
        for one, other in zip(whole[task], some[task]):
            torch.testing.assert_close(one if rows is None else one[rows], other)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_absent_tasks_are_left_out(name: str, options: dict) -> None:
    scheme = build(name, TASKS, options)
    seen = influenced(scheme, torch.randn(4, 3, 8, 8), {"type": torch.tensor([1])})
    assert [*seen] == ["type"]
    for other in ("lane", "values"):
        assert not seen["type"] & trainable_names(scheme, scheme.task_parameters(other))


@pytest.mark.parametrize(("name", "options"), CASES)
def test_state_loads_into_a_fresh_scheme(name: str, options: dict) -> None:
    scheme, fresh = build(name, TASKS, options).eval(), build(name, TASKS, options).eval()
    for parameter in scheme.parameters():
        nn.init.normal_(parameter)
    fresh.load_state_dict(scheme.state_dict())
    inputs = torch.randn(4, 3, 8, 8)
    torch.testing.assert_close(fresh(inputs, ROWS["all"]), scheme(inputs, ROWS["all"]))
