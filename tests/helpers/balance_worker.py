"""Three steps of `mtlrun.balance`; test_balance_processes.py has them taken by one process, and by each of two."""

import torch
from small_net import INPUTS, Net
from torch.nn.parallel import DistributedDataParallel

import mtlrun

NAMES = ["uncertainty", "pcgrad", "graddrop"]
STEPS = 3


class Losses(torch.nn.Module):
    """The small network's losses as a forward pass, which is what a wrapper looks at."""

    def __init__(self):
        super().__init__()
        self.net = Net()

    def forward(self, inputs):
        return self.net.losses(inputs)


def train(name, inputs, wrapped=False, without=(), share=1.0):
    """Parameters after three steps; some tasks have no loss here, and elsewhere part of one."""
    module = Losses()
    network = DistributedDataParallel(module) if wrapped else module
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-3)
    step = mtlrun.balance(name, shared=module.net.shared(), task_specific=module.net.own())
    for _ in range(STEPS):
        optimizer.zero_grad()
        losses = network(inputs)
        step.backward(
            {task: loss * share if task == "c" else loss for task, loss in losses.items() if task not in without}
        )
        optimizer.step()
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def work(rank, store, results):
    """One process of two; the folder of `results` gets what it finds."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"file://{store}", rank=rank, world_size=2)
    part = INPUTS.chunk(2)[rank]
    found = {f"{name}, plain": train(name, part) for name in NAMES}
    found |= {f"{name}, wrapped": train(name, part, wrapped=True) for name in NAMES}
    # the same rows everywhere, and the third task's loss in the first process alone: it counts half
    found |= {f"{name}, absent": train(name, INPUTS, without=() if rank == 0 else ("c",)) for name in NAMES}
    torch.save(found, f"{results}.{rank}")
    torch.distributed.destroy_process_group()
