"""The published L2MU on all 280 samples: floats, integers, as deployed, on Lava; see README.md.

``python -m examples.l2mu.evaluate [--cases FOLDER]`` prints the figures and writes
``result.json``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import neurodeploy as nd
from examples.shared import (
    Result,
    add_cases,
    beside_lava,
    case,
    energy_of,
    priced,
    stated_errors,
)
from neurodeploy.network import Network

from .deploy import SHOWN, deploy
from .network import letters, load

BITS = (8, 6, 4)
ON_LAVA = 3
"""Samples that are run on Lava's simulator, too; others than those that chose the scales."""

PRICED = 20


def right(net: Network, inputs: NDArray[np.uint8], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which samples are read right: the letter's neuron spikes most often."""
    backend = "float" if net.is_float else "engine"
    steps = inputs.shape[1] + net.hops(net.output.name)
    return np.asarray(nd.run(net, inputs, backend=backend, steps=steps).decisions() == labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_cases(parser)
    given = parser.parse_args()
    weights = case(given, "systems", "l2mu_braille7", "l2mu_7class.npz")
    data = case(given, "braille7", "val_0.npz")
    net, (inputs, labels) = load(weights), letters(data)
    found = {"floats": right(net, inputs, labels)}
    for bits in BITS:
        fixed = nd.quantize(net, nd.QuantConfig(bits), inputs[:SHOWN])
        found[f"{bits} bits"] = right(fixed, inputs, labels)
    ready = deploy(weights, data)
    found["deployed"] = right(ready.network, inputs, labels)
    for name, which in found.items():
        print(f"{name}: {which.mean():.2%} of {len(which)}; {which[SHOWN:].mean():.2%} of others")
    equal = beside_lava(ready.network, inputs[SHOWN : SHOWN + ON_LAVA])
    cost = priced(ready.network, inputs[:PRICED])
    cores = nd.fit(ready.network, "loihi2").cores_used
    print(f"equal to Lava: {equal}; {cores} cores; {cost.headline}")
    share = {name: float(which.mean()) for name, which in found.items()}
    place = Result(
        system="L2MU, 7 Braille letters",
        reference="97.14 % (their test part)",
        floats=f"{share['floats']:.2%}",
        integers=f"{share['8 bits']:.2%} in 8 bits; {share['deployed']:.2%} deployed",
        lava=equal,
        cores=str(cores),
        energy=energy_of(cost),
        training="none here: published weights",
        data="280 samples of NIR's validation part; may overlap their training part",
        command="python -m examples.l2mu.evaluate",
        figures=share | {"steps": [step.name for step in ready.steps]},
    ).write(Path(__file__).parent)
    print(f"{place} written")


if __name__ == "__main__":
    with stated_errors("l2mu"):
        main()
