"""One class per pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchmetrics import Metric

from mtlrun.options import below, whole
from mtlrun.tasks.arguments import check_classes, check_shape, class_names
from mtlrun.tasks.base import Replacements, Task
from mtlrun.tasks.class_weights import ClassWeights
from mtlrun.tasks.confusion import IGNORED, OverlapScores
from mtlrun.tasks.dense import DenseHead, image_size
from mtlrun.tasks.dice import dice_loss
from mtlrun.tasks.drawing import colour, draw_classes
from mtlrun.tasks.numerics import full_precision, mean_present
from mtlrun.types import Feature

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Segmentation(Task):
    """Targets: class indices, int64 or uint8 [N, H, W], 255 = ignored pixel. Output: logits [n, K, H, W].

    Judged by the mean IoU over the classes, higher is better; `judge: iou_<class>` for one class.

    Args:
        name: the task's name.
        classes: names of the K classes, or K. A class named 'background' is not painted in pictures.
        width: channels of the head.
        stride: finest level of the backbone used, in input pixels per feature pixel.
        class_weights: weight of each class's pixels in the cross-entropy: a list [K], 'balanced' (inverse
            frequency in the training data, mean 1 over its pixels) or 'sqrt' (its square root). Thin or rare
            classes need it or Dice: 'balanced' pays for few misses with false alarms, 'sqrt' had the better IoU
            on lane markings.
        dice: weight of the soft Dice loss that is added to the cross-entropy; 0 for none.
        head, loss, metrics, judge: replace the kind's own, see `Task`. Metrics get logits [n, K, H, W] and
            int64 labels [n, H, W] with 255 for ignored pixels.

    Raises:
        ConfigError: if an argument is out of its range.
    """

    default_judge = "miou"
    on_picture = True

    def __init__(
        self,
        name: str,
        classes: int | Sequence[str],
        *,
        width: int = 32,
        stride: int = 2,
        class_weights: str | Sequence[float] | None = None,
        dice: float = 0.0,
        **replacements: Unpack[Replacements],
    ) -> None:
        super().__init__(name, **replacements)
        self.classes = class_names(name, "classes", classes, least=2)
        self.width, self.stride = whole(f"width of task '{name}'", width), whole(f"stride of task '{name}'", stride)
        self.class_weights = ClassWeights(name, class_weights, len(self.classes))
        self.dice = below(f"dice of task '{name}'", dice, 0)
        self.higher_is_better()  # refuses a judge that is no metric

    @property
    def outputs(self) -> int:
        return len(self.classes)

    def default_head(self, features: Sequence[Feature], input_shape: tuple[int, ...]) -> nn.Module:
        """Raises ConfigError for inputs that are no images, or a backbone without feature maps."""
        size = image_size(self.name, features, input_shape)
        return DenseHead(features, size, self.outputs, self.width, self.stride)

    def default_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Weighted cross-entropy [n]: mean over the row's valid pixels, 0 if it has none; plus Dice."""
        logits, target = full_precision(output), target.long()
        weights = self.class_weights.like(logits)
        pixels = cross_entropy(logits, target, weights, ignore_index=IGNORED, reduction="none")
        loss = mean_present(pixels, target != IGNORED)
        return loss + self.dice * dice_loss(logits, target, IGNORED) if self.dice else loss

    def default_metrics(self) -> dict[str, Metric]:
        """miou, iou_<class> and pixel_accuracy, all from one confusion matrix over the split."""
        return {"overlap": OverlapScores(self.classes)}

    def fit(self, targets: Tensor) -> None:
        self.class_weights.fit(targets, IGNORED)

    def constants(self) -> dict[str, Any]:
        return dict(self.class_weights.constants())

    def set_constants(self, constants: Mapping[str, Any]) -> None:
        self.class_weights.set_constants(constants)

    def check(self, targets: Tensor) -> None:
        check_shape(self.name, targets, "[N, H, W]", targets.dim() == 3)
        check_classes(self.name, targets, self.outputs, ignored=IGNORED)

    def metric_inputs(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return self.predict(output), target.long()

    def predict(self, output: Tensor) -> Tensor:
        """The most likely class of each pixel, int64 [n, H, W]."""
        return output.max(1).indices  # argmax takes twenty times as long over few channels on a CPU

    def answer(self, output: Tensor) -> Tensor:
        """Probabilities [n, K, H, W]."""
        return full_precision(output).softmax(1)

    def said(self, answer: Tensor) -> Tensor:
        return answer.argmax(1)

    def cells(self, answer: Tensor) -> dict[str, Any]:
        """Each class's share of the pixels."""
        classes = answer.argmax(0)
        return {name: float((classes == index).float().mean()) for index, name in enumerate(self.classes)}

    def legend(self) -> dict[str, str]:
        painted = [name for name in self.classes if name != "background"]
        return {name: colour(index) for index, name in enumerate(painted)}

    def draw(self, axes: Axes, target: Tensor, prediction: Tensor | None = None) -> None:
        """Paint the classes over the picture."""
        colours = {self.classes.index(name): shade for name, shade in self.legend().items()}
        draw_classes(axes, target if prediction is None else prediction, colours)
