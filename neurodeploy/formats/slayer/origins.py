"""Where each number of a tensor came from: a tensor of the same shape, of neuron names.

A shadow holds an int64 for every element of a tensor: which emitter (the
network's input, or a block) and which of its neurons sent it, and at which
step; or `NOTHING` for a zero that nobody sent. Operations that only move
numbers about (cat, reshape, slices in space or time, ...) are followed by
doing the same to the shadow, so none of them needs a rule of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOTHING = -1
TIME_BITS = 20
NEURON_BITS = 24


@dataclass(frozen=True, eq=False)
class Group:
    """Elements of a tensor that one emitter sent, a fixed number of steps before.

    Attributes
    ----------
    emitter : int
    delay : int
        Steps, in SLAYER's time.
    positions : int64 [elements]
        Flat positions in the tensor.
    neurons : int64 [elements]
        Flat positions in the emitter.
    """

    emitter: int
    delay: int
    positions: NDArray[np.int64]
    neurons: NDArray[np.int64]

    def is_whole(self, size: int) -> bool:
        """Whether these are all neurons of an emitter of `size`, in order, and nothing else."""
        everything = np.arange(size)
        return np.array_equal(self.neurons, everything) and np.array_equal(
            self.positions, everything
        )


def label_outputs(torch: Any, emitter: int, shape: tuple[int, ...], first_step: int = 0) -> Any:
    """Shadow [samples, *shape, steps] of what an emitter sends from a step on."""
    samples, *space, steps = shape
    size = int(np.prod(space))
    neuron = torch.arange(size).reshape(1, *space, 1) << TIME_BITS
    time = torch.arange(first_step, first_step + steps)
    shadow = (emitter << (NEURON_BITS + TIME_BITS)) + neuron + time
    return shadow.expand(samples, *space, steps)


def group_by_emitter(shadow: NDArray[np.int64]) -> tuple[list[Group], str]:
    """Tell what a tensor [*shape, steps] is made of.

    Returns
    -------
    list of Group
    str
        Why it cannot be said, or nothing.
    """
    steps = shadow.shape[-1]
    flat = shadow.reshape(-1, steps)
    sent = flat != NOTHING
    last = np.where(sent.any(axis=1), steps - 1 - sent[:, ::-1].argmax(axis=1), 0)
    final = flat[np.arange(len(flat)), last]
    delay = last - (final & ((1 << TIME_BITS) - 1))
    delay = np.where(final == NOTHING, 0, delay)
    clock = np.arange(steps)[None, :]
    expected = final[:, None] + clock - last[:, None]
    expected = np.where((clock >= delay[:, None]) & (final[:, None] != NOTHING), expected, NOTHING)
    if (delay < 0).any():
        return [], "a step is used before it is there"
    if not np.array_equal(expected, flat):
        return [], "time steps are mixed, left out or put in another order"
    positions = np.flatnonzero(final != NOTHING)
    sender = final[positions] >> (NEURON_BITS + TIME_BITS)
    neuron = (final[positions] >> TIME_BITS) & ((1 << NEURON_BITS) - 1)
    keys = np.stack([sender, delay[positions]], axis=1)
    groups = []
    for emitter, late in np.unique(keys, axis=0):
        chosen = (keys == (emitter, late)).all(axis=1)
        groups.append(Group(int(emitter), int(late), positions[chosen], neuron[chosen]))
    return groups, ""
