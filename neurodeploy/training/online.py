r"""Gradients step by step, in memory that does not grow with the number of steps.

Spatial learning through time (SLTT; Meng et al. 2023, arXiv:2302.14311) leaves out the paths of
the gradient from step to step. What is left is a sum over steps of gradients within a step,

.. math::
    \nabla_W = \sum_t \delta_t\, s_t^T, \quad \delta_t \text{ through layers alone,}

so each step is done with as soon as it was run. States, messages of the recurrence and messages
that wait in delays are constants to it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import torch

from ..errors import InputError, UnsupportedError
from ..network import Population, Source
from .cells import Cells, State
from .delays import LearnedDelays
from .layers import LIF

Tensor = torch.Tensor
Loss = Callable[[Tensor], Tensor]


class Running:
    """A `LIF` layer that is run step by step; gradients stay within a step.

    Parameters
    ----------
    layer : LIF
    shape : tuple of int
        Of its inputs.
    samples : int
    values : dict of str to tensor
        `LIF.values`, or leaves in their place.
    """

    def __init__(
        self, layer: LIF, shape: tuple[int, ...], samples: int, values: dict[str, Tensor]
    ) -> None:
        self.layer, self.values = layer, values
        self.source = Population("in", layer.source_shape(shape), Source())
        self.shape = layer.output_shape(self.source.shape)
        size = values["bias"].numel()
        self.cells: Cells = layer.cells(size, values)
        self.cells.cut = True
        self.state: State = self.cells.rest(samples)
        self.last: Tensor | None = None
        longest = layer.delay
        if isinstance(layer.synapse, LearnedDelays):
            longest = layer.synapse.max_delay
        self.waiting: deque[Tensor] = deque(maxlen=longest + 1)

    def step(self, x: Tensor) -> Tensor:
        """Take messages [samples, *shape], give what is sent, [samples, *shape]."""
        current = self._current(x.double().flatten(1))
        if self.last is not None:
            current = current + self.last @ self.values["recurrent"].T
        sent, state = self.cells.step(current, self.state, self.values["bias"])
        self.state = state.detached()
        if self.layer.recurrent is not None:
            self.last = sent.detach()
        return self.layer.message(sent).reshape(-1, *self.shape)

    def _current(self, x: Tensor) -> Tensor:
        weight, layer = self.values["synapse"], self.layer
        self.waiting.appendleft(x.detach())
        if isinstance(layer.synapse, LearnedDelays):
            current = x @ weight[0].T
            for lag, late in enumerate(self.waiting):
                if lag:
                    current = current + late @ weight[lag].T
            return current
        if layer.delay:
            arrived = len(self.waiting) > layer.delay
            x = self.waiting[-1] if arrived else torch.zeros_like(x)
        return layer.delivered(x, weight, self.source)


def gradients(
    module: torch.nn.Module,
    x: Tensor,
    loss: Loss,
    *,
    steps: int | None = None,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """Add the gradients of SLTT to the parameters' ``grad``, for an optimiser's next step.

    They are those of ``loss(module(x)).backward()`` with ``temporal="none"`` in all layers. The
    module runs twice: without gradients, to find the loss's gradient by the outputs; then step
    by step. So any loss will do, also one of spike counts.

    Parameters
    ----------
    module : LIF or torch.nn.Sequential
        Of `LIF`, Flatten and Identity; Dropout if it is turned off.
    x : tensor [samples, steps, *shape]
    loss : callable
        From outputs [samples, steps, *shape] to a scalar.
    steps : int, optional
        Take the gradients of so many steps alone, drawn at random (SLTT-K), and multiply them by
        total / steps, so that their mean over draws is that of all steps.
    seed : int
        Of the drawing.

    Returns
    -------
    loss, outputs : tensor
        Without gradients.

    Raises
    ------
    UnsupportedError
        If the module holds something else.
    InputError
        If `steps` is not in 1..all.

    Examples
    --------
    >>> import torch
    >>> from neurodeploy.training import online
    >>> from neurodeploy.training.layers import LIF
    >>> model = torch.nn.Sequential(LIF(torch.nn.Linear(20, 30)), LIF(torch.nn.Linear(30, 4)))
    >>> x = (torch.rand(8, 500, 20) < 0.2).float()
    >>> labels = torch.arange(8) % 4
    >>> loss, sent = online.gradients(
    ...     model, x, lambda sent: torch.nn.functional.cross_entropy(sent.mean(1), labels)
    ... )
    >>> model[0].synapse.weight.grad.shape
    torch.Size([30, 20])
    """
    total = x.shape[1]
    if steps is not None and not 1 <= steps <= total:
        raise InputError(f"steps: {steps}; give 1..{total}, as many as the inputs have at most")
    layers = _stages(module, "")
    with torch.no_grad():
        outputs = torch.stack([y for y, _ in _run(layers, x, None)], dim=1).to(x.dtype)
    outputs.requires_grad_()
    found = loss(outputs)
    (by_output,) = torch.autograd.grad(found, outputs)
    taken = set(range(total))
    if steps is not None:
        made = torch.Generator().manual_seed(seed)
        taken = set(torch.randperm(total, generator=made)[:steps].tolist())
        by_output = by_output * (total / steps)
    values = [layer.values(_size(layer, shape)) for layer, shape in _shapes(layers, x)]
    leaves = [
        {k: v.detach().requires_grad_(v.requires_grad) for k, v in of.items()} for of in values
    ]
    for sent, t in _run(layers, x, leaves, taken):
        if t in taken and sent.requires_grad:
            sent.backward(by_output[:, t].to(sent.dtype))
    pairs = [
        (value, leaf.grad)
        for of, of_leaves in zip(values, leaves, strict=True)
        for value, leaf in zip(of.values(), of_leaves.values(), strict=True)
        if value.requires_grad and leaf.grad is not None
    ]
    if pairs:
        ends, grads = zip(*pairs, strict=True)
        torch.autograd.backward(list(ends), list(grads))
    return found.detach(), outputs.detach()


def _stages(module: torch.nn.Module, path: str) -> list[Any]:
    """The layers, and the Flattens between them, in their order."""
    if isinstance(module, LIF) or (
        isinstance(module, torch.nn.Flatten) and (module.start_dim, module.end_dim) == (2, -1)
    ):
        return [module]
    if isinstance(module, torch.nn.Sequential):
        children = module.named_children()
        return [s for name, child in children for s in _stages(child, f"{path}{name}.")]
    idle = isinstance(module, torch.nn.Dropout) and not (module.training and module.p)
    if idle or isinstance(module, torch.nn.Identity):
        return []
    raise UnsupportedError(
        f"{path.rstrip('.') or 'module'}: {type(module).__name__} is not run step by step; give a "
        f"Sequential of LIF, Flatten(2) and Identity, with Dropout in eval mode"
    )


def _shapes(stages: list[Any], x: Tensor) -> list[tuple[LIF, tuple[int, ...]]]:
    shape, found = tuple(x.shape[2:]), []
    for stage in stages:
        if isinstance(stage, LIF):
            found.append((stage, shape))
            shape = stage.output_shape(stage.source_shape(shape))
        else:
            shape = (int(torch.Size(shape).numel()),)
    return found


def _size(layer: LIF, shape: tuple[int, ...]) -> int:
    return int(torch.Size(layer.output_shape(layer.source_shape(shape))).numel())


def _run(
    stages: list[Any],
    x: Tensor,
    values: list[dict[str, Tensor]] | None,
    taken: set[int] | None = None,
) -> Any:
    """Yield the outputs of step after step; with gradients in those that are taken."""
    shapes = _shapes(stages, x)
    if values is None:
        values = [layer.values(_size(layer, shape)) for layer, shape in shapes]
    running = [
        Running(layer, shape, len(x), of) for (layer, shape), of in zip(shapes, values, strict=True)
    ]
    of_stage = iter(running)
    parts = [next(of_stage) if isinstance(s, LIF) else s for s in stages]
    for t in range(x.shape[1]):
        y = x[:, t]
        with torch.set_grad_enabled(taken is not None and t in taken):
            for part in parts:
                y = part.step(y) if isinstance(part, Running) else y.flatten(1)
        yield y, t


__all__ = ["Running", "gradients"]
