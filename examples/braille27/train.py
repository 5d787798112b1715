"""Train the letter reader; see README.md beside this file.

``python -m examples.braille27.train --out run --seed 0``: the same command goes on from
``run/0/checkpoint.pt`` where it was stopped, and leaves ``run/0/trained.pt`` and
``run/0/training.json`` when all epochs are done.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from examples.shared import add_cases, case, stated_errors
from examples.training import Training

from . import data
from .model import Reader

EPOCHS = 60
SHIFTS = 3
"""Steps by which a batch is moved at random, either way: nobody knows when a finger begins."""


class LetterTraining(Training):
    """Of a reader of letters."""

    def make(self) -> Reader:
        """See `Training`."""
        return Reader(self.settings["inputs"])

    def varied(self, x: torch.Tensor) -> torch.Tensor:
        """See `Training`."""
        return x.roll(int(torch.randint(-SHIFTS, SHIFTS + 1, ())), 1)


def train(
    seed: int,
    spikes: NDArray[np.uint8],
    labels: NDArray[np.int64],
    out: Path,
    epochs: int = EPOCHS,
    theta: float = data.THETA,
) -> dict[str, float]:
    """Train one seed, from its checkpoint if there is one; give its figures."""
    settings = {"seed": seed, "epochs": epochs, "theta": theta, "inputs": spikes.shape[-1]}
    parts = {
        name: (torch.from_numpy(spikes[index]).float(), torch.from_numpy(labels[index]))
        for name, index in data.split(labels).items()
    }
    return LetterTraining(settings).run(parts, out / str(seed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_cases(parser)
    parser.add_argument("--out", type=Path, default=Path("run"), help="folder; made if missing")
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--theta", type=float, default=data.THETA, help="change that is an event")
    given = parser.parse_args()
    torch.set_num_threads(1)
    pressure, labels = data.load(case(given, "braille27", "taxels.npz"))
    spikes = data.encode(pressure, given.theta)
    for seed in given.seed:
        found = train(seed, spikes, labels, given.out, given.epochs, given.theta)
        print(f"seed {seed}: test {found['test']:.1%}, {found['cpu_seconds']:.0f} s of CPU")


if __name__ == "__main__":
    with stated_errors("braille27"):
        main()
