"""Take a decoder to Lava, and say what Loihi 2 would still need; see README.md.

``python -m examples.tinyrsnn.deploy indy01_seed1.npz -o decoder.net``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import neurodeploy as nd
from examples.shared import stated_errors
from neurodeploy.exporting.deploy import Deployment

from .network import cortex, load

STEPS = 250
"""Of the sample that is run on Lava, too."""


def deploy(path: Path, target: str = "lava", verified: bool = True) -> Deployment:
    """Round a decoder, rewrite what the target lacks, and run it beside the engine."""
    net = load(path)
    shown, calibration = (
        cortex(n, steps, net.input.size, seed)[0] for n, steps, seed in ((2, STEPS, 2), (4, 500, 1))
    )
    return nd.deploy(
        net, target, inputs=shown, calibration=calibration, verified=verified,
        what="a synthetic cortex",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parameters", type=Path, metavar="NPZ", help="a published decoder")
    parser.add_argument("-o", "--out", type=Path, default=Path("decoder.net"))
    given = parser.parse_args()
    ready = deploy(given.parameters)
    for step in ready.steps:
        print(f"{step.name}: {step.text}")
    print("\n".join(ready.lines()))
    nd.save(ready.network, given.out)
    print(f"{given.out} written")
    for entry in deploy(given.parameters, "loihi2", verified=False).left:
        print(f"left for loihi2: {entry.element}: {entry.reason}")


if __name__ == "__main__":
    with stated_errors("tinyrsnn"):
        main()
