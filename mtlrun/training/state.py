"""What a checkpoint holds: everything that the rest of the run depends on, and nothing of one process alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtlrun.sharing.places import places
from mtlrun.training.checkpoint import load_model, load_optimizer
from mtlrun.training.data_check import check_same_data
from mtlrun.training.devices import rng_state, set_rng_state
from mtlrun.training.model import MultiTaskModel

if TYPE_CHECKING:
    from mtlrun.training.trainer import Trainer


def network_state(model: MultiTaskModel) -> dict[str, Any]:
    """The network's tensors by name, the names in the backbone of those that come from one, and the tasks in order.

    By these a run with another sharing scheme, or other tasks, finds what it can start from.
    """
    return {"model": model.state_dict(), "places": places(model), "tasks": list(model.tasks)}


def scored_state(trainer: Trainer, epoch: int) -> dict[str, Any]:
    """What `eval` and `init_from` need of the network as it is after an epoch."""
    network = network_state(trainer.parts.stepper.model)
    return {**network, "data": trainer.parts.splits.fingerprint, "epoch": epoch, "step": trainer.step}


def state_of(trainer: Trainer) -> dict[str, Any]:
    """The state between two steps; call after the recorder's `flush`."""
    parts, stepper = trainer.parts, trainer.parts.stepper
    at_epoch_end = trainer.step % trainer.steps_per_epoch == 0
    return {
        **network_state(stepper.model),
        "data": parts.splits.fingerprint,
        "optimizer": stepper.optimizer.state_dict(),
        "schedule": parts.schedule.state_dict(),
        "scaler": stepper.scaler.state_dict(),
        "balancer": stepper.engine.balancer.state_dict(),
        "engine": stepper.engine.state_dict(),
        "drawer": parts.drawer.state_dict() if at_epoch_end else trainer.drawer_at_epoch,
        "recorder": trainer.recorder.state_dict(),
        "selection": trainer.selection.state_dict(),
        "metrics_size": trainer.metrics.size(),
        "validation": trainer.validation,
        "tested": trainer.tested,
        "rng": rng_state(),
        "epoch": trainer.epoch,
        "step": trainer.step,
        "last_measured": trainer.last_measured,
        "seconds": trainer.seconds,
    }


def load_state(trainer: Trainer, state: dict[str, Any], path: Path, other_data: bool = False) -> None:
    """Put a trainer into a state that was read from `path`; `other_data` lets its data differ.

    Raises:
        ResumeError: if the configuration builds another network or optimizer than the checkpoint holds, or other data.
    """
    if not other_data:
        check_same_data(state, trainer.parts.splits, path)
    parts, stepper = trainer.parts, trainer.parts.stepper
    load_model(stepper.model, state["model"], path)
    load_optimizer(stepper.optimizer, state["optimizer"], path)
    parts.schedule.load_state_dict(state["schedule"])
    stepper.scaler.load_state_dict(state["scaler"])
    stepper.engine.balancer.load_state_dict(state["balancer"])
    stepper.engine.load_state_dict(state["engine"])
    parts.drawer.load_state_dict(state["drawer"])
    trainer.recorder.load_state_dict(state["recorder"])
    trainer.selection.load_state_dict(state["selection"])
    trainer.metrics.truncate(state["metrics_size"])
    set_rng_state(state["rng"])
    trainer.validation, trainer.tested = state["validation"], state.get("tested", {})
    trainer.seconds = state["seconds"]
    trainer.step, trainer.last_measured = state["step"], state["last_measured"]
