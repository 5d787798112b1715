"""SANA-FE on its Loihi 1: dense layers of neurons that reset to 0, a core for each layer."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version as version_of
from typing import Any

# There is one sample, so ours has one thread; two of its own wait for each other, spinning,
# and take many times as long where the machine has other work.
os.environ["OMP_NUM_THREADS"] = "1"

import sanafe


def version() -> str:
    """Name and version."""
    return f"SANA-FE {version_of('sanafe')}"


def build(
    spikes: Sequence[Sequence[int]],
    weights: Sequence[Sequence[Sequence[float]]],
    thresholds: Sequence[float],
    keep: float,
    cores: Sequence[Sequence[int]] | None = None,
) -> tuple[Any, Any]:
    """An architecture, and a network on its cores; zero weights are no synapses.

    Parameters
    ----------
    spikes : [steps, inputs] of 0 and 1
    weights : for each layer [targets, sources]
    thresholds : for each layer
    keep : float
        Part of the potential that a step leaves.
    cores : for each layer, inputs first, the core of each neuron; by default one for a layer
    """
    arch = sanafe.load_loihi()
    net = sanafe.Network()
    group = _group(net, 0, len(spikes[0]), {}, "loihi_inputs[0]")
    trains = zip(*spikes, strict=True)
    for i, (neuron, train) in enumerate(zip(group, trains, strict=True)):
        attributes = {"spikes": [bool(s) for s in train]}
        neuron.set_attributes(soma_hw_name=f"loihi_inputs[{i}]", model_attributes=attributes)
    groups = [group]
    for i, (weight, threshold) in enumerate(zip(weights, thresholds, strict=True), start=1):
        lif = {
            "threshold": float(threshold),
            "leak_decay": float(keep),
            "reset": 0.0,
            "reset_mode": "hard",
            "force_update": False,
        }
        group = _group(net, i, len(weight), lif, "loihi_lif")
        pairs = [(j, k) for k, row in enumerate(weight) for j, w in enumerate(row) if w]
        flat = [float(weight[k][j]) for j, k in pairs]
        groups[-1].connect_neurons_sparse(group, {"weight": flat}, pairs)
        groups.append(group)
    places = [core for tile in arch.tiles for core in tile.cores]
    for i, group in enumerate(groups):
        for n, neuron in enumerate(group):
            neuron.map_to_core(places[i if cores is None else cores[i][n]])
    return arch, net


def simulate(arch: Any, net: Any, steps: int, **options: Any) -> tuple[dict[str, Any], float]:
    """What SANA-FE finds, and the seconds of its simulation alone."""
    chip = sanafe.SpikingChip(arch)
    chip.load(net)
    started = time.perf_counter()
    found = chip.sim(steps, **options)
    return found, time.perf_counter() - started


def prepare(
    arrays: dict[str, Any], options: dict[str, Any]
) -> tuple[Callable[[], float], list[int], str]:
    """Build the network; a run's time is that of ``sim`` on a chip just loaded."""
    layers = range(int(arrays["layers"]))
    if any(float(arrays[f"{i}.keep_u"]) for i in layers):
        raise ValueError("neurons with a current that lasts; SANA-FE's have none")
    spikes = arrays["inputs"][0]
    arch, net = build(
        spikes.tolist(),
        [arrays[f"{i}.weight"].tolist() for i in layers],
        [float(arrays[f"{i}.threshold"]) for i in layers],
        float(arrays["0.keep_v"]),
        options["cores"],
    )
    timing = {"timing_model": options["timing"], "processing_threads": 1}
    found, _ = simulate(arch, net, len(spikes), perf_trace=True, **timing)
    fired = sum(found["perf_trace"]["fired"])

    def run() -> float:
        return simulate(arch, net, len(spikes), **timing)[1]

    facts = {"energy": found["energy"], "fired": fired, "sim_time": found["sim_time"]}
    return run, [], json.dumps(facts)


def _group(net: Any, number: int, size: int, attributes: dict[str, Any], soma: str) -> Any:
    return net.create_neuron_group(
        f"layer{number}",
        size,
        model_attributes=attributes,
        default_synapse_hw_name="loihi_dense_synapse",
        default_dendrite_hw_name="loihi_dendrites",
        soma_hw_name=soma,
    )
