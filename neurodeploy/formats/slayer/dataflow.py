"""Emitters on their way to becoming populations: what feeds each, and whose clock is how late.

SLAYER's blocks take no time but for the one step by which most of them delay
what they send; on the chip every projection takes one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import UnsupportedError
from .module_kinds import is_bootstrap
from .neurons import message_unit
from .origins import Group, group_by_emitter

if TYPE_CHECKING:
    from .tracing import Emitter

TYPES = {
    "block.Dense": "dense", "block.Affine": "dense", "block.Output": "dense",
    "block.KWTA": "kwta", "block.Recurrent": "dense_rec", "block.Conv": "conv",
    "block.ConvT": "convT", "block.Pool": "pool", "block.Unpool": "unpool",
    "block.Average": "average", "synapse.Dense": "dense", "synapse.Conv": "conv",
    "synapse.ConvTranspose": "convT", "synapse.Pool": "pool", "synapse.Unpool": "unpool",
}  # fmt: skip
"""NetX's names of the layers, with which populations are named."""


@dataclass(frozen=True, eq=False)
class Sent:
    """What SLAYER sent from one population, to hold ours against.

    Attributes
    ----------
    population : str
    what : {"spikes", "v"}
    lag : int
        Steps by which the population's clock is behind SLAYER's.
    values : float64 [samples, steps, *shape]
        In the integers' unit; whole where SLAYER's floats hold it.
    """

    population: str
    what: str
    lag: int
    values: NDArray[np.float64]


@dataclass(eq=False)
class Node:
    """An emitter on its way to becoming a population."""

    emitter: Emitter
    groups: list[Group] = field(default_factory=list)
    arrival: int = 0
    lag: int = 0
    population: str = ""
    unit: int = 1

    @property
    def hop(self) -> int:
        """Steps that a message takes to it on the chip."""
        return 0 if self.emitter.kind in ("block.Input", "block.Average", "axon.Delay") else 1

    @property
    def shifts(self) -> int:
        """Whether SLAYER delays what it sends by a step."""
        return int(bool(getattr(self.emitter.module, "delay_shift", False)))


class Feed(NamedTuple):
    """Synapses into a population: whose they are, what they take, and when it must arrive."""

    emitter: Emitter
    synapse: Any
    group: Group
    arrival: int

    @property
    def where(self) -> str:
        """The synapses' path."""
        own = self.emitter.module is self.synapse
        return self.emitter.name if own else f"{self.emitter.name}.synapse"


def read_inputs(nodes: list[Node]) -> None:
    """Find out for every emitter what it is given, and how late."""
    for node in nodes[1:]:
        emitter = node.emitter
        if emitter.kind == "input":
            continue
        terms = max(len(call) for call in emitter.inputs)
        for term in range(terms):
            parts = [
                (call[term] if term < len(call) else call[0] * 0 - 1)[0].numpy()
                for call in emitter.inputs
            ]
            groups, why = group_by_emitter(np.concatenate(parts, axis=-1))
            if why:
                raise UnsupportedError(
                    f"{emitter.name}: what it is given cannot be followed: {why}"
                )
            node.groups += groups
        if not node.groups:
            raise UnsupportedError(f"{emitter.name}: is given nothing but zeros")


def find_lags(nodes: list[Node]) -> None:
    """Longest paths; a cycle that a chip needs more steps for than SLAYER has no end."""
    for _ in range(len(nodes) + 1):
        changed = False
        for node in nodes:
            if not node.groups:
                continue
            arrival = max(nodes[g.emitter].lag - g.delay for g in node.groups) + node.hop
            if node.emitter.kind.startswith(("neuron", "dendrite")):
                arrival -= node.hop  # its synapses are an emitter of their own
            lag = arrival - node.shifts
            if (arrival, lag) != (node.arrival, node.lag):
                node.arrival, node.lag, changed = arrival, lag, True
        if not changed:
            return
    names = ", ".join(sorted({n.emitter.name for n in nodes if n.groups}))
    raise UnsupportedError(
        f"{names}: they feed each other in fewer steps than the chip, which takes one for each "
        f"projection; feed back what was sent a step earlier"
    )


def unit_of(emitter: Emitter, known: int = 1) -> int:
    """What 1.0 of what SLAYER sends is in our messages."""
    if emitter.kind in ("block.Output", "dendrite.Sigma", "input", "block.Average"):
        return known
    return message_unit(getattr(emitter.module, "neuron", emitter.module))


def numbers_sent(emitter: Emitter) -> NDArray[np.float64]:
    """What an emitter sent, float64 [samples, steps, *shape]."""
    parts = [tensor.detach().cpu().numpy() for tensor in emitter.sent]
    return np.moveaxis(np.concatenate(parts, axis=-1), -1, 1).astype(np.float64)


def shape_of(emitter: Emitter) -> tuple[int, ...]:
    """Shape of a population: (neurons,) for dense layers, else (C, H, W)."""
    shape = tuple(int(n) for n in emitter.sent[0].shape[1:-1])
    if len(shape) == 3 and shape[1:] == (1, 1) and TYPES.get(emitter.kind, "").startswith("dense"):
        return shape[:1]
    return shape


def axon_delay(module: Any, shape: tuple[int, ...]) -> NDArray[np.int32] | None:
    """Axonal delays of a block, one for each neuron; its forward pass takes their floor."""
    delay = getattr(module, "delay", None)
    if delay is None or not hasattr(delay, "delay") or is_bootstrap(module):
        return None  # bootstrap's blocks have delays and never use them
    delay.clamp()
    steps = np.floor(delay.delay.detach().cpu().numpy()).astype(np.int64).ravel()
    spread = np.repeat(steps, math.prod(shape) // steps.size).astype(np.int32)
    return spread if spread.any() else None
