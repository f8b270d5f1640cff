"""Rules of a composed configuration, and of changes to the open groups."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from mtlrun.config.changes import check_change, is_open
from mtlrun.config.check import check
from mtlrun.config.compose import compose
from mtlrun.config.schema import Root
from mtlrun.errors import ConfigError
from mtlrun.paths import CONF

GROUPS = ("data", "backbone", "sharing", "sampler", "balancer", "optimizer", "scheduler", "logger")


def make(**changes: object) -> DictConfig:
    """A small configuration that passes, with changes by dotted key (`__` for the dot)."""
    tasks = {"left": {"_target_": "a.B"}, "right": {"_target_": "a.B"}}
    chosen = {group: {"_target_": "mtlrun.errors.ConfigError"} for group in GROUPS}
    config = OmegaConf.merge(OmegaConf.structured(Root), {"task": {"name": "toy", "tasks": tasks}, **chosen})
    assert isinstance(config, DictConfig)
    for key, value in changes.items():
        OmegaConf.update(config, key.replace("__", "."), value, force_add=True)
    return config


def test_a_sound_configuration_passes():
    check(make(tasks=["right"], trainer__monitor="right/accuracy", trainer__clip_norm=0.1, seed=0))


TORCHRUN = {"RANK": 1, "LOCAL_RANK": 1, "LOCAL_WORLD_SIZE": 2, "MASTER_ADDR": "localhost", "MASTER_PORT": 1}


@pytest.fixture
def torchrun(monkeypatch):
    """torchrun(size): as if it had started this process."""

    def start(size, **environment):
        for name, value in {"WORLD_SIZE": size, **TORCHRUN, **environment}.items():
            monkeypatch.setenv(name, str(value))

    return start


def test_every_process_has_a_row_in_each_part_of_a_batch(torchrun):
    check(make(trainer__devices=4, trainer__accumulate=2, trainer__batch_size=8))
    with pytest.raises(ConfigError, match=r"=7: must be at least 8 for 4 processes with trainer.accumulate=2"):
        check(make(trainer__devices=4, trainer__accumulate=2, trainer__batch_size=7))
    torchrun(8)
    check(make(trainer__batch_size=8))
    with pytest.raises(ConfigError, match=r"batch_size=7: must be at least 8 for 8 processes$"):
        check(make(trainer__batch_size=7))


def test_processes_are_started_in_one_way(torchrun):
    torchrun(2)
    check(make())
    with pytest.raises(ConfigError, match=r"trainer.devices=2: torchrun has started 2 processes already"):
        check(make(trainer__devices=2))
    torchrun(1)
    check(make(trainer__devices=2))


def test_half_an_environment_of_torchrun_is_refused(torchrun, monkeypatch):
    torchrun(2)
    monkeypatch.delenv("MASTER_ADDR")
    with pytest.raises(ConfigError, match=r"WORLD_SIZE=2 is set, but MASTER_ADDR is not: start with torchrun"):
        check(make())


@pytest.mark.parametrize(
    ("key", "smallest"),
    [
        ("seed", 0),
        ("trainer__epochs", 1),
        ("trainer__max_steps", 1),
        ("trainer__batch_size", 1),
        ("trainer__devices", 1),
        ("trainer__accumulate", 1),
        ("trainer__eval_every", 1),
        ("trainer__test_last", 1),
        ("trainer__eval_batch_size", 1),
        ("trainer__checkpoint_every", 1),
        ("trainer__log_every", 1),
        ("trainer__patience", 1),
        ("trainer__workers", 0),
        ("diagnostics__every", 0),
        ("diagnostics__gap_rows", 0),
        ("diagnostics__pictures", 0),
        ("balancer__every", 1),
    ],
)
def test_smallest_values(key, smallest):
    check(make(**{key: smallest}))
    with pytest.raises(ConfigError, match=f"={smallest - 1}: must be {smallest} or more"):
        check(make(**{key: smallest - 1}))


@pytest.mark.parametrize("key", ["seed", "sharing__strength", "sharing__descriptors"])
def test_whole_numbers_that_no_machine_holds(key):
    wrong = {"left": [1, -(10**400)]} if key == "sharing__descriptors" else 10**400
    where = {"sharing__descriptors": r"sharing\.descriptors\.left\.1"}.get(key, key.replace("__", r"\."))
    check(make(**{key: 2**63 - 1}) if key != "sharing__descriptors" else make())
    with pytest.raises(ConfigError, match=f"^{where}: a whole number of 401 digits is too large$"):
        check(make(**{key: wrong}))


def test_which_epochs_are_the_last_must_be_known():
    check(make(trainer__test_last=3))
    check(make(trainer__patience=3))
    with pytest.raises(ConfigError, match=r"^trainer\.test_last=3: which epochs are last is unknown"):
        check(make(trainer__test_last=3, trainer__patience=3))


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_clip_norm_is_positive(value):
    with pytest.raises(ConfigError, match=r"must be (above 0|a finite number)"):
        check(make(trainer__clip_norm=value))


def test_shared_clipping_needs_a_norm():
    check(make(trainer__clip="shared", trainer__clip_norm=1.0))
    with pytest.raises(ConfigError, match=r"^trainer\.clip=shared: nothing is clipped, give trainer\.clip_norm too$"):
        check(make(trainer__clip="shared"))


@pytest.mark.parametrize("group", sorted({*GROUPS} - {"logger"}))
def test_every_group_needs_a_choice(group):
    config = make()
    del config[group]["_target_"]
    with pytest.raises(ConfigError, match=f"no {group} chosen"):
        check(config)


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("nothing.at.all", "no module 'nothing.at'"),
        ("mtlrun.balancers.nothing.X", "'mtlrun.balancers' has no 'nothing'"),
        ("Mine", "must be module.Class"),
        (3, "must be module.Class"),
    ],
)
def test_targets_that_cannot_be_found(target, line):
    with pytest.raises(ConfigError, match=line):
        check(make(balancer___target_=target))


def test_missing_values_are_all_named():
    with pytest.raises(ConfigError, match=r"^data.path has no value: give data.path=... sampler.x=...$"):
        check(make(data__path="???", sampler__x="???"))


def test_task_sets_whose_data_names_the_tasks_leave_names_open():
    check(make(task__inferred=True, tasks=["middle"]))
    with pytest.raises(ConfigError, match="no task 'middle'"):
        check(make(tasks=["middle"]))


def offered():
    """(choice of an option, key) for every setting of a group whose default is something and whose comment has null."""
    for path in CONF.glob("*/*.yaml"):
        group, package = path.parent.name, "" if path.parent.name == "task" else f"{path.parent.name}."
        above: list[tuple[int, str]] = []
        for indent, key, value, comment in re.findall(
            r"^( *)([\w.]+):([^#\n]*)(#.*)?$", path.read_text(), re.MULTILINE
        ):
            above = [(depth, name) for depth, name in above if depth < len(indent)] + [(len(indent), key)]
            if re.search(r"\bnull\b", comment) and value.strip() not in ("null", ""):
                yield f"{group}={path.stem}", package + ".".join(name for _, name in above)


DEFAULTS = OmegaConf.create(
    {
        "balancer": {
            "_target_": "mtlrun.balancers.x.X",
            "alpha": 1.5,
            "steps": 3,
            "exact": False,
            "form": "soft",
            "norm": None,
            "sizes": [1, 2],
            "per_task": {},
            "inner": {"_target_": "torch.optim.Adam", "lr": 0.1},
        }
    }
)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("alpha", 2),
        ("alpha", float("inf")),
        ("steps", 0),
        ("exact", True),
        ("form", None),
        ("form", "hard"),
        ("norm", "anything"),
        ("sizes", []),
        ("per_task", {"lane": 2}),
        ("per_task.lane", 2),
        ("inner.lr", 1),
    ],
)
def test_changes_that_suit_their_defaults(key, value):
    check_change(f"balancer.{key}", changed(key, value), DEFAULTS)


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("alpha", "big", "balancer.alpha=big: must be a number, like the default 1.5"),
        ("alpha", True, "balancer.alpha=true: must be a number, like the default 1.5"),
        ("alpha", None, "balancer.alpha=null: must be a number, like the default 1.5"),
        ("steps", 1.5, "balancer.steps=1.5: must be a whole number, like the default 3"),
        ("exact", 1, "balancer.exact=1: must be true or false, like the default False"),
        ("form", 1, "balancer.form=1: must be a text, like the default 'soft'"),
        ("sizes", 3, "balancer.sizes=3: must be a list such as [1,2]"),
        ("per_task", 3, "balancer.per_task=3: must be a group of settings"),
        ("alhpa", 1, "no setting 'alhpa' in balancer; did you mean 'alpha'?"),
        ("inner.rl", 1, "no setting 'rl' in balancer.inner (there are: lr)"),
    ],
)
def test_changes_that_do_not(key, value, line):
    with pytest.raises(ConfigError) as error:
        check_change(f"balancer.{key}", changed(key, value), DEFAULTS)
    assert str(error.value).startswith(line)


def test_a_users_own_class_may_take_more():
    config, defaults = changed("more", 1), DEFAULTS.copy()
    config.balancer._target_ = defaults.balancer._target_ = "mine.Mine"
    check_change("balancer.more", config, defaults)


def changed(key: str, value: object) -> DictConfig:
    config = DEFAULTS.copy()
    OmegaConf.update(config, f"balancer.{key}", value, merge=False, force_add=True)
    return config


OFFERED = sorted(offered())


@pytest.mark.parametrize(("choice", "key"), OFFERED)
def test_null_is_taken_where_the_comment_of_a_yaml_offers_it(choice, key):
    named = ["data.root=."] if choice == "data=chexpert" else []  # which is nowhere by itself
    assert OmegaConf.select(compose([choice, f"{key}=null", *named]), key) is None


def test_null_is_offered_in_places_that_are_known():
    assert {("sharing=film", "sharing.hidden"), ("data=chexpert", "data.test")} <= {*OFFERED}


@pytest.mark.parametrize("change", ["sharing=mmoe sharing.experts", "optimizer.lr", "data.num_scenes.train"])
def test_null_is_refused_elsewhere(change):
    *choice, key = change.split()
    with pytest.raises(ConfigError, match=f"{key}=null: must be a"):
        compose([*choice, f"{key}=null"])


def test_a_users_own_class_is_asked_when_it_is_built():
    config, defaults = changed("alpha", None), DEFAULTS.copy()
    config.balancer._target_ = defaults.balancer._target_ = "mine.Mine"
    check_change("balancer.alpha", config, defaults)


@pytest.mark.parametrize(("key", "answer"), [("balancer.alpha", True), ("balancer", False), ("trainer.x", False)])
def test_open_keys(key, answer):
    assert is_open(key) is answer


def test_no_torch_is_needed():
    code = "import sys, mtlrun.config.check, mtlrun.config.composed; sys.exit('torch' in sys.modules)"
    root = str(Path(__file__).parents[2])
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": root}).returncode == 0
