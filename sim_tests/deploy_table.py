"""Prints what becomes of ordinary trained networks on each target, by taking them there.

    python -m sim_tests.deploy_table               # and runs each on Lava's simulator and through
                                                   # the stand-in of the chip's software
    python -m sim_tests.deploy_table --no-verify
    python -m sim_tests.deploy_table SLAYER        # those alone whose name holds a word

The table stands in README.md. Needs torch, lava-dl, nir and the shared folder; what of them is
missing leaves its rows out.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

import neurodeploy as nd
from sim_tests import exporting_cases as cases
from sim_tests.backends.standin import StandIn

TARGETS = ("netx", "lava", "loihi2")


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
        where = "Lava" if ready.target == "lava" else "stand-in"
        text += f", {where} equal" if ready.verification.equal else f", **{where} differs**"
    return text


def main(chosen: str, verify: bool) -> None:
    """Print the table as Markdown, of networks whose name holds some words."""
    print("| trained | to integers | " + " | ".join(TARGETS) + " |")
    print("|---" * (2 + len(TARGETS)) + "|", flush=True)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        chip = {
            "place": StandIn(Path(folder), patch).host,
            "board_settings": {"measure": False},
            "timeout_seconds": 600,
        }
        for name, make in cases.every_network(Path(folder)).items():
            if chosen not in name:
                continue
            network, inputs, labels = (*make(), None)[:3]
            cells, rounded = [], "exact"
            for target in TARGETS:
                ready = nd.deploy(
                    network, target, inputs=inputs, labels=labels,
                    verified=verify and target != "netx", **(chip if target == "loihi2" else {}),
                )  # fmt: skip
                for step in ready.steps:
                    if step.name == "quantize":
                        rounded = told([step], ready.network)
                cells.append(cell(ready))
                if verify and target != "netx" and ready.verification is None:
                    cells[-1] += f", not run: {ready.not_verified}"
            print(f"| {name} | {rounded} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    main(" ".join(words), "--no-verify" not in sys.argv)
