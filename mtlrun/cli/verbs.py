"""The words that may stand first on the command line."""

VERBS = {
    "run": "train what the settings say (the default: the word may be left out)",
    "resume": "continue a run: mtlrun resume RUN [key=value ...]",
    "rerun": "finish a sweep: mtlrun rerun SWEEP [--failed|--unfinished|--all] [--dry-run] [key=value ...]",
    "eval": "evaluate again: mtlrun eval RUN|SWEEP [checkpoint=best|last] [split=test|val] [data.KEY=...] [--json]",
    "predict": "answers for files, a row each: mtlrun predict RUN INPUT... [--csv FILE] [--to DIR] [tasks=[a,b]]",
    "export": "a network for other programs: mtlrun export RUN [--to DIR] [--format pt2,onnx,safetensors] [--raw]",
    "report": "runs averaged over seeds, compared, judged: mtlrun report PATH... [--by last] [--csv F] ...",
    "advise": "learn these tasks together, or not? measured: mtlrun advise task=... [--budget B] [--seeds N] [--yes]",
    "watch": "the same table while the runs go on, from their files alone: mtlrun watch PATH...",
    "reproduce": "a published table, ours beside the paper's: mtlrun reproduce [PAPER/NAME] [--quick] [--list] ...",
    "check": "whether parts keep their promises: mtlrun check [GROUP=OPTION ...] [--config-dir DIR]",
    "new": "write a part of your own: mtlrun new balancer|sampler|sharing|task|data|backbone NAME [--to DIR]",
    "list": "every group with its options: mtlrun list [GROUP [OPTION]]",
    "help": "this page, or what a verb takes: mtlrun help [VERB]",
}
"""Each verb is the module mtlrun/cli/<verb>.py, whose `main(arguments)` returns the exit code."""
