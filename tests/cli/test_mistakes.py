"""Malformed commands: each gets exactly one line on stderr and exit code 2, and leaves no folder behind."""

# ruff: noqa: E501 (a mistake and its line stand side by side)

import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from sampling import sampled

BALANCERS = "dwa, equal, fixed, gradnorm, pcgrad, uncertainty"
TASKS = "detection, lane, drivable, sign"

MISTAKES = [
    # options and groups
    ("balancer=gradnrom", "no balancer 'gradnrom'; did you mean 'gradnorm'?"),
    ("lr=0.1", "no setting 'lr'; did you mean 'optimizer.lr'?"),
    ("epochs=3", "no setting 'epochs'; did you mean 'trainer.epochs'?"),
    ("+epochs=3", "no setting 'epochs'; did you mean 'trainer.epochs'?"),
    ("balancer=pcgrad every=3", "no setting 'every'; did you mean 'balancer.every' or 'diagnostics.every'?"),
    ("balencer=pcgrad", "no setting 'balencer'; did you mean 'balancer'?"),
    ("data=null", "data=null: no group takes null; name an option: mtlrun list data"),
    ("balancer=null", "balancer=null: no group takes null; name an option: mtlrun list balancer"),
    ("-m seed=0,1 logger=null", "logger=null: no group takes null; name an option: mtlrun list logger"),
    ("sharing=3", "sharing=3: must be the name of an option: mtlrun list sharing"),
    ("hydra/launcher=submit", "no hydra/launcher 'submit'; did you mean 'submitit_slurm'?"),
    # keys
    ("trainer.epohcs=3", "no setting 'epohcs' in trainer; did you mean 'epochs'?"),
    ("+trainer.epohcs=3", "no setting 'epohcs' in trainer; did you mean 'epochs'?"),
    ("balancer=gradnorm balancer.alhpa=1.5", "no setting 'alhpa' in balancer; did you mean 'alpha'?"),
    ("balancer=gradnorm +balancer.alhpa=1.5", "no setting 'alhpa' in balancer; did you mean 'alpha'?"),
    ("+trainer.epochs=3", "'trainer.epochs' exists already: leave out the +"),
    ("+sedd=1", "no setting 'sedd'; did you mean 'seed'?"),
    ("~foo", "Could not delete from config. 'foo' does not exist."),
    ("data.num_scenes={trian:5}", "no setting 'trian' in data.num_scenes; did you mean 'train'?"),
    # types
    ("trainer.epochs=abc", "trainer.epochs=abc: must be a whole number"),
    ("trainer.compile=maybe", "trainer.compile=maybe: must be true or false"),
    ("trainer.device=vulkan", "trainer.device=vulkan: no such device (there are: auto, cpu, cuda, mps)"),
    ("seed=null", "seed=null: must have a value"),
    ("tasks=lane", "tasks=lane: must be a list, such as tasks=[lane]"),
    ("trainer.precision=bf61", "trainer.precision=bf61: no such precision; did you mean 'bf16'?"),
    ("optimizer.lr=fast", "optimizer.lr=fast: must be a number, like the default 0.001"),
    ("optimizer.betas=0.9", "optimizer.betas=0.9: must be a list such as [1,2], like the default [0.9, 0.999]"),
    (
        "sampler=temperature sampler.temperature=true",
        "sampler.temperature=true: must be a number, like the default 5.0",
    ),
    # ranges and names
    ("seed=-1", "seed=-1: must be 0 or more"),
    ("trainer.epochs=0", "trainer.epochs=0: must be 1 or more"),
    (
        "trainer.batch_size=8 trainer.accumulate=9",
        "trainer.accumulate=9: must be at most trainer.batch_size=8",
    ),
    ("tasks=[lnae]", "tasks=[lnae]: no task 'lnae'; did you mean 'lane'?"),
    ("tasks=[lane,lane]", "tasks=[lane,lane]: 'lane' is named twice"),
    ("tasks=[]", f"tasks=[]: name at least one task, or null for all (there are: {TASKS})"),
    (
        "tasks=[lane] trainer.monitor=sign/accuracy",
        "trainer.monitor=sign/accuracy: no task 'sign' is trained (there are: lane)",
    ),
    ("trainer.monitor=lane", "trainer.monitor=lane: must be TASK/METRIC, or null for all tasks"),
    ("data.seed=???", "data.seed has no value: give data.seed=..."),
    (
        "balancer._target_=my_balancer.Mine",
        "balancer._target_=my_balancer.Mine: no module 'my_balancer' is installed or in this folder",
    ),
    # grammar, flags and words
    ("task=driving balancer", "cannot read 'balancer': settings are key=value, special characters quoted"),
    ("tasks=[lane", "cannot read 'tasks=[lane': settings are key=value, special characters quoted"),
    (
        "seed=1,2",
        "seed=1,2 lists several values: add -m to sweep over them, or write [...] for a list",
    ),
    ("--multirn seed=1,2", "no flag '--multirn'; did you mean '--multirun'?"),
    ("--experimental-rerun=x", "no flag '--experimental-rerun=x'; see mtlrun --help"),
    ("--cfg jbo", "argument -c/--cfg: invalid choice: 'jbo' (choose from 'job', 'hydra', 'all')"),
    ("resme outputs", "no command 'resme'; did you mean 'resume'?; a setting is written key=value"),
    ("train task=toy", "no command 'train': training has none, the settings alone train: mtlrun task=toy"),
    ("report . --htm F", "no flag '--htm'; did you mean '--html'?"),
    ("report . htm=F", "no folder 'htm=F': did you mean --html F?"),
    ("report . a.b=[1]", "no folder 'a.b=[1]': to choose runs by a setting write --where 'a.b=[1]'"),
    ("report --by frist .", "--by frist: write --by best|last|mean_of_last"),
    ("report --measure delta .", "--measure delta; did you mean 'delta_p'?: write --measure delta_m|delta_p"),
    ("list balancr", "no group 'balancr'; did you mean 'balancer'? (there are: {groups})"),
    ("list --config-dir nowhere", "--config-dir nowhere: no such folder"),
    ("-m seed=range(0,0)", "this sweep has no job: one of its lists or ranges of values is empty"),
    ("trainer.batch_size=10000000000000", "trainer.batch_size=10000000000000: must be at most 10000000"),
    ("sharing=mmoe sharing.experts=1000000", "sharing.experts=1000000: must be at most 1024"),
    ("sharing=ple sharing.task_experts=1000000", "sharing.task_experts=1000000: must be at most 1024"),
    (
        "optimizer._target_=torch.optim.AdmaW",
        "optimizer._target_=torch.optim.AdmaW: 'torch.optim' has no 'AdmaW'; did you mean 'AdamW'?",
    ),
    (
        "balancer._target_=mtlrun.balancers.fixed",
        "balancer._target_=mtlrun.balancers.fixed: is a module, name a class in it",
    ),
    ("task=arrays data.path=7", "data.path=7: must be the name of a file or folder, or null"),
    ("task=arrays data.path=[ok.npz]", "data.path=['ok.npz']: must be the name of a file or folder, or null"),
    ("task=arrays data.path=", "data.path=: must be the name of a file or folder, or null"),
    ("task=arrays", "data.path is not set: say which file to train on with data.path=FILE.npz, FILE.csv or FOLDER"),
    ("task=driving data=bdd100k", "data.root is not set: say where the folder of BDD100K is with data.root=FOLDER"),
    ("task=arrays data.path=mine.npz", "data.path=mine.npz: no such file or folder"),
    ("task=nyuv2 data.root=/nowhere/at/all", "data.root=/nowhere/at/all: no such file or folder"),
    ("task=text data=text_files data.ner=conll", "data.ner=conll: no such file or folder"),
    ("task=pictures", "data.path is not set: say where your pictures are with data.path=FOLDER"),
    ("task=texts", "data.path is not set: say which file to train on with data.path=FILE.csv"),
    ("task=pictures data.path=. data.table=mine.csv", "data.table=mine.csv: no such file or folder, here or in ."),
    ("task=pictures data.path=. data.masks={lane:lanes}", "data.masks=lanes: no such file or folder, here or in ."),
    ("task=pictures data.path=. data.boxes=b.json", "data.boxes=b.json: no such file or folder, here or in ."),
    ("task=office31 data.root=. data.splits=lists", "data.splits=lists: no such file or folder"),
    # what torch is not needed for
    (
        "task=arrays data.val=0.9 data.test=0.1",
        "data.val=0.9 and data.test=0.1 must each be above 0, and below 1 in sum: they are shares of the rows of data.path",
    ),
    (
        "task=office31 data.val=0.5 data.test=0.5",
        "data.val=0.5 and data.test=0.5 must each be above 0, and below 1 in sum",
    ),
    ("task=nyuv2 data.val=1.5", "data.val should be a share from 0 to below 1, found 1.5"),
    ("task=medical data=chestxray14 data.val=0.0", "data.val should be a share above 0 and below 1, found 0.0"),
    ("task=arrays data.targets=left", "data.targets should be a list, found 'left': write data.targets=[left]"),
    ("task=arrays data.categories=zip", "data.categories should be a list, found 'zip': write data.categories=[zip]"),
    (
        "task=arrays data.path=a.csv data.inputs=age",
        "data.inputs should be a list, found 'age': write data.inputs=[age]",
    ),
    ("task=texts data.targets=[a,a]", "data.targets has 'a' twice: name it once"),
    ("task=arrays data.rare=-1", "data.rare must be a whole number of at least 1, found -1"),
    (
        "optimizer.head_lr={lnae:0.1}",
        f"no task in optimizer.head_lr named 'lnae'; did you mean 'lane'? (there are: {TASKS})",
    ),
    (
        "tasks=[lane] balancer=fixed balancer.task_weights={sign:2}",
        "no task in balancer.task_weights named 'sign' (there are: lane)",
    ),
    ("balancer=famo balancer.min_losses={left:2}", f"no task in balancer.min_losses named 'left' (there are: {TASKS})"),
    ("balancer=graddrop balancer.leak={left:1}", f"no task in balancer.leak named 'left' (there are: {TASKS})"),
    (
        "sampler=curriculum sampler.stages=[{_target_:mtlrun.samplers.curriculum.Stage,from_epoch:0,tasks:[left]}]",
        f"no task in sampler.stages named 'left' (there are: {TASKS})",
    ),
    ("hydra.run.dir=", "hydra.run.dir=: must be the name of a folder"),
    ("-m seed=0,1 hydra.sweep.dir=", "hydra.sweep.dir=: must be the name of a folder"),
    # a mistake in any job refuses the whole sweep
    (
        "-m seed=0,1 trainer.epochs=0,1",
        "trainer.epochs=0: must be 1 or more [in job seed=0 trainer.epochs=0]",
    ),
    ("-m balancer=equal,pcgard", "no balancer 'pcgard'; did you mean 'pcgrad'? [in job balancer=pcgard]"),
    (
        "-m balancer=cagrad,mgda balancer.c=0.3",
        "no setting 'c' in balancer (there are: every, gradients, memory, rescale, heads, normalization) "
        "[in job balancer=mgda ++balancer.c=0.3]",
    ),
    (
        "-m balancer=cagrad balancer.c=0.3,much",
        "balancer.c=much: must be a number, like the default 0.5 [in job balancer=cagrad balancer.c=much]",
    ),
]


@pytest.mark.parametrize(("words", "line"), MISTAKES, ids=[words for words, _ in MISTAKES])
def test_one_line_and_code_2(words, line, command, training, tmp_path):
    groups = "task, data, backbone, sharing, sampler, balancer, optimizer, scheduler, trainer, diagnostics, logger"
    outcome = command(*words.split())
    expected = line.replace("{groups}", f"{groups}, experiment, gradients, hydra/launcher, hydra/sweeper")
    assert (outcome.code, outcome.err) == (2, f"mtlrun: error: {expected}\n")
    assert not training.calls
    assert not (tmp_path / "outputs").exists()


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
)
BROKEN_FILES = [
    ("balancer/mine.yaml", "_target_: [\nlr: 1", "balancer=mine", "not valid YAML"),
    ("trainer/mine.yaml", "epohcs: 3", "trainer=mine", "trainer/mine.yaml: no setting 'epohcs' in trainer; did you mean 'epochs'?"),
    ("trainer/mine.yaml", "epochs: many", "trainer=mine", "trainer/mine.yaml: trainer.epochs=many: must be a whole number"),
    ("balancer/mine.yaml", "_target_: not_there.Mine", "balancer=mine", "no module 'not_there' is installed or in this folder"),
    ("balancer/mine.yaml", "lr: 1", "balancer=mine", "no balancer chosen: give balancer=OPTION (mtlrun list balancer names them)"),
    ("experiment/mine.yaml", "# @package _global_\ndefaults:\n  - override /balancer: pcgard\n", "experiment=mine", "no balancer 'pcgard'; did you mean 'pcgrad'?"),
    ("balancer/mine.yaml", BOMB, "balancer=mine", "mine.yaml: its anchors (&name, *name) unfold to more than a million entries"),
    ("experiment/mine.yaml", "# @package _global_\ntrainer: {epochs: 0}\n", "experiment=mine", "trainer.epochs=0: must be 1 or more"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "text", "words", "line"), BROKEN_FILES)
def test_a_users_own_broken_file_is_told_in_one_line(file, text, words, line, command, tmp_path):
    path = tmp_path / "conf" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    outcome = command("--config-dir", "conf", words)
    assert outcome.code == 2
    assert line in outcome.err
    assert outcome.err.startswith("mtlrun: error: ")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    ("folder", "named"), [("my_conf", "my_conf"), (".", "."), ("my conf", "'my conf'"), ("deep/er", None)]
)
def test_an_option_in_a_folder_here_is_hinted_at(folder, named, command, tmp_path):
    (tmp_path / folder / "balancer").mkdir(parents=True)
    (tmp_path / folder / "balancer/mybal.yaml").write_text("_target_: mine.Mine\n")
    line = command("balancer=mybal").err
    assert line.startswith("mtlrun: error: no balancer 'mybal'")
    file = f"{folder}/balancer/mybal.yaml".removeprefix("./")
    assert (f": {file} is there, so add --config-dir {named}\n" in line) is (named is not None)
    assert ("there are: " in line) is (named is None)


@pytest.mark.parametrize("words", ["balancer=nothing_like_it", "list balancer nothing_like_it"])
def test_a_long_list_of_names_is_cut_and_says_what_lists_them_all(words, command):
    line = command(*words.split()).err
    assert re.search(r"\(there are: (\w+, ){16}\.\.\. \d+ more: mtlrun list balancer\)$", line)


def test_a_syntax_error_names_file_and_line(command, tmp_path):
    (tmp_path / "conf/balancer").mkdir(parents=True)
    (tmp_path / "conf/balancer/mine.yaml").write_text("_target_: a.B\nlr: [1\nx: 2\n")
    outcome = command("--config-dir", "conf", "balancer=mine")
    assert "conf/balancer/mine.yaml, line 3: not valid YAML" in outcome.err


def test_yaml_that_leads_nowhere(command, tmp_path):
    (tmp_path / "conf/balancer").mkdir(parents=True)
    for name, content, line in (
        ("binary", bytes(range(256)), "binary.yaml: not valid YAML: no text in UTF-8"),
        ("anchor", b"a: &a [*a]\n", "anchor.yaml: an anchor that lies in itself, or too many levels"),
        ("circle", b"defaults: [circle]\n", "a defaults list of your YAML files leads back to itself"),
        ("nobody", b"defaults: [nobody_else]\n", "balancer/nobody.yaml: no balancer 'nobody_else'"),
    ):
        (tmp_path / f"conf/balancer/{name}.yaml").write_bytes(content)
        outcome = command("--config-dir", "conf", f"balancer={name}")
        assert (outcome.code, outcome.err.count("\n")) == (2, 1), name
        assert line in outcome.err


@pytest.mark.parametrize(
    "defaults",
    ["7", "{a: b}", "[7]", "[{a: b, c: d}]", "[{}]", "[{a: 7}]", "[{a: [7]}]", "[null]", "[[a]]", "[{7: a}]"],
)
def test_yaml_whose_defaults_are_no_such_list(defaults, command, tmp_path):
    (tmp_path / "conf/balancer").mkdir(parents=True)
    (tmp_path / "conf/balancer/mine.yaml").write_text(f"defaults: {defaults}\n")
    outcome = command("--config-dir", "conf", "balancer=mine")
    line = "mtlrun: error: balancer/mine.yaml: its defaults should be a list such as [{override /balancer: pcgrad}, _self_]"
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith(line)


MODULES = {
    "misspelt": ("class Mime: ...\n", "'misspelt' has no 'Mine'; did you mean 'Mime'?"),
    "unread": ("class Mine:\n  def f(:\n", "unread.py, line 2 cannot be read: invalid syntax"),
}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("group", ["balancer", "data", "logger"])
def test_a_users_file_is_looked_at_before_anything_is_loaded(name, group, command, tmp_path, training):
    text, line = MODULES[name]
    (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / f"conf/{group}").mkdir(parents=True)
    (tmp_path / f"conf/{group}/own.yaml").write_text(f"_target_: {name}.Mine\n")
    outcome = command("--config-dir", "conf", f"{group}=own")
    assert (outcome.code, outcome.err) == (2, f"mtlrun: error: {group}._target_={name}.Mine: {line}\n")
    assert not training.calls


NAMES = ["a[1].npz", "a=b.npz", "Äpfel und Ü.npz", "a,b {c}.npz", "'q'.npz"]


@pytest.mark.parametrize(
    ("name", "sweep"),
    sampled(product(NAMES, (False, True)), [*product(NAMES, (False,)), ("a,b {c}.npz", True)]),
)
def test_an_interpolation_stays_one_in_overrides_and_files(name, sweep, command, training, monkeypatch):
    monkeypatch.setenv("SECRET", name)
    Path(name).touch()
    words = ["task=arrays", "data.path=${oc.env:SECRET}", "optimizer.weight_decay=${.lr}"]
    outcome = command(*words, *(["-m", "seed=0,1"] if sweep else []))
    assert training.calls, outcome
    config, folder, _ = training.calls[0]
    assert (outcome.code, config.data.path, config.optimizer.weight_decay) == (0, name, config.optimizer.lr)
    for file in ("run.json", "run.log", ".hydra/config.yaml", ".hydra/overrides.yaml"):
        assert name not in (folder / file).read_text(encoding="utf-8"), file
    assert command("resume", str(folder), "trainer.epochs=99", "optimizer.weight_decay=${.lr}").code == 0
    assert command("resume", str(folder), "trainer.epochs=100").code == 0


@pytest.mark.parametrize("folder", ["there", "there/below", "/proc/mtlrun"])
@pytest.mark.parametrize("words", [["hydra.run.dir={}"], ["-m", "seed=0,1", "hydra.sweep.dir={}"]])
def test_a_folder_that_cannot_be_made(folder, words, command, tmp_path, training):
    (tmp_path / "there").write_text("a file")
    outcome = command(*(word.format(folder) for word in words))
    assert outcome.code == 2
    assert outcome.err.startswith(f"mtlrun: error: cannot make the folder {folder}: ")
    assert outcome.err.count("\n") == 1
    assert not training.calls


def test_a_missing_config_dir(command, tmp_path):
    outcome = command("--config-dir", "nowhere")
    assert outcome.code == 2
    assert outcome.err == f"mtlrun: error: Additional config directory '{tmp_path / 'nowhere'}' not found\n"


def test_a_traceback_only_when_asked_for(command, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    outcome = command("seed=-1")
    assert outcome.code == 2
    assert "Traceback" in outcome.err
    assert outcome.err.endswith("mtlrun: error: seed=-1: must be 0 or more\n")


@pytest.mark.parametrize("words", ["trainer.epochs=0", "balancer=gradnrom"])
def test_the_real_command_fails_fast_without_torch(words, tmp_path):
    code = "import sys; from mtlrun.cli.main import main; code = main(); print('torch' in sys.modules); sys.exit(code)"
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", code, words],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout) == (2, "False\n")
    assert result.stderr.count("\n") == 1
