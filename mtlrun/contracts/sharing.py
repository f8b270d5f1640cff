"""What every sharing scheme promises, looked at with autograd. Shapes: B rows of a batch, n rows of one task."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtlrun.contracts.promise import Promises, Skipped, demand, near
from mtlrun.sharing.backbone_paths import from_backbone, note_paths
from mtlrun.sharing.base import BackboneFactory, Sharing
from mtlrun.types import Feature, Rows

PART = "sharing"
CLAIMS = "every parameter is claimed for the tasks that it influences"
OUTPUTS = "each task gets the stage outputs that `features` describes, of its rows only"

_PATTERNS = ((0, 2), (1, 2, 3), None)


@dataclass(frozen=True)
class SharingSubject:
    """A sharing scheme to look at.

    make: builds a fresh one for these tasks, on fresh backbones.
    inputs: as the first stage takes them, [B, ...] with 4 rows or more.
    tasks: of the run.
    strided: whether the strides of the features hold for inputs of any size.
    """

    make: Callable[[Sequence[str]], Sharing]
    inputs: Tensor
    tasks: tuple[str, ...]
    strided: bool = True

    @property
    def name(self) -> str:
        return type(self.make(self.tasks)).__name__

    def scheme(self) -> Sharing:
        """As it is initialised, the same one each time."""
        torch.manual_seed(0)
        return self.make(self.tasks)

    def some_rows(self) -> dict[str, Tensor | None]:
        """Two rows for the first task, three for the second, all for the third, and so on."""
        patterns = [_PATTERNS[index % len(_PATTERNS)] for index in range(len(self.tasks))]
        return {task: None if rows is None else torch.tensor(rows) for task, rows in zip(self.tasks, patterns)}

    def all_rows(self) -> dict[str, Tensor | None]:
        return dict.fromkeys(self.tasks)


PROMISES: Promises[SharingSubject] = Promises(PART)


def check_sharing(
    make: Callable[[BackboneFactory, Sequence[str]], Sharing],
    backbone: BackboneFactory,
    inputs: Tensor,
    tasks: Sequence[str],
) -> None:
    """Raise BrokenPromise, with one line, for the first promise that the scheme breaks.

    Args:
        make: the class, or what builds one as `make(backbone, tasks)`.
        backbone: builds a fresh one at each call.
        inputs: of the backbone, [B, ...] with 4 rows or more.
        tasks: two or more names.
    """

    def scheme(names: Sequence[str]) -> Sharing:
        return make(lambda: note_paths(backbone()), names)

    PROMISES.check(SharingSubject(scheme, inputs, tuple(tasks)))


def trained(scheme: Sharing) -> Sharing:
    """The scheme as after some training: what starts at zero, and so hides what lies behind it, has moved."""
    with torch.no_grad():
        for parameter in scheme.parameters():
            spread = parameter.std() if parameter.numel() > 1 else parameter.new_zeros(())
            size: Tensor = torch.where(spread > 0, spread.clamp(max=1), 1.0)
            parameter.add_(0.1 * size * torch.randn_like(parameter))
    return scheme


def project(outputs: Sequence[Tensor]) -> Tensor:
    """A generic number that every stage output enters."""
    return torch.stack([(output * torch.randn_like(output)).sum() for output in outputs]).sum()


def influenced(scheme: Sharing, inputs: Tensor, rows: Rows) -> dict[str, set[str]]:
    """Per task the names of the trainable parameters that its outputs depend on."""
    outputs = scheme(inputs, rows)
    parameters = {name: value for name, value in scheme.named_parameters() if value.requires_grad}
    found = {}
    for task in outputs:
        number = project(outputs[task])
        if not number.requires_grad:
            found[task] = set[str]()
            continue
        gradients = torch.autograd.grad(number, [*parameters.values()], retain_graph=True, allow_unused=True)
        found[task] = {name for name, gradient in zip(parameters, gradients) if gradient is not None and gradient.any()}
    return found


def trainable_names(scheme: Sharing, parameters: Iterable[nn.Parameter]) -> set[str]:
    """Names of those that can be trained."""
    listed = [id(parameter) for parameter in parameters]
    demand(len(listed) == len({*listed}), "a parameter is listed twice")
    return {name for name, value in scheme.named_parameters() if id(value) in listed and value.requires_grad}


def check_claims(scheme: Sharing, inputs: Tensor, rows: Rows) -> None:
    """Compare what the scheme says of its parameters with the gradients of its outputs.

    Raises:
        Broken: for the first difference.
    """
    seen = influenced(scheme, inputs, rows)
    users = {
        name: [task for task in seen if name in seen[task]]
        for name, value in scheme.named_parameters()
        if value.requires_grad
    }
    own = {task: trainable_names(scheme, scheme.task_parameters(task)) for task in scheme.tasks}
    shared = trainable_names(scheme, scheme.shared_parameters())
    for name, tasks in users.items():
        demand(tasks, f"'{name}' influences no task")
        claimed = [task for task in own if name in own[task]]
        if len(tasks) > 1:
            demand(not claimed, f"'{name}' is claimed as the own of {_words(claimed)}, and influences {_words(tasks)}")
            demand(name in shared, f"'{name}' influences {_words(tasks)}, and is not in shared_parameters()")
        else:
            demand(name not in shared, f"'{name}' is claimed as shared, and influences {_words(tasks)} alone")
            demand(claimed == tasks, f"'{name}' influences {_words(tasks)} alone, and task_parameters() claims it not")


def check_lists(shared: Sequence[nn.Parameter], own: Mapping[str, Sequence[nn.Parameter]]) -> None:
    """Every parameter stands in one list, once.

    Raises:
        Broken: naming the tasks of the first one that does not.
    """
    where: dict[int, str] = {}
    for listing, parameters in (("shared_parameters()", shared), *((f"task '{task}'", own[task]) for task in own)):
        for parameter in parameters:
            shape = list(parameter.shape)
            demand(
                id(parameter) not in where,
                f"a parameter {shape} is listed for {where.get(id(parameter))} and {listing}",
            )
            where[id(parameter)] = listing


def check_outputs(outputs: object, features: Sequence[Feature], counts: Mapping[str, int]) -> None:
    """Tasks, number of stages, rows, channels, and maps or vectors, against what `features` says.

    Args:
        outputs: what `forward` returned.
        counts: task -> number of its rows.

    Raises:
        Broken: for the first difference.
    """
    demand(isinstance(outputs, Mapping), f"forward() returns a {type(outputs).__name__}, not a dict by task")
    assert isinstance(outputs, Mapping)
    demand([*outputs] == [*counts], f"outputs for {_words(outputs)} where rows were given for {_words(counts)}")
    for task, stages in outputs.items():
        demand(len(stages) == len(features), f"{len(stages)} stage outputs for '{task}', {len(features)} features")
        for feature, output in zip(features, stages):
            shape, at = list(output.shape), f"stage '{feature.name}' gives '{task}'"
            demand(len(output) == counts[task], f"{at} {len(output)} rows, not {counts[task]}")
            channels = feature.channels + feature.carried
            demand(output.shape[1] == channels, f"{at} {shape}, and its feature says {channels} channels")
            form = "vectors [n, C]" if feature.stride is None else "maps [n, C, H, W]"
            demand(output.dim() == (2 if feature.stride is None else 4), f"{at} {shape}, and its feature says {form}")


def _words(tasks: Iterable[str]) -> str:
    return " and ".join(f"'{task}'" for task in tasks) or "no task"


@PROMISES(OUTPUTS)
def outputs_match_features(subject: SharingSubject) -> None:
    scheme, rows = subject.scheme(), subject.some_rows()
    demand(all(isinstance(feature, Feature) for feature in scheme.features), "features holds other things than Feature")
    counts = {task: len(subject.inputs) if positions is None else len(positions) for task, positions in rows.items()}
    outputs = scheme(subject.inputs, rows)
    check_outputs(outputs, scheme.features, counts)
    if subject.strided and subject.inputs.dim() == 4:
        for feature, output in zip(scheme.features, outputs[subject.tasks[0]]):
            if feature.stride is not None:
                wanted = [-(-side // feature.stride) for side in subject.inputs.shape[2:]]
                found = list(output.shape[2:])
                demand(found == wanted, f"stage '{feature.name}' puts out {found} pixels, its stride says {wanted}")


@PROMISES(CLAIMS)
def claims_are_true(subject: SharingSubject) -> None:
    for rows in (subject.all_rows(), subject.some_rows()):
        check_claims(trained(subject.scheme()), subject.inputs, rows)


@PROMISES("the claims hold where some parameters are frozen")
def claims_hold_frozen(subject: SharingSubject) -> None:
    scheme = trained(subject.scheme())
    for parameter in [*scheme.parameters()][::3]:
        parameter.requires_grad_(False)
    check_claims(scheme, subject.inputs, subject.all_rows())


@PROMISES("a single task shares nothing")
def one_task_shares_nothing(subject: SharingSubject) -> None:
    torch.manual_seed(0)
    scheme = trained(subject.make(subject.tasks[:1]))
    check_claims(scheme, subject.inputs, {subject.tasks[0]: None})
    for found, method in (
        (scheme.shared_parameters(), "shared_parameters()"),
        (scheme.last_shared_stage(), "last_shared_stage()"),
    ):
        demand(not found, f"{method} lists {len(found)} parameters for one task")
    demand(scheme.trunk_end() is None, "trunk_end() is a module for one task")


@PROMISES("last_shared_stage() is a part of what is shared")
def last_stage_is_shared(subject: SharingSubject) -> None:
    scheme = subject.scheme()
    shared, last = ({id(value) for value in part} for part in (scheme.shared_parameters(), scheme.last_shared_stage()))
    demand(last <= shared, "it lists a parameter that shared_parameters() does not")
    demand(bool(last) == bool(shared), f"it lists {len(last)} parameters, shared_parameters() {len(shared)}")


@PROMISES("rows chosen before the network and after it give the same, where rows do not see each other")
def rows_select(subject: SharingSubject) -> None:
    scheme = trained(subject.scheme()).eval()
    whole, some = scheme(subject.inputs, subject.all_rows()), scheme(subject.inputs, subject.some_rows())
    for task, rows in subject.some_rows().items():
        for feature, one, other in zip(scheme.features, whole[task], some[task]):
            expected = one if rows is None else one[rows]
            demand(near(expected, other, 1e-3), f"stage '{feature.name}' gives '{task}' something else")


@PROMISES("tasks without rows are left out, and their own parameters unused")
def absent_tasks_are_left_out(subject: SharingSubject) -> None:
    if len(subject.tasks) == 1:
        raise Skipped("there is one task")
    scheme, task = trained(subject.scheme()), subject.tasks[1]
    seen = influenced(scheme, subject.inputs, {task: torch.tensor([1])})
    demand([*seen] == [task], f"outputs for {_words(seen)} where rows were given for '{task}'")
    for other in subject.tasks:
        used = seen[task] & trainable_names(scheme, scheme.task_parameters(other)) if other != task else ()
        demand(not used, f"'{task}' depends on {sorted(used)[:1]}, claimed by '{other}'")


@PROMISES("the backbone's modules stay in use, so that stages can be frozen and started from other runs")
def backbone_stays_in_use(subject: SharingSubject) -> None:
    demand([*from_backbone(subject.scheme())], "none of them is left: wrap them, or copy them with deepcopy")


@PROMISES("its state loads into a fresh one, which then gives the same")
def state_loads(subject: SharingSubject) -> None:
    scheme, fresh, file = trained(subject.scheme()).eval(), subject.scheme().eval(), io.BytesIO()
    torch.save(scheme.state_dict(), file)
    file.seek(0)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    one, other = (made(subject.inputs, subject.all_rows()) for made in (scheme, fresh))
    for task in subject.tasks:
        for feature, expected, found in zip(scheme.features, one[task], other[task]):
            words = f"stage '{feature.name}' gives '{task}' something else: register what is kept as a buffer"
            demand(near(expected, found), words)


@PROMISES("the same seed gives the same parameters")
def same_seed_same_parameters(subject: SharingSubject) -> None:
    one, other = subject.scheme().state_dict(), subject.scheme().state_dict()
    demand([*one] == [*other], "other names")
    wrong = next((key for key in one if not torch.equal(one[key], other[key])), None)
    demand(wrong is None, f"'{wrong}' differs: draw from torch's global generator")


@PROMISES("gradients are finite under autocast")
def works_under_autocast(subject: SharingSubject) -> None:
    scheme = trained(subject.scheme())
    with torch.autocast("cpu", torch.bfloat16):
        outputs = scheme(subject.inputs, subject.some_rows())
        loss = torch.stack([output.float().square().mean() for stages in outputs.values() for output in stages]).sum()
    loss.backward()
    for name, parameter in scheme.named_parameters():
        demand(parameter.grad is None or parameter.grad.isfinite().all(), f"not that of '{name}'")


@PROMISES("penalty() depends on parameters alone, and is None where none of them learns")
def penalty_sees_no_data(subject: SharingSubject) -> None:
    scheme = trained(subject.scheme())
    before = scheme.penalty()
    scheme(subject.inputs, subject.some_rows())
    after = scheme.penalty()
    demand((before is None) == (after is None), "it changes with a forward pass")
    if before is not None and after is not None:
        demand(before.shape == (), f"its shape is {list(before.shape)}, not that of one number")
        demand(torch.equal(before, after), "it changes with a forward pass")
        before.backward()
    for name, parameter in scheme.requires_grad_(False).named_parameters():
        demand(parameter.grad is None or parameter.grad.isfinite().all(), f"its gradient on '{name}' is not finite")
    demand(scheme.penalty() is None, "it is a number although nothing can be trained")


@PROMISES("gates() are the mean weights of the last pass, by task, detached")
def gates_are_weights(subject: SharingSubject) -> None:
    scheme, task = subject.scheme(), subject.tasks[min(1, len(subject.tasks) - 1)]
    demand(scheme.gates() == {}, "there are some before the first pass")
    scheme(subject.inputs, {task: torch.tensor([1])})
    for gate, weights in scheme.gates().items():
        demand(gate.partition("/")[0] == task, f"gate '{gate}' after a pass of '{task}' alone")
        demand(weights.dim() == 1 and not weights.requires_grad, f"gate '{gate}' is no detached vector")
        demand((weights >= 0).all(), f"gate '{gate}' has negative weights")


@PROMISES("trunk_end() puts out what all tasks see")
def trunk_end_is_seen(subject: SharingSubject) -> None:
    scheme, seen = subject.scheme(), list[Tensor]()
    end = scheme.trunk_end()
    if end is None:
        raise Skipped("it has no such place")
    end.register_forward_hook(lambda module, inputs, output: seen.append(output))
    outputs = scheme(subject.inputs, subject.some_rows())
    for task in subject.tasks:
        (gradient,) = torch.autograd.grad(project(outputs[task][-1:]), seen, retain_graph=True, allow_unused=True)
        demand(gradient is not None and gradient.any(), f"'{task}' does not depend on its output")
