"""A saved place in the rows that is no longer there is refused: nothing walks for ever."""

import pytest
import torch

from mtlrun.errors import ResumeError
from mtlrun.samplers.base import TrainingProgress
from mtlrun.samplers.batch_sampler import BatchSampler
from mtlrun.samplers.pools import Pool
from mtlrun.samplers.uniform import Uniform


def sampler(*sizes, batch_size=8):
    pools = [Pool(f"source{index}", ("t",), torch.arange(size)) for index, size in enumerate(sizes)]
    return BatchSampler(Uniform(), pools, ["t"], batch_size, 0)


def after_a_step(restricted=None):
    """The state of a sampler that stands at row 8 of 10."""
    one = sampler(10)
    if restricted is not None:
        one.keep_easiest([restricted], TrainingProgress(0, 0, 0.0))
    one.next(TrainingProgress(0, 0, 0.0))
    return one.state_dict()


@pytest.mark.parametrize("rows", [1, 7, 8])
def test_fewer_rows(rows):
    with pytest.raises(ResumeError, match=rf"at row 8 of a pass over {rows}"):
        sampler(rows).load_state_dict(after_a_step())


def test_fewer_rows_for_a_sampler_that_chooses_among_them():
    with pytest.raises(ResumeError, match="the data have 9 now"):
        sampler(9).load_state_dict(after_a_step(restricted=torch.arange(10.0)))


@pytest.mark.parametrize("position", [-1, 10, 10**12])
def test_places_that_never_were(position):
    state = after_a_step()
    state["passes"][0]["position"] = position
    with pytest.raises(ResumeError, match=f"at row {position} of"):
        sampler(10).load_state_dict(state)


def test_another_number_of_pools():
    with pytest.raises(ResumeError, match="draws from 1 pools of rows, and the data have 2 now"):
        sampler(5, 5).load_state_dict(after_a_step())


def test_the_same_rows_go_on():
    one, two = sampler(10), sampler(10)
    one.next(TrainingProgress(0, 0, 0.0))
    two.load_state_dict(one.state_dict())
    following = [each.next(TrainingProgress(1, 0, 0.1)).rows["source0"] for each in (one, two)]
    assert torch.equal(*following)
