"""What a network loses on its way through a NetX file: written, read back, held against itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from ...network import CubaLIF, DelayedDense, Dense, GeneralCubaLIF, LeakyIntegrator, Network
from .neuron_writer import NEVER

CURES = {
    "starts": "in NetX a bias acts from step 0 on; with starts=0 it does here, too",
    "initial_voltage": "NetX's neurons begin at 0",
    "neuron.fraction_bits": (
        "NetX holds thresholds and biases in 1/64; round them, with fraction_bits=0"
    ),
    "transform.rounds_first": "round the inputs to multiples of 1/32 yourself",
}
"""What to do about a field that NetX has no place for."""


def list_losses(network: Network, again: Network) -> Iterator[tuple[str, str]]:
    """Compare a network with what a reader of its file got, in all that decides how it runs.

    One number and an array full of it are equal, so are no delays and delays of
    0, and two models with parameters that make them the same.

    Parameters
    ----------
    network, again : Network

    Yields
    ------
    element, loss : str
        ``population 'a'`` or ``projection a->b``, and what became of it.
    """
    pairs: tuple[tuple[str, Sequence[Any], Sequence[Any]], ...] = (
        ("population", network.populations, again.populations),
        ("projection", network.projections, again.projections),
    )
    for kind, given, back in pairs:
        left = {other.name: other for other in back}
        for item in given:
            element = f"{kind} {item.name!r}" if kind == "population" else f"{kind} {item.name}"
            found = left.pop(item.name, None)
            if found is None:
                yield element, "is not there when the file is read"
                continue
            changes = list(_changes(item, found))
            if changes:
                cures = [CURES[name] for name, _ in changes if name in CURES]
                yield element, "; ".join([*(text for _, text in changes), *cures])
        for other in left.values():
            yield f"{kind} {other.name}", "is there when the file is read, but not before"


def _changes(item: Any, found: Any) -> Iterator[tuple[str, str]]:
    before, after = dict(_plain_fields(item)), dict(_plain_fields(found))
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        takes_more = name == "neuron.signed" and new is True  # payloads as well as spikes
        if not takes_more and not _same(old, new):
            yield name, f"{name} {_short(old)} is read back as {_short(new)}"


def _plain_fields(item: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Give what decides how an element runs, by name."""
    if isinstance(item, (CubaLIF, LeakyIntegrator)):  # as the model of which they are cases
        named = {field.name: getattr(item, field.name) for field in fields(item)}
        item = GeneralCubaLIF(**{"threshold": NEVER, **named})
    elif isinstance(item, Dense):
        item = DelayedDense(item.weight, np.zeros(item.weight.shape, np.int32))
    if prefix:
        yield f"{prefix}kind", getattr(item, "kind", type(item).__name__)
    for field in fields(item):
        value = getattr(item, field.name)
        if field.name in ("neuron", "synapse", "transform") and value is not None:
            yield from _plain_fields(value, f"{field.name}.")
        else:
            yield f"{prefix}{field.name}", value


def _same(old: Any, new: Any) -> bool:
    if old is None or new is None:
        present = new if old is None else old
        return present is None or (isinstance(present, np.ndarray) and not present.any())
    one, other = np.asarray(old), np.asarray(new)
    if one.ndim and other.ndim and one.shape != other.shape:
        return False
    return bool(np.all(one == other))


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.ndim:
        return f"(min {value.min()}, max {value.max()})" if value.size else "()"
    return str(value)
