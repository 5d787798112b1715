"""How two networks differ, population by population, in words."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ...network import Network

MOST_NAMED = 4
"""Differences, or populations, that one sentence names."""


@dataclass(frozen=True)
class Difference:
    """One parameter that is not the same in two networks.

    Attributes
    ----------
    what : str
        The parameter: ``starts``, ``neuron: bias``, ``input->hidden: weight``...
    how : str
        Both values.
    """

    what: str
    how: str

    def __str__(self) -> str:
        return f"{self.what}: {self.how}"


def network_differences(a: Network, b: Network, population: str) -> tuple[Difference, ...]:
    """Name each parameter of a population and of its synapses that is not the same in both."""
    found = []
    for side, other, label in ((a, b, "A"), (b, a, "B")):
        names = [{p.name for p in network.populations} for network in (side, other)]
        if population in names[0] and population not in names[1]:
            found.append(Difference("population", f"only in {label}'s network"))
    if found:
        return tuple(found)
    first, second = a[population], b[population]
    found += _value_differences("shape", first.shape, second.shape)
    found += _field_differences("neuron", first.neuron, second.neuron)
    found += _value_differences("starts", first.starts, second.starts)
    found += _value_differences("initial voltage", first.initial_voltage, second.initial_voltage)
    # None and delays of no step are the same.
    delays = [None if p.axon_delay is None or not p.axon_delay.any() else p.axon_delay
              for p in (first, second)]  # fmt: skip
    found += _value_differences("axon delays", *delays)
    if first.transform is not None and second.transform is not None:
        found += _field_differences("input transform", first.transform, second.transform)
    else:
        found += _value_differences("input transform", first.transform, second.transform)
    into_a, into_b = a.into(population), b.into(population)
    if len(into_a) != len(into_b):
        how = f"{len(into_a)} into it in A's network, {len(into_b)} in B's"
        found.append(Difference("projections", how))
    for one, two in zip(into_a, into_b, strict=False):
        found += _value_differences("projection", one.name, two.name)
        found += _field_differences(one.name, one.synapse, two.synapse)
    return tuple(found)


def all_differences(a: Network, b: Network) -> dict[str, tuple[Difference, ...]]:
    """`network_differences` of each population that has any."""
    names = dict.fromkeys(p.name for p in (*a.populations, *b.populations))
    found = {name: network_differences(a, b, name) for name in names}
    return {name: differences for name, differences in found.items() if differences}


def differences_in_words(a: Network, b: Network, population: str) -> str:
    """Say in one sentence in what two networks differ, first in one population."""
    found = all_differences(a, b)
    if not found:
        return "The two networks hold the same populations and projections."
    kinds = {each.what for differences in found.values() for each in differences}
    if len(kinds) == 1 and all(len(differences) == 1 for differences in found.values()):
        where = [f"{each.how} in {name!r}" for name, (each,) in found.items()]
        return f"The networks differ in {kinds.pop()} alone: {_join_in_words(where)}."
    own = [str(each) for each in found.pop(population, ())]
    others = [repr(name) for name in found]
    if not own:
        return (
            f"The networks are the same in {population!r} and differ in {_join_in_words(others)}."
        )
    said = f"The networks differ in {population!r} ({_join_in_words(own)})"
    return f"{said} and in {_join_in_words(others)}." if others else f"{said} and nowhere else."


def _join_in_words(items: list[str]) -> str:
    named = "; ".join(items[:MOST_NAMED])
    more = len(items) - MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named


def _field_differences(where: str, a: Any, b: Any) -> list[Difference]:
    if type(a) is not type(b):
        return [Difference(where, f"{a.kind} against {b.kind}")]
    found = []
    for field in fields(a):
        found += _value_differences(
            f"{where}: {field.name}", getattr(a, field.name), getattr(b, field.name)
        )
    return found


def _value_differences(what: str, a: Any, b: Any) -> list[Difference]:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.shape == b.shape:
        differ = a != b
        number = int(differ.sum())
        if not number:
            return []
        at = np.unravel_index(int(differ.argmax()), a.shape)
        place = [int(i) for i in at]
        largest = float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())
        how = (
            f"{number:,} of {a.size:,} differ, by up to {largest:.7g}; the first at {place}, "
            f"{a[at]} against {b[at]}"
        )
        return [Difference(what, how)]
    same = (
        np.array_equal(a, b) if isinstance(a, np.ndarray) or isinstance(b, np.ndarray) else a == b
    )
    return [] if same else [Difference(what, f"{_in_short(a)} against {_in_short(b)}")]


def _in_short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return str(value)
