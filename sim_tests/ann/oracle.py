"""A second implementation, in torch, of a converted network: what it sends in one pass."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def _deliver(synapse, x, shape):
    kind = synapse.kind
    if kind == "readout":
        return x
    weight = torch.tensor(synapse.weight, dtype=torch.float64)
    if kind == "dense":
        return F.linear(x.flatten(1), weight).reshape(-1, *shape)
    if kind == "one-to-one":
        return (x.flatten(1) * weight).reshape(-1, *shape)
    if kind == "sparse":
        matrix = torch.as_tensor(synapse.to_dense(), dtype=torch.float64)
        return F.linear(x.flatten(1), matrix).reshape(-1, *shape)
    how = (None, synapse.stride, synapse.padding)
    if kind == "conv":
        return F.conv2d(x, weight, *how, synapse.dilation, synapse.groups)
    assert kind == "conv-transpose"
    return F.conv_transpose2d(x, weight, *how, 0, synapse.groups, synapse.dilation)


def _scaled(x, exponent):
    """Times a power of two, towards zero."""
    return torch.trunc(x * 2.0**exponent)


def one_pass(net, payloads):
    """Messages (of a readout: v) of each population for payloads [samples, *shape], as int64."""
    values = {net.input.name: torch.tensor(payloads, dtype=torch.float64)}
    for population in net.populations[1:]:
        shape, neuron = population.shape, population.neuron
        a = sum(_deliver(p.synapse, values[p.source], shape) for p in net.into(population.name))
        bias = torch.tensor(getattr(neuron, "bias", 0), dtype=torch.float64)
        bias = bias.reshape(shape) if bias.ndim else bias
        if neuron.kind == "threshold":
            sent = (a + bias > neuron.threshold).double()
        elif neuron.kind == "graded-threshold":
            sent = torch.where(a > 0, a, 0) if neuron.rectify else a
        elif neuron.kind == "leaky-integrator":
            sent = _scaled(a, neuron.input_exponent) + 64 * bias
        else:
            assert neuron.kind == "cuba-lif-general"
            v = _scaled(_scaled(a, neuron.input_exponent) + 64 * bias, neuron.voltage_exponent)
            sent = torch.where(v > 64 * neuron.threshold, v, 0)
        values[population.name] = sent
    return {name: x.to(torch.int64).numpy() for name, x in values.items()}


def many_steps(net, payloads, steps):
    """Messages (of a readout: v) of each population while the same is presented for some steps.

    Each population's clock begins with its first input. int64 [samples, steps, *shape].
    """
    constant = torch.tensor(payloads, dtype=torch.float64)
    voltage, found = {}, {p.name: [] for p in net}
    for _ in range(steps):
        values = {net.input.name: constant}
        for population in net.populations[1:]:
            shape, neuron, name = population.shape, population.neuron, population.name
            a = sum(_deliver(p.synapse, values[p.source], shape) for p in net.into(name))
            bias = torch.tensor(getattr(neuron, "bias", 0), dtype=torch.float64)
            bias = bias.reshape(shape) if bias.ndim else bias
            if neuron.kind == "cuba-lif-general":
                first = torch.full_like(a, population.initial_voltage)
                v = voltage.get(name, first) + _scaled(a, neuron.input_exponent) + 64 * bias
                sent = (v > 64 * neuron.threshold).double()
                voltage[name] = v - 64 * neuron.threshold * sent
            elif neuron.kind == "leaky-integrator":
                sent = _scaled(a, neuron.input_exponent) + 64 * bias
            else:
                sent = (a > 0).double() if neuron.kind == "threshold" else a
            values[name] = sent
        for name, sent in values.items():
            found[name].append(sent)
    return {name: torch.stack(x, 1).to(torch.int64).numpy() for name, x in found.items()}


def as_stream(net, values):
    """Messages of each population of a sigma-delta network for values [steps, *shape], int64.

    A population's first step is the chip's first, as its neurons begin there.
    """
    steps = len(values) + net.hops(net.output.name)
    values = torch.tensor(values, dtype=torch.float64)
    state, found = {}, {p.name: [] for p in net}
    sent = {p.name: torch.zeros(p.shape, dtype=torch.float64) for p in net}
    for step in range(steps):
        # Past the end zeros are presented: the engine's drain does that, too.
        frame = values[step] if step < len(values) else torch.zeros_like(values[0])
        now = {}
        for population in net:
            shape, neuron, name = population.shape, population.neuron, population.name
            a = frame if population is net.input else sum(
                _deliver(p.synapse, sent[p.source][None], shape)[0] for p in net.into(name)
            )  # fmt: skip
            if neuron.kind == "graded-threshold":
                now[name] = a
                continue
            zero = torch.zeros(shape, dtype=torch.float64)
            sigma, before, residue = state.get(name, (zero, zero, zero))
            if neuron.kind == "delta":
                x, threshold, shift = a * 4096, 4096 * neuron.threshold, 6
            else:
                bias = torch.tensor(neuron.bias, dtype=torch.float64)
                sigma = sigma + a
                x = sigma + (bias.reshape(shape) if bias.ndim else bias)
                x = torch.clamp(x, neuron.lowest, neuron.highest)
                threshold, shift = neuron.threshold, neuron.message_shift
            delta = x - before + residue
            o = torch.where(delta.abs() >= threshold, delta, 0)
            state[name] = sigma, x, delta - o
            now[name] = torch.floor(o / 2.0**shift)
        sent = now
        for name, message in now.items():
            found[name].append(message)
    return {name: torch.stack(x).to(torch.int64).numpy() for name, x in found.items()}
