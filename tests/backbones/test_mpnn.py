"""The papers' network of QM9, beside its formulas written out atom by atom."""

import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf
from torch import nn

from mtlrun.backbones.molecule import Molecule
from mtlrun.backbones.mpnn import FACTS, MPNN, PLACE, Message, Set2Set, edges_of, facts_of
from mtlrun.contracts.backbone import PROMISES, BackboneSubject
from mtlrun.errors import ConfigError
from mtlrun.paths import CONF

MOST = 6


def molecules(sizes=(4, 2, 1), length=MOST):
    """Rows [B, length, length + 9] of random molecules, with padding."""
    draws = torch.Generator().manual_seed(0)
    rows = torch.zeros(len(sizes), length, length + PLACE + FACTS)
    for row, size in zip(rows, sizes):
        row[:size, 0] = torch.tensor([1.0, 6, 7, 8, 9])[torch.randint(5, (size,), generator=draws)]
        row[:size, 1:PLACE] = torch.randn(size, 3, generator=draws)
        row[:size, PLACE : PLACE + FACTS] = torch.randint(2, (size, FACTS), generator=draws).float()
        bonds = torch.randint(5, (size, size), generator=draws).float().triu(1)
        row[:size, PLACE + FACTS : PLACE + FACTS + size] = bonds + bonds.T
    return rows


def network(**options):
    torch.manual_seed(0)
    return MPNN((MOST, MOST + 9), **{"channels": 4, "edge_hidden": 7, **options})


@pytest.mark.parametrize("mean", [True, False])
def test_messages_are_those_of_a_loop_over_edges(mean):
    torch.manual_seed(0)
    message, rows, atoms = Message(4, 7, mean), molecules(), torch.randn(3, MOST, 4)
    nn.init.normal_(message.bias)
    real, edges = rows[:, :, 0] > 0, edges_of(rows)
    others = (real[:, :, None] & real[:, None]).float() * (1 - torch.eye(MOST))
    found = message(atoms, message.edges(edges, others), others)
    for row, size in enumerate((4, 2, 1)):
        for i in range(size):
            heard = [
                atoms[row, j] @ message.second(message.first(edges[row, i, j]).relu()).view(4, 4)
                for j in range(size)
                if j != i
            ]
            total = sum(heard, torch.zeros(4)) / (max(len(heard), 1) if mean else 1)
            torch.testing.assert_close(found[row, i], total + message.root(atoms[row, i]) + message.bias)


def test_set2set_is_its_formula():
    torch.manual_seed(0)
    readout, atoms = Set2Set(4, 3), torch.randn(2, 5, 4)
    real = torch.tensor([[True] * 3 + [False] * 2, [True] * 5])
    lstm = nn.LSTM(8, 4)
    lstm.load_state_dict({f"{name}_l0": value for name, value in readout.cell.state_dict().items()})
    for row, size in enumerate((3, 5)):
        answer, state = torch.zeros(1, 1, 8), None
        for _ in range(3):
            query, state = lstm(answer, state)
            shares = (atoms[row, :size] @ query.flatten()).softmax(0)
            answer = torch.cat([query.flatten(), shares @ atoms[row, :size]]).view(1, 1, 8)
        torch.testing.assert_close(readout(atoms, real)[row], answer.flatten())


def test_the_whole_network_written_out():
    model, rows = network().eval(), molecules()[:1]
    graph, size = model.stages["graph"], 4
    rows = torch.cat([rows[:, :size, : PLACE + FACTS], rows[:, :size, PLACE + FACTS : PLACE + FACTS + size]], 2)
    atoms = state = graph.embedding(facts_of(rows)).relu()
    gru = nn.GRU(4, 4)
    gru.load_state_dict({f"{name}_l0": value for name, value in graph.cell.state_dict().items()})
    others = 1 - torch.eye(size)[None]
    units = graph.message.edges(edges_of(rows), others)
    for _ in range(3):
        heard = graph.message(atoms, units, others).relu()
        atoms, state = gru(heard, state)
    expected = model.stages["fc"].linear(graph.readout(atoms, torch.ones(1, size, dtype=torch.bool))).relu()
    torch.testing.assert_close(model(molecules()[:1])[-1], expected)


def test_has_the_parameters_of_the_papers():
    with torch.device("meta"):
        model = MPNN((29, 38))
    assert sum(parameter.numel() for parameter in model.parameters()) + 11 * 65 == 617_675


def test_order_of_atoms_padding_and_place_do_not_matter():
    model, rows = network().eval(), molecules()
    order = torch.tensor([2, 0, 3, 1, 4, 5])
    shuffled = torch.cat([rows[:, order, : PLACE + FACTS], rows[:, order, PLACE + FACTS :][:, :, order]], 2)
    shuffled[:, :, 1:PLACE] += (shuffled[:, :, :1] > 0) * torch.tensor([1.0, -2.0, 0.5])
    torch.testing.assert_close(model(shuffled)[-1], model(rows)[-1], rtol=1e-4, atol=1e-5)
    longer = torch.zeros(3, 8, 17)
    longer[:, :MOST, : MOST + 9] = rows
    torch.testing.assert_close(model(longer)[-1], model(rows)[-1])


@pytest.mark.parametrize("promise", PROMISES, ids=str)
def test_promise(promise):
    settings = OmegaConf.to_container(OmegaConf.load(CONF / "backbone" / "mpnn.yaml"))
    kind = get_class(settings.pop("_target_"))
    settings |= {"channels": 4, "edge_hidden": 7}
    promise.check(BackboneSubject(lambda: kind(input_shape=(MOST, MOST + 9), **settings), molecules((4, 2, 1, 5))))


def test_other_rows_and_options_are_told():
    with pytest.raises(
        ConfigError, match=r"data.bonds=true\), found rows of shape \(29, 4\): choose backbone=molecule"
    ):
        MPNN((29, 4))
    with pytest.raises(ConfigError, match=r"found rows of shape \(29, 38\): choose backbone=mpnn"):
        Molecule((29, 38))
    with pytest.raises(ConfigError, match=r"no backbone\.aggregation 'max'"):
        network(aggregation="max")
