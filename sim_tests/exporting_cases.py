"""Trained networks as people bring them, and their inputs: what `deploy` must take to a target."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path

import numpy as np

from examples.l2mu.network import letters, load

SHARED = Path(__file__).parents[1].parent / "shared" / "cases"


def slayer_networks():
    """Five ordinary SLAYER networks by name: what makes the module, and inputs [B, T, *shape]."""
    import torch
    import torch.nn.functional as F
    from lava.lib.dl import slayer

    block, norm = slayer.block, slayer.neuron.norm

    class Chain(torch.nn.Module):
        def __init__(self, *blocks):
            super().__init__()
            self.blocks = torch.nn.ModuleList(blocks)

        def forward(self, x):
            for one in self.blocks:
                x = one(x)
            return x

    def settled(net, x):
        """Run it in training, as norms take their means from that."""
        net.train()
        with torch.no_grad():
            for _ in range(3):
                net(x)
        return net.eval()

    def spikes(*shape, steps=40):
        given = torch.rand(2, *shape, steps) < 0.3
        return np.moveaxis(given.numpy(), -1, 1).astype(np.float32)

    leaky = {"threshold": 1.0, "current_decay": 0.25, "voltage_decay": 0.1, "requires_grad": True}

    def conv_cuba(kind=norm.MeanOnlyBatchNorm):
        p = {**leaky, "norm": kind}
        net = Chain(
            block.cuba.Conv(p, 2, 6, 3, padding=1, weight_scale=3, delay=True),
            block.cuba.Conv(p, 6, 4, 3, stride=2, weight_scale=3, delay=True),
            block.cuba.Flatten(),
            block.cuba.Dense(p, 4 * 9, 10, weight_scale=3, delay=True),
            block.cuba.Dense(p, 10, 5, weight_scale=3),
        )
        net = settled(net, (torch.rand(4, 2, 8, 8, 30) < 0.3).float())
        rng = np.random.default_rng(0)
        for one in net.blocks:
            if getattr(one, "delay", None) is not None:
                steps = rng.integers(0, 5, one.delay.delay.shape)
                one.delay.delay.data = torch.tensor(steps).float()
        return net, spikes(2, 8, 8)

    def alif():
        p = {
            "threshold": 1.0, "threshold_step": 0.5, "current_decay": 0.25, "voltage_decay": 0.1,
            "threshold_decay": 0.2, "refractory_decay": 0.5,
        }  # fmt: skip
        net = Chain(
            block.alif.Dense(p, 20, 30, weight_scale=4),
            block.alif.Recurrent(p, 30, 25, weight_scale=4),
            block.alif.Dense(p, 25, 5, weight_scale=4),
        )
        return net.eval(), spikes(20)

    def affine():
        net = Chain(
            block.cuba.Dense(leaky, 20, 30, weight_scale=4),
            block.cuba.Affine(leaky, 30, 6, weight_scale=2),
        )
        return net.eval(), spikes(20)

    def resonators():
        p = {"threshold": 1.0, "period": 7, "decay": 0.1}
        net = Chain(
            block.rf.Dense(p, 20, 30, weight_scale=8), block.rf_iz.Dense(p, 30, 8, weight_scale=8)
        )
        return net.eval(), spikes(20)

    def sdnn():
        p = {
            "threshold": 0.1, "tau_grad": 0.1, "scale_grad": 1, "requires_grad": True,
            "shared_param": True, "activation": F.relu,
        }  # fmt: skip
        q = {**p, "norm": norm.MeanOnlyBatchNorm}
        kind = block.sigma_delta
        net = Chain(
            kind.Input(p),
            kind.Conv(q, 3, 4, 3, stride=2, weight_scale=2, weight_norm=True),
            kind.Flatten(),
            kind.Dense(q, 4 * 5 * 9, 10, weight_scale=2, weight_norm=True),
            kind.Output(p, 10, 1, weight_scale=2, weight_norm=True),
        )
        net = settled(net, torch.rand(4, 3, 12, 20, 8))
        for one in net.blocks:
            if hasattr(getattr(one, "neuron", None), "delta"):
                one.neuron.delta.threshold.data.fill_(0.13276)  # learnt
        return net, np.moveaxis(torch.rand(1, 3, 12, 20, 12).numpy(), -1, 1)

    def made(make, *args):
        def with_seed():
            torch.manual_seed(0)
            return make(*args)

        return with_seed

    return {
        "conv CUBA, MeanOnlyBatchNorm, delays": made(conv_cuba),
        "conv CUBA, WgtScaleBatchNorm, delays": made(conv_cuba, norm.WgtScaleBatchNorm),
        "ALIF, recurrent": made(alif),
        "CUBA with Affine readout": made(affine),
        "RF and RF-Iz": made(resonators),
        "SDNN, norm, learnt thresholds": made(sdnn),
    }


NIR_FILES = {
    "snnTorch Leaky": ("faults/snntorch/leaky_subtract.nir", "faults/snntorch/spikes.npz"),
    "snnTorch Leaky, reset to zero": (
        "faults/snntorch/leaky_zero.nir", "faults/snntorch/spikes.npz",
    ),
    "snnTorch Synaptic": ("faults/snntorch/synaptic_subtract.nir", "faults/snntorch/spikes.npz"),
    "Norse LIFBox": ("faults/norse/lifboxcell.nir", "faults/norse/spikes.npz"),
    "Braille, hard reset": ("braille7/braille_noDelay_bias_zero.nir", "braille7/val_0.npz"),
}  # fmt: skip
"""Files in the shared folder by what was trained, and their inputs."""


def nir_network(name):
    """A network, its inputs and labels, of `NIR_FILES`."""
    import neurodeploy as nd

    path, data = (SHARED / part for part in NIR_FILES[name])
    reading = {"dt": 1e-4, "preset": "snntorch", "reset": "soft"}
    if "norse" in str(path):
        reading = {"dt": 1e-6, "preset": "norse"}
    elif "zero" in str(path):
        reading["reset"] = "hard"
    held = np.load(data)
    if "spikes" in held.files:
        return nd.load(path, **reading), held["spikes"][:8, :120], held["labels"][:8]
    return nd.load(path, **reading), held["x"][:, :60], None


def pruned_chain():
    """Sigma-delta layers of which three weights in four are pruned, with delays."""
    from neurodeploy.network import Dense, Network, Population, Projection, SigmaDelta, Source

    rng = np.random.default_rng(0)
    populations = [Population("input", (96,), Source(signed=True))]
    projections = []
    for layer in range(3):
        weight = 2 * rng.integers(-12, 13, (96, 96)) * (rng.random((96, 96)) < 0.25)
        late = rng.integers(0, 9, 96).astype(np.int32) if layer < 2 else None
        neuron = SigmaDelta(6, int(rng.integers(-9, 9)))
        populations.append(Population(f"l{layer}", (96,), neuron, axon_delay=late))
        projections.append(
            Projection(populations[-2].name, f"l{layer}", Dense(weight.astype(np.int32)))
        )
    network = Network(tuple(populations), tuple(projections))
    return network, rng.integers(-40, 41, (2, 40, 96)).astype(np.int32)


def payload_network():
    """4-24-3 leaky neurons whose inputs are whole numbers."""
    from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Source

    rng = np.random.default_rng(0)
    neuron = CubaLIF(1024, 123, 112)
    weights = [(2 * rng.integers(-22, high, size)) for high, size in ((25, (24, 4)), (45, (3, 24)))]
    network = Network(
        (
            Population("input", (4,), Source()), Population("a", (24,), neuron),
            Population("b", (3,), neuron),
        ),
        (
            Projection("input", "a", Dense(weights[0].astype(np.int32))),
            Projection("a", "b", Dense(weights[1].astype(np.int32))),
        ),
    )  # fmt: skip
    return network, np.repeat(rng.integers(1, 8, (2, 1, 4)), 20, 1)


def sinabs_cnn():
    """A convolutional network of neurons that do not leak and lose a threshold at each spike.

    So Sinabs exports its IAF: an `IF` node of NIR, read with its preset.
    """
    import nir

    rng = np.random.default_rng(0)
    kernel = rng.normal(0.05, 0.12, (4, 2, 3, 3)).astype(np.float32)
    dense = rng.normal(0.01, 0.05, (5, 4 * 6 * 6)).astype(np.float32)

    def neurons(*shape):
        return nir.IF(np.ones(shape, np.float32), np.ones(shape, np.float32))

    nodes = {
        "input": nir.Input(np.array([2, 8, 8])),
        "conv": nir.Conv2d((8, 8), kernel, 1, 0, 1, 1, np.zeros(4, np.float32)),
        "if1": neurons(4, 6, 6),
        "flat": nir.Flatten({"input": np.array([4, 6, 6])}, 0, -1),
        "dense": nir.Affine(dense, np.zeros(5, np.float32)),
        "if2": neurons(5),
        "output": nir.Output(np.array([5])),
    }
    names = list(nodes)
    graph = nir.NIRGraph(nodes, list(itertools.pairwise(names)))
    inputs = (rng.random((4, 40, 2, 8, 8)) < 0.2).astype(np.float32)
    return graph, inputs


def ndns():
    """Intel's denoising network, and what a spectrum that drifts presents to it."""
    import neurodeploy as nd

    frames = np.cumsum(np.random.default_rng(0).integers(-4, 5, (1, 90, 257)), axis=1)
    return nd.load(SHARED / "ndns" / "network.net"), np.abs(frames)


def pilotnet():
    """lava-dl's trained PilotNet of sigma-delta neurons, and pictures that drift."""
    import neurodeploy as nd

    rng = np.random.default_rng(0)
    first = rng.integers(-32, 33, (1, 1, 3, 66, 200))
    frames = first + np.cumsum(rng.integers(-1, 2, (1, 14, 3, 66, 200)), axis=1)
    return nd.load(SHARED / "compiled" / "pilotnet_sdnn_200x66.net"), frames


def published_l2mu(samples=8, steps=256):
    """The published 7-letter Braille reader with an LMU's memory, its inputs and labels."""
    inputs, labels = letters(SHARED / "braille7" / "val_0.npz")
    network = load(SHARED / "systems" / "l2mu_braille7" / "l2mu_7class.npz")
    return network, inputs[:samples, :steps], labels[:samples]


INTEGER_NETWORKS = {
    "sigma-delta chain, 75 % pruned, delays": pruned_chain,
    "4-24-3 CUBA, payload inputs": payload_network,
}
"""Made here, in integers."""

PUBLISHED = {
    "Intel N-DNS, sigma-delta": ndns,
    "lava-dl PilotNet SDNN, 200 x 66": pilotnet,
    "L2MU Braille reader, snnTorch": published_l2mu,
}
"""From the shared folder, large."""


def every_network(folder):
    """All of the above: its name, and what makes network, inputs and labels.

    What is missing here (torch, lava-dl, nir, the shared folder) leaves its networks out.

    Parameters
    ----------
    folder : Path
        For a file that is written and read.
    """
    from importlib.util import find_spec

    import neurodeploy as nd

    def of_slayer(make):
        module, inputs = make()
        return nd.load(module, example=inputs, measure=False), inputs, None

    def of_sinabs():
        import nir

        graph, inputs = sinabs_cnn()
        nir.write(folder / "cnn.nir", graph)
        return nd.load(folder / "cnn.nir", dt=1.0, preset="sinabs"), inputs, None

    found = {}
    if find_spec("lava") and find_spec("lava.lib.dl"):
        for name, make in slayer_networks().items():
            found[f"SLAYER: {name}"] = partial(of_slayer, make)
    if find_spec("nir"):
        if SHARED.is_dir():
            found |= {name: partial(nir_network, name) for name in NIR_FILES}
        found["Sinabs: CNN of IAF, soft reset"] = of_sinabs
    found |= INTEGER_NETWORKS
    if SHARED.is_dir():
        found |= PUBLISHED
    return found
