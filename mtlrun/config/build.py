"""From a checked configuration to objects: the last place where the configuration exists."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeVar, cast

import torch
from omegaconf import DictConfig, OmegaConf
from torch.optim.lr_scheduler import LRScheduler

from mtlrun.backbones.base import Backbone
from mtlrun.balancers.base import Balancer
from mtlrun.config.build_backbone import Shaped, build_backbone
from mtlrun.config.build_data import build_data, on_device
from mtlrun.config.combinations import check_balancer, check_clip, check_engine, trunk_end
from mtlrun.config.logger_nodes import logger_nodes
from mtlrun.config.reference import resolved
from mtlrun.config.words import without_secrets
from mtlrun.data.source import Splits
from mtlrun.errors import ConfigError, choose
from mtlrun.gradients.base import EngineSettings, FeatureTap, ParameterGroups
from mtlrun.gradients.engine import Engine
from mtlrun.gradients.ranks import Ranks
from mtlrun.instantiate import instantiate
from mtlrun.loggers.base import Logger, NoLogger
from mtlrun.loggers.together import Together
from mtlrun.runs.folder import RunFolder
from mtlrun.samplers.base import Sampler
from mtlrun.samplers.batch_sampler import BatchSampler
from mtlrun.samplers.pools import make_pools
from mtlrun.sharing.backbone_paths import note_paths
from mtlrun.sharing.base import Sharing
from mtlrun.tasks.base import Task
from mtlrun.training import devices
from mtlrun.training.batches import BatchLoader, RowSplit
from mtlrun.training.evaluate import Evaluator
from mtlrun.training.group import first_goes_ahead
from mtlrun.training.model import MultiTaskModel
from mtlrun.training.optim import check_rates_kept, parameter_groups
from mtlrun.training.schedule import Schedule
from mtlrun.training.settings import DiagnosticsSettings, TrainerSettings
from mtlrun.training.step import Stepper
from mtlrun.training.trainer import Trainer
from mtlrun.troubles import out_of_memory

log = logging.getLogger("mtlrun")
S = TypeVar("S")


def build(config: DictConfig, folder: RunFolder, ranks: Ranks | None = None) -> Trainer:
    """Everything that `config` names, ready to train in `folder`, as one of the processes in `ranks`.

    Raises:
        ConfigError, DataError: whatever cannot be built or combined, before any training.
    """
    settings, diagnostics = typed(config.trainer, TrainerSettings), typed(config.diagnostics, DiagnosticsSettings)
    ranks = ranks or Ranks()
    device = devices.resolve(settings.device)
    devices.forget_peak_memory(device)
    devices.seed_everything(config.seed)
    balancer, engine_settings = build_balancer(config)
    sampler: Sampler = instantiate(config.sampler, "sampler", Sampler)
    with first_goes_ahead(ranks):
        splits, tasks = build_data(config)
    directions = {name: {**task.directions} for name, task in tasks.items()}
    settings = replace(settings, reference=resolved(config, directions))
    balancer.check(list(tasks))
    sampler.check(list(tasks))
    model = build_network(config, splits, tasks, device, ranks)
    log.info("%s; %s", splits.statement, _sizes(model))
    engine = build_engine(model, balancer, engine_settings, ranks)
    check_engine(config, engine, model.sharing)
    check_clip(settings.clip, engine)
    rows = settings.batch_size * balancer.batches
    batch_sampler = BatchSampler(sampler, make_pools(splits.train, tasks), list(tasks), rows, config.seed)
    steps_per_epoch = _steps_per_epoch(sum(map(len, splits.train)), rows, settings.drop_last)
    total_steps = int(min(settings.epochs * steps_per_epoch, settings.max_steps or math.inf))
    stepper = build_stepper(config, model, tasks, engine, device, (steps_per_epoch, total_steps))
    splits, split = on_device(splits, device), RowSplit(balancer.batches, ranks, settings.accumulate)
    evaluator = Evaluator(
        stepper.network, tasks, device, settings.precision, settings.eval_batch_size, ranks, settings.workers
    )
    return Trainer(
        stepper=stepper,
        sampler=batch_sampler,
        loader=build_loader(splits, settings, device, split, config.seed),
        splits=splits,
        evaluator=evaluator,
        settings=settings,
        diagnostics=diagnostics,
        folder=folder,
        logger=build_logger(config, folder),
        steps_per_epoch=steps_per_epoch,
        total_steps=total_steps,
        seed=config.seed,
    )


def _steps_per_epoch(rows: int, batch: int, drop_last: bool) -> int:
    if drop_last and rows < batch:
        raise ConfigError(f"trainer.drop_last leaves no batch of {batch} rows, as there are {rows} to train on")
    return rows // batch if drop_last else math.ceil(rows / batch)


def build_network(
    config: DictConfig, splits: Splits, tasks: dict[str, Task], device: torch.device, ranks: Ranks
) -> MultiTaskModel:
    """The model on its device, with what does not learn frozen."""
    model = _allocated(lambda: build_model(config, splits.train, tasks).to(device))
    if config.trainer.sync_batchnorm:
        from mtlrun.training.sync_batchnorm import synchronise  # here: it loads torch's compiler

        synchronise(model, ranks)
    if config.freeze is not None:
        freeze(model, config.freeze)
    return model


def build_stepper(
    config: DictConfig,
    model: MultiTaskModel,
    tasks: dict[str, Task],
    engine: Engine,
    device: torch.device,
    steps: tuple[int, int],
) -> Stepper:
    """What a step works with; `steps` per epoch and in all."""
    settings = typed(config.trainer, TrainerSettings)
    optimizer, schedule = build_optimizer(config, model, *steps)
    if settings.channels_last:
        model = model.to(memory_format=torch.channels_last)
    return Stepper(
        model=model,
        network=cast(torch.nn.Module, torch.compile(model)) if settings.compile else model,
        tasks=tasks,
        engine=engine,
        optimizer=optimizer,
        schedule=schedule,
        scaler=devices.grad_scaler(device, settings.precision),
        device=device,
        precision=settings.precision,
        clip_norm=settings.clip_norm,
        clip=settings.clip,
    )


def build_loader(
    splits: Splits, settings: TrainerSettings, device: torch.device, split: RowSplit, seed: int
) -> BatchLoader:
    return BatchLoader(
        splits.train,
        device,
        split,
        settings.workers,
        memory_format=torch.channels_last if settings.channels_last else torch.contiguous_format,
        empty_parts=settings.sync_batchnorm and split.ranks.size > 1,
        seed=seed,
    )


def build_evaluator(config: DictConfig) -> tuple[Evaluator, MultiTaskModel, Splits]:
    """What it takes to score a trained network, and nothing that writes: the run may still be going on."""
    settings = typed(config.trainer, TrainerSettings)
    device = devices.resolve(settings.device)
    splits, tasks = build_data(config)
    model = _allocated(lambda: build_model(config, splits.train, tasks).to(device))
    evaluator = Evaluator(model, tasks, device, settings.precision, settings.eval_batch_size, workers=settings.workers)
    return evaluator, model, splits


def typed(node: DictConfig, schema: type[S]) -> S:
    """A node as an instance of its dataclass; a config that was read back from a file has lost its types."""
    return cast(S, OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), OmegaConf.to_container(node))))


def build_balancer(config: DictConfig) -> tuple[Balancer, EngineSettings]:
    """The balancer, and the settings beside it that belong to the gradient engine."""
    method, words = split_settings(config.balancer, asdict(EngineSettings()))
    settings = EngineSettings(**words)
    balancer: Balancer = instantiate(method, "balancer", Balancer)
    check_balancer(config, balancer, settings)
    return balancer, settings


def build_model(config: DictConfig, sources: Sequence[Shaped], tasks: Mapping[str, Task]) -> MultiTaskModel:
    """Backbone, sharing scheme and heads for the shapes of the training sources."""
    largest = max(sources, key=lambda source: math.prod(source.input_shape))

    def backbone() -> Backbone:
        return build_backbone(config.backbone, largest)

    make = _checked(backbone, sources)
    sharing: Sharing = instantiate(config.sharing, "sharing", Sharing, backbone=make, tasks=tuple(tasks))
    heads = {name: task.make_head(sharing.features, _shape_of(name, sources)) for name, task in tasks.items()}
    return MultiTaskModel(sharing, heads)


def _allocated(make: Callable[[], MultiTaskModel]) -> MultiTaskModel:
    """What `make` returns; a network too large for memory is a mistake in its options."""
    try:
        return make()
    except RuntimeError as error:
        if out_of_memory(error):
            raise ConfigError(
                "the network does not fit into memory: choose fewer channels, layers or copies"
            ) from error
        raise


def freeze(model: MultiTaskModel, stages: str | Sequence[str]) -> None:
    """Freeze these stages of the backbone, or all of them for 'backbone'."""
    names = model.stages()
    model.freeze(names if stages == "backbone" else [choose(stage, names, "stage for freeze") for stage in stages])


def build_engine(model: MultiTaskModel, balancer: Balancer, settings: EngineSettings, ranks: Ranks) -> Engine:
    """The gradient engine on the model's parameters."""
    sharing = model.sharing
    groups = ParameterGroups(
        shared=sharing.shared_parameters(),
        task_specific={task: model.task_parameters(task) for task in model.tasks},
        last_stage=sharing.last_shared_stage(),
        features=FeatureTap(trunk_end(sharing)) if settings.gradients == "features" else None,
    )
    return Engine(groups, balancer, settings, ranks)


def build_optimizer(
    config: DictConfig, model: MultiTaskModel, steps_per_epoch: int, total_steps: int
) -> tuple[torch.optim.Optimizer, Schedule]:
    """The optimizer and the schedule of its rates; a scheduler option that is null becomes the run's length."""
    method, rates = split_settings(config.optimizer, {"head_lr": None, "backbone_lr": None, "sharing_lr": None})
    optimizer: torch.optim.Optimizer = instantiate(
        method, "optimizer", torch.optim.Optimizer, params=parameter_groups(model, **rates)
    )
    before = [group["lr"] for group in optimizer.param_groups]
    options, own = split_settings(config.scheduler, {"interval": "step"})
    intervals = total_steps if own["interval"] == "step" else math.ceil(total_steps / steps_per_epoch)
    options = {key: intervals if value is None else value for key, value in options.items()}
    if options.get("total_steps", intervals) < intervals:  # such a scheduler would stop the run at its end
        unit = own["interval"]
        raise ConfigError(
            f"scheduler.total_steps={options['total_steps']}: the run has {intervals} {unit}s, choose null"
        )
    scheduler = instantiate(options, "scheduler", LRScheduler, optimizer=optimizer)
    schedule = Schedule(scheduler, own["interval"], options)
    check_rates_kept(before, [group["lr"] for group in optimizer.param_groups])
    return optimizer, schedule


def build_logger(config: DictConfig, folder: RunFolder) -> Logger:
    if not folder.writes:
        return NoLogger(folder.path, {})
    plain = without_secrets(config)
    built: dict[str, Logger] = {}
    try:
        for key, node in logger_nodes(config).items():
            built[key.removeprefix("logger.")] = instantiate(node, key, Logger, folder=folder.path, config=plain)
    except Exception as error:
        Together(built).end("failed", str(error))  # nothing is trained: those before it have a run that began
        raise
    return Together(built)


def without_start(config: DictConfig) -> DictConfig:
    """The same without the file that the backbone started from: a checkpoint holds what became of it."""
    if config.backbone.get("weights") is None:
        return config
    found = config.copy()
    found.backbone.weights = None
    return found


def split_settings(node: DictConfig, own: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(arguments of the class, settings of ours with their defaults) from one node."""
    options = OmegaConf.to_container(node, resolve=True)
    assert isinstance(options, dict)
    ours = {key: options.pop(key, default) for key, default in own.items()}
    return {str(key): value for key, value in options.items()}, ours


def _checked(factory: Callable[[], Backbone], sources: Sequence[Shaped]) -> Callable[[], Backbone]:
    shapes = sorted({source.input_shape for source in sources})

    def build() -> Backbone:
        backbone = factory()
        if backbone.fixed_size and len(shapes) > 1:
            found = " and ".join("x".join(map(str, shape)) for shape in shapes)
            raise ConfigError(
                f"this backbone takes inputs of one size, and the sources have {found}: choose backbone=cnn"
            )
        return note_paths(backbone)

    return build


def _shape_of(task: str, sources: Sequence[Shaped]) -> tuple[int, ...]:
    return next(source.input_shape for source in sources if task in source.tasks)


def _sizes(model: MultiTaskModel) -> str:
    total = sum(parameter.numel() for parameter in model.parameters())
    shared = sum(parameter.numel() for parameter in model.sharing.shared_parameters())
    frozen = sum(parameter.numel() for parameter in model.parameters() if not parameter.requires_grad)
    words = f"{total:,} parameters, {shared:,} of them shared by two tasks or more"
    return f"{words}, {frozen:,} frozen" if frozen else words
