"""What stood around the first divergence: states, currents, threshold, messages that arrived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.replay import Replayed
from ...errors import NeurodeployError
from ...network import CubaLIF, GeneralCubaLIF, LeakyIntegrator, Neuron, TernaryLIF
from ...network.fixed_point import (
    ACTIVATION_SHIFT,
    DECAY_UNITY,
    round_to_zero,
    saturate_voltage,
)
from ..comparison import Divergence, position_of
from ..messages import Observed, Side
from .screen import heard_by
from .trial import currents_of, one_of

MOST_ARRIVALS = 64
"""Messages listed; the weightiest, where more arrived."""

AROUND = 12
"""Steps before and after the divergence that the trace shows."""


@dataclass(frozen=True)
class Arrival:
    """A message that reached the neuron in the step of the divergence.

    Attributes
    ----------
    source : str
    neuron : int
        Of the source, flat in (C, H, W) order.
    position : tuple of int
    weight : int
        As the network has it.
    delay : int
        Steps beyond the one that every synapse takes.
    payload : int
    """

    source: str
    neuron: int
    position: tuple[int, ...]
    weight: int
    delay: int
    payload: int


@dataclass(frozen=True)
class Trace:
    """One side's neuron around the divergence, a value for each of `Evidence.steps`.

    Attributes
    ----------
    values : mapping of str to tuple of int, float or None
        Of ``current`` (sum of weights that arrived), ``u``, ``bias`` (in the unit of v),
        ``v_before_reset`` (what the threshold was held against), ``v``, ``spikes``.
    known : mapping of str to str
        Where each is from: ``recorded``, ``engine`` (run again), ``network`` (the bias),
        ``implied`` (the current, from two u; v before the reset, from u and the last v).
    """

    values: Mapping[str, tuple[float | int | None, ...]]
    known: Mapping[str, str]


@dataclass(frozen=True)
class Evidence:
    """The neuron that diverged first, on both sides.

    Attributes
    ----------
    steps : tuple of int
        On A's chip clock.
    at : int
        Place in `steps` of the divergence.
    threshold : int or None
        In the unit of v, as the network has it.
    a, b : Trace
    arrivals : tuple of Arrival
        On side B, in the step of the divergence.
    arrived : int
        How many there were.
    """

    steps: tuple[int, ...]
    at: int
    threshold: int | None
    a: Trace
    b: Trace
    arrivals: tuple[Arrival, ...]
    arrived: int


def gather(
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
    threshold = getattr(neuron, "threshold", getattr(neuron, "upper", None))
    if isinstance(threshold, np.ndarray):
        threshold = int(threshold[where.neuron])
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
    columns: dict[str, NDArray[Any]] = {}
    known: dict[str, str] = {}
    for name in ("u", "v", "spikes"):
        if name in seen.values:
            columns[name], known[name] = seen.values[name][:, where.neuron], "recorded"
        elif made is not None and name in made.states:
            columns[name], known[name] = made.states[name][0][:, where.neuron], "engine"
    current = _current(side, seen, made, where)
    if current is not None:
        columns["current"], known["current"] = current
    population = side.network[where.population]
    model = one_of(population.neuron, where.neuron)
    steps = np.arange(side.recording.steps)
    if hasattr(model, "bias") and not model.is_float:
        shifted = int(model.bias) << model.mantissa_shift
        columns["bias"] = np.where(steps >= population.starts, shifted, 0)
        known["bias"] = "network"
    if {"u", "v"} <= set(columns):
        resets = side.resets(where.population)
        sent = columns.get("spikes") if population.axon_delay is None else None
        before = voltage_before_reset(model, columns["u"], columns["v"], sent, resets)
        if before is not None:
            columns["v_before_reset"] = np.where(steps >= population.starts, before, 0)
            known["v_before_reset"] = "implied"
    return Trace({n: tuple(x.item() for x in column[span]) for n, column in columns.items()}, known)


def voltage_before_reset(
    model: Neuron,
    u: NDArray[Any],
    v: NDArray[Any],
    sent: NDArray[Any] | None,
    resets: NDArray[np.bool_],
) -> NDArray[np.int64] | None:
    """What the threshold of one neuron was held against in each step, from u and the last v.

    Parameters
    ----------
    model : Neuron
        With the parameters of one neuron.
    u, v : int [steps]
        After each step.
    sent : int [steps] or None
        What it sent; where a hard reset follows, the last v is 0 whatever stands in its place.
    resets : bool [steps]

    Returns
    -------
    int64 [steps], or None for a model whose v comes about otherwise, or of floats
    """
    if u.dtype.kind == "f" or v.dtype.kind == "f":
        return None
    if not isinstance(model, (CubaLIF, GeneralCubaLIF, LeakyIntegrator, TernaryLIF)):
        return None
    last = np.concatenate([[0], v[:-1].astype(np.int64)])
    last[resets] = 0
    pull = u.astype(np.int64) + (int(model.bias) << ACTIVATION_SHIFT)
    hard = model.masks_v
    if isinstance(model, GeneralCubaLIF):
        if np.any(np.asarray(model.refractory) > 1):
            return None
        hard = model.reset == "zero"
        if model.bias_into == "current":  # it is in u already
            pull = u.astype(np.int64)
        e = model.voltage_exponent
        pull = pull << e if e >= 0 else np.sign(pull) * (np.abs(pull) >> -e)
    if hard and sent is not None:
        last[1:][sent[:-1] != 0] = 0
    kept = round_to_zero(last * (DECAY_UNITY - int(model.voltage_decay)))
    return np.asarray(saturate_voltage(kept + pull), np.int64)


def _current(
    side: Side, seen: Observed, made: Replayed | None, where: Divergence
) -> tuple[NDArray[np.int64], str] | None:
    """What the synapses delivered: from the states where they tell, else from the network."""
    neuron = side.network[where.population].neuron
    u = seen.values.get("u")
    if isinstance(neuron, CubaLIF) and u is not None and u.dtype.kind == "i":
        decay = np.broadcast_to(neuron.current_decay, u.shape[1])[where.neuron]
        column = u[:, where.neuron].astype(np.int64)
        before = np.concatenate([[0], column[:-1]])
        before[side.resets(where.population)] = 0
        rest = column - round_to_zero(before * (DECAY_UNITY - int(decay)))
        return np.asarray(rest, np.int64) >> ACTIVATION_SHIFT, "implied"
    if side.network[where.population].neuron.ports != 1:
        return None
    try:
        messages = side.messages(where.population, where.sample)
        values = side.values(where.population, where.sample)
        found = currents_of(side.network, where.population, messages, values)
    except NeurodeployError:
        return None
    return found[:, where.neuron], "engine"


def _arrivals(side: Side, where: Divergence) -> list[Arrival]:
    found = []
    for heard in heard_by(side, where.population, where.neuron, where.sample):
        afferents = heard.afferents
        source = afferents.projection.source
        shape = side.network[source].shape
        for k in np.flatnonzero(heard.arrived[where.step]):
            neuron = int(afferents.source[k])
            found.append(
                Arrival(
                    source=source,
                    neuron=neuron,
                    position=position_of(neuron, shape),
                    weight=int(afferents.weight[k]),
                    delay=int(afferents.lag[k]) - 1,
                    payload=int(heard.arrived[where.step, k]),
                )
            )
    return sorted(found, key=lambda arrival: -abs(arrival.weight * arrival.payload))
