import math
from collections.abc import Callable

import pytest
import torch
import yaml
from hydra.utils import get_class
from schemes import ON_ANY_BACKBONE
from torch import Tensor, nn

from mtlrun.backbones.molecule import ELEMENTS, Molecule, find_pairs
from mtlrun.errors import ConfigError
from mtlrun.paths import CONF

SIZES = [5, 3, 9, 1]


def some_molecules(sizes: list[int], length: int = 9, seed: int = 0) -> Tensor:
    """Atoms [B, length, 4] at random places, with padding."""
    generator = torch.Generator().manual_seed(seed)
    atoms = torch.zeros(len(sizes), length, 4)
    for row, size in enumerate(sizes):
        atoms[row, :size, 0] = torch.tensor([1.0, 6, 7, 8, 9])[torch.randint(5, (size,), generator=generator)]
        atoms[row, :size, 1:] = 2.5 * torch.randn(size, 3, generator=generator)
    return atoms


def network(**options: object) -> Molecule:
    torch.manual_seed(0)
    return Molecule((9, 4), **{"channels": 8, "gaussians": 12, "cutoff": 6.0, **options}).double()


def read(model: Molecule, atoms: Tensor) -> Tensor:
    return model(atoms.double())[-1]


def turned(atoms: Tensor) -> Tensor:
    rotation, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1)).double())
    rotation *= rotation.det().sign()
    return torch.cat([atoms[..., :1], atoms[..., 1:] @ rotation], -1)


def mirrored(atoms: Tensor) -> Tensor:
    return atoms * torch.tensor([1.0, -1, 1, 1])


def moved(atoms: Tensor) -> Tensor:
    return torch.where(atoms[..., :1] > 0, atoms + torch.tensor([0.0, 30, -8, 5]), atoms)


def shuffled(atoms: Tensor) -> Tensor:
    """Another order of the atoms in each molecule, with padding in between."""
    order = torch.rand(atoms.shape[:2], generator=torch.Generator().manual_seed(2)).argsort(1)
    return atoms.gather(1, order[..., None].expand_as(atoms))


def padded(atoms: Tensor) -> Tensor:
    return torch.cat([atoms, torch.zeros(len(atoms), 4, 4)], 1)


@pytest.mark.parametrize("readout", ["sum", "mean"])
@pytest.mark.parametrize("change", [turned, mirrored, moved, shuffled, padded])
def test_the_same_molecule_reads_the_same(change: Callable[[Tensor], Tensor], readout: str) -> None:
    model, atoms = network(readout=readout), some_molecules(SIZES).double()
    torch.testing.assert_close(read(model, change(atoms)), read(model, atoms), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("change", ["an element", "a place"])
def test_another_molecule_reads_otherwise(change: str) -> None:
    model, atoms = network(), some_molecules(SIZES).double()
    other = atoms.clone()
    if change == "an element":
        other[0, 0, 0] = atoms[0, 0, 0] % 9 + 1
    else:
        other[0, 0, 1] += 0.3
    difference = (read(model, other) - read(model, atoms)).abs().amax(1)
    assert difference[0] > 1e-3
    assert difference[1:].max() < 1e-9  # pairs are packed, so that sums of other molecules may run in another order


def test_rows_of_a_batch_do_not_meet() -> None:
    model, atoms = network(), some_molecules(SIZES)
    alone = torch.cat([read(model, atoms[row : row + 1]) for row in range(len(atoms))])
    torch.testing.assert_close(read(model, atoms), alone)


@pytest.mark.parametrize("distance", [20.0, 5.0])
def test_molecules_that_are_far_apart_add_up(distance: float) -> None:
    one, other = some_molecules([4, 5], 5).double()
    other = torch.cat([other[:, :1], other[:, 1:] / 10], 1)  # no wider than the gap below
    one = torch.cat([one[:4, :1], one[:4, 1:] / 10], 1)
    together = torch.cat([one, other + torch.tensor([0.0, distance, 0, 0])])
    model = network(cutoff=4.0 if distance == 5.0 else 10.0)
    apart = read(model, one[None]) + read(model, other[None])
    torch.testing.assert_close(read(model, together[None]), apart)
    near = read(model, torch.cat([one, other + torch.tensor([0.0, 1.5, 0, 0])])[None])
    assert (near - apart).abs().max() > 1e-3


def test_equals_schnet_written_out() -> None:
    """Equations of the paper, atom by atom, for one molecule."""
    model, atoms = network(interactions=1), some_molecules([5], 5).double()
    numbers, positions = atoms[0, :, 0].long(), atoms[0, :, 1:]
    layers = model.stages["interaction1"]
    features = model.stages["embedding"].elements.weight[numbers]
    inward, update = layers.inward(features), torch.zeros_like(features)
    grid = torch.linspace(0, 6, 12, dtype=torch.float64)
    for i in range(5):
        for j in set(range(5)) - {i}:
            distance = (positions[i] - positions[j]).norm()
            if distance < 6:
                gaussians = torch.exp(-0.5 * ((distance - grid) / (6 / 11)) ** 2)
                fading = 0.5 * (math.cos(math.pi * distance / 6) + 1)
                update[i] += inward[j] * layers.filters(gaussians) * fading
    after = features + layers.outward(update)
    expected = (nn.functional.softplus(model.stages["readout"].layers[0](after)) - math.log(2)).sum(0) / 9
    torch.testing.assert_close(read(model, atoms)[0], expected)


def test_pairs_are_those_below_the_cutoff() -> None:
    atoms = some_molecules(SIZES)
    pairs = find_pairs(atoms, 4.0)
    found = {(int(i), int(j)): float(d) for i, j, d in zip(pairs.first, pairs.second, pairs.distances)}
    expected = {}
    for row, size in enumerate(SIZES):
        for i in range(size):
            for j in range(i + 1, size):
                distance = float((atoms[row, i, 1:] - atoms[row, j, 1:]).norm())
                if distance < 4.0:
                    expected[9 * row + i, 9 * row + j] = distance
    assert 0 < len(expected) < sum(size * (size - 1) // 2 for size in SIZES)
    assert found == pytest.approx(expected)


def test_nothing_happens_suddenly_at_the_cutoff() -> None:
    model = network(cutoff=4.0)
    pair = torch.tensor([[[6.0, 0, 0, 0], [8.0, 0, 0, 0]]]).double().repeat(2, 1, 1)
    pair[:, 1, 1] = torch.tensor([4 - 1e-4, 4 + 1e-4])
    below, above = read(model, pair)
    torch.testing.assert_close(below, above, rtol=0, atol=1e-6)


@pytest.mark.parametrize("sizes", [SIZES, [1], [2], []])
def test_gradients_are_finite_and_reach_every_parameter(sizes: list[int]) -> None:
    model, atoms = network(), some_molecules(sizes).double().requires_grad_()
    model(atoms)[-1].square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())
    assert atoms.grad is not None
    assert atoms.grad.isfinite().all()
    if len(sizes) > 1:
        used = {name: parameter.grad.abs().max() for name, parameter in model.named_parameters()}
        assert all(largest > 0 for largest in used.values())


def test_atoms_at_one_place_and_rows_of_padding_do_no_harm() -> None:
    atoms = torch.zeros(2, 3, 4).double()
    atoms[0, :, 0] = 6
    atoms.requires_grad_()
    output = network()(atoms)[-1]
    output.sum().backward()
    assert output.isfinite().all()
    assert atoms.grad is not None
    assert atoms.grad.isfinite().all()
    assert output[1].abs().max() == 0


def test_forces_are_the_gradient() -> None:
    model, atoms = network(interactions=1), some_molecules([4], 4).double()

    def energy(positions: Tensor) -> Tensor:
        return read(model, torch.cat([atoms[..., :1], positions], -1)).sum()

    assert torch.autograd.gradcheck(energy, atoms[..., 1:].clone().requires_grad_())


@pytest.mark.parametrize("interactions", [1, 3])
def test_features_describe_the_outputs(interactions: int) -> None:
    model = network(interactions=interactions)
    names = ["embedding", *(f"interaction{number}" for number in range(1, interactions + 1)), "readout"]
    outputs = model(some_molecules(SIZES).double())
    assert [*model.stages] == [feature.name for feature in model.features] == names
    for feature, output in zip(model.features, outputs):
        assert output.shape[:2] == (4, feature.channels + feature.carried)
        assert (feature.stride is None) == (output.dim() == 2)
        assert feature.stride is None or output.shape[2:] == (1, 9)


def test_maps_keep_padding_and_the_mean_of_positions_at_zero() -> None:
    """So that the mean of a map, which gates read, depends on neither position nor orientation."""
    maps = network()(moved(some_molecules(SIZES)).double())[:-1]
    for values in maps:
        assert values[1, :, :, 3:].abs().max() == 0
        assert values[:, -3:].mean((2, 3)).abs().max() < 1e-12


def test_tails_of_gaussians_are_not_subnormal() -> None:
    layer = network().stages["interaction1"].expansion
    values = layer(torch.linspace(0, 60, 50))
    assert values.min() > 1e-18
    expected = torch.tensor([-0.5, 0, -0.5]).double().exp()
    torch.testing.assert_close(layer(torch.tensor([6 / 11]).double())[0, :3], expected)


def test_weights_are_loaded(tmp_path) -> None:
    first = network()
    torch.save({name.removeprefix("stages."): value for name, value in first.state_dict().items()}, tmp_path / "w.pt")
    torch.manual_seed(7)
    second = Molecule((9, 4), channels=8, gaussians=12, cutoff=6.0, weights=str(tmp_path / "w.pt")).double()
    atoms = some_molecules(SIZES)
    torch.testing.assert_close(read(second, atoms), read(first, atoms), rtol=1e-4, atol=1e-4)


def test_half_precision_keeps_the_positions() -> None:
    model, atoms = network().float(), some_molecules(SIZES)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = model(atoms)
    assert all(output.dtype == torch.float32 for output in outputs[:-1])
    torch.testing.assert_close(outputs[-2][:, -4:], outputs[0][:, -4:], rtol=0, atol=0)  # computed once, for both
    torch.testing.assert_close(outputs[-1].float(), model(atoms)[-1], rtol=0.1, atol=0.1)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((3, 32, 32), {}, "found rows of shape (3, 32, 32): choose backbone=cnn"),
        ((12,), {}, "found rows of shape (12,): choose backbone=mlp"),
        ((29, 5), {}, "found rows of shape (29, 5): choose backbone=mlp"),
        ((29, 2), {}, "found rows of shape (29, 2): choose backbone=transformer"),
        ((29, 4), {"channels": 0}, "backbone.channels must be a whole number of at least 1, found 0"),
        ((29, 4), {"channels": [64]}, "found [64]"),
        ((29, 4), {"interactions": 1.5}, "backbone.interactions must be a whole number of at least 1, found 1.5"),
        ((29, 4), {"gaussians": 1}, "backbone.gaussians must be a whole number of at least 2, found 1"),
        (
            (29, 4),
            {"cutoff": -1},
            "backbone.cutoff must be a finite number of at least 0.1, found -1",
        ),
        ((29, 4), {"cutoff": math.inf}, "found inf"),
        ((29, 4), {"cutoff": "far"}, "found 'far'"),
        ((29, 4), {"readout": "men"}, "no backbone.readout 'men'; did you mean 'mean'?"),
    ],
)
def test_refuses(shape: tuple[int, ...], options: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Molecule(shape, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [-1, 100])
def test_an_unknown_element_is_one_line(number: int) -> None:
    atoms = some_molecules(SIZES)
    atoms[2, 1, 0] = number
    with pytest.raises(
        ConfigError, match=rf"^a row has the atomic number {number}, and atomic numbers go from 0 to 99: "
    ):
        network()(atoms.double())


def test_number_of_parameters() -> None:
    filters, inward, outward = (40 + 1) * 64 + 65 * 64, 64 * 64, 2 * 65 * 64
    expected = ELEMENTS * 64 + 3 * (filters + inward + outward) + 65 * 64
    assert sum(parameter.numel() for parameter in Molecule((29, 4)).parameters()) == expected


@pytest.mark.parametrize("change", [turned, moved, shuffled])
@pytest.mark.parametrize("name", ON_ANY_BACKBONE)
def test_invariance_survives_sharing(name: str, change: Callable[[Tensor], Tensor]) -> None:
    settings = yaml.safe_load((CONF / "sharing" / f"{name}.yaml").read_text())
    settings |= {"layers": None} if name == "lora" else {}  # its linear layers have names of their own
    torch.manual_seed(0)
    scheme = get_class(settings.pop("_target_"))(
        backbone=lambda: Molecule((9, 4), channels=8, gaussians=12, cutoff=6.0), tasks=["u0", "mu"], **settings
    ).double()
    with torch.no_grad():
        for parameter in scheme.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    atoms, rows = some_molecules(SIZES).double(), {"u0": None, "mu": torch.tensor([2, 0])}
    before, after = scheme.eval()(atoms, rows), scheme(change(atoms), rows)
    for task in rows:
        torch.testing.assert_close(after[task][-1], before[task][-1], rtol=1e-7, atol=1e-7)
