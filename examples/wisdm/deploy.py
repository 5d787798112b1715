"""Take a trained L2MU for activities to Loihi 2 and verify it on Lava; see README.md.

``python -m examples.wisdm.deploy run-wisdm/0/trained.pt -o wisdm.net``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

import neurodeploy as nd
from examples.l2mu.network import l2mu
from examples.shared import add_cases, case, stated_errors
from examples.training import read_trained
from neurodeploy.exporting.deploy import Deployment
from neurodeploy.network import Network

from . import data
from .train import parts_of

CALIBRATED, SHOWN = 60, 8
"""Training windows on which scales are chosen; test windows on which rewrites are measured."""


def network_of(path: Path) -> Network:
    """The float network of a trained state dict.

    Raises
    ------
    InputError
        If the file is none.
    """
    return read_trained(
        path, lambda held: l2mu({name: tensor.numpy() for name, tensor in held.items()}),
        "trained L2MU",
    )  # fmt: skip


def some(part: tuple[torch.Tensor, torch.Tensor], count: int) -> tuple[np.ndarray, np.ndarray]:
    """As many samples of a part, from all over it: uint8 spikes and labels."""
    index = np.linspace(0, len(part[1]) - 1, count).astype(int)
    return part[0][index].numpy().astype(np.uint8), part[1][index].numpy()


def deploy(net: Network, parts: object, verified: bool = True) -> Deployment:
    """Round to 8 bits and rewrite what Lava's neurons lack."""
    shown, labels = some(parts["test"], SHOWN)  # type: ignore[index]
    calibration, _ = some(parts["train"], CALIBRATED)  # type: ignore[index]
    return nd.deploy(
        net, "loihi2", inputs=shown, labels=labels.tolist(), calibration=calibration,
        verified=verified, what="8 test windows",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_cases(parser)
    parser.add_argument("trained", type=Path, metavar="PT", help="of train.py")
    parser.add_argument("-o", "--out", type=Path, default=Path("wisdm.net"))
    given = parser.parse_args()
    path = case(given, "systems", "wisdm_watch_accel", "watch_accel_6.npz")
    ready = deploy(network_of(given.trained), parts_of(data.load(path)))
    for step in ready.steps:
        print(f"{step.name}: {step.text}")
    print("\n".join(ready.lines()))
    nd.save(ready.network, given.out)
    print(f"{given.out} written")


if __name__ == "__main__":
    with stated_errors("wisdm"):
        main()
