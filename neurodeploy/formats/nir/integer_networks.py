"""Integer networks through NIR and back: the same integers, read off the parameters.

Weights, thresholds and biases are written as they are, a decay d as the time constant
``4096 dt / d`` (forward Euler), so that nothing is lost to the bit and a framework that
reads the graph runs it without the chip's rounding of states.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError, NetworkError, UnsupportedError
from ...files import FOREIGN
from ...network import (
    Audit,
    AuditEntry,
    Conv,
    CubaLIF,
    DelayedDense,
    Dense,
    FloatLIF,
    Network,
    OneToOne,
    Pool,
    Population,
    Projection,
    Rating,
    Source,
    Sparse,
    Synapse,
)
from ...network.fixed_point import DECAY_UNITY
from ..netx.whole_network import with_mismatch
from .graph import Graph
from .presets import RESETS

MARK = "neurodeploy"
"""Entry of a graph's metadata: JSON with dt_seconds, preset, reset, and of integers fingerprint."""

FINGERPRINT = f"metadata/{MARK}/fingerprint"
"""What the audit calls the hash of the integers that we wrote."""

CARRIED = (Dense, DelayedDense, Conv, Pool, Sparse, OneToOne)


def facts_of(graph: Graph) -> dict[str, Any]:
    """What a graph's metadata says of how we wrote it; empty where it says nothing."""
    text = graph.metadata.get(MARK)
    if not isinstance(text, str):
        return {}
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def without_idle_delays(network: Network) -> Network:
    """The same network with no delay where there is no weight, which is all that NIR can say."""
    projections = []
    for projection in network.projections:
        synapse = projection.synapse
        if isinstance(synapse, DelayedDense):
            delay = np.where(synapse.weight != 0, synapse.delay, 0).astype(np.int32)
            if not (synapse.delay == synapse.delay[:1]).all():
                projection = replace(projection, synapse=replace(synapse, delay=delay))
        projections.append(projection)
    return replace(network, projections=tuple(projections))


def as_float(network: Network) -> Network:
    """An integer network with its decays, weights and thresholds as float32, states not rounded.

    Raises
    ------
    UnsupportedError
        If NIR has no word for an element.
    """
    populations = tuple(_float_population(network, p) for p in network.populations)
    projections = []
    for projection in network.projections:
        if not isinstance(projection.synapse, CARRIED):
            raise UnsupportedError(
                f"projection {projection.name}: NIR has no {projection.synapse.kind} synapses; "
                f"write .net instead"
            )
        projections.append(replace(projection, synapse=_cast(projection.synapse, np.float32)))
    return Network(populations, tuple(projections))


def _float_population(network: Network, population: Population) -> Population:
    neuron, name = population.neuron, population.name
    if isinstance(neuron, Source) and population is network.input:
        return population
    if type(neuron) is not CubaLIF or population is network.input:
        raise UnsupportedError(
            f"population {name!r}: NIR has no {neuron.kind} neurons of the chip's kind "
            f"{'as its input' if population is network.input else 'with all they do'}; write .net "
            f"instead"
        )
    if np.any(population.initial_voltage):
        raise UnsupportedError(
            f"population {name!r}: NIR's neurons begin at rest, these at other voltages; write "
            f".net instead"
        )
    keep_u, keep_v = (
        (1 - np.asarray(d, np.float64) / DECAY_UNITY).astype(np.float32)
        for d in (neuron.current_decay, neuron.voltage_decay)
    )
    bias = np.asarray(neuron.bias, np.float32)
    # Without memory of the current a constant current is a bias, which every framework reads.
    carried = any(isinstance(p.synapse, (Dense, DelayedDense)) for p in network.into(name))
    constant = carried and not keep_u.any()
    made = FloatLIF(
        current_keep=keep_u,
        current_bias=bias if constant else 0.0,
        voltage_keep=keep_v,
        voltage_bias=0.0 if constant else bias,
        threshold=np.asarray(neuron.threshold, np.float32),
    )
    return replace(population, neuron=made)


def _cast(synapse: Synapse, kind: Any) -> Synapse:
    weight = np.asarray(synapse.weight)  # type: ignore[attr-defined]
    cast = weight.astype(kind)
    return replace(synapse, weight=cast.item() if cast.ndim == 0 else cast)  # type: ignore[call-arg]


def as_fixed(network: Network, facts: dict[str, Any]) -> Network:
    """The integer network that a float one was written from; what changed since, the audit says.

    Integers that are not those we wrote are read as they stand. What is in integers no more stays
    as it was read, in floats.
    """
    port = Source(signed=bool(facts.get("signed")))
    try:
        populations = [
            replace(p, neuron=_cuba(p.neuron) if isinstance(p.neuron, FloatLIF) else port)
            for p in network.populations
        ]
        names, pairs = facts["populations"], [tuple(pair[:2]) for pair in facts["projections"]]
        place = {name: number for number, name in enumerate(names)}
        places = {pair: number for number, pair in reversed(list(enumerate(pairs)))}  # the first
        parallel = {pair for pair, count in Counter(pairs).items() if count > 1}
        projections = [
            replace(p, synapse=_whole(p.synapse)) for p in _merged(network.projections, parallel)
        ]
        populations.sort(key=lambda p: place[p.name])
        projections = [p for p in projections if (p.source, p.target) in places]
        projections.sort(key=lambda p: places[p.source, p.target])
        projections = [
            _of_kind(p, pair[2:]) for p, pair in zip(projections, facts["projections"], strict=True)
        ]
        kept = facts.get("metadata")
        metadata = {**network.metadata, **(kept if isinstance(kept, dict) else {})}
        found = Network(tuple(populations), tuple(projections), network.audit, metadata)
    except (*FOREIGN, NetworkError) as error:
        reason = (
            f"written in integers, and changed since so that they are none now ({error}); read as "
            f"a network in floats, quantize it again"
        )
        entry = AuditEntry(FINGERPRINT, Rating.APPROXIMATE, reason)
        return replace(network, audit=network.audit + Audit((entry,)))
    if found.fingerprint != facts.get("fingerprint"):
        return with_mismatch(found, FINGERPRINT)
    return found


def _cuba(neuron: FloatLIF) -> CubaLIF:
    bias = _integers(
        np.asarray(neuron.current_bias, np.float64) * np.asarray(neuron.current_gain)
        + np.asarray(neuron.voltage_bias, np.float64)
    )
    decay_u, decay_v = (
        _integers((1 - np.asarray(keep, np.float64)) * DECAY_UNITY)
        for keep in (neuron.current_keep, neuron.voltage_keep)
    )
    return CubaLIF(decay_u, decay_v, _integers(np.asarray(neuron.threshold, np.float64)), bias)


def _integers(values: NDArray[Any]) -> Any:
    """Whole numbers, which float32 parameters may miss by their rounding."""
    whole = np.rint(values)
    if np.abs(values - whole).max(initial=0) > 1e-2:
        raise ValueError("not whole")
    array = whole.astype(np.int32)
    return int(array) if array.ndim == 0 else array


def _whole(synapse: Synapse) -> Synapse:
    return replace(synapse, weight=_integers(np.asarray(synapse.weight, np.float64)))  # type: ignore[attr-defined, call-arg]


def _of_kind(projection: Projection, kind: list[str]) -> Projection:
    """Synapses that were listed one by one, which NIR holds as a matrix."""
    if kind == [Sparse.kind] and isinstance(projection.synapse, Dense):
        return replace(projection, synapse=Sparse.from_dense(projection.synapse.weight))
    return projection


def _merged(
    projections: tuple[Projection, ...], parallel: set[tuple[str, str]]
) -> list[Projection]:
    """Branches of one projection, which were its different delays, in one again.

    Not between populations that had several projections when the file was written.
    """
    merged: dict[tuple[str, str], Projection] = {}
    order: list[Projection] = []
    for projection in projections:
        key = (projection.source, projection.target)
        before = merged.get(key)
        parts = [] if before is None else [before.synapse, projection.synapse]
        if (
            before is None
            or key in parallel
            or not all(isinstance(s, (Dense, DelayedDense)) for s in parts)
        ):
            merged[key] = projection
            order.append(projection)
            continue
        (w0, d0), (w1, d1) = (_delayed(s) for s in parts)
        both = (w0 != 0) & (w1 != 0)
        if both.any():
            raise ValueError("overlap")
        joined = DelayedDense(w0 + w1, np.where(w1 != 0, d1, d0).astype(np.int32))
        order[order.index(before)] = merged[key] = replace(projection, synapse=joined)
    return order


def _delayed(synapse: Any) -> tuple[NDArray[Any], NDArray[np.int32]]:
    if isinstance(synapse, DelayedDense):
        return synapse.weight, synapse.delay
    return synapse.weight, np.zeros(synapse.weight.shape, np.int32)


def noted_reset(facts: dict[str, Any]) -> str | dict[str, str] | None:
    """The reset that we noted when we wrote a file: one of `RESETS`, or one for each node."""
    reset = facts.get("reset")
    if isinstance(reset, dict):
        whole = reset and all(isinstance(v, str) and v in RESETS for v in reset.values())
        return {str(key): str(value) for key, value in reset.items()} if whole else None
    return reset if isinstance(reset, str) and reset in RESETS else None


def read_note(
    path: Path, facts: dict[str, Any]
) -> tuple[float, str, str | dict[str, str], bool | None]:
    """Time step, preset, reset and its delay that we noted when we wrote a file.

    Raises
    ------
    FormatError
        If the note is malformed.
    """
    dt, preset, delay = (facts.get(key) for key in ("dt_seconds", "preset", "reset_delay"))
    reset = noted_reset(facts)
    whole = isinstance(dt, (int, float)) and isinstance(preset, str) and reset is not None
    if not whole or not isinstance(delay, (bool, type(None))):
        raise FormatError(
            f"{path}: metadata {MARK!r}: {json.dumps(facts)[:80]}: malformed; give --dt and "
            f"--preset"
        )
    assert reset is not None
    return float(dt), str(preset), reset, delay  # type: ignore[arg-type]
