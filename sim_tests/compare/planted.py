"""Plants one defect at a time into a network's run, with a simulator that shares no code.

Faults of rules are planted in `sim_tests.reference`, by neurons that are
stepped otherwise; those of parameters and weights in the network that the
reference runs; lost messages in what it sends. The recording says that it is
of the sound network, as a faulty chip's would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from neurodeploy.network import Conv, CubaLIF, DelayedDense, Dense, Network, SigmaDelta
from neurodeploy.recording import Recording, RecordingWriter
from neurodeploy.recording.assemble import BlockAssembler, header_of
from neurodeploy.recording.run_options import RunOptions
from sim_tests.reference_synapses import arriving


@dataclass(frozen=True)
class Fault:
    """One defect in one population.

    `network` is what runs instead; `cell` makes the population's neurons;
    `sends` changes what it sends and `hears` what reaches it, both given
    (sample, step, dense messages).
    """

    pattern: str
    population: str
    network: Network
    cell: Callable | None = None
    sends: Callable | None = None
    hears: Callable | None = None


class Cuba:
    """CUBA neurons in int64; subclasses are the defects."""

    def __init__(self, neuron, size):
        self.n, self.size = neuron, size
        self.u = np.zeros(size, np.int64)
        self.v = np.zeros(size, np.int64)
        self.t = -1

    def leak(self, x, decay):
        product = x * (4096 - np.asarray(decay, np.int64))
        return np.sign(product) * (np.abs(product) // 4096)

    def wrap_u(self, u):
        u = np.where(u > 2**23, u - 2**24, u)
        return np.where(u <= -(2**23), u + 2**24, u)

    def clip_v(self, v):
        return np.minimum(np.maximum(v, 1 - 2**23), 2**23 - 1)

    def bias(self):
        return np.asarray(self.n.bias, np.int64) * 64

    def fires(self):
        return self.v > np.asarray(self.n.threshold, np.int64) * 64

    def after(self, fires):
        self.v = np.where(fires, 0, self.v)

    def step(self, a):
        self.t += 1
        self.u = self.wrap_u(self.leak(self.u, self.n.current_decay) + a * 64)
        self.v = self.clip_v(self.leak(self.v, self.n.voltage_decay) + self.u + self.bias())
        fires = self.fires()
        self.after(fires)
        return fires.astype(np.int64)


class AtLeast(Cuba):
    def fires(self):
        return self.v >= np.asarray(self.n.threshold, np.int64) * 64


class LateReset(Cuba):
    due = False

    def after(self, fires):
        self.v = np.where(self.due, 0, self.v)
        self.due = fires


class FloorU(Cuba):
    def step(self, a):
        leak = self.leak
        self.leak = lambda x, d: (x * (4096 - np.asarray(d, np.int64))) // 4096
        self.t += 1
        self.u = self.wrap_u(self.leak(self.u, self.n.current_decay) + a * 64)
        self.leak = leak
        self.v = self.clip_v(self.leak(self.v, self.n.voltage_decay) + self.u + self.bias())
        fires = self.fires()
        self.after(fires)
        return fires.astype(np.int64)


class FloorBoth(Cuba):
    def leak(self, x, decay):
        return (x * (4096 - np.asarray(decay, np.int64))) // 4096


class SaturateU(Cuba):
    def wrap_u(self, u):
        return np.clip(u, 1 - 2**23, 2**23 - 1)


class WrapV(Cuba):
    def clip_v(self, v):
        return (v + 2**23) % 2**24 - 2**23


class Refractory(Cuba):
    """The chip's counter: two steps in which v stays where the reset left it."""

    wait = 0

    def step(self, a):
        held = np.asarray(self.wait) > 0
        v = self.v
        self.u = self.wrap_u(self.leak(self.u, self.n.current_decay) + a * 64)
        moved = self.clip_v(self.leak(v, self.n.voltage_decay) + self.u + self.bias())
        self.v = np.where(held, v, moved)
        fires = self.fires() & ~held
        self.v = np.where(fires, 0, self.v)
        self.wait = np.where(fires, 2, np.maximum(np.asarray(self.wait) - 1, 0))
        return fires.astype(np.int64)


class SoftReset(Cuba):
    def after(self, fires):
        self.v = np.where(fires, self.v - np.asarray(self.n.threshold, np.int64) * 64, self.v)


class BiasEarly(Cuba):
    def __init__(self, neuron, size):
        super().__init__(neuron, size)
        super().step(np.zeros(size, np.int64))


class BiasLate(Cuba):
    def bias(self):
        return super().bias() * (self.t > 0)


class Delta_(Cuba):
    """Sigma-delta neurons, sound: for faults outside them."""

    def __init__(self, neuron, size):
        super().__init__(neuron, size)
        self.residue = np.zeros(size, np.int64)

    def step(self, a):
        self.u = self.u + a
        x = self.u + np.asarray(self.n.bias, np.int64) * 4096
        x = np.maximum(x, 0) if self.n.rectify else x
        delta = x - self.v + self.residue
        sent = np.where(np.abs(delta) >= np.asarray(self.n.threshold, np.int64) * 4096, delta, 0)
        self.residue, self.v = delta - sent, x
        return sent // 64


RULES = {
    "threshold-at-least": AtLeast,
    "late-reset": LateReset,
    "decay-rounding": FloorU,
    "decay-rounding (both)": FloorBoth,
    "wrap-or-saturate": SaturateU,
    "wrap-or-saturate (v)": WrapV,
    "refractory": Refractory,
    "soft-reset": SoftReset,
    "bias-early": BiasEarly,
    "bias-late": BiasLate,
}


def rule_faults(network: Network, name: str) -> Iterator[Fault]:
    if not isinstance(network[name].neuron, CubaLIF):
        return
    for pattern, cell in RULES.items():
        yield Fault(pattern.split(" ")[0], name, network, cell=cell)


def changed_neuron(network, name, **parameters):
    populations = tuple(
        replace(p, neuron=replace(p.neuron, **parameters)) if p.name == name else p
        for p in network.populations
    )
    return replace(network, populations=populations)


def changed_synapse(network, projection, synapse):
    projections = tuple(
        replace(p, synapse=synapse) if p is projection else p for p in network.projections
    )
    return replace(network, projections=projections)


def parameter_faults(network: Network, name: str, rng) -> Iterator[Fault]:
    population = network[name]
    if np.any(getattr(population.neuron, "bias", 0)):
        yield Fault("lost-bias", name, changed_neuron(network, name, bias=0))
    if population.axon_delay is not None:
        populations = tuple(
            replace(p, axon_delay=None) if p.name == name else p for p in network.populations
        )
        yield Fault("missing-delay", name, replace(network, populations=populations))
    for projection in network.into(name):
        synapse = projection.synapse
        if isinstance(synapse, DelayedDense):
            sound = Dense(synapse.weight)
            yield Fault("missing-delay", name, changed_synapse(network, projection, sound))
        weight = getattr(synapse, "weight", None)
        if not isinstance(weight, np.ndarray) or not weight.any():
            continue
        for pattern, other in _weights(network, projection, weight, rng):
            if other.shape == weight.shape and not np.array_equal(other, weight):
                changed = replace(synapse, weight=np.ascontiguousarray(other, np.int32))
                yield Fault(pattern, name, changed_synapse(network, projection, changed))


def _weights(network, projection, weight, rng):
    synapse, top = projection.synapse, int(np.abs(weight).max())
    limit = 1 << (top.bit_length() - 1)  # the largest weights, and only those, are clipped
    yield "clipped-weights", np.clip(weight, -limit, limit - 1)
    flipped = weight.copy()
    at = tuple(int(rng.integers(n)) for n in weight.shape)
    bit = int(rng.integers(1, 8))
    flipped[at] = flipped[at] ^ (1 << bit)
    yield "flipped-weight-bit", flipped
    if isinstance(synapse, Conv):
        yield "transposed-kernel", weight.swapaxes(2, 3)
        yield "flipped-kernel", weight[:, :, ::-1, ::-1]
        if synapse.groups == 1 and weight.shape[1] > 1:
            one, two = rng.choice(weight.shape[1], 2, replace=False)
            swapped = weight.copy()
            swapped[:, [one, two]] = weight[:, [two, one]]
            yield "swapped-channels", swapped
    if isinstance(synapse, (Dense, DelayedDense)) and weight.shape[0] > 1:
        one, two = rng.choice(weight.shape[0], 2, replace=False)
        swapped = weight.copy()
        swapped[[one, two]] = weight[[two, one]]
        yield "swapped-channels", swapped


def message_faults(network: Network, name: str, sound: dict, rng) -> Iterator[Fault]:
    """A lost message, of the population itself and of a source on its way; a late population."""
    own = np.argwhere(sound[name]["spikes"])
    if len(own) and not isinstance(network[name].neuron, SigmaDelta):
        sample, step, neuron = own[rng.integers(len(own))]
        yield Fault("dropped-spike", name, network, sends=_lose(sample, step, neuron))
    source = network.into(name)[0].source
    there = np.argwhere(sound[source]["spikes"][:, :-1])
    if len(there):
        sample, step, neuron = there[rng.integers(len(there))]
        yield Fault("dropped-spike", name, network, hears=_lose(sample, step, neuron, source))
    if network.into(name)[0].source != name:
        yield Fault("off-by-one-step", name, network, hears=_late)


def _lose(sample, step, neuron, source=None):
    def change(s, t, messages, whose=None):
        if s == sample and t == step and (source is None or whose == source):
            messages = messages.copy()
            messages[neuron] = 0
        return messages

    return change


def _late(s, t, messages, whose=None):
    return "late"


def simulate(network: Network, values: np.ndarray, fault: Fault | None = None) -> dict:
    """Run samples, values [samples, steps, *shape], with a fault or none, step by step."""
    if fault is not None:
        network = fault.network
    samples, steps = values.shape[:2]
    result = {
        p.name: {
            what: np.zeros((samples, steps, p.size), np.int64) for what in ("spikes", "u", "v")
        }
        for p in network.populations
    }
    for s in range(samples):
        _simulate_one(network, values[s], fault, s, result)
    return result


def _simulate_one(network, values, fault, s, result):
    steps = len(values)
    cells = {}
    for p in network.populations:
        kind = {CubaLIF: Cuba, SigmaDelta: Delta_}.get(type(p.neuron))
        if fault is not None and fault.population == p.name and fault.cell is not None:
            kind = fault.cell
        cells[p.name] = None if kind is None else kind(p.neuron, p.size)
    sent = {p.name: np.zeros((steps, p.size), np.int64) for p in network.populations}

    def heard(source, target, t):
        def at(lag=1):
            when = t - lag
            hears = fault.hears if fault is not None and fault.population == target else None
            if hears is not None and source != target:
                if hears is _late:
                    when -= 1
                elif when >= 0:
                    return hears(s, when, sent[source][when], source)
            return sent[source][when] if when >= 0 else np.zeros(len(sent[source][0]), np.int64)

        return at

    for t in range(steps):
        for p in network.populations:
            if p is network.input:
                a = values[t].astype(np.int64).ravel()
            else:
                a = np.zeros(p.size, np.int64)
            for projection in network.into(p.name):
                at = heard(projection.source, p.name, t)
                shape = network[projection.source].shape
                a = a + arriving(projection.synapse, lambda lag, at=at: at(lag + 1), shape, p.shape)
            cell = cells[p.name]
            messages = a if cell is None else cell.step(a)
            if cell is not None:
                result[p.name]["u"][s, t], result[p.name]["v"][s, t] = cell.u, cell.v
            delay = np.zeros(p.size, int) if p.axon_delay is None else p.axon_delay
            for j in np.flatnonzero(messages):
                late = t + delay[j]
                if late < steps:
                    sent[p.name][late, j] = messages[j]
        if fault is not None and fault.sends is not None:
            name = fault.population
            sent[name][t] = fault.sends(s, t, sent[name][t])
    for name, messages in sent.items():
        result[name]["spikes"][s] = messages


def recording_of(network: Network, result: dict, record) -> Recording:
    """What a chip would have left that was believed to run `network`."""
    samples, steps = next(iter(result.values()))["spikes"].shape[:2]
    options = RunOptions(steps=steps, record=("counts", *record), inputs_fingerprint="same")
    writer = RecordingWriter(header_of(network, "planted", "1", options))
    spikes = {n: r["spikes"].astype(np.int32) for n, r in result.items()}
    states = {
        n: {w: r[w].astype(np.int32) for w in ("u", "v") if w in record} for n, r in result.items()
    }
    BlockAssembler(network, options, writer).add(spikes, states)
    writer.finish(samples=samples)
    return writer.recording()
