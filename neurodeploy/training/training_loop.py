"""The training loop: Adam on cross entropy of labels, or on what the float network does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .integer_network import IntegerNetwork, Layer

Tensor = torch.Tensor
Tell = Callable[[float], None]
"""Called after each epoch with its mean loss."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is learnt from.

    Attributes
    ----------
    inputs : float64 [samples, steps, neurons]
        What is presented to the input population.
    labels : int64 [samples] or None
    taught : dict of population name to float64 [samples, steps, neurons]
        What the float network's populations sent.
    """

    inputs: Tensor
    labels: Tensor | None
    taught: dict[str, Tensor]

    @classmethod
    def of(
        cls, inputs: NDArray[Any], labels: NDArray[Any] | None, sent: dict[str, NDArray[Any]]
    ) -> Lesson:
        """From NumPy arrays."""
        return cls(
            torch.from_numpy(inputs.reshape(*inputs.shape[:2], -1).astype(np.float64)),
            None if labels is None else torch.from_numpy(np.asarray(labels, np.int64)),
            {name: torch.from_numpy(a.astype(np.float64)) for name, a in sent.items()},
        )

    def loss(self, model: IntegerNetwork, which: Tensor) -> Tensor:
        """Of some samples."""
        sent = model(self.inputs[which])
        if self.labels is None:
            return _distilled(sent, {k: self.taught[k][which] for k in sent}, model.output)
        output = sent[model.output]
        readout = model.of[model.output].cells.readout
        # A lead of one spike is not yet certainty; a readout's voltage is in the float unit.
        logits = output.mean(dim=1) if readout else 0.5 * output.sum(dim=1)
        return torch.nn.functional.cross_entropy(logits, self.labels[which])


def fit(
    model: IntegerNetwork,
    layers: list[Layer],
    lesson: Lesson,
    epochs: int,
    learning_rate: float,
    batch: int,
    tell: Tell,
) -> tuple[float, ...]:
    """Train the weights of some layers; keep those of the epoch with the least loss.

    The untrained weights count as an epoch. Draws the order of samples from torch's generator.

    Returns
    -------
    tuple of float
        Mean loss of each epoch while training.
    """
    weights = [w for layer in layers for w in layer.weights if w.requires_grad]
    groups = []
    for weight in weights:
        size = float(weight.detach().square().mean().sqrt())
        groups.append({"params": [weight], "lr": learning_rate * max(size, 1e-12)})
    samples = len(lesson.inputs)
    if not groups or not epochs:
        return ()
    optimiser = torch.optim.Adam(groups)
    pieces = -(-samples // batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * pieces)
    losses, least, best = [], _whole(model, lesson, batch), [w.detach().clone() for w in weights]
    for _ in range(epochs):
        total = 0.0
        for which in torch.split(torch.randperm(samples), batch):
            loss = lesson.loss(model, which)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += float(loss.detach()) * len(which)
        found = _whole(model, lesson, batch)
        if found < least:
            least, best = found, [w.detach().clone() for w in weights]
        losses.append(total / samples)
        tell(losses[-1])
    with torch.no_grad():
        for weight, value in zip(weights, best, strict=True):
            weight.copy_(value)
    return tuple(losses)


def _whole(model: IntegerNetwork, lesson: Lesson, batch: int) -> float:
    samples = len(lesson.inputs)
    with torch.no_grad():
        parts = torch.split(torch.arange(samples), 4 * batch)
        return sum(float(lesson.loss(model, p)) * len(p) for p in parts) / samples


def _distilled(sent: dict[str, Tensor], taught: dict[str, Tensor], output: str) -> Tensor:
    """Square difference of counts, and of the output's course, as shares of the teacher's."""
    total = sent[output].new_zeros(())
    for name, messages in sent.items():
        exact = taught[name]
        if name == output:
            ours, theirs = messages.cumsum(1), exact.cumsum(1)
            total = total + (ours - theirs).square().mean() / theirs.square().mean().clamp(min=1e-9)
        else:
            ours, theirs = messages.sum(1), exact.sum(1)
            total = total + 0.1 * (
                (ours - theirs).square().mean() / theirs.square().mean().clamp(min=1e-9)
            )
    return total
