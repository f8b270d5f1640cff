"""What each verb takes: the page of `mtlrun help VERB` and `mtlrun VERB --help`."""

from __future__ import annotations

import re

from mtlrun.cli.verbs import VERBS

_OPTIONS = {
    "run": """\
  mtlrun [run] [GROUP=OPTION ...] [key=value ...]
  -m, --multirun     train every combination of the settings that list several values
  --cfg job          print the configuration instead of training
  --config-dir DIR   a folder with groups of your own, such as DIR/balancer/mine.yaml
mtlrun --help has the groups and their options, mtlrun list GROUP OPTION the settings of one.""",
    "resume": """\
  mtlrun resume RUN [key=value ...]
  RUN                a run folder, or a folder above it that holds one run
  key=value          what may change: trainer.epochs=20 trains longer, trainer.devices=2 on two processes
  allow_other_data=true   go on although the data, or its split, changed since
A run that was stopped comes to the numbers that it would have had.""",
    "rerun": """\
  mtlrun rerun SWEEP [--failed|--unfinished|--all] [--dry-run] [key=value ...]
  (no flag)          jobs that failed, were stopped, or never started
  --failed           jobs that failed; they start afresh, what they left is kept as attempts/1
  --unfinished       jobs that were stopped or never started
  --all              finished ones too: afresh, or longer where trainer.epochs=N is raised
  --dry-run          only say what would be done""",
    "eval": """\
  mtlrun eval RUN|SWEEP [key=value ...] [--json]
  checkpoint=best|last    which network: of the best validation epoch (default), or the last
  split=test|val          which rows (default: test)
  allow_other_data=true   measure although the data, or its split, changed since
  --json                  one record per run, for machines""",
    "predict": """\
  mtlrun predict RUN|model.onnx INPUT... [key=value ...]
  INPUT              pictures, folders, npz, npy, csv, text files: what the run was trained on
  --csv FILE         the answers as a table, a row an input (default: on the terminal)
  --to DIR           a picture of each input with its answers, and the table as predictions.csv
  device=cpu|cuda    where to
  checkpoint=best|last    which network
  tasks=[a,b]        only these
A file that cannot be read is told, the others go on, and the exit code is 1.""",
    "export": """\
  mtlrun export RUN [key=value ...]
  --format pt2,onnx,safetensors   what to write (default: pt2); the last two need pip install 'mtlrun[export]'
  --to DIR           where to (default: RUN/export)
  --raw              without probabilities, names and units: what the heads put out
  checkpoint=best|last    which network
  tasks=[a,b]        leave the other heads out""",
    "report": """\
  mtlrun report PATH...        run folders, sweep folders, any folder above them, or globs
  --baseline RUN|key=value     what to compare with (default: the single-task runs among the paths)
  --by best|last|mean_of_last  which test scores: best validation epoch (default), last, mean over the last epochs
  --where key=value[,value]    only runs with this setting; may be given several times
  --tune KEY[,KEY]             each method with its best value of KEY on validation rows
  --measure delta_m|delta_p    Delta-m (lower is better, default) or Delta-p (higher is better)
  --from FILE.csv              results of other tools: tidy, or one row per run; may be given several times
  --lower METRIC[,METRIC]      metrics in such a file that are better when lower
  --published PAPER/NAME       a paper's rows below ours (mtlrun reproduce lists them); may be given several times
  --html F                     one page with figures that opens offline
  --csv F  --json F  --markdown F  --latex F    write a file too; - for the terminal, in place of the table
Every option may also be written key=value, such as by=last.""",
    "reproduce": """\
  mtlrun reproduce                     the tables, what each needs, how long it takes here, what exists
  mtlrun reproduce PAPER/NAME ...      train what is missing, then ours | published | difference | protocol differs in
  --methods A,B    only these rows of the table
  --seeds N        runs of each method: seeds 0 to N-1 (default: as many as the paper has)
  --quick          a reduction that takes minutes, and is no reproduction
  --list           train nothing: what would be trained, and what the runs that exist come to
  --yes            also if it takes more than an hour
  --runs DIR[,DIR] where runs are looked for (default: outputs)
  -cd, --config-dir DIR  a folder with groups of your own, such as the experiment of a table of yours
  key=value        settings for every run, such as data.root=FOLDER or hydra/launcher=joblib
A table of your own is named by its file NAME.yaml. What was stopped goes on with the same command.""",
    "advise": """\
  mtlrun advise [GROUP=OPTION ...] [key=value ...]
  --budget 1.0       the most that a run may take, as a share of the configured length; it starts at a fifth
  --seeds 3          seeds 0 to N-1 of every network
  --yes              start without asking
  --to DIR           where runs and advice go (default: outputs/advise/TASKSET-..., the same for the same settings)
  -cd, --config-dir DIR  a folder with groups of your own
Runs are ordinary runs in sweep folders: what was stopped goes on with the same command, and mtlrun report reads them.
The answer is printed, and written as advice.md, advice.json and advice.html.""",
    "watch": """\
  mtlrun watch PATH...   run folders, sweep folders, any folder above them, or globs
The table is read again every 2 s, also from another machine; it ends with the report when all runs have ended.
In a pipe it is printed once for each change.""",
    "check": """\
  mtlrun check [GROUP=OPTION ...] [key=value ...] [--config-dir DIR]
  GROUP=OPTION       parts to look at: data, task, backbone, sharing, sampler, balancer (default: all of them), logger
  --config-dir DIR   a folder with groups of your own
The exit code is 2 if a promise is broken.""",
    "new": """\
  mtlrun new balancer|sampler|sharing|task|data|backbone NAME [--to DIR]
  --to DIR           where to write its file, its YAML and its test (default: here)""",
    "list": """\
  mtlrun list                  every group with its options
  mtlrun list GROUP            the options of one
  mtlrun list GROUP OPTION     one option: its settings, defaults, units, and those that it shares with others
  -cd, --config-dir DIR        a folder with groups of your own
Beside the groups of a run: gradients (the settings of gradient balancers), hydra/launcher, hydra/sweeper.""",
    "help": """\
  mtlrun help          verbs, groups, examples
  mtlrun help VERB     what a verb takes""",
}


def usage(verb: str) -> str:
    """The page of a verb: what it does, then what it takes."""
    return f"mtlrun {verb}: {VERBS[verb].partition(': mtlrun ')[0]}\n{_OPTIONS[verb]}"


def flags_of(verb: str) -> list[str]:
    """The flags that the page of a verb names."""
    return [*dict.fromkeys(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", _OPTIONS[verb]))]
