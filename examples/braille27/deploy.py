"""Take a trained letter reader to Loihi 2 and verify it on Lava; see README.md.

``python -m examples.braille27.deploy run/0/trained.pt -o braille27.net``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import neurodeploy as nd
from examples.shared import add_cases, case, stated_errors
from examples.training import read_trained
from neurodeploy.exporting.deploy import Deployment
from neurodeploy.network import Network

from . import data
from .model import Reader

CALIBRATED = 60
"""Training samples on which scales are chosen."""

SHOWN = 8


def reader_of(path: Path) -> Reader:
    """Read a trained reader.

    Raises
    ------
    InputError
        If the file is none.
    """

    def made(held: dict[str, torch.Tensor]) -> Reader:
        hidden, inputs = held["feed.weight"].shape
        reader = Reader(inputs, hidden)
        reader.load_state_dict(held)
        return reader

    return read_trained(path, made, "reader of letters")


def deploy(
    net: Network,
    spikes: NDArray[np.uint8],
    labels: NDArray[np.int64],
    verified: bool = True,
) -> Deployment:
    """Round to 8 bits on training samples; measure and verify on test samples."""
    parts = data.split(labels)
    shown = parts["test"][:SHOWN]
    return nd.deploy(
        net, "loihi2", inputs=spikes[shown], labels=labels[shown].tolist(),
        calibration=spikes[calibration(labels)], verified=verified, what="8 test samples",
    )  # fmt: skip


def calibration(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Training samples for that, of all letters."""
    train = data.split(labels)["train"]
    return train[np.linspace(0, len(train) - 1, CALIBRATED).astype(int)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_cases(parser)
    parser.add_argument("trained", type=Path, metavar="PT", help="of train.py")
    parser.add_argument("-o", "--out", type=Path, default=Path("braille27.net"))
    given = parser.parse_args()
    pressure, labels = data.load(case(given, "braille27", "taxels.npz"))
    ready = deploy(reader_of(given.trained).network(), data.encode(pressure), labels)
    for step in ready.steps:
        print(f"{step.name}: {step.text}")
    print("\n".join(ready.lines()))
    nd.save(ready.network, given.out)
    print(f"{given.out} written")


if __name__ == "__main__":
    with stated_errors("braille27"):
        main()
