"""Biases that SLAYER's forward pass adds to currents, as constant currents from a clock.

SLAYER gives its synapses no bias, but adds one that somebody gave them
(``synapse/layer.py``: ``F.conv3d(input, weight, self.bias, ...)``); its recurrent and
KWTA blocks have a ``bias`` of their own (``block/base.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UnsupportedError
from ...network import Rating
from .converted import Converted
from .dataflow import Feed, Node
from .draft import Draft
from .weights import Used, effective_bias

Currents = tuple[NDArray[np.float64], ...]


def add_biases(
    draft: Draft, node: Node, name: str, made: Converted, feeds: list[Feed], unit: int
) -> None:
    """Add the constant currents into a population.

    Parameters
    ----------
    draft : Draft
    node : Node
    name : str
        Of the population.
    made : Converted
    feeds : list of Feed
        A synapse is in it once for each population that it takes.
    unit : int
        What a current of 1.0 is in integers.
    """
    shape = draft.named(name).shape
    found: dict[str, tuple[int, Currents]] = {}
    for feed in feeds:
        currents = _of_synapse(feed.synapse, shape, draft.trace.used)
        found[f"{feed.where}.bias"] = feed.arrival, currents
    found[f"{node.emitter.name}.bias"] = node.arrival, _of_block(node)
    for element, (arrival, currents) in found.items():
        if not any(current.any() for current in currents):
            continue
        exact = [current * unit for current in currents]
        whole = [np.rint(current) for current in exact]
        clock = draft.clock(arrival - 1)
        drive = tuple((current * made.weight_factor).astype(np.int32) for current in whole)
        draft.link_clock(clock, name, drive)
        reason = f"a constant current from {clock!r}"
        worst = max(float(np.abs(w - e).max()) for w, e in zip(whole, exact, strict=True)) / unit
        if worst:
            reason += f", rounded to 1/{unit}, by at most {worst:.2g}; SLAYER adds it as a float"
        draft.note(element, Rating.APPROXIMATE if worst else Rating.FAITHFUL, reason)


def _of_synapse(synapse: Any, shape: tuple[int, ...], used: Mapping[int, Used]) -> Currents:
    """Currents [neurons] for each port; nothing for none."""
    parts = (synapse.real, synapse.imag) if getattr(synapse, "complex", False) else (synapse,)
    biases = [effective_bias(part, used.get(id(part))) for part in parts]
    if all(bias is None for bias in biases):
        return ()
    size = math.prod(shape)
    return tuple(
        np.zeros(size) if bias is None else np.repeat(bias, size // bias.size) for bias in biases
    )


def _of_block(node: Node) -> Currents:
    bias = getattr(node.emitter.module, "bias", None)
    if bias is None or node.emitter.kind not in ("block.Recurrent", "block.KWTA"):
        return ()
    space = tuple(node.emitter.sent[0].shape[1:])
    full = np.broadcast_to(bias.detach().cpu().numpy().astype(np.float64), (1, *space))
    if (full != full[..., :1]).any():
        raise UnsupportedError(f"{node.emitter.name}.bias: differs from step to step; give one")
    return (full[0, ..., 0].reshape(-1),)
