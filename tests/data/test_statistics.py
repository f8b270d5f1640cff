"""Channel statistics against NumPy."""

import numpy as np
import pytest
import torch

from mtlrun.data.statistics import channel_statistics


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_equal_numpy(kind):
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 6)).astype(kind)
    mean, std = channel_statistics(torch.from_numpy(images))
    values = images / 255 if kind == "uint8" else images
    assert mean == pytest.approx(values.mean((0, 2, 3)))
    assert std == pytest.approx(values.std((0, 2, 3)))


def test_a_constant_channel_stays_unscaled():
    assert channel_statistics(torch.full((4, 1, 2, 2), 0.3))[1] == [1.0]
