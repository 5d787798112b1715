"""Float networks in NumPy, step by step, every sum in the order that the core promises.

Elementwise float32 operations of NumPy round each product and each sum by itself. So a loop over
sources, in (C, H, W) order, gives the promised sums; nothing here multiplies matrices.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.network import Conv, DelayedDense, Dense, FloatLIF, OneToOne, Pool, Sparse

F = np.float32


def run(network, values):
    """Messages and states of every population, {name: {"sent" | "u" | "v": [samples, steps, n]}}.

    `values` [samples, steps, input neurons].
    """
    samples, steps = values.shape[:2]
    results, states = {}, {}
    for p in network.populations:
        names = ("sent", "u", "v") if isinstance(p.neuron, FloatLIF) else ("sent",)
        results[p.name] = {name: np.zeros((samples, steps, p.size), F) for name in names}
        states[p.name] = [np.zeros((samples, p.size), F) for _ in range(3)]
    for t in range(steps):
        for p in in_order(network):
            current = np.zeros((samples, p.size), F)
            if p is network.input:
                current = current + values[:, t].astype(F)
            for lag, synapse, source in feeds(network, p):
                if lag <= t:
                    sent = results[source.name]["sent"][:, t - lag]
                    current = current + delivered(synapse, sent, source.shape, p.size)
            sent = current
            if isinstance(p.neuron, FloatLIF):
                sent, u, v = step(p.neuron, current, states[p.name])
                results[p.name]["u"][:, t], results[p.name]["v"][:, t] = u, v
            for i in range(p.size):
                late = t + (0 if p.axon_delay is None else p.axon_delay[i])
                if late < steps:
                    results[p.name]["sent"][:, late, i] = sent[:, i]
    return results


def in_order(network):
    """Populations such that what does not close a cycle leads from one to a later one."""
    left = list(network.populations)
    while left:
        names = {p.name for p in left}
        for p in left:
            waits = [q for q in network.into(p.name) if not network.closes(q)]
            if not any(q.source in names for q in waits):
                yield p
                left.remove(p)
                break


def feeds(network, population):
    """(steps before, synapses of one delay, source), in the order in which they are added.

    What comes from outside of a cycle is added before what comes from within.
    """
    outside, inside = [], []
    for projection in network.into(population.name):
        synapse, source = projection.synapse, network[projection.source]
        within = reaches(network, population.name, source.name)
        parts = [(0, synapse)]
        if isinstance(synapse, DelayedDense):
            parts = [
                (int(d), Dense(np.where(synapse.delay == d, synapse.weight, 0).astype(F)))
                for d in np.unique(synapse.delay)
            ]
        for delay, part in parts:
            lag = delay + int(network.closes(projection))
            (inside if within else outside).append((lag, part, source))
    return outside + inside


def reaches(network, start, end):
    """Whether messages of population `start` reach `end`."""
    seen, todo = set(), [start]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += [p.target for p in network.out_of(name)]
    return end in seen


def delivered(synapse, x, shape, targets):
    """Currents [samples, targets] by messages [samples, sources]."""
    total = np.zeros((len(x), targets), F)
    if isinstance(synapse, Dense):
        for k in range(x.shape[1]):
            total = total + x[:, k, None] * synapse.weight[None, :, k]
    elif isinstance(synapse, OneToOne):
        total = total + x * np.asarray(synapse.weight, F)
    elif isinstance(synapse, Sparse):
        for i in range(targets):
            for k in range(synapse.indptr[i], synapse.indptr[i + 1]):
                total[:, i] = total[:, i] + synapse.weight[k] * x[:, synapse.index[k]]
    elif isinstance(synapse, Conv | Pool):
        total = windows(synapse, x.reshape(-1, *shape)).reshape(len(x), -1)
    return total


def windows(synapse, x):
    """[samples, channels, height, width] by each window's sum, tap after tap."""
    out = synapse.output_shape(x.shape[1:])
    (sy, sx), (py, px), (dy, dx) = synapse.stride, synapse.padding, synapse.dilation
    channels, height, width = x.shape[1:]
    total = np.zeros((len(x), *out), F)
    for o, y, z in np.ndindex(*out):
        if isinstance(synapse, Pool):
            taken, kernel = [o], synapse.weight[None]
        else:
            each = channels // synapse.groups
            group = o // (out[0] // synapse.groups)
            taken, kernel = range(group * each, (group + 1) * each), synapse.weight[o]
        for c, weights in zip(taken, kernel, strict=True):
            for k, m in np.ndindex(*weights.shape):
                row, column = y * sy - py + k * dy, z * sx - px + m * dx
                if 0 <= row < height and 0 <= column < width:
                    term = weights[k, m] * x[:, c, row, column]
                    total[:, o, y, z] = total[:, o, y, z] + term
    return total


def step(neuron, a, states):
    """One step by `FloatLIF`'s docstring: what is sent, u and v; `states` change."""
    u_before, v, owed = states
    p = {name: np.asarray(value, F) for name, value in vars(neuron).items() if number(value)}
    u = p["current_keep"] * u_before + p["current_gain"] * (a + p["current_bias"])
    if neuron.reset_time == "before":
        v = lowered(neuron, p, v, owed)
    c = u_before if neuron.sees_last_current else u
    v = p["voltage_keep"] * v + p["voltage_gain"] * c + p["voltage_bias"]
    if neuron.reset_time == "after":
        v = lowered(neuron, p, v, owed)
    compare = np.greater_equal if neuron.inclusive else np.greater
    if neuron.reset_time == "again":
        tried = v - owed * p["threshold"]
        spikes = sent = compare(tried, p["threshold"]).astype(F)
        v = tried - (spikes - owed) * p["threshold"]
        owed = (v > p["threshold"]).astype(F)
    else:
        owed = spikes = compare(v, p["threshold"]).astype(F)
        if neuron.sends == "count":
            owed = spikes = np.maximum(F(0), np.floor(v / p["threshold"]))
        sent = v if neuron.sends == "voltage" else spikes
    if neuron.reset_time == "same":
        v = lowered(neuron, p, v, spikes)
    if neuron.minimum is not None:
        v = np.maximum(v, p["minimum"])
    states[:] = u, v, owed
    return sent, u, v


def number(value):
    return value is not None and not isinstance(value, str | bool)


def lowered(neuron, p, v, count):
    low = p["reset_value"] if neuron.reset == "value" else v - count * p["threshold"]
    return v if neuron.reset == "none" else np.where(count > 0, low, v)
