"""A slow, obvious simulator of a `Network`, step by step and neuron by neuron in NumPy int64.

Written from the equations in the docstrings of `neurodeploy.network` without
the package's own arithmetic, so that the engine and Lava can both be held
against it.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from neurodeploy.network import (
    Average,
    Conv,
    CubaLIF,
    Delta,
    Network,
    Sigma,
    SigmaDelta,
    Source,
)
from sim_tests.reference_neurons import CELLS, Cell
from sim_tests.reference_synapses import arriving, convolve


def round_to_zero(x):
    return np.sign(x) * (np.abs(x) // 4096)


class _Neurons(Cell):
    def __init__(self, neuron, size):
        super().__init__(neuron, size)
        self.residue = np.zeros(size, np.int64)

    def step(self, a):
        n = self.neuron
        if isinstance(n, CubaLIF):
            self.u = self.wrap(round_to_zero(self.u * (4096 - n.current_decay)) + (a << 6))
            bias = np.asarray(n.bias, np.int64) << 6
            leaked = round_to_zero(self.v * (4096 - n.voltage_decay))
            self.v = self.clip(leaked + self.u + bias)
            spikes = self.v > (np.asarray(n.threshold, np.int64) << 6)
            self.v = np.where(spikes, 0, self.v)
            return spikes.astype(np.int64)
        if isinstance(n, Sigma):
            self.u = self.u + a
            self.count("u", (self.u >= 2**23) | (self.u < -(2**23)))
            return self.u.copy()
        if isinstance(n, (Delta, SigmaDelta)):
            if isinstance(n, Delta):
                act = a << 12
            else:
                self.u = self.u + a
                self.count("u", (self.u >= 2**23) | (self.u < -(2**23)))
                act = self.u + (np.asarray(n.bias, np.int64) << 12)
                act = np.maximum(act, 0) if n.rectify else act
            delta = act - self.v + self.residue
            sent = np.where(np.abs(delta) >= (np.asarray(n.threshold, np.int64) << 12), delta, 0)
            self.residue = delta - sent
            self.v = act
            if isinstance(n, Delta):
                self.u = self.residue
            return sent // 2**6  # floor
        return a


def _sent_before(sent, step, lag):
    return sent[step - lag] if lag <= step else np.zeros_like(sent[0])


def simulate(
    network: Network, values: np.ndarray, reset_interval=None, reset_offset=0, overflows=None
) -> dict:
    """Run one sample, values [steps, *shape]; {name: {"spikes" or a state: [steps, *shape]}}.

    A dictionary `overflows` is filled with each population's counts.
    """
    steps = len(values)
    neurons = {
        p.name: CELLS.get(type(p.neuron), _Neurons)(p.neuron, p.size) for p in network.populations
    }
    for p in network.populations:
        if np.any(p.initial_voltage):
            neurons[p.name].v = np.zeros(p.size, np.int64) + p.initial_voltage
    sent = {p.name: np.zeros((steps, p.size), np.int64) for p in network.populations}
    kept = {p.name: {state: [] for state in p.neuron.states} for p in network.populations}
    for t in range(steps):
        for p in network.populations:
            if p is network.input:
                a = values[t].astype(np.int64).ravel()
            else:
                a = np.zeros(p.size * p.neuron.ports, np.int64)
            for projection in network.into(p.name):
                before = t - projection.synapse.steps
                if before >= 0:
                    heard = partial(_sent_before, sent[projection.source], before)
                    shape = network[projection.source].shape
                    arrived = arriving(projection.synapse, heard, shape, p.shape)
                    a += arrived
                    if overflows is not None and type(projection.synapse) is Conv:
                        free = convolve(projection.synapse, heard(0).reshape(shape), wrap=False)
                        neurons[p.name].count("input", free.ravel() != arrived)
            cell = neurons[p.name]
            if (
                reset_interval
                and (t + 1) % reset_interval
                == (reset_offset + 1 + network.hops(p.name)) % reset_interval
            ):
                cell.reset()
            rests = t < p.starts and p is not network.input
            messages = np.zeros(p.size, np.int64) if rests else cell.step(a)
            if not isinstance(p.neuron, (Source, Average)):
                for state in p.neuron.states:
                    kept[p.name][state].append(cell.recorded(state))
            delay = np.zeros(p.size, int) if p.axon_delay is None else p.axon_delay
            for j in np.flatnonzero(messages):
                if t + delay[j] < steps:
                    sent[p.name][t + delay[j], j] = messages[j]
    result = {}
    if overflows is not None:
        overflows.update({name: cell.overflows for name, cell in neurons.items()})
    for p in network.populations:
        shape = (steps, *p.shape)
        result[p.name] = {"spikes": sent[p.name].reshape(shape)}
        for state in p.neuron.states:
            result[p.name][state] = np.array(kept[p.name][state]).reshape(shape)
    return result
