"""Small NIR graphs, one for each node type, in the conventions of each framework.

A framework reads only graphs whose parameters cancel its own input factors; `Flavour` says how
its own exporter writes them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import nir
import numpy as np

STEPS, SAMPLES = 60, 8


@dataclass(frozen=True)
class Flavour:
    """How one framework writes its neurons.

    Attributes
    ----------
    dt : float
    r, w_in : str
        "gain" cancels forward Euler's input factor, "one" is 1, "rockpool" is tau / dt - 1.
    r_if : float
    base : str
        The neuron that linear nodes are tried with.
    images : str
        The same on images, where a framework has another there.
    """

    dt: float = 1e-4
    r: str = "gain"
    r_lif: str = "gain"
    w_in: str = "gain"
    r_if: float = 1e4
    base: str = "LIF"
    images: str = ""

    def resistance(self, tau, kind="cuba"):
        how = self.r if kind == "cuba" else self.r_lif
        return {"gain": tau / self.dt, "one": np.ones_like(tau), "rockpool": tau / self.dt - 1}[how]

    def weight(self, tau):
        return tau / self.dt if self.w_in == "gain" else np.ones_like(tau)


FLAVOURS = {
    "lava": Flavour(),
    "snntorch": Flavour(r_if=1.0),
    "snntorch-import": Flavour(r_if=1.0),
    "spikingjelly": Flavour(),
    "norse": Flavour(r_lif="one", r_if=1.0),
    "norse-import": Flavour(r_lif="one", r_if=1.0),
    "sinabs": Flavour(dt=1.0, r="one", r_lif="one", r_if=1.0, images="IF"),
    "sinabs-import": Flavour(dt=1.0, r="one", r_lif="one", r_if=1.0, images="IF"),
    "rockpool": Flavour(dt=1e-3, r="rockpool", r_lif="rockpool", w_in="one", base="CubaLIF"),
    "spyx": Flavour(dt=1.0, r="one", r_lif="one", w_in="one", r_if=1.0),
}


def full(shape, value):
    return np.full(shape, value, np.float32)


def neuron(kind, shape, flavour, threshold=1.0):
    """A node of one of NIR's neuron types with plain parameters."""
    dt = flavour.dt
    tau, tau_syn, zero = full(shape, 12 * dt), full(shape, 5 * dt), full(shape, 0)
    level = full(shape, threshold)
    if kind == "LIF":
        r = flavour.resistance(tau, "lif").astype(np.float32)
        if flavour.r_lif == "one" and flavour.dt != 1.0:
            level = level / 12
        return nir.LIF(tau=tau, r=r, v_leak=zero, v_threshold=level, v_reset=zero)
    if kind == "LI":
        r = flavour.resistance(tau, "lif").astype(np.float32)
        return nir.LI(tau=tau, r=r, v_leak=zero)
    if kind in ("CubaLIF", "CubaLI"):
        common = {
            "tau_mem": tau, "tau_syn": tau_syn, "v_leak": zero,
            "r": flavour.resistance(tau).astype(np.float32),
            "w_in": flavour.weight(tau_syn).astype(np.float32),
        }  # fmt: skip
        if kind == "CubaLI":
            return nir.CubaLI(**common)
        return nir.CubaLIF(**common, v_threshold=2 * level, v_reset=zero)
    if kind == "IF":
        return nir.IF(r=full(shape, flavour.r_if), v_threshold=level, v_reset=zero)
    if kind == "I":
        return nir.I(r=full(shape, flavour.r_if))
    assert kind == "Threshold"
    return nir.Threshold(threshold=full(shape, 0.4))


def affine(rng, outputs, inputs, bias=True):
    weight = rng.normal(0.12, 0.5, (outputs, inputs)).astype(np.float32)
    offset = rng.normal(0, 0.05, outputs).astype(np.float32) * bias
    return nir.Affine(weight=weight, bias=offset)


NODES = (
    "Affine", "Linear", "Scale", "Conv1d", "Conv2d", "SumPool2d", "AvgPool2d", "Flatten", "Delay",
    "Threshold", "I", "IF", "LI", "LIF", "CubaLI", "CubaLIF", "recurrence", "NIRGraph",
)  # fmt: skip


def graph_of(node: str, flavour: Flavour) -> tuple[nir.NIRGraph, tuple[int, ...]]:
    """A graph with a node type (or recurrence, or a nested graph) in it, and its input shape."""
    rng = np.random.default_rng(sum(map(ord, node)))
    base = flavour.base
    if node in ("Conv2d", "SumPool2d", "AvgPool2d", "Flatten"):
        base = flavour.images or base
        conv = nir.Conv2d(
            input_shape=(6, 6), weight=rng.normal(0.05, 0.3, (3, 2, 3, 3)).astype(np.float32),
            stride=(1, 1), padding=(1, 1), dilation=(1, 1), groups=1,
            bias=rng.normal(0, 0.02, 3).astype(np.float32),
        )  # fmt: skip
        chain = [conv, neuron(base, (3, 6, 6), flavour)]
        pool = {"kernel_size": np.array([2, 2]), "stride": np.array([2, 2])}
        if node == "SumPool2d":
            chain += [
                nir.SumPool2d(**pool, padding=np.array([0, 0])),
                neuron(base, (3, 3, 3), flavour),
            ]
        if node == "AvgPool2d":
            chain += [
                nir.AvgPool2d(**pool, padding=np.array([0, 0])),
                neuron(base, (3, 3, 3), flavour, 0.5),
            ]
        if node == "Flatten":
            flat = nir.Flatten({"input": np.array([3, 6, 6])}, start_dim=0, end_dim=-1)
            chain += [flat, affine(rng, 5, 108), neuron(base, (5,), flavour)]
        return _chain((2, 6, 6), chain), (2, 6, 6)
    if node == "Conv1d":
        conv = nir.Conv1d(
            input_shape=12, weight=rng.normal(0.1, 0.4, (3, 2, 3)).astype(np.float32), stride=1,
            padding=1, dilation=1, groups=1, bias=np.zeros(3, np.float32),
        )  # fmt: skip
        return _chain((2, 12), [conv, neuron(base, (3, 12), flavour)]), (2, 12)
    first = affine(rng, 10, 12)
    if node == "Affine":
        chain = [
            first,
            neuron(base, (10,), flavour),
            affine(rng, 6, 10),
            neuron(base, (6,), flavour),
        ]
    elif node == "Linear":
        chain = [nir.Linear(weight=first.weight), neuron(base, (10,), flavour)]
    elif node == "Scale":
        scale = rng.uniform(0.5, 1.5, 10).astype(np.float32)
        chain = [first, nir.Scale(scale=scale), neuron(base, (10,), flavour)]
    elif node == "Delay":
        delay = (rng.integers(0, 5, 10) * flavour.dt).astype(np.float32)
        chain = [first, neuron(base, (10,), flavour), nir.Delay(delay=delay), affine(rng, 6, 10)]
        chain.append(neuron(base, (6,), flavour))
    elif node in ("recurrence", "NIRGraph"):
        return _recurrent(rng, first, flavour, nested=node == "NIRGraph"), (12,)
    else:
        chain = [first, neuron(node, (10,), flavour)]
        if node in ("LIF", "IF", "CubaLIF"):
            chain += [affine(rng, 6, 10), neuron(node, (6,), flavour)]
    return _chain((12,), chain), (12,)


def _chain(shape, chain) -> nir.NIRGraph:
    names = [str(i) for i in range(len(chain))]
    size = chain[-1].output_type["output"]
    nodes = {"input": nir.Input({"input": np.array(shape)}), **dict(zip(names, chain, strict=True))}
    nodes["output"] = nir.Output({"output": np.array(size)})
    order = ["input", *names, "output"]
    return nir.NIRGraph(nodes=nodes, edges=list(itertools.pairwise(order)), type_check=False)


def _recurrent(rng, first, flavour, nested: bool) -> nir.NIRGraph:
    weight = rng.normal(-0.05, 0.1, (10, 10)).astype(np.float32)
    cell = neuron("CubaLIF", (10,), flavour)
    last = neuron("CubaLIF", (6,), flavour)
    outer = {
        "input": nir.Input({"input": np.array([12])}), "fc1": first,
        "fc2": affine(rng, 6, 10), "lif2": last, "output": nir.Output({"output": np.array([6])}),
    }  # fmt: skip
    loop = [("lif1.lif", "lif1.w_rec"), ("lif1.w_rec", "lif1.lif")]
    inner = {"lif1.lif": cell, "lif1.w_rec": nir.Linear(weight=weight)}
    if not nested:
        edges = [("input", "fc1"), ("fc1", "lif1.lif"), *loop, ("lif1.lif", "fc2")]
        edges += [("fc2", "lif2"), ("lif2", "output")]
        return nir.NIRGraph(nodes={**outer, **inner}, edges=edges, type_check=False)
    ports = {
        "lif1.input": nir.Input({"input": np.array([10])}),
        "lif1.output": nir.Output({"output": np.array([10])}),
    }
    edges = [("lif1.input", "lif1.lif"), *loop, ("lif1.lif", "lif1.output")]
    part = nir.NIRGraph(nodes={**ports, **inner}, edges=edges, type_check=False)
    edges = [
        ("input", "fc1"),
        ("fc1", "lif1"),
        ("lif1", "fc2"),
        ("fc2", "lif2"),
        ("lif2", "output"),
    ]
    return nir.NIRGraph(nodes={**outer, "lif1": part}, edges=edges, type_check=False)


def spikes_for(shape: tuple[int, ...]) -> np.ndarray:
    """Random input spikes, uint8 [samples, steps, *shape]."""
    rng = np.random.default_rng(0)
    return (rng.random((SAMPLES, STEPS, *shape)) < 0.3).astype(np.uint8)
