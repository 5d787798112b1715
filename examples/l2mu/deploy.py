"""Take the published L2MU to Loihi 2 and verify it on Lava; see README.md.

``python -m examples.l2mu.deploy [--cases FOLDER] -o l2mu.net``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import neurodeploy as nd
from examples.shared import add_cases, case, stated_errors
from neurodeploy.exporting.deploy import Deployment

from .network import letters, load

SHOWN = 8
"""Samples on which scales are chosen and rewrites are measured."""


def deploy(weights: Path, data: Path, verified: bool = True) -> Deployment:
    """Round to 8 bits and rewrite what Lava's neurons lack: soft resets, which come late here."""
    inputs, labels = letters(data)
    return nd.deploy(
        load(weights), "loihi2", inputs=inputs[:SHOWN], labels=labels[:SHOWN].tolist(),
        verified=verified, what="8 Braille letters",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_cases(parser)
    parser.add_argument("-o", "--out", type=Path, default=Path("l2mu.net"))
    given = parser.parse_args()
    weights = case(given, "systems", "l2mu_braille7", "l2mu_7class.npz")
    ready = deploy(weights, case(given, "braille7", "val_0.npz"))
    for step in ready.steps:
        print(f"{step.name}: {step.text}")
    print("\n".join(ready.lines()))
    nd.save(ready.network, given.out)
    print(f"{given.out} written")


if __name__ == "__main__":
    with stated_errors("l2mu"):
        main()
