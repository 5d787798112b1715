"""Train the letter reader; see README.md beside this file.

``python -m examples.braille27.train --out run --seed 0``: the same command goes on from
``run/0/checkpoint.pt`` where it was stopped, and leaves ``run/0/trained.pt`` and
``run/0/training.json`` when all epochs are done.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from examples.shared import InputError, add_cases, case, progress, stated_errors, written_whole

from . import data
from .model import Reader

EPOCHS, BATCH, RATE = 60, 189, 4e-3
SHIFTS = 3
"""Steps by which a sample is moved at random, either way: nobody knows when a finger begins."""

CLIP = 5.0
"""Largest norm of a gradient."""

BUSY = 2e-5
"""Price of hidden spikes, squared, of a sample."""


class Training:
    """A reader, its optimiser, and how far they are.

    Every epoch draws from its own seed, so one that starts from a checkpoint does what it would
    have done without a stop.
    """

    def __init__(self, seed: int, inputs: int, epochs: int = EPOCHS, theta: float = data.THETA):
        self.settings = {"seed": seed, "epochs": epochs, "theta": theta}
        self.epoch, self.seconds = 0, 0.0
        torch.manual_seed(seed)
        self.reader = Reader(inputs)
        self.optimiser = torch.optim.Adam(self.reader.parameters(), lr=RATE)

    def save(self, path: Path) -> None:
        """Write all that going on needs, whole or not at all."""
        held = {
            "settings": self.settings, "epoch": self.epoch, "seconds": self.seconds,
            "reader": self.reader.state_dict(), "optimiser": self.optimiser.state_dict(),
        }  # fmt: skip
        with written_whole(path) as temporary:
            torch.save(held, temporary)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint of the same settings."""
        try:
            held = torch.load(path, map_location="cpu", weights_only=True)
            made = dict(held["settings"])
            if made == self.settings:
                self.reader.load_state_dict(held["reader"])
                self.optimiser.load_state_dict(held["optimiser"])
                self.epoch, self.seconds = int(held["epoch"]), float(held["seconds"])
                return
        except Exception as error:  # torch and zipfile raise many kinds for a damaged file
            line = str(error).split("\n")[0]
            raise InputError(f"{path}: no checkpoint of this script ({line}); remove it") from error
        raise InputError(
            f"{path}: made with {made}, now asked for {self.settings}; give another --out"
        )

    def learn_epoch(self, x: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
        """Go through all samples once; give the mean loss and the share that was right."""
        torch.manual_seed(1_000_003 * (self.settings["seed"] + 1) + self.epoch)
        rate = RATE * 0.5 * (1 + math.cos(math.pi * self.epoch / self.settings["epochs"]))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        lost = right = 0.0
        for batch in torch.randperm(len(labels)).split(BATCH):
            by = int(torch.randint(-SHIFTS, SHIFTS + 1, ()))
            counts, hidden = self.reader(x[batch].roll(by, 1))
            loss = torch.nn.functional.cross_entropy(counts, labels[batch])
            self.optimiser.zero_grad()
            (loss + BUSY * (hidden.mean(1) ** 2).mean()).backward()
            torch.nn.utils.clip_grad_norm_(self.reader.parameters(), CLIP)
            self.optimiser.step()
            lost += loss.item() * len(batch)
            right += int((counts.argmax(1) == labels[batch]).sum())
        self.epoch += 1
        return lost / len(labels), right / len(labels)

    def accuracy(self, x: torch.Tensor, labels: torch.Tensor) -> float:
        """Share of samples whose letter's neuron spikes most often."""
        with torch.no_grad():
            return float((self.reader(x)[0].argmax(1) == labels).float().mean())


def train(
    seed: int,
    spikes: NDArray[np.uint8],
    labels: NDArray[np.int64],
    out: Path,
    epochs: int = EPOCHS,
    theta: float = data.THETA,
) -> dict[str, float]:
    """Train one seed, from its checkpoint if there is one; give its figures."""
    folder = out / str(seed)
    folder.mkdir(parents=True, exist_ok=True)
    training, checkpoint = Training(seed, spikes.shape[-1], epochs, theta), folder / "checkpoint.pt"
    if checkpoint.is_file():
        training.resume(checkpoint)
        print(f"{checkpoint}: goes on after epoch {training.epoch}", flush=True)
    parts = {
        name: (torch.from_numpy(spikes[index]).float(), torch.from_numpy(labels[index]))
        for name, index in data.split(labels).items()
    }
    with progress() as bar:
        task = bar.add_task(f"seed {seed}", total=epochs, completed=training.epoch)
        while training.epoch < epochs:
            began = time.process_time()
            loss, right = training.learn_epoch(*parts["train"])
            training.seconds += time.process_time() - began
            bar.advance(task)
            if training.epoch % 10 == 0 or training.epoch == epochs:
                seen = training.accuracy(*parts["validation"])
                print(
                    f"seed {seed}, epoch {training.epoch}/{epochs}: loss {loss:.3f}, training "
                    f"{right:.1%}, validation {seen:.1%}, {training.seconds:.0f} s of CPU",
                    flush=True,
                )
            training.save(checkpoint)
    found = {name: training.accuracy(*part) for name, part in parts.items()}
    found["cpu_seconds"] = training.seconds
    with written_whole(folder / "trained.pt") as temporary:
        torch.save(training.reader.state_dict(), temporary)
    with written_whole(folder / "training.json") as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


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
