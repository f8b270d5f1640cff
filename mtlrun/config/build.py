"""From a checked configuration to objects: the last place where the configuration exists."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import torch
from omegaconf import DictConfig, OmegaConf

from mtlrun.backbones.base import Backbone
from mtlrun.balancers.base import Balancer, GramBalancer
from mtlrun.config.combinations import check_balancer, check_engine, check_sources
from mtlrun.data.source import Source, Splits
from mtlrun.errors import ConfigError, choose
from mtlrun.gradients.engine import Engine
from mtlrun.instantiate import instantiate
from mtlrun.loggers.base import Logger
from mtlrun.runs.folder import RunFolder
from mtlrun.samplers.draw import Drawer
from mtlrun.samplers.pools import make_pools
from mtlrun.tasks.base import Task
from mtlrun.training import devices
from mtlrun.training.evaluate import Evaluator
from mtlrun.training.loader import Loader
from mtlrun.training.model import MultiTaskModel
from mtlrun.training.optim import Schedule, parameter_groups
from mtlrun.training.settings import DiagnosticsSettings, TrainerSettings
from mtlrun.training.step import Stepper
from mtlrun.training.trainer import Parts, Trainer

log = logging.getLogger("mtlrun")
S = TypeVar("S")


def build(config: DictConfig, folder: RunFolder) -> Trainer:
    """Everything that `config` names, ready to train in `folder`.

    Raises:
        ConfigError, DataError: whatever cannot be built or combined, before any training.
    """
    settings, diagnostics = (
        typed(config.trainer, TrainerSettings),
        typed(config.diagnostics, DiagnosticsSettings),
    )
    device = devices.resolve(settings.device)
    devices.seed_everything(config.seed)
    balancer, every, gradients = build_balancer(config)
    sampler = instantiate(config.sampler, "sampler")
    splits, tasks = build_data(config)
    balancer.check(list(tasks))
    sampler.check(list(tasks))
    model = build_model(config, splits, tasks).to(device)
    log.info("%s; %s", splits.statement, _sizes(model))
    engine = build_engine(model, balancer, every, gradients)
    check_engine(config, engine)
    drawer = Drawer(sampler, make_pools(splits.train, tasks), list(tasks), settings.batch_size, config.seed)
    steps_per_epoch = math.ceil(sum(map(len, splits.train)) / settings.batch_size)
    total_steps = min(settings.epochs * steps_per_epoch, settings.max_steps or math.inf)
    optimizer, schedule = build_optimizer(config, model, steps_per_epoch, int(total_steps))
    memory_format = torch.channels_last if settings.channels_last else torch.contiguous_format
    if settings.channels_last:
        model = model.to(memory_format=torch.channels_last)
    network = cast(torch.nn.Module, torch.compile(model)) if settings.compile else model
    placed = place(splits, device)
    parts = Parts(
        Stepper(
            model=model,
            network=network,
            tasks=tasks,
            engine=engine,
            optimizer=optimizer,
            scaler=devices.grad_scaler(device, settings.precision),
            device=device,
            precision=settings.precision,
            clip_norm=settings.clip_norm,
        ),
        schedule,
        drawer,
        Loader(placed.train, device, settings.accumulate, settings.workers, memory_format),
        Evaluator(network, tasks, device, settings.precision, settings.eval_batch_size),
        placed,
        build_logger(config, folder),
    )
    return Trainer(parts, settings, diagnostics, folder, steps_per_epoch, int(total_steps))


def build_evaluator(config: DictConfig) -> tuple[Evaluator, MultiTaskModel, Splits]:
    """What it takes to score a trained network, and nothing that writes: the run may still be going on."""
    settings = typed(config.trainer, TrainerSettings)
    device = devices.resolve(settings.device)
    splits, tasks = build_data(config)
    model = build_model(config, splits, tasks).to(device)
    return Evaluator(model, tasks, device, settings.precision, settings.eval_batch_size), model, splits


def typed(node: DictConfig, schema: type[S]) -> S:
    """A node as an instance of its dataclass; a config that was read back from a file has lost its types."""
    return cast(S, OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), OmegaConf.to_container(node))))


def build_balancer(config: DictConfig) -> tuple[Balancer, int, str]:
    """(balancer, every, gradients): the last two belong to the gradient engine."""
    method, engine = split_settings(config.balancer, {"every": 1, "gradients": "parameters"})
    balancer = instantiate(method, "balancer")
    if not isinstance(balancer, Balancer):
        raise ConfigError(f"balancer._target_={config.balancer._target_}: must subclass mtlrun.balancers.base.Balancer")
    choose(engine["gradients"], ("parameters", "last_stage"), "balancer.gradients")
    check_balancer(config, balancer, engine["every"], engine["gradients"])
    return balancer, engine["every"], engine["gradients"]


def build_data(config: DictConfig) -> tuple[Splits, dict[str, Task]]:
    """The splits with the sources of the chosen tasks, and the tasks, fitted to the training labels."""
    splits: Splits = instantiate(config.data, "data")
    given = OmegaConf.to_container(config.task.tasks, resolve=True)
    assert isinstance(given, dict)
    kinds = {
        str(name): merged_kind(splits.inferred.get(str(name), {}), given.get(name))
        for name in {**splits.inferred, **given}
    }
    for name in config.tasks or ():
        choose(name, kinds, "task")
    tasks = {name: build_task(name, kinds[name]) for name in kinds if config.tasks is None or name in config.tasks}
    train, val, test = (_with(tasks, part) for part in (splits.train, splits.val, splits.test))
    splits = Splits(train, val, test, splits.statement)
    check_sources(tasks, splits)
    for name, task in tasks.items():
        targets = torch.cat([source.targets(name) for source in splits.train if name in source.tasks])
        task.check(targets)
        task.fit(targets)
    return splits, tasks


def merged_kind(inferred: dict[str, Any], given: dict[str, Any] | None) -> dict[str, Any]:
    """What the configuration says of a task over what the data says; another kind drops the data's arguments."""
    given = given or {}
    if given.get("_target_", inferred.get("_target_")) != inferred.get("_target_"):
        return dict(given)
    return {**inferred, **given}


def build_task(name: str, kind: dict[str, Any]) -> Task:
    if "_target_" not in kind:
        raise ConfigError(
            f"task.tasks.{name} names no kind: give task.tasks.{name}._target_=mtlrun.tasks.<file>.<Kind>"
        )
    task: Task = instantiate(kind, f"task.tasks.{name}", name=name)
    task.higher_is_better()  # refuses a judging metric that does not exist
    return task


def build_model(config: DictConfig, splits: Splits, tasks: dict[str, Task]) -> MultiTaskModel:
    """Backbone, sharing scheme and heads for the shapes of the training sources."""
    shape = max((source.input_shape for source in splits.train), key=math.prod)

    def backbone() -> Backbone:
        return instantiate(config.backbone, "backbone", input_shape=shape)

    sharing = instantiate(config.sharing, "sharing", backbone=_checked(backbone, splits.train), tasks=tuple(tasks))
    heads = {name: task.make_head(sharing.features, _shape_of(name, splits)) for name, task in tasks.items()}
    return MultiTaskModel(sharing, heads)


def build_engine(model: MultiTaskModel, balancer: Balancer, every: int, gradients: str) -> Engine:
    own = {task: model.own_parameters(task) for task in model.tasks}
    partly = isinstance(balancer, GramBalancer) and gradients == "last_stage"
    return Engine(
        model.sharing.shared_parameters(),
        own,
        balancer,
        every,
        model.sharing.last_shared_stage() if partly else None,
    )


def build_optimizer(
    config: DictConfig, model: MultiTaskModel, steps_per_epoch: int, total_steps: int
) -> tuple[torch.optim.Optimizer, Schedule]:
    """The optimizer and the schedule of its rates; a scheduler option that is null becomes the run's length."""
    method, own = split_settings(config.optimizer, {"head_lr": None})
    optimizer = instantiate(method, "optimizer", params=parameter_groups(model, own["head_lr"] or {}))
    options, own = split_settings(config.scheduler, {"interval": "step"})
    intervals = total_steps if own["interval"] == "step" else math.ceil(total_steps / steps_per_epoch)
    options = {key: intervals if value is None else value for key, value in options.items()}
    return optimizer, Schedule(instantiate(options, "scheduler", optimizer=optimizer), own["interval"])


def build_logger(config: DictConfig, folder: RunFolder) -> Logger:
    plain = OmegaConf.to_container(config, resolve=True)
    return instantiate(config.logger, "logger", folder=folder.path, config=plain)


def split_settings(node: DictConfig, own: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(arguments of the class, settings of ours with their defaults) from one node."""
    options = OmegaConf.to_container(node, resolve=True)
    assert isinstance(options, dict)
    ours = {key: options.pop(key, default) for key, default in own.items()}
    return {str(key): value for key, value in options.items()}, ours


def place(splits: Splits, device: torch.device) -> Splits:
    """The splits with their in-memory sources on the device, as far as they fit."""
    train, val, test = (devices.place(part, device) for part in (splits.train, splits.val, splits.test))
    return Splits(train, val, test, splits.statement)


def _checked(factory: Callable[[], Backbone], sources: Sequence[Source]) -> Callable[[], Backbone]:
    shapes = sorted({source.input_shape for source in sources})

    def build() -> Backbone:
        backbone = factory()
        if backbone.fixed_size and len(shapes) > 1:
            found = " and ".join("x".join(map(str, shape)) for shape in shapes)
            raise ConfigError(
                f"this backbone takes inputs of one size, and the sources have {found}: choose backbone=cnn"
            )
        return backbone

    return build


def _with(tasks: dict[str, Task], sources: Sequence[Source]) -> list[Source]:
    return [source for source in sources if any(task in tasks for task in source.tasks)]


def _shape_of(task: str, splits: Splits) -> tuple[int, ...]:
    return next(source.input_shape for source in splits.train if task in source.tasks)


def _sizes(model: MultiTaskModel) -> str:
    total = sum(parameter.numel() for parameter in model.parameters())
    shared = sum(parameter.numel() for parameter in model.sharing.shared_parameters())
    return f"{total:,} parameters, {shared:,} of them shared by two tasks or more"
