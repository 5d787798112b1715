"""snnTorch's neurons with its default delayed reset, built here from the graph's parameters.

Its NIR import cannot: it sets reset_delay=False, and its recurrent neurons then fail (version
1.0.0 uses an argument that is None).
"""

import nir
import numpy as np
import snntorch as snn
import torch

RESET = "zero"


def scalar(value):
    (number,) = np.unique(np.asarray(value, np.float64))
    return float(number)


def scaled(module, gain):
    """Note by how much its voltage is smaller than NIR's: the input factor is in the threshold."""
    module.gain = scalar(gain)
    return module


def module_of(node, dt, reset):
    tensor = torch.from_numpy
    if isinstance(node, (nir.Affine, nir.Linear)):
        has_bias = isinstance(node, nir.Affine)
        linear = torch.nn.Linear(node.weight.shape[1], node.weight.shape[0], bias=has_bias)
        linear.weight.data = tensor(node.weight)
        if has_bias:
            linear.bias.data = tensor(node.bias)
        return linear
    if isinstance(node, nir.Conv2d):
        conv = torch.nn.Conv2d(
            node.weight.shape[1] * int(node.groups), node.weight.shape[0], node.weight.shape[2:],
            tuple(node.stride), tuple(node.padding), tuple(node.dilation), int(node.groups),
        )  # fmt: skip
        conv.weight.data, conv.bias.data = tensor(node.weight), tensor(node.bias)
        return conv
    if isinstance(node, nir.Flatten):
        return torch.nn.Flatten(1)
    if isinstance(node, nir.AvgPool2d):
        return torch.nn.AvgPool2d(tuple(node.kernel_size), tuple(node.stride), tuple(node.padding))
    how = {"reset_mechanism": reset, "init_hidden": True}
    if isinstance(node, nir.IF):
        return scaled(
            snn.Leaky(beta=1.0, threshold=scalar(node.v_threshold / node.r), **how), node.r
        )
    if isinstance(node, nir.LIF):
        gain = scalar(node.r * dt / node.tau)
        beta = 1 - dt / scalar(node.tau)
        threshold = scalar(node.v_threshold) / gain
        return scaled(snn.Leaky(beta=beta, threshold=threshold, **how), gain)
    if isinstance(node, nir.CubaLIF):
        gain = scalar(node.w_in * dt / node.tau_syn) * scalar(node.r * dt / node.tau_mem)
        alpha, beta = 1 - dt / scalar(node.tau_syn), 1 - dt / scalar(node.tau_mem)
        threshold = scalar(node.v_threshold) / gain
        synaptic = snn.Synaptic(alpha=alpha, beta=beta, threshold=threshold, **how)
        return scaled(synaptic, gain)
    raise TypeError(f"snnTorch has no {type(node).__name__}")


def run(path, inputs, dt, reset=RESET):
    graph = nir.read(path)
    modules = {
        name: module_of(node, dt, reset)
        for name, node in graph.nodes.items()
        if not isinstance(node, (nir.Input, nir.Output))
    }
    chain, loops = [], {}
    name = "input"
    while name != "output":
        after = [b for a, b in graph.edges if a == name]
        for other in list(after):
            if (other, name) in graph.edges:  # a linear node that leads back: recurrence
                loops[name] = modules[other]
                after.remove(other)
        (name,) = after
        if name != "output":
            chain.append(name)
    sent, voltage = [], []
    fed = dict.fromkeys(loops)
    with torch.no_grad():
        for t in range(inputs.shape[1]):
            x = torch.from_numpy(inputs[:, t].copy())
            for name in chain:
                if name in loops:  # as RSynaptic adds recurrent(spk) to its input
                    before = fed[name] if fed[name] is not None else torch.zeros_like(x)
                    x = x + loops[name](before)
                x = modules[name](x)
                if name in fed:
                    fed[name] = x
            sent.append(x)
            voltage.append(modules[chain[-1]].mem * modules[chain[-1]].gain)
    return torch.stack(sent, 1).numpy(), torch.stack(voltage, 1).numpy()
