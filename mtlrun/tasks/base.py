"""The contract of a task: a name, a head, a loss per row, metrics, and the one metric that judges it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, get_args, get_type_hints

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from mtlrun.errors import ConfigError, choose
from mtlrun.tasks.arguments import direct
from mtlrun.tasks.drawing import NEUTRAL, numbers, verdict, write_text
from mtlrun.tasks.numerics import full_precision
from mtlrun.types import AnswerTexts, Feature

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HeadFactory = Callable[..., nn.Module]
"""head(features=Sequence[Feature], input_shape=(C, H, W) | (D,), outputs=int) -> module on stage outputs."""

LossFunction = Callable[[Tensor, Tensor], Tensor]
"""loss(output, target) -> one value per row [n], or [n, ...], which is averaged to [n]."""


class OtherParts(TypedDict, total=False):
    """What every kind takes beside its own options and a loss; see `Task`."""

    head: HeadFactory | None
    metrics: Mapping[str, Metric] | None
    judge: str | None


class Replacements(OtherParts, total=False):
    """What every kind takes beside its own options; see `Task`.

    A kind hands them on: `def __init__(self, name, ..., **replacements: Unpack[Replacements])`.
    """

    loss: LossFunction | None


def metric_names(name: str, metric: Metric) -> tuple[str, ...]:
    """Names under which `compute_metrics` reports a metric: its own `names` where compute() gives a dict."""
    return tuple(getattr(metric, "names", (name,)))


def compute_metrics(metrics: Mapping[str, Metric]) -> dict[str, float]:
    """The value of every metric by name; a metric that computes a dict contributes each scalar in it.

    Raises:
        ConfigError: if a metric computes more than one number without naming them.
    """
    values: dict[str, float] = {}
    for name, metric in metrics.items():
        computed = metric.compute()
        named = computed if isinstance(computed, Mapping) else {name: _only_number(name, computed)}
        values.update({key: float(value) for key, value in named.items() if torch.as_tensor(value).numel() == 1})
    return values


def _only_number(name: str, computed: Tensor) -> Tensor:
    if computed.numel() != 1:
        raise ConfigError(f"metric '{name}' computes {computed.numel()} numbers, not one: set its average: macro")
    return computed


class Task(ABC):
    """One thing to predict.

    A kind (subclass) brings a default head, loss, metrics and judging metric; the arguments replace each of
    them. It may also say how its labels and predictions are drawn (`predict`, `describe`, `draw`).

    Args:
        name: the task's name; letters, digits, '_' and '-'.
        head: replaces the kind's head; called as `head(features=, input_shape=, outputs=)`.
        loss: replaces the kind's loss; called as `loss(output, target)`, one value per row: [n, ...] is
            averaged to [n].
        metrics: replaces the kind's metrics: name -> a torchmetrics.Metric.
        judge: the metric that the task is judged by; the kind's own by default. A metric whose compute()
            gives a dict lists the keys in its attribute `names`, and each of them can be the judge; those that
            are about a single class, in its attribute `parts` too, so that Delta-p does not count them.

    Raises:
        ConfigError: if `judge` is not one of the given metrics; of the kind's own metrics, `higher_is_better` tells.
    """

    __signature__: ClassVar[Signature]
    default_judge: str
    on_picture: bool = False
    """Whether `draw` paints over the input picture; otherwise it gets an empty strip for a line of text."""

    def __init__(
        self,
        name: str,
        head: HeadFactory | None = None,
        loss: LossFunction | None = None,
        metrics: Mapping[str, Metric] | None = None,
        judge: str | None = None,
    ) -> None:
        self.name = name
        self._head = head
        self._loss = direct(loss)
        self._metrics = dict(metrics) if metrics else None
        self.judge = judge or (self.default_judge if not metrics else next(iter(metrics)))
        if metrics:
            self.higher_is_better()

    def __init_subclass__(cls) -> None:
        """Spell out the words behind `**replacements`, for whoever asks the class for its signature."""
        super().__init_subclass__()
        parent = next(base for base in cls.__mro__[1:] if issubclass(base, Task))
        cls.__signature__ = _spelled_out(cls.__init__, signature(parent))

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Channels or units that the head must put out."""

    @abstractmethod
    def default_head(self, features: Sequence[Feature], input_shape: tuple[int, ...]) -> nn.Module:
        """A head on the list of stage outputs that `features` describes."""

    @abstractmethod
    def default_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Loss per row [n], computed in float32 or more."""

    @abstractmethod
    def default_metrics(self) -> dict[str, Metric]:
        """Fresh metrics by name; one of them is `default_judge`."""

    def fit(self, targets: Tensor) -> None:  # noqa: B027 (most kinds learn nothing from the targets)
        """Learn constants (such as mean and deviation) from all labelled training targets [N, ...]."""

    def constants(self) -> dict[str, Any]:
        """What `fit` has learned, as plain values; whatever is float32 or float64 comes back exactly."""
        return {}

    def set_constants(self, constants: Mapping[str, Any]) -> None:  # noqa: B027
        """Take `constants` of a task that was fitted, in place of `fit`."""

    def check(self, targets: Tensor) -> None:  # noqa: B027
        """Raise DataError, naming the task, where training targets [N, ...] do not suit this kind."""

    def metric_inputs(self, output: Any, target: Tensor) -> tuple[Any, Any]:
        """(prediction, target) as the metrics take them."""
        return output, target

    def make_head(self, features: Sequence[Feature], input_shape: tuple[int, ...]) -> nn.Module:
        """The task's head: the user's, or the kind's default."""
        if self._head is not None:
            return self._head(features=features, input_shape=input_shape, outputs=self.outputs)
        return self.default_head(features, input_shape)

    def losses(self, output: Any, target: Tensor) -> Tensor:
        """Loss of each labelled row, [n].

        Raises:
            ConfigError: if the user's loss does not return one value per row.
        """
        if self._loss is None:
            return self.default_loss(output, target)
        values = self._loss(output, target)
        if values.dim() == 0 or len(values) != len(target):
            raise ConfigError(
                f"loss of task '{self.name}' must return one value per row, "
                f"found shape {tuple(values.shape)}: set reduction: none"
            )
        return values.flatten(1).mean(1) if values.dim() > 1 else values

    @property
    def quoted(self) -> str:
        """Which network papers quote: that of the 'best' validation epoch, or the 'last' one."""
        return "best"

    def make_metrics(self) -> dict[str, Metric]:
        """Fresh metrics by name.

        Several processes each update their own over a part of the split, and what these gathered is put together by
        each state's `dist_reduce_fx`. So states are what `add_state` declares, and nothing else is kept between
        updates; a tensor has the same shape in every process, and a rule (`sum`, `max`, ...) that makes of
        several, stacked, what one process had gathered, or none where compute() takes them stacked; the lists are
        joined, and put into the order of the split where they have one entry a row; entries in another number have
        no order.
        """
        if self._metrics is None:
            return self.default_metrics()
        return {name: metric.clone() for name, metric in self._metrics.items()}

    def higher_is_better(self, metric: str | None = None) -> bool:
        """Direction of a metric, by default the judging one.

        Raises:
            ConfigError: if it is not one of the metrics.
        """
        directions = self.directions
        return directions[choose(metric or self.judge, directions, f"metric of task '{self.name}' to judge by")]

    @cached_property
    def directions(self) -> dict[str, bool]:
        """Whether higher is better, by metric: making all metrics to see it takes milliseconds."""
        made = self.make_metrics().items()
        return {
            known: owner.higher_is_better is not False for name, owner in made for known in metric_names(name, owner)
        }

    @cached_property
    def counted(self) -> list[str]:
        """Metrics that Delta-p averages: those with a direction, without parts of others such as the IoU of a class."""
        parts = {part for metric in self.make_metrics().values() for part in getattr(metric, "parts", ())}
        return [name for name in self.directions if name not in parts]

    @torch.no_grad()
    def update_metrics(
        self, metrics: Mapping[str, Metric], output: Any, target: Tensor, texts: Sequence[AnswerTexts] | None = None
    ) -> None:
        """Add labelled rows to the metrics, in float32 or more; no rows are fine.

        `texts` are what the source keeps beside the targets (`Source.texts`), for kinds that compare them.
        """
        if len(target) == 0:
            return
        prediction, truth = self.metric_inputs(full_precision(output), target)
        for metric in metrics.values():
            metric.update(prediction, truth)

    def trivial_scores(self, train: Tensor, test: Tensor) -> dict[str, float]:
        """Metrics that a predictor reaches on test targets which ignores its input and knows training targets alone.

        Only metrics for which that is told quickly; none by default.
        """
        return {}

    def predict(self, output: Any) -> Tensor:
        """What the output says for each row, in the form of the targets."""
        return output

    def reading(self) -> dict[str, Any]:
        """What else is needed to read an `answer`, such as a threshold or a unit, by name."""
        return {}

    def answer(self, output: Any) -> Tensor:
        """The output in a form to use: probabilities, the targets' own unit, boxes; [n, ...]. By default `predict`."""
        return self.predict(output)

    def said(self, answer: Tensor) -> Tensor:
        """Answers [n, ...] in the form of `predict`."""
        return answer

    def in_pixels_of(self, answer: Tensor, taken: tuple[int, int], given: tuple[int, int]) -> Tensor:
        """Answers [n, ...] in pixels of the pictures that were given, for answers of which parts are in pixels.

        Args:
            answer: for pictures that were stretched.
            taken: height and width that the network took.
            given: those of the pictures before.
        """
        return answer

    def cells(self, answer: Tensor) -> dict[str, Any]:
        """One row's `answer` as cells of a table: names and units, never indices. '' stands for the task itself."""
        return {"": self.describe(answer)}

    def in_words(self, answer: Tensor, words: Sequence[str], places: Sequence[int]) -> dict[str, Any]:
        """The cells of a row that is a text.

        Args:
            answer: of the row.
            words: of the text.
            places: for each token the word that it belongs to, -1 for none.
        """
        return self.cells(answer)

    def describe(self, value: Tensor) -> str:
        """One row's target or prediction in a few words."""
        return numbers(value)

    def is_right(self, target: Tensor, prediction: Tensor) -> bool | None:
        """Whether one row's prediction is right; None where a number is only more or less close."""
        return None if target.is_floating_point() else torch.equal(target, prediction)

    def legend(self) -> dict[str, str]:
        """Colours that `draw` uses: class name -> '#rrggbb'."""
        return {}

    def draw(self, axes: Axes, target: Tensor, prediction: Tensor | None = None) -> None:
        """Draw one row: its prediction, judged by its label, if one is given; else its label."""
        if prediction is None:
            write_text(axes, self.describe(target), NEUTRAL)
            return
        right = self.is_right(target, prediction)
        write_text(axes, self.describe(prediction), NEUTRAL if right is None else verdict(right))


def _spelled_out(function: Callable[..., None], parent: Signature) -> Signature:
    """The signature of an `__init__` without `self`, and with its parent's words in place of `**words`.

    Which ones is said by the annotation Unpack[a TypedDict]; an `__init__` without it stays as it is.
    """
    found = signature(function)
    _, *parameters = found.parameters.values()
    if not parameters or parameters[-1].kind is not Parameter.VAR_KEYWORD:
        return found.replace(parameters=parameters)
    for words in get_args(get_type_hints(function).get(parameters[-1].name)):
        handed_on = [parent.parameters[word].replace(kind=Parameter.KEYWORD_ONLY) for word in get_type_hints(words)]
        parameters = [*parameters[:-1], *handed_on]
    return found.replace(parameters=parameters)
