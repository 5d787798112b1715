"""Ask what Loihi 2 and Lava would need to run the network; see README.md.

``python -m examples.lsnn.deploy [--cases FOLDER] -o lsnn.net``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import neurodeploy as nd
from examples.shared import add_cases, case, stated_errors
from neurodeploy.exporting.deploy import Deployment

from .network import encode, images, network

SHOWN, STEPS = 2, 100
"""Images, and steps of them, on which rewrites are measured."""


def deploy(weights: Path, mnist: Path, target: str = "loihi2") -> Deployment:
    """Rewrite what the target lacks, as far as that goes."""
    shown = encode(images(mnist, SHOWN)[0])[:, :STEPS]
    return nd.deploy(network(weights), target, inputs=shown, what=f"{SHOWN} images of MNIST")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_cases(parser)
    parser.add_argument("-o", "--out", type=Path, default=Path("lsnn.net"))
    given = parser.parse_args()
    weights = case(given, "systems", "lsnn_smnist")
    mnist = case(given, "systems", "mnist")
    nd.save(network(weights), given.out)
    print(f"{given.out} written, for the engine")
    for target in ("loihi2", "lava"):
        ready = deploy(weights, mnist, target)
        print(f"{target}: {'runs' if ready.runs else 'does not run'}")
        for entry in ready.left:
            print(f"  {entry.element}: {entry.reason}")


if __name__ == "__main__":
    with stated_errors("lsnn"):
        main()
