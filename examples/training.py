"""How the examples train classifiers of spikes in plain torch: settings, checkpoints, epochs."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch

from .shared import InputError, progress, written_whole

Made = TypeVar("Made")

Parts = Mapping[str, tuple[torch.Tensor, torch.Tensor]]


class Training:
    """A module, its optimiser, and how far they are.

    Every epoch draws from its own seed, so one that starts from a checkpoint does what it would
    have done without a stop. The rate falls along a cosine.

    Attributes
    ----------
    model : torch.nn.Module
        Gives spike counts [samples, classes], and those of hidden neurons.
    settings : dict
        What decides on the result; ``seed`` and ``epochs`` are among them.
    """

    batch, rate, clip = 189, 4e-3, 5.0
    """Samples of a step, peak of Adam's rate, largest norm of a gradient."""

    busy = 2e-5
    """Price of hidden spikes, squared, of a sample."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = dict(settings)
        self.epoch, self.seconds = 0, 0.0
        torch.manual_seed(self.settings["seed"])
        self.model = self.make()
        self.optimiser = torch.optim.Adam(self.groups(), lr=self.rate)

    def make(self) -> torch.nn.Module:
        """Make the module; the seed is set."""
        raise NotImplementedError

    def groups(self) -> list[dict[str, Any]]:
        """Parameters in groups; each says the ``peak`` of its rate."""
        return [{"params": list(self.model.parameters()), "peak": self.rate}]

    def varied(self, x: torch.Tensor) -> torch.Tensor:
        """Samples as they are shown in training."""
        return x

    def save(self, path: Path) -> None:
        """Write all that going on needs, whole or not at all."""
        held = {
            "settings": self.settings, "epoch": self.epoch, "seconds": self.seconds,
            "model": self.model.state_dict(), "optimiser": self.optimiser.state_dict(),
        }  # fmt: skip
        with written_whole(path) as temporary:
            torch.save(held, temporary)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint of the same settings.

        Raises
        ------
        InputError
            If it is none, or was made with other settings.
        """
        try:
            held = torch.load(path, map_location="cpu", weights_only=True)
            made = dict(held["settings"])
            if made == self.settings:
                self.model.load_state_dict(held["model"])
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
        done = self.epoch / self.settings["epochs"]
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * 0.5 * (1 + math.cos(math.pi * done))
        lost = right = 0.0
        for batch in torch.randperm(len(labels)).split(self.batch):
            counts, hidden = self.model(self.varied(x[batch]))
            loss = torch.nn.functional.cross_entropy(counts, labels[batch])
            self.optimiser.zero_grad()
            (loss + self.busy * (hidden.mean(1) ** 2).mean()).backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
            self.optimiser.step()
            lost += loss.item() * len(batch)
            right += int((counts.argmax(1) == labels[batch]).sum())
        self.epoch += 1
        return lost / len(labels), right / len(labels)

    def accuracy(self, x: torch.Tensor, labels: torch.Tensor) -> float:
        """Share of samples whose class's neuron spikes most often."""
        with torch.no_grad():
            right = sum(
                int((self.model(some)[0].argmax(1) == which).sum())
                for some, which in zip(x.split(1000), labels.split(1000), strict=True)
            )
        return right / len(labels)

    def run(self, parts: Parts, folder: Path, shown_every: int = 10) -> dict[str, float]:
        """Train to the end, from the checkpoint in the folder if there is one.

        Parameters
        ----------
        parts : mapping
            Samples and labels of ``train``, ``validation`` and others.
        folder : Path
            For ``checkpoint.pt``, and in the end ``trained.pt`` and ``training.json``.

        Returns
        -------
        dict
            Accuracy on each part, and ``cpu_seconds``.
        """
        folder.mkdir(parents=True, exist_ok=True)
        checkpoint, epochs = folder / "checkpoint.pt", self.settings["epochs"]
        if checkpoint.is_file():
            self.resume(checkpoint)
            print(f"{checkpoint}: goes on after epoch {self.epoch}", flush=True)
        with progress() as bar:
            task = bar.add_task(folder.name, total=epochs, completed=self.epoch)
            while self.epoch < epochs:
                began = time.process_time()
                loss, right = self.learn_epoch(*parts["train"])
                self.seconds += time.process_time() - began
                bar.advance(task)
                if self.epoch % shown_every == 0 or self.epoch == epochs:
                    seen = self.accuracy(*parts["validation"])
                    print(
                        f"{folder.name}, epoch {self.epoch}/{epochs}: loss {loss:.3f}, training "
                        f"{right:.1%}, validation {seen:.1%}, {self.seconds:.0f} s of CPU",
                        flush=True,
                    )
                self.save(checkpoint)
        found = {name: self.accuracy(*part) for name, part in parts.items()}
        found["cpu_seconds"] = self.seconds
        with written_whole(folder / "trained.pt") as temporary:
            torch.save(self.model.state_dict(), temporary)
        with written_whole(folder / "training.json") as temporary:
            temporary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        return found


class Spike(torch.autograd.Function):
    """A spike above 0; its gradient is SuperSpike's (Zenke and Ganguli 2018), of slope 5."""

    @staticmethod
    def forward(ctx: Any, v: torch.Tensor) -> torch.Tensor:
        """See `torch.autograd.Function`."""
        ctx.save_for_backward(v)
        return (v > 0).to(v.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        """See `torch.autograd.Function`."""
        (v,) = ctx.saved_tensors
        return gradient / (5 * v.abs() + 1) ** 2


def read_trained(path: Path, make: Callable[[dict[str, torch.Tensor]], Made], what: str) -> Made:
    """Make something of a trained state dict.

    Raises
    ------
    InputError
        If the file is none, or of another network.
    """
    try:
        return make(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch and zipfile raise many kinds for a damaged file
        line = str(error).split("\n")[0]
        raise InputError(f"{path}: no {what} ({line}); train one") from error
