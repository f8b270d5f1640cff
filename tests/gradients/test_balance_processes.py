"""Two processes with half of the rows each take the steps of one with all, inside torch's own wrapper too."""

import balance_worker
import pytest
import torch
from forked import Forked
from small_net import INPUTS


@pytest.fixture(scope="module")
def in_two(once, tmp_path_factory):
    """Results of each of the two processes."""

    def start():
        folder = tmp_path_factory.mktemp("balance")
        places = folder / "store", folder / "results"
        started = [Forked(balance_worker.work, rank, *places) for rank in range(2)]
        assert [process.wait(300) for process in started] == [0, 0]
        return [torch.load(folder / f"results.{rank}") for rank in range(2)]

    return once("balance", start)


@pytest.mark.parametrize("name", balance_worker.NAMES)
@pytest.mark.parametrize("way", ["plain", "wrapped", "absent"])
def test_two_processes_equal_one(name, way, in_two):
    first, second = (results[f"{name}, {way}"] for results in in_two)
    assert torch.equal(first, second)
    alone = balance_worker.train(name, INPUTS, share=0.5 if way == "absent" else 1.0)
    torch.testing.assert_close(first, alone)
