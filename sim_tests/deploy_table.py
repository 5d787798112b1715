"""Prints what becomes of ordinary trained networks on each target, by taking them there.

    python -m sim_tests.deploy_table             # Lava's simulator runs each of them, too
    python -m sim_tests.deploy_table --no-verify

The table stands in README.md. Needs torch, lava-dl, nir and the shared folder; what of them is
missing leaves its rows out.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import neurodeploy as nd
from sim_tests import exporting_cases as cases

TARGETS = ("netx", "lava", "loihi2")


def networks() -> Iterator[tuple[str, Any, Any, Any]]:
    """What was trained, the network, inputs, labels."""
    if find_spec("lava") and find_spec("lava.lib.dl"):
        for name, make in cases.slayer_networks().items():
            module, inputs = make()
            yield f"SLAYER: {name}", nd.load(module, example=inputs, measure=False), inputs, None
    if find_spec("nir") and cases.SHARED.is_dir():
        for name in cases.NIR_FILES:
            yield (name, *cases.nir_network(name))
    if find_spec("nir"):
        import nir

        graph, inputs = cases.sinabs_cnn()
        with tempfile.TemporaryDirectory() as folder:
            nir.write(Path(folder) / "cnn.nir", graph)
            network = nd.load(Path(folder) / "cnn.nir", dt=1.0, preset="sinabs")
        yield "Sinabs: CNN of IAF, soft reset", network, inputs, None
    yield ("sigma-delta chain, 75 % pruned, delays", *cases.pruned_chain(), None)
    yield ("4-24-3 CUBA, payload inputs", *cases.payload_network(), None)


def told(steps: Any, network: Any) -> str:
    """The worst of some steps: of spikes those that coincide, of values the relative error."""
    if network.output.neuron.graded:
        worst = max(step.change.effect.output_relative_error for step in steps)
        return f"relative error {worst:.2g}"
    text = f"{min(step.change.coincidence for step in steps):.1%} coincide"
    if (accuracy := steps[-1].change.accuracy) is not None:
        text += f", accuracy {steps[0].change.accuracy[0]:.0%} -> {accuracy[1]:.0%}"
    return text


def first_words(text: str) -> str:
    """A reason without what explains it."""
    return text.replace("the file has no NetX layers, neurodeploy alone reads it: ", "").split(";")[
        0
    ]


def cell(ready: Any) -> str:
    """One network on one target."""
    if ready.left:
        return f"no: {first_words(ready.left.entries[0].reason)}"
    rewrites = [step for step in ready.steps if step.name != "quantize"]
    lossy = [step for step in rewrites if not step.exact and step.change.effect.differing]
    text = "exact"
    if lossy:
        names = ", ".join(dict.fromkeys(f"`{step.name}`" for step in lossy))
        text = f"{names}: {told(lossy, ready.network)}"
    elif rewrites:
        text += f" (`{'`, `'.join(dict.fromkeys(step.name for step in rewrites))}`)"
    if ready.network.output.neuron.is_readout:
        text += ", the host reads v"
    elif ready.needs:
        text += f", {first_words(ready.needs[0])}"
    if ready.verification is not None:
        text += ", Lava equal" if ready.verification.equal else ", **Lava differs**"
    return text


def main(verify: bool) -> None:
    """Print the table as Markdown."""
    print("| trained | to integers | " + " | ".join(TARGETS) + " |")
    print("|---" * (2 + len(TARGETS)) + "|", flush=True)
    for name, network, inputs, labels in networks():
        cells, rounded = [], "exact"
        for target in TARGETS:
            ready = nd.deploy(
                network, target, inputs=inputs, labels=labels, verified=verify and target == "lava"
            )
            for step in ready.steps:
                if step.name == "quantize":
                    rounded = told([step], ready.network)
            cells.append(cell(ready))
        print(f"| {name} | {rounded} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main("--no-verify" not in sys.argv)
