"""A network that starts from another's: for every sharing scheme, and what a run says and keeps of it."""

import json
import shutil

import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf
from schemes import ON_ANY_BACKBONE
from torch import nn

from mtlrun.backbones.mlp import MLP
from mtlrun.errors import ConfigError
from mtlrun.experiment.run import evaluate
from mtlrun.experiment.train import train as go_on
from mtlrun.experiment.transfer import Learned, transfer
from mtlrun.gradients.ranks import Ranks
from mtlrun.paths import CONF
from mtlrun.runs.folder import RunFolder
from mtlrun.sharing.backbone_paths import backbone_paths, from_backbone, note_paths, stage_of
from mtlrun.training.checkpoint import network_state
from mtlrun.training.model import MultiTaskModel
from mtlrun.training.sync_batchnorm import synchronise

SCHEMES = ON_ANY_BACKBONE
TASKS = ("lane", "type", "sign")
STAGES = ["layer1", "layer2", "layer3"]
OPTIONS = {"lora": {"layers": None}}
COPY = "sharing.networks.task_sign.stages.layer2.linear.weight"
ADDS = {"adapters", "cgc", "conditioned", "cross_stitch", "dselect_k", "film", "lora", "mmoe", "mtan", "ple"}


def backbone():
    return MLP((12,), hidden=[4, 6, 8], norm="batch")


def network(scheme, tasks=TASKS, seed=0, **options):
    """A network of three stages with batch norm under a sharing scheme, with a head of one layer per task."""
    torch.manual_seed(seed)
    settings = (
        OmegaConf.to_container(OmegaConf.load(CONF / "sharing" / f"{scheme}.yaml")) | OPTIONS.get(scheme, {}) | options
    )
    sharing = get_class(settings.pop("_target_"))(backbone=lambda: note_paths(backbone()), tasks=tasks, **settings)
    model = MultiTaskModel(sharing, {task: Head(sharing.features[-1].channels) for task in tasks})
    with torch.no_grad():
        for tensor in [*model.parameters(), *model.buffers()]:
            if tensor.is_floating_point():
                tensor += 0.1 * torch.rand_like(tensor)
    return model


class Head(nn.Linear):
    def __init__(self, channels):
        super().__init__(channels, 2)

    def forward(self, outputs):
        return super().forward(outputs[-1])


def learned(model):
    state = network_state(model)
    return Learned.of(state)


def in_backbone(model):
    """Place in the backbone -> the tensors there, one for each copy."""
    found, state = {}, model.state_dict()
    for name, path in backbone_paths(model).items():
        found.setdefault(path, []).append(state[name])
    return found


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_is_known_to_hold_the_whole_backbone(scheme):
    plain = backbone().stages.state_dict()
    found = in_backbone(network(scheme))
    assert found.keys() == plain.keys()
    assert all(copy.shape == plain[path].shape for path, copies in found.items() for copy in copies)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_starts_from_one_trunk(scheme):
    source, model = network("hard"), network(scheme, seed=1)
    result = transfer(model, learned(source))
    expected = in_backbone(source)
    for path, copies in in_backbone(model).items():
        assert all(torch.equal(copy, expected[path][0]) for copy in copies), path
    for task in TASKS:
        assert torch.equal(model.head(task).weight, source.head(task).weight)
    assert result.learned
    assert all(part.startswith("sharing.") for part in result.new)
    assert bool(result.new) == (scheme in ADDS)
    assert result.unused == []


@pytest.mark.parametrize("scheme", ["hard", "independent", "soft", "groups", "cross_stitch"])
def test_one_task_starts_from_its_own_copy(scheme):
    source, model = network(scheme), network("hard", ("type",), seed=1)
    result = transfer(model, learned(source))
    assert result.taken == result.total
    state = source.state_dict()
    copies = {path: name for name, path in backbone_paths(source).items() if scheme == "hard" or "task_type" in name}
    for name, path in backbone_paths(model).items():
        assert torch.equal(model.state_dict()[name], state[copies[path]]), name
    assert {"head of 'lane'", "head of 'sign'"} <= set(result.unused)


def test_copies_that_differ_are_not_guessed_between():
    model = network("hard", ("new",), seed=1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    result = transfer(model, learned(network("independent")))
    assert not result.learned
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items() if "num_" not in name)
    assert result.new == dict.fromkeys(STAGES, "several, which differ") | {"head of 'new'": ""}


@pytest.mark.parametrize("scheme", ["adapters", "lora"])
def test_a_body_that_tasks_share_is_taken_only_where_all_their_copies_agree(scheme):
    source, model = network("independent"), network(scheme, seed=1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    result = transfer(model, learned(source))
    shared = {id(value) for value in model.sharing.shared_parameters()}
    bodies = [name for name, value in model.state_dict(keep_vars=True).items() if id(value) in shared]
    assert bodies
    assert all(torch.equal(before[name], model.state_dict()[name]) for name in bodies)
    assert "several, which differ" in result.new.values()
    assert result.total == len({id(value) for value in model.state_dict(keep_vars=True).values()})


@pytest.mark.parametrize("task", TASKS)
def test_a_task_starts_from_its_groups_copy(task):
    source, model = network("groups", groups=[["lane", "type"], ["sign"]]), network("hard", (task,), seed=1)
    result = transfer(model, learned(source))
    assert result.taken == result.total
    inputs = torch.randn(3, 12)
    assert torch.equal(source.eval()(inputs, {task: None})[task], model.eval()(inputs, {task: None})[task])


def test_a_group_starts_from_nothing_where_its_tasks_differ():
    model = network("groups", seed=1, groups=[["lane", "type"], ["sign"]])
    result = transfer(model, learned(network("independent")))
    assert result.new == dict.fromkeys(STAGES, "several, which differ")
    [own] = [name for name in model.state_dict() if name.endswith("layer2.task_sign.linear.weight")]
    assert torch.equal(model.state_dict()[own], network("independent").state_dict()[COPY])


@pytest.mark.parametrize("scheme", ["film", "conditioned", "cross_stitch", "ple"])
def test_what_goes_by_the_tasks_order_is_for_the_same_tasks_only(scheme):
    source = network(scheme, ("lane", "type"))
    same, other = network(scheme, ("lane", "type"), seed=1), network(scheme, ("type", "sign"), seed=1)
    assert transfer(same, learned(source)).new == {}
    before = {id(value): value.clone() for value in other.sharing.ordered_by_task()}
    assert "of other tasks" in transfer(other, learned(source)).new.values()
    assert before
    assert all(torch.equal(before[id(value)], value) for value in other.sharing.ordered_by_task())


def test_descriptors_of_the_users_own_mean_the_same_for_other_tasks():
    given = {"lane": [1, 0.5], "type": [0, 1], "sign": [2, 2]}
    source, other = (
        network("film", tasks, descriptors={task: given[task] for task in tasks})
        for tasks in (("lane", "type"), ("type", "sign"))
    )
    assert transfer(other, learned(source)).new == {"head of 'sign'": ""}


def test_levels_of_experts_are_told_by_their_stage():
    source, model = network("ple"), network("ple", seed=1, split="layer2")
    transfer(model, learned(source))
    name = "sharing.levels.layer3.shared.0.linear.weight"
    assert torch.equal(source.state_dict()[name], model.state_dict()[name])


def test_the_trunk_before_experts_is_taken():
    model = network("hard", seed=1)
    result = transfer(model, learned(network("mmoe")))
    assert str(result) == (
        f"{result.taken} of {result.total} tensors; new: layer2 (several, which differ), "
        "layer3 (several, which differ); not used: sharing.gating"
    )


def test_shapes_must_agree():
    model = network("hard", seed=1)
    source = learned(network("hard"))
    source.tensors["sharing.trunk.layer3.linear.weight"] = torch.zeros(1)
    source.tensors["heads.task_sign.weight"] = torch.zeros(5, 8)
    assert transfer(model, source).new == {"layer3": "of another shape", "head of 'sign'": "of another shape"}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_frozen_backbone_stays_as_it_is_and_the_rest_learns(scheme):
    model = network(scheme)
    model.freeze(STAGES)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    step(model)
    moved = {name for name, value in model.state_dict().items() if not torch.equal(before[name], value)}
    assert not moved & backbone_paths(model).keys()
    assert {f"heads.task_{task}.weight" for task in TASKS} <= moved
    assert any(name.startswith("sharing.") for name in moved) == (scheme in ADDS)


def test_frozen_stages_are_those_that_are_named():
    model = network("cross_stitch")
    model.freeze(["layer1", "layer3"])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.eval()
    step(model.train())
    after, where = model.state_dict(), backbone_paths(model)
    assert {stage_of(where[name]) for name in where if not torch.equal(before[name], after[name])} == {"layer2"}
    training = {stage_of(path) for _, path, module in from_backbone(model) if module.training}
    assert training == {"layer2"}


def step(model):
    rows = dict.fromkeys(TASKS)
    optimizer = torch.optim.SGD([value for value in model.parameters() if value.requires_grad], lr=0.1)
    for _ in range(2):  # what starts at zero may hide what lies behind it for one step
        optimizer.zero_grad()
        sum(output.square().sum() for output in model(torch.randn(4, 12), rows).values()).backward()
        optimizer.step()


def test_layers_that_are_synchronised_keep_their_place():
    model = network("hard")
    before = backbone_paths(model)
    synchronise(model, Ranks(0, 2))
    assert backbone_paths(model) == before


def saved(folder, name="last"):
    return torch.load(folder / "checkpoints" / f"{name}.pt", weights_only=True)


@pytest.fixture
def source(undisturbed, tmp_path):
    """A run on two of the three tasks."""
    return shutil.copytree(undisturbed("tasks=[shape,length]", "trainer.max_steps=4").folder, tmp_path / "source")


def test_a_run_starts_where_another_ended_and_says_so(train, source, caplog):
    still = ("trainer.max_steps=1", "optimizer.lr=0", "tasks=[marks,shape]", f"init_from={source}")
    with caplog.at_level("INFO", logger="mtlrun"):
        folder = train(*still).folder
    before, after = saved(source, "best"), saved(folder)
    assert all(torch.equal(before["model"][name], after["model"][name]) for name in after["backbone_paths"])
    assert torch.equal(
        before["model"]["heads.task_shape.layers.0.weight"], after["model"]["heads.task_shape.layers.0.weight"]
    )
    line = next(record.getMessage() for record in caplog.records if record.getMessage().startswith("took"))
    best = source / "checkpoints" / "best.pt"
    total = len(after["model"])
    taken = total - sum(name.startswith("heads.task_marks") for name in after["model"])
    assert line == (
        f"took {taken} of {total} tensors; new: head of 'marks'; not used: head of 'length' "
        f"[{best}: balancer equal, epoch 0]"
    )
    assert json.loads((folder / "run.json").read_text())["init_from"] == {"checkpoint": str(best), "epoch": 0}


def test_a_checkpoint_can_be_named(train, source):
    folder = train("trainer.max_steps=1", "optimizer.lr=0", f"init_from={source}/checkpoints/last.pt").folder
    before, after = saved(source), saved(folder)
    assert all(torch.equal(before["model"][name], after["model"][name]) for name in after["backbone_paths"])


def test_resume_and_eval_do_not_need_the_other_run(train, source, tmp_path):
    settings = ("tasks=[marks]", f"init_from={source}", "freeze=backbone")
    whole = train(*settings).summary
    folder = train(*settings, "trainer.epochs=1", folder="parts").folder
    shutil.rmtree(source)
    config = OmegaConf.load(folder / ".hydra" / "config.yaml")
    evaluate(config, folder)
    origin = json.loads((folder / "run.json").read_text())["init_from"]
    config.trainer.epochs = 3
    assert go_on(config, RunFolder(folder), resume=True)["tasks"] == whole["tasks"]
    assert json.loads((folder / "run.json").read_text())["init_from"] == origin


def test_a_run_that_died_before_its_first_checkpoint_starts_as_it_was_told(train, source):
    settings = ("tasks=[marks]", f"init_from={source}")
    whole = train(*settings).summary
    folder = train(*settings, folder="again").folder
    (folder / "checkpoints" / "last.pt").unlink()
    assert (
        go_on(OmegaConf.load(folder / ".hydra" / "config.yaml"), RunFolder(folder), resume=True)["tasks"]
        == whole["tasks"]
    )


@pytest.mark.parametrize("settings", [("balancer=uncertainty",), ("trainer.accumulate=2",), ("tasks=[marks]",)])
def test_training_with_a_frozen_backbone(train, source, settings):
    folder = train(*settings, f"init_from={source}", "freeze=backbone", "diagnostics.every=1").folder
    before, after = saved(source, "best")["model"], saved(folder)
    assert all(torch.equal(before[name], after["model"][name]) for name in after["backbone_paths"])
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["parameters"]["shared"] == 0
    assert summary["parameters"]["frozen"] == sum(before[name].numel() for name in after["backbone_paths"])


def test_a_part_of_the_trunk_can_be_frozen_under_gradient_balancers(train, source):
    settings = ("backbone.hidden=[16,8]", "freeze=[layer1]", "balancer=mgda")
    for way in ("parameters", "last_stage", "features"):
        folder = train(*settings, f"balancer.gradients={way}", "trainer.max_steps=2", folder=way).folder
        assert (folder / "cosines.csv").read_text().count("\n") > 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("freeze=backbone", "balancer=pcgrad"), "here all of them are frozen: choose balancer=equal, or freeze less"),
        (("freeze=[layer2]", "balancer=mgda", "balancer.gradients=last_stage"), "the last shared stage is frozen"),
        (("freeze=[lyer1]",), "no stage for freeze 'lyer1'; did you mean 'layer1'"),
        (("freeze=layer1",), r"freeze=layer1: must be backbone, a list of its stages such as \[conv1,conv2\], or null"),
        (("freeze=[]",), r"freeze=\[\]: must be backbone"),
        (("freeze=backbone", "optimizer.backbone_lr=0.1"), "optimizer.backbone_lr=0.1 has no effect"),
        (("optimizer.sharing_lr=0.1",), "optimizer.sharing_lr=0.1 has no effect"),
        (("optimizer.backbone_lr=-1",), "optimizer.backbone_lr=-1: must be a number of at least 0"),
        (("optimizer.backbone_lr=inf",), "optimizer.backbone_lr=inf: must be a finite number"),
        (("optimizer.backbone_lr=0.1", "scheduler=one_cycle"), "this scheduler gives all parameters one learning rate"),
        (("init_from=nowhere",), "init_from=nowhere: no folder 'nowhere'"),
    ],
)
def test_what_cannot_be_is_refused(train, tmp_path, settings, words):
    with pytest.raises(ConfigError, match=words):
        train("backbone.hidden=[16,8]", *settings)
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_what_cannot_be_started_from_is_refused(train, source, tmp_path):
    torch.save({"weight": torch.ones(1)}, tmp_path / "weights.pt")
    (tmp_path / "broken.pt").write_bytes(b"PK\x03\x04")
    (tmp_path / "empty").mkdir()
    cases = {
        f"{source}/checkpoints/lost.pt": "no such file; did you mean 'last.pt'",
        f"{source}x": "no folder .*; did you mean 'source'",
        f"{tmp_path}": "is no run: .*; name one of the 1 below it",
        f"{tmp_path}/empty": "is no run: it has no .hydra/config.yaml",
        f"{tmp_path}/weights.pt": "it holds no network of a run; weights of a backbone go to backbone.weights",
        f"{tmp_path}/broken.pt": "is damaged or not a checkpoint",
    }
    for number, (word, words) in enumerate(cases.items()):
        with pytest.raises(ConfigError, match=f"^init_from={word}: .*{words}"):
            train(f"init_from={word}", folder=f"run{number}")
    with pytest.raises(ConfigError, match="no tensor has a name and shape of this network's"):
        train(f"init_from={source}", "tasks=[marks]", "backbone.hidden=[5]", folder="other")
    (source / "checkpoints" / "best.pt").unlink()
    with pytest.raises(ConfigError, match="the run has saved no checkpoints"):
        train(f"init_from={source}", folder="last")


def test_rates_of_the_parts(train):
    """What has a rate of zero stays; with cross-stitch there are all four parts."""
    settings = ("sharing=cross_stitch", "optimizer=sgd", "optimizer.weight_decay=0.1", "trainer.max_steps=2")
    start = saved(train(*settings, "optimizer.lr=0", folder="start").folder)
    parts = {"backbone_lr": set(start["backbone_paths"]), "head_lr": set(), "sharing_lr": set()}
    for name in start["model"].keys() - start["backbone_paths"].keys():
        parts["sharing_lr" if name.startswith("sharing.") else "head_lr"].add(name)
    heads = "{shape: 0, length: 0, marks: 0}"
    for option, still in parts.items():
        value = heads if option == "head_lr" else 0
        after = saved(train(*settings, f"optimizer.{option}={value}", folder=option).folder)["model"]
        assert {name for name, values in after.items() if torch.equal(values, start["model"][name])} == still


def test_a_resumed_run_keeps_its_parts(train):
    folder = train("trainer.epochs=1").folder
    config = OmegaConf.load(folder / ".hydra" / "config.yaml")
    config.optimizer.backbone_lr, config.trainer.epochs = 0.1, 2
    with pytest.raises(ValueError, match=r"last.pt does not fit the optimizer .* as they were$"):
        go_on(config, RunFolder(folder), resume=True)
