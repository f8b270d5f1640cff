"""What a logger is told of the training itself: how fast it goes, and at which learning rates."""

from __future__ import annotations

import time

from torch.optim import Optimizer

from mtlrun.loggers.base import Logger


class Pace:
    """Rows per second of training alone since the last look, and the learning rate of each group of parameters.

    Args:
        optimizer: whose rates are told.
        batch_size: rows of a step.
        logger: is told.
    """

    def __init__(self, optimizer: Optimizer, batch_size: int, logger: Logger) -> None:
        self._optimizer, self._batch_size, self._logger = optimizer, batch_size, logger
        self._step, self._since = 0, time.perf_counter()

    def restart(self, step: int) -> None:
        """Do not count what has passed since the last look, such as an evaluation."""
        self._step, self._since = step, time.perf_counter()

    def tell(self, step: int) -> None:
        """The figures since the last look, after this step."""
        if step == self._step:
            return
        rates = [float(group["lr"]) for group in self._optimizer.param_groups]
        values = {f"learning_rate/{index}" if index else "learning_rate": rate for index, rate in enumerate(rates)}
        seconds = time.perf_counter() - self._since
        if seconds > 0:
            values["rows_per_second"] = (step - self._step) * self._batch_size / seconds
        self._logger.log(step, values)
        self.restart(step)
