"""Train an L2MU to tell activities; see README.md beside this file.

``python -m examples.wisdm.train --out run-wisdm``: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from examples.l2mu.cell import Cell
from examples.shared import add_cases, case, stated_errors
from examples.training import Parts, Training

from . import data

EPOCHS = 10
MOVED, DROPPED = 2, 0.2


class ActivityTraining(Training):
    """Of an L2MU that tells activities."""

    batch, rate = 256, 5e-3

    def make(self) -> Cell:
        """See `Training`."""
        return Cell(self.settings["inputs"], len(data.ACTIVITIES))

    def varied(self, x: torch.Tensor) -> torch.Tensor:
        """Move each axis by up to two levels and drop spikes: another wrist wears another watch."""
        axes = x.reshape(*x.shape[:2], 3, data.LEVELS)
        level = axes.argmax(-1)
        by = torch.randint(-MOVED, MOVED + 1, (len(x), 1, 3))
        moved = (level + by).clamp(0, data.LEVELS - 1)
        made = torch.nn.functional.one_hot(moved, data.LEVELS).to(x.dtype).reshape(x.shape)
        return made * (torch.rand_like(x) >= DROPPED)


def parts_of(windows: data.Windows) -> Parts:
    """Spikes and labels of each part; levels are those of the training part."""
    index = windows.split()
    edges = data.edges_of(windows.values[index["train"]])
    return {
        name: (
            torch.from_numpy(data.encode(windows.values[some], edges)).float(),
            torch.from_numpy(windows.labels[some]),
        )
        for name, some in index.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_cases(parser)
    parser.add_argument("--out", type=Path, default=Path("run-wisdm"), help="made if missing")
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    parts = parts_of(data.load(case(given, "systems", "wisdm_watch_accel", "watch_accel_6.npz")))
    for seed in given.seed:
        settings = {"seed": seed, "epochs": given.epochs, "inputs": parts["train"][0].shape[-1]}
        found = ActivityTraining(settings).run(parts, given.out / str(seed), shown_every=2)
        print(f"seed {seed}: test {found['test']:.1%}, {found['cpu_seconds']:.0f} s of CPU")


if __name__ == "__main__":
    with stated_errors("wisdm"):
        main()
