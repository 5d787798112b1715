"""Run two dense layers in SANA-FE and print its energy by unit as JSON; stands alone.

In its own environment: ``python sanafe_energy.py network.json``, with lists `spikes`
[steps, inputs] of 0 and 1, `hidden` [hidden, inputs] and `output` [outputs, hidden], and
`threshold`. Neurons keep nothing from step to step and reset to 0, as CUBA neurons whose
two decays are 4096 do.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import sanafe


def build(case: dict[str, Any]) -> tuple[Any, Any, list[Any]]:
    """An architecture, a network on three cores of one tile, and its three groups."""
    arch = sanafe.load_loihi()
    net = sanafe.Network()
    sizes = (len(case["spikes"][0]), len(case["hidden"]), len(case["output"]))
    lif = {
        "threshold": float(case["threshold"]),
        "leak_decay": 0.0,
        "reset": 0.0,
        "reset_mode": "hard",
        "force_update": False,
    }
    groups = []
    for i, size in enumerate(sizes):
        group = net.create_neuron_group(
            f"layer{i}",
            size,
            model_attributes=lif if i else {},
            default_synapse_hw_name="loihi_dense_synapse",
            default_dendrite_hw_name="loihi_dendrites",
            soma_hw_name="loihi_lif" if i else "loihi_inputs[0]",
        )
        groups.append(group)
    trains = zip(*case["spikes"], strict=True)
    for i, (neuron, train) in enumerate(zip(groups[0], trains, strict=True)):
        attributes = {"spikes": [bool(s) for s in train]}
        neuron.set_attributes(soma_hw_name=f"loihi_inputs[{i}]", model_attributes=attributes)
    for i, (group, weight) in enumerate(
        ((groups[0], case["hidden"]), (groups[1], case["output"])), start=1
    ):
        group.connect_neurons_dense(
            groups[i], {"weight": [float(row[j]) for j in range(len(weight[0])) for row in weight]}
        )
    cores = arch.tiles[0].cores
    for group, core in zip(groups, cores[:3], strict=True):
        for neuron in group:
            neuron.map_to_core(core)
    return arch, net, groups


def main() -> None:
    """Print energies in joules, counts and seconds."""
    with open(sys.argv[1], encoding="utf-8") as file:
        case = json.load(file)
    arch, net, _ = build(case)
    chip = sanafe.SpikingChip(arch)
    chip.load(net)
    steps = len(case["spikes"])
    start = time.perf_counter()
    found = chip.sim(steps, perf_trace=True)
    seconds = time.perf_counter() - start
    totals = {name: float(sum(values)) for name, values in found["perf_trace"].items()}
    print(
        json.dumps(
            {
                "energy": found["energy"],
                "trace": totals,
                "seconds": seconds,
                "spikes": found["spikes"],
                "sim_time": found["sim_time"],
            }
        )
    )


if __name__ == "__main__":
    main()
