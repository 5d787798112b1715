"""Take a trained reader of digits to Loihi 2 and verify it on Lava; see README.md.

``python -m examples.learned_delays.deploy run/delays-0/trained.pt -o learned_delays.net``
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import neurodeploy as nd
from examples.shared import add_cases, case, stated_errors
from examples.training import read_trained
from neurodeploy.exporting.deploy import Deployment
from neurodeploy.network import Network

from . import data
from .model import network

CALIBRATED, SHOWN = 60, 5
"""Training clips on which scales are chosen; test clips that are measured and verified."""


def network_of(path: Path) -> Network:
    """Read a trained reader as a float network.

    Raises
    ------
    InputError
        If the file is none.
    """
    return read_trained(
        path, lambda held: network({name: value.numpy() for name, value in held.items()}),
        "reader of digits",
    )  # fmt: skip


def calibration(parts: Mapping[str, data.Part]) -> NDArray[np.uint8]:
    """Training clips for that, of all digits."""
    spikes = parts["train"][0]
    return spikes[np.linspace(0, len(spikes) - 1, CALIBRATED).astype(int)]


def deploy(net: Network, parts: Mapping[str, data.Part], verified: bool = True) -> Deployment:
    """Round to 8 bits on training clips; measure and verify on test clips."""
    spikes, labels = parts["test"]
    shown = np.linspace(0, len(labels) - 1, SHOWN).astype(int)
    return nd.deploy(
        net, "loihi2", inputs=spikes[shown], labels=labels[shown].tolist(),
        calibration=calibration(parts), verified=verified, what=f"{SHOWN} test clips",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_cases(parser)
    parser.add_argument("trained", type=Path, metavar="PT", help="of train.py")
    parser.add_argument("-o", "--out", type=Path, default=Path("learned_delays.net"))
    given = parser.parse_args()
    net = network_of(given.trained)
    ready = deploy(net, data.load(case(given, "spoken_digits", "recordings")))
    for step in ready.steps:
        print(f"{step.name}: {step.text}")
    print("\n".join(ready.lines()))
    nd.save(ready.network, given.out)
    print(f"{given.out} written")


if __name__ == "__main__":
    with stated_errors("learned_delays"):
        main()
