"""How two networks differ in one population and in what leads into it, in words."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from ...network import Network


def network_differences(a: Network, b: Network, population: str) -> tuple[str, ...]:
    """Name each parameter of a population and of its synapses that is not the same in both."""
    found = _fields("neuron", a[population].neuron, b[population].neuron)
    found += _one("axon delays", a[population].axon_delay, b[population].axon_delay)
    into_a, into_b = a.into(population), b.into(population)
    if len(into_a) != len(into_b):
        found.append(f"{len(into_a)} projections into it in A's network, {len(into_b)} in B's")
    for first, second in zip(into_a, into_b, strict=False):
        found += _fields(first.name, first.synapse, second.synapse)
    return tuple(found)


def _fields(where: str, a: Any, b: Any) -> list[str]:
    if type(a) is not type(b):
        return [f"{where}: {a.kind} against {b.kind}"]
    found = []
    for field in fields(a):
        found += _one(f"{where}: {field.name}", getattr(a, field.name), getattr(b, field.name))
    return found


def _one(what: str, a: Any, b: Any) -> list[str]:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.shape == b.shape:
        differ = a != b
        number = int(differ.sum())
        if not number:
            return []
        at = np.unravel_index(int(differ.argmax()), a.shape)
        place = [int(i) for i in at]
        largest = int(np.abs(a.astype(np.int64) - b.astype(np.int64)).max())
        return [
            f"{what}: {number:,} of {a.size:,} differ, by up to {largest}; the first at {place}, "
            f"{a[at]} against {b[at]}"
        ]
    same = (
        np.array_equal(a, b) if isinstance(a, np.ndarray) or isinstance(b, np.ndarray) else a == b
    )
    if same:
        return []
    return [f"{what}: {_short(a)} against {_short(b)}"]


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return str(value)
