"""What stood around the first divergence: states, currents, threshold, messages that arrived."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.replay import Replayed
from ...errors import NeurodeployError
from ..divergence import Divergence, position_of
from ..recorded_side import Observed, Side
from ..results import Arrival, Evidence, Trace
from .afferents import deliveries_to
from .hypothesis import currents_of

MOST_ARRIVALS = 64
"""Messages listed; the weightiest, where more arrived."""

AROUND = 12
"""Steps before and after the divergence that the trace shows."""


def gather_evidence(
    sides: tuple[Side, Side],
    observed: tuple[Observed, Observed],
    predicted: tuple[Replayed | None, Replayed | None],
    where: Divergence,
    a_step: int,
) -> Evidence:
    """Collect what stood around a divergence.

    Parameters
    ----------
    sides, observed, predicted : pairs for A and B
        `predicted` is what the engine says each side did, where it reproduces it.
    where : Divergence
        Its step counted on the network's clock.
    a_step : int
        The same on A's own clock.
    """
    total = min(side.recording.steps for side in sides)
    first, last = max(0, where.step - AROUND), min(total, where.step + AROUND + 1)
    traces = [
        _trace(side, seen, made, where, slice(first, last))
        for side, seen, made in zip(sides, observed, predicted, strict=True)
    ]
    arrivals = _arrivals(sides[1], where)
    neuron = sides[0].network[where.population].neuron
    threshold = neuron.of_one(where.neuron).parameters.get(neuron.fires_above)
    if neuron.fires_above in neuron.states:
        threshold = None  # one that moves is shown as a state
    shift = a_step - where.step
    return Evidence(
        steps=tuple(step + shift for step in range(first, last)),
        at=where.step - first,
        threshold=None if threshold is None else int(threshold) << neuron.mantissa_shift,
        a=traces[0],
        b=traces[1],
        arrivals=tuple(arrivals[:MOST_ARRIVALS]),
        arrived=len(arrivals),
    )


def _trace(
    side: Side, seen: Observed, made: Replayed | None, where: Divergence, span: slice
) -> Trace:
    population = side.network[where.population]
    columns: dict[str, NDArray[Any]] = {}
    known: dict[str, str] = {}
    for name in dict.fromkeys((*population.neuron.states, *seen.values)):
        if name in seen.values:
            columns[name], known[name] = seen.values[name][:, where.neuron], "recorded"
        elif made is not None and name in made.states:
            columns[name], known[name] = made.states[name][0][:, where.neuron], "engine"
    current = _current(side, seen, made, where)
    if current is not None:
        columns["current"], known["current"] = current
    model = population.neuron.of_one(where.neuron)
    steps = np.arange(side.recording.steps)
    if "bias" in model.parameters and not model.is_float:
        shifted = int(model.parameters["bias"]) << model.mantissa_shift
        columns["bias"] = np.where(steps >= population.starts, shifted, 0)
        known["bias"] = "network"
    if all(name in columns and columns[name].dtype.kind == "i" for name in ("u", "v")):
        # Where a hard reset follows a message, v is 0 whatever stands in its place.
        resets, sent = side.resets(where.population), columns.get("spikes")
        first, size = population.initial_voltage, population.size
        unknown = sent is None or population.axon_delay is not None
        before = model.voltage_before_reset(
            _shift_one_step(columns["v"], resets, int(np.broadcast_to(first, size)[where.neuron])),
            columns["u"].astype(np.int64),
            None if unknown else _shift_one_step(columns["spikes"], resets),
        )
        if before is not None:
            columns["v_before_reset"] = np.where(steps >= population.starts, before, 0)
            known["v_before_reset"] = "implied"
    return Trace({n: tuple(x.item() for x in column[span]) for n, column in columns.items()}, known)


def _shift_one_step(
    values: NDArray[Any], resets: NDArray[np.bool_], first: int = 0
) -> NDArray[np.int64]:
    """Give what was there after the last step, `first` before any, 0 at a reset."""
    last = np.concatenate([[first], values[:-1].astype(np.int64)])
    last[resets] = 0
    return last


def _current(
    side: Side, seen: Observed, made: Replayed | None, where: Divergence
) -> tuple[NDArray[np.integer[Any]], str] | None:
    """What the synapses delivered: from the states where they tell, else from the network."""
    neuron = side.network[where.population].neuron
    u = seen.values.get("u")
    if u is not None and u.dtype.kind == "i":
        column, resets = u[:, where.neuron], side.resets(where.population)
        implied = neuron.of_one(where.neuron).synaptic_current(
            _shift_one_step(column, resets), column.astype(np.int64)
        )
        if implied is not None:
            return implied, "implied"
    if neuron.ports != 1:
        return None
    try:
        found = currents_of(side.network, side, where.population, where.sample)
    except NeurodeployError:
        return None
    return found[:, where.neuron], "engine"


def _arrivals(side: Side, where: Divergence) -> list[Arrival]:
    found = []
    for delivery in deliveries_to(side, where.population, where.neuron, where.sample):
        afferents = delivery.afferents
        source = afferents.projection.source
        shape = side.network[source].shape
        for k in np.flatnonzero(delivery.arrived[where.step]):
            neuron = int(afferents.source[k])
            found.append(
                Arrival(
                    source=source,
                    neuron=neuron,
                    position=position_of(neuron, shape),
                    weight=int(afferents.weight[k]),
                    delay=int(afferents.lag[k]) - 1,
                    payload=int(delivery.arrived[where.step, k]),
                )
            )
    return sorted(found, key=lambda arrival: -abs(arrival.weight * arrival.payload))
