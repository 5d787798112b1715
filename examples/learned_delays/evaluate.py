"""Learned delays beside none: floats, integers, synapses, SynOps, cores; see README.md.

``python -m examples.learned_delays.evaluate --out run`` takes all networks and seeds that are
trained there, prints each of them, and writes ``result.json``.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import neurodeploy as nd
from examples.shared import (
    InputError,
    Result,
    add_cases,
    beside_lava,
    case,
    energy_of,
    priced,
    stated_errors,
)
from neurodeploy.exporting.deploy import Deployment
from neurodeploy.network import DelayedDense, Dense, Network

from . import data
from .deploy import calibration, deploy, network_of
from .train import NETWORKS

BITS = (8, 6, 4)
ON_LAVA = 5
SHOWN = ("validation", "floats", "8 bits", "6 bits", "4 bits", "deployed", "delays taken out")


def accuracy(net: Network, part: data.Part) -> float:
    """Share of clips whose digit's neuron spikes most often; a step more for each hop."""
    spikes, labels = part
    backend = "float" if net.is_float else "engine"
    steps = spikes.shape[1] + net.hops(net.output.name)
    return nd.run(net, spikes, backend=backend, steps=steps).accuracy(labels)


def synapses(net: Network) -> int:
    """Weights that are not 0."""
    return sum(int(np.count_nonzero(p.synapse.only_array)) for p in net.projections)


def without_delays(net: Network) -> Network:
    """The same weights, every message at once."""

    def plain(synapse: Any) -> Any:
        return Dense(synapse.only_array) if type(synapse) is DelayedDense else synapse

    return replace(
        net, projections=tuple(replace(p, synapse=plain(p.synapse)) for p in net.projections)
    )


def measured(
    folder: Path, parts: dict[str, data.Part], verified: bool
) -> tuple[dict[str, Any], Deployment]:
    """All figures of a trained network, and what is deployed."""
    try:
        seen = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{folder}: its training.json is none ({error}); train again") from None
    test, net = parts["test"], network_of(folder / "trained.pt")
    one: dict[str, Any] = {key: seen[key] for key in ("train", "validation", "cpu_seconds")}
    one["in training's own forward pass"] = seen["test"]
    one["floats"] = accuracy(net, test)
    for bits in BITS:
        fixed = nd.quantize(net, nd.QuantConfig(bits), calibration(parts))
        one[f"{bits} bits"] = accuracy(fixed, test)
    ready = deploy(net, parts, verified)
    one["deployed"] = accuracy(ready.network, test)
    feed = ready.network.projections[0].synapse
    if type(feed) is DelayedDense:
        one["delays taken out"] = accuracy(without_delays(ready.network), test)
        one["mean delay"] = float(feed.delay[feed.only_array != 0].mean())
    profile = priced(ready.network, test[0])
    one["synapses"] = synapses(ready.network)
    one["trained numbers"] = sum(
        value.numel() for value in torch.load(folder / "trained.pt", weights_only=True).values()
        if value.dtype == torch.float32
    )  # fmt: skip
    one["synops"], one["messages"] = profile.synops, profile.messages
    one["dynamic microjoules"] = profile.dynamic_joules * 1e6
    one["microjoules"] = profile.energy_joules * 1e6
    one["cores"] = nd.fit(ready.network, "loihi2").cores_used
    return one, ready


def told(kind: str, seed: str, one: dict[str, Any]) -> str:
    """A line of figures."""
    shares = ", ".join(f"{name} {one[name]:.1%}" for name in SHOWN if name in one)
    return (
        f"{kind}, seed {seed}: {shares}; {one['synapses']} synapses, {one['synops']:.0f} SynOps, "
        f"{one['messages']:.0f} messages a clip, {one['cores']} cores, "
        f"{one['dynamic microjoules']:.2f} µJ dynamic, {one['cpu_seconds']:.0f} s of CPU"
    )


def mean_of(found: dict[str, dict[str, Any]], name: str) -> float:
    return float(np.mean([one[name] for one in found.values()]))


def share(value: float) -> str:
    return f"{value:.1%}".replace("%", " %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_cases(parser)
    parser.add_argument("--out", type=Path, default=Path("run"), help="folder of train.py")
    given = parser.parse_args()
    torch.set_num_threads(1)
    folders = {
        kind: sorted(p.parent for p in given.out.glob(f"{kind}-*/trained.pt")) for kind in NETWORKS
    }
    if not all(folders.values()):
        raise InputError(
            f"{given.out}: not all of {', '.join(NETWORKS)} are trained there; run "
            "examples.learned_delays.train first"
        )
    parts = data.load(case(given, "spoken_digits", "recordings"), given.out / "encoded")
    found: dict[str, dict[str, dict[str, Any]]] = {}
    first: Deployment | None = None
    for kind, seeds in folders.items():
        for folder in seeds:
            seed = folder.name.split("-")[-1]
            one, ready = measured(folder, parts, verified=first is None)
            first = first or ready
            found.setdefault(kind, {})[seed] = one
            print(told(kind, seed, one), flush=True)
    assert first is not None
    print("\n".join(first.lines()))
    equal = beside_lava(first.network, parts["test"][0][:ON_LAVA])
    cost = priced(first.network, parts["test"][0])
    print(f"equal to Lava: {equal}; {cost.headline}")
    delays, none, wider = (found[kind] for kind in ("delays", "none", "wider"))

    def each(name: str) -> str:
        return (
            f"{share(mean_of(delays, name))}, mean of {len(delays)} seeds; without delays "
            f"{share(mean_of(none, name))}, wider without {share(mean_of(wider, name))}"
        )

    place = Result(
        system="Spoken digits, learned delays of synapses",
        reference="none on this split; the same network without delays stands beside it",
        floats=each("floats"),
        integers=f"{each('8 bits')}, in 8 bits; deployed {share(mean_of(delays, 'deployed'))}",
        lava=equal,
        cores=str(delays[min(delays)]["cores"]),
        energy=f"{energy_of(cost)}; {mean_of(delays, 'synapses'):.0f} synapses and "
        f"{mean_of(delays, 'synops'):.0f} SynOps a clip, without delays "
        f"{mean_of(none, 'synapses'):.0f} and {mean_of(none, 'synops'):.0f}, wider without "
        f"{mean_of(wider, 'synapses'):.0f} and {mean_of(wider, 'synops'):.0f}",
        training=f"{mean_of(delays, 'cpu_seconds') / 60:.1f} min of CPU a seed, without delays "
        f"{mean_of(none, 'cpu_seconds') / 60:.1f}",
        data=f"free-spoken-digit-dataset, its {len(parts['test'][1])} test clips; the same "
        "speakers as in training",
        command="python -m examples.learned_delays.evaluate --out run",
        figures=found,
    ).write(Path(__file__).parent)
    print(f"{place} written")


if __name__ == "__main__":
    with stated_errors("learned_delays"):
        main()
