"""SegNet-MTAN as published: its size, its formula, and whose the masks are."""

import pytest
import torch
from torch.nn.functional import interpolate, max_pool2d, max_unpool2d

from mtlrun.backbones.cnn import CNN
from mtlrun.backbones.segnet import SegNet
from mtlrun.errors import ConfigError
from mtlrun.sharing.segnet_mtan import SegNetMTAN
from mtlrun.tasks.map_head import MapHead

TASKS = ["lane", "sign"]


def small(tasks=TASKS, **options):
    torch.manual_seed(0)
    return SegNetMTAN(lambda: SegNet((3, 8, 8), channels=[4, 6]), tasks, **options)


@pytest.mark.parametrize(
    ("shape", "channels", "parameters"), [((288, 384), [13, 1, 3], 44_229_073), ((128, 256), [7, 1], 41_206_984)]
)
def test_has_the_parameters_of_the_papers(shape, channels, parameters):
    with torch.device("meta"):
        scheme = SegNetMTAN(lambda: SegNet((3, *shape)), [f"task{number}" for number in range(len(channels))])
        heads = [MapHead(scheme.features, (3, *shape), outputs) for outputs in channels]
    assert sum(value.numel() for module in (scheme, *heads) for value in module.parameters()) == parameters


def test_equals_the_paper_written_out():
    scheme, inputs = small().eval(), torch.randn(2, 3, 8, 8)
    (enc1, enc2), (dec2, dec1) = scheme.trunk.encoder, scheme.trunk.decoder
    own = scheme.attention["task_sign"]
    first1 = enc1[:3](inputs)
    last1 = enc1[3:](first1)
    pooled1, places1 = max_pool2d(last1, 2, return_indices=True)
    first2 = enc2[:3](pooled1)
    last2 = enc2[3:](first2)
    pooled2, places2 = max_pool2d(last2, 2, return_indices=True)
    up2 = max_unpool2d(pooled2, places2, 2)
    out2 = dec2(up2)
    up1 = max_unpool2d(out2, places1, 2)
    out1 = dec1(up1)
    handed = max_pool2d(scheme.down[0](own.down[0](first1) * last1), 2)
    handed = max_pool2d(scheme.down[1](own.down[1](torch.cat([first2, handed], 1)) * last2), 2)
    for hand_on, mask, enlarged, last in zip(scheme.up, own.up, (up2, up1), (out2, out1)):
        taken = hand_on(interpolate(handed, scale_factor=2, mode="bilinear", align_corners=True))
        handed = mask(torch.cat([enlarged, taken], 1)) * last
    torch.testing.assert_close(scheme(inputs, dict.fromkeys(TASKS))["sign"][-1], handed)


def test_sides_that_cannot_be_halved_come_back_whole():
    found = small()(torch.randn(2, 3, 7, 10), {"lane": torch.tensor([1]), "sign": None})
    assert [tuple(found[task][0].shape) for task in TASKS] == [(1, 4, 7, 10), (2, 4, 7, 10)]


def test_masks_count_as_own_or_as_the_papers_count_them():
    own, shared = small(), small(attention="shared")
    masks = sum(value.numel() for value in own.attention.parameters())
    assert masks == sum(value.numel() for task in TASKS for value in own.task_parameters(task)) > 0
    assert [shared.task_parameters(task) for task in TASKS] == [[], []]
    assert len(shared.shared_parameters()) == len([*shared.parameters()])
    assert len(small(["lane"], attention="shared").task_parameters("lane")) == len([*small(["lane"]).parameters()])


@pytest.mark.parametrize(
    ("backbone", "options", "message"),
    [
        (lambda: CNN((3, 8, 8)), {}, "choose backbone=segnet, or sharing=mtan"),
        (lambda: SegNet((3, 8, 8), [4, 6], unpooling=False), {}, "SegNet with unpooling"),
        (lambda: SegNet((3, 8, 8), [4, 6]), {"attention": "both"}, r"no sharing\.attention 'both'"),
    ],
)
def test_other_backbones_and_words_are_told(backbone, options, message):
    with pytest.raises(ConfigError, match=message):
        SegNetMTAN(backbone, TASKS, **options)
