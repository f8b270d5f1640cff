"""`mtlrun --help`, `mtlrun help VERB`: what can be chosen, the verbs, three examples; or what one verb takes."""

from __future__ import annotations

from textwrap import fill

from mtlrun.cli.groups import groups
from mtlrun.cli.usages import usage
from mtlrun.cli.verbs import VERBS
from mtlrun.errors import choose

_EXAMPLES = """\
  mtlrun task=driving balancer=uncertainty
  mtlrun task=multidigits sampler=temperature sampler.temperature=5 balancer=pcgrad backbone=lenet seed=1
  mtlrun -m task=multidigits balancer=equal,pcgrad seed=0,1,2"""

_FLAGS = """\
  -m, --multirun     train every combination of the settings that list several values
  --cfg job          print the configuration instead of training
  --config-dir DIR   a folder with groups of your own, such as DIR/balancer/mine.yaml
                     ($MTLRUN_CONF_DIR names one for good)
  --hydra-help       what Hydra offers, tab completion among it"""


def main(arguments: list[str]) -> int:
    """Print the page, or that of one verb."""
    print(usage(choose(arguments[0], VERBS, "command")) if arguments else page())
    return 0


def page() -> str:
    """The help page."""
    verbs = "\n".join(f"  {verb:<9} {meaning}" for verb, meaning in VERBS.items())
    choices = "\n".join(_group(group, list(options)) for group, options in groups().items())
    return "\n".join(
        [
            "mtlrun [VERB] [GROUP=OPTION ...] [key=value ...]   train a multi-task network",
            f"\nVerbs\n{verbs}",
            f"\nGroups (mtlrun list says what each option is)\n{choices}",
            f"\nExamples\n{_EXAMPLES}",
            f"\nFlags\n{_FLAGS}",
        ]
    )


def _group(group: str, options: list[str]) -> str:
    return fill(", ".join(options), 100, initial_indent=f"  {group:<12} ", subsequent_indent=" " * 15)
