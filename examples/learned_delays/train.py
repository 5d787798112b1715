"""Train the same network with learned delays and without; see README.md beside this file.

``python -m examples.learned_delays.train --out run``: the same command goes on from the
checkpoints in ``run/NETWORK-SEED`` where it was stopped, and leaves ``trained.pt`` and
``training.json`` there when all epochs are done.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from examples.shared import add_cases, case, stated_errors
from examples.training import Training
from neurodeploy.training import Annealing

from . import data
from .model import LONGEST, Digits

EPOCHS = 16
NARROW = 0.5
"""Share of the epochs in which the kernels narrow; from then on each synapse has one delay."""

LATEST, MOST_DROPPED = 2, 0.3
"""Steps by which a clip is moved at random, and the largest share of spikes that is dropped."""

NETWORKS: Mapping[str, Mapping[str, int]] = {
    "delays": {"hidden": 32, "longest": LONGEST},
    "none": {"hidden": 32, "longest": 0},
    "wider": {"hidden": 60, "longest": 0},
}
"""With delays; without; without and with as many trained numbers as with."""


class DigitTraining(Training):
    """Of a reader of digits."""

    batch, rate, busy = 64, 5e-3, 0.0
    delay_rate = 0.1
    """Peak of Adam's rate for delays, which count steps."""

    def make(self) -> Digits:
        """See `Training`."""
        return Digits(self.settings["hidden"], self.settings["longest"])

    def groups(self) -> list[dict[str, Any]]:
        """See `Training`."""
        named = list(self.model.named_parameters())
        late = [p for name, p in named if name.endswith("delay")]
        weights = [p for name, p in named if not name.endswith("delay")]
        own = [{"params": late, "peak": self.delay_rate}] if late else []
        return [{"params": weights, "peak": self.rate}, *own]

    def varied(self, x: torch.Tensor) -> torch.Tensor:
        """Move a batch in time and its bands by one, and drop spikes of each clip."""
        x = moved(x, int(torch.randint(-1, LATEST + 1, ())), 1)
        halves = x.unflatten(2, (2, -1))  # ups and downs
        x = moved(halves, int(torch.randint(-1, 2, ())), 3).flatten(2)
        dropped = MOST_DROPPED * torch.rand(len(x), 1, 1)
        return x * (torch.rand_like(x) >= dropped)

    def learn_epoch(self, x: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
        """See `Training`; the kernels narrow first."""
        narrow = max(1, round(NARROW * self.settings["epochs"]))
        if self.epoch < narrow:
            Annealing(narrow, share=1.0).apply(self.model, self.epoch)
        else:
            for module in self.model.modules():
                if hasattr(module, "sigma"):
                    module.sigma.zero_()
        return super().learn_epoch(x, labels)


def moved(x: torch.Tensor, by: int, axis: int) -> torch.Tensor:
    """Shift along an axis; zeros come in, what goes out is lost."""
    made = x.roll(by, axis)
    if by:
        made.narrow(axis, 0 if by > 0 else made.shape[axis] + by, abs(by)).zero_()
    return made


def train(
    kind: str, seed: int, parts: Mapping[str, data.Part], out: Path, epochs: int = EPOCHS
) -> dict[str, float]:
    """Train one seed of a network of `NETWORKS`, from its checkpoint if there is one."""
    settings = {"seed": seed, "epochs": epochs, **NETWORKS[kind]}
    tensors = {
        name: (torch.from_numpy(spikes).float(), torch.from_numpy(labels))
        for name, (spikes, labels) in parts.items()
    }
    return DigitTraining(settings).run(tensors, out / f"{kind}-{seed}", shown_every=8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_cases(parser)
    parser.add_argument("--out", type=Path, default=Path("run"), help="folder; made if missing")
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    recordings = case(given, "spoken_digits", "recordings")
    parts = data.load(recordings, given.out / "encoded")
    for seed in given.seed:
        for kind in given.network:
            found = train(kind, seed, parts, given.out, given.epochs)
            print(
                f"{kind}, seed {seed}: validation {found['validation']:.1%}, test "
                f"{found['test']:.1%}, {found['cpu_seconds']:.0f} s of CPU",
                flush=True,
            )


if __name__ == "__main__":
    with stated_errors("learned_delays"):
        main()
