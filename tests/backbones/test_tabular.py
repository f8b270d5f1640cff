"""Rows of a table: what every backbone promises, the rule of widths, and codes that have no embedding."""

import pytest
import torch

from mtlrun.backbones.tabular import Tabular, embedding_width
from mtlrun.contracts.backbone import check_backbone
from mtlrun.errors import ConfigError
from mtlrun.types import InputColumn

COLUMNS = (
    InputColumn("age"),
    InputColumn("age", "missing"),
    InputColumn("city", "category", values=("Oslo", "Rome")),
    InputColumn("zip", "category", values=tuple(map(str, range(40)))),
)
ROWS = torch.tensor([[0.5, 0, 1, 40], [-0.5, 1, 0, 3]])


def test_it_keeps_every_promise():
    check_backbone(lambda: Tabular((4,), COLUMNS, hidden=[8, 6]), ROWS)
    check_backbone(lambda: Tabular((2,), hidden=[8]), ROWS[:, :2])


@pytest.mark.parametrize(("codes", "width"), [(2, 2), (3, 3), (41, 13), (100_000, 16)])
def test_widths_follow_the_rule(codes, width):
    assert embedding_width(codes, widest=16) == width


def test_numbers_pass_and_codes_become_their_embeddings():
    backbone = Tabular((4,), COLUMNS, hidden=[8])
    embedded = backbone(ROWS)[0]
    cities, codes = (table.weight for table in backbone.stages["embedding"].tables)
    torch.testing.assert_close(embedded[0], torch.cat([ROWS[0, :2], cities[1], codes[40]]))
    assert backbone.features[0].channels == embedded.shape[1] == 2 + 3 + 13


def test_a_code_beyond_the_table_is_told():
    with pytest.raises(ConfigError, match=r"a row has the code 3 of column 'city', and codes go from 0 to"):
        Tabular((4,), COLUMNS)(torch.tensor([[0.0, 0, 3, 1]]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widest": 0}, "backbone.widest must be"),
        ({"embedding_dropout": 1}, "backbone.embedding_dropout must be"),
        ({"input_shape": (3, 8, 8)}, r"found rows of shape \(3, 8, 8\): choose backbone=cnn"),
    ],
)
def test_wrong_options_are_told(options, message):
    with pytest.raises(ConfigError, match=message):
        Tabular(**{"input_shape": (4,), "columns": COLUMNS, **options})
