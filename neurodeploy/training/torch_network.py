"""Modules of `LIF` layers as networks."""

from __future__ import annotations

import numpy as np
import torch

from ..errors import UnsupportedError
from ..network import (
    Audit,
    AuditEntry,
    Network,
    Population,
    Projection,
    Rating,
    Source,
)
from .layers import LIF


def compute_in(module: torch.nn.Module, whole: bool) -> None:
    """Let all `LIF` layers of a module compute in integers, scales chosen anew, or in floats."""
    for layer in module.modules():
        if isinstance(layer, LIF):
            layer.whole = whole
            if whole:
                layer.fit()


def to_network(module: torch.nn.Module, shape: tuple[int, ...]) -> Network:
    """Give the network that a `LIF` layer, or a Sequential of them, is.

    Its populations send what the layers give, hop by hop later. Flatten, Identity and Dropout
    (which does nothing when a network runs) may stand between them.

    Parameters
    ----------
    module : LIF or torch.nn.Sequential
    shape : tuple of int
        Of the inputs: (neurons,) or (C, H, W).

    Returns
    -------
    Network
        In integers; populations ``input`` and by the layers' paths.

    Raises
    ------
    UnsupportedError
        For another module; it names it.
    """
    populations = [Population("input", shape, Source())]
    projections: list[Projection] = []
    notes = [AuditEntry("input", Rating.FAITHFUL, "input port")]
    for path, layer in _layers(module, ""):
        name, before = path or "lif", populations[-1]
        if before.neuron.is_readout:
            raise UnsupportedError(f"{before.name}: sends its voltage; only the last layer may")
        target = layer.output_shape(layer.source_shape(before.shape))
        neuron = layer.neuron(int(np.prod(target)))
        acts = bool(np.any(neuron.parameters["bias"])) or layer.noise is not None
        starts = len(populations) if acts else 0
        populations.append(Population(name, target, neuron, starts=starts))
        projections += layer.projections(before.name, name)
        reason = f"LIF as {neuron.kind}, scale {float(layer.scale):.6g}, in {layer.bits} bits"
        notes.append(AuditEntry(name, Rating.FAITHFUL, reason))
        if starts:
            what = "bias" if layer.noise is None else "noise"
            reason = f"its {what} acts from step {starts} on; the chip's act from step 0 on"
            notes.append(AuditEntry(f"{name}/{what}", Rating.FAITHFUL, reason))
    return Network(tuple(populations), tuple(projections), Audit(tuple(notes)))


def _layers(module: torch.nn.Module, path: str) -> list[tuple[str, LIF]]:
    if isinstance(module, LIF):
        return [(path, module)]
    if isinstance(module, torch.nn.Sequential):
        found = []
        for name, child in module.named_children():
            found += _layers(child, f"{path}.{name}" if path else name)
        return found
    if isinstance(module, (torch.nn.Flatten, torch.nn.Identity, torch.nn.Dropout)):
        return []
    raise UnsupportedError(
        f"{path or 'module'}: {type(module).__name__} has no counterpart; to_network takes a "
        f"Sequential of LIF layers, Flatten, Identity and Dropout"
    )
