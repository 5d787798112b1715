"""Train the digit spotter; see README.md beside this file.

``python examples/spoken_digits/train.py RECORDINGS --out run``: the same command goes on from
``run/checkpoint.pt`` where it was stopped, and leaves ``run/trained.pt`` (a state dict for
``neurodeploy export spoken:make``) when all epochs are done.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import spoken
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from neurodeploy.audio.datasets import Clip
from neurodeploy.errors import FormatError, NeurodeployError
from neurodeploy.files import written_whole
from neurodeploy.formats.slayer.importing import import_slayer

BATCH = 64
WEIGHT_RATE, DELAY_RATE = 0.005, 0.05
"""Peaks of Adam's learning rate; a delay counts steps, so its rate is another."""

WARM_UP = 0.2
LOGITS_PER_SPIKE = 0.5
SHIFTS = range(-2, 5)
"""Steps by which a clip is moved at random: nobody knows when a word begins."""

MOST_DROPPED = 0.3
THREADS = 1


@dataclass(frozen=True)
class Settings:
    """What decides on the result, besides the recordings and the machine."""

    seed: int = 0
    epochs: int = 80
    hidden: int = spoken.HIDDEN
    delays: bool = True


class Training:
    """A module, its optimiser and how far they are.

    Every epoch draws from its own seed, so one that starts from a checkpoint of the epoch before
    does what it would have done without a stop.
    """

    def __init__(self, settings: Settings) -> None:
        self.torch, _ = import_slayer("train")
        self.settings, self.epoch = settings, 0
        self.torch.manual_seed(settings.seed)
        self.module = spoken.make(settings.hidden, settings.delays)
        # Blocks learn their shapes in a first forward pass.
        self.module(self.torch.zeros(1, spoken.CHANNELS, 2))
        late = [b.delay.delay for b in self.module if b.delay is not None]
        weights = [block.synapse.weight for block in self.module]
        groups = [{"params": weights, "peak": WEIGHT_RATE}]
        if late:
            groups.append({"params": late, "peak": DELAY_RATE})
        self.optimiser = self.torch.optim.Adam(groups)

    def save(self, path: Path) -> None:
        """Write all that going on needs, whole or not at all."""
        held = {
            "settings": asdict(self.settings),
            "epoch": self.epoch,
            "module": self.module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        with written_whole(path) as temporary:
            self.torch.save(held, temporary)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint of the same settings.

        Raises
        ------
        FormatError
            If it is none, or was made with other settings.
        """
        try:
            held = self.torch.load(path, map_location="cpu", weights_only=True)
            made, epoch = dict(held["settings"]), int(held["epoch"])
            if made == asdict(self.settings):
                self.module.load_state_dict(held["module"])
                self.optimiser.load_state_dict(held["optimiser"])
                self.epoch = epoch
                return
        except Exception as error:  # torch and zipfile raise many kinds for a damaged file
            line = str(error).split("\n")[0]
            raise FormatError(f"{path}: not a checkpoint of this script ({line}); remove it, or "
                              f"give another --out") from error  # fmt: skip
        raise FormatError(
            f"{path}: made with {made}, now asked for {asdict(self.settings)}; give the same "
            f"settings or another --out"
        )

    def learn_epoch(self, clips: spoken.Clips) -> Iterator[tuple[float, int, int]]:
        """Go through all clips once, in random order.

        Yields
        ------
        (float, int, int)
            Of each batch: the sum of its losses, how many were right, how many there are.
        """
        torch = self.torch
        torch.manual_seed(1_000_003 * (self.settings.seed + 1) + self.epoch)
        inputs = torch.from_numpy(np.ascontiguousarray(clips.inputs.transpose(0, 2, 1)))
        labels = torch.from_numpy(clips.labels)
        batches = torch.randperm(len(labels)).split(BATCH)
        self.module.train()
        for number, batch in enumerate(batches):
            self._set_rates((self.epoch + number / len(batches)) / self.settings.epochs)
            counts = self.module(varied(torch, inputs[batch].float())).sum(dim=-1)
            loss = torch.nn.functional.cross_entropy(LOGITS_PER_SPIKE * counts, labels[batch])
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            right = int((counts.argmax(1) == labels[batch]).sum())
            yield loss.item() * len(batch), right, len(batch)
        self.epoch += 1

    def _set_rates(self, done: float) -> None:
        """One cycle: up to the peak in a fifth of the time, then down along a cosine."""
        rise = min(1.0, 0.04 + done / WARM_UP)
        fall = 0.5 * (1 + math.cos(math.pi * max(0.0, done - WARM_UP) / (1 - WARM_UP)))
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * rise * fall

    def accuracy(self, clips: spoken.Clips) -> float:
        """Share of clips recognised by the forward pass."""
        self.module.eval()
        inputs = self.torch.from_numpy(clips.inputs.transpose(0, 2, 1).astype(np.float32))
        with self.torch.no_grad():
            counts = [self.module(some).sum(dim=-1) for some in inputs.split(100)]
        right = self.torch.cat(counts).argmax(1).numpy() == clips.labels
        return float(right.mean())


def varied(torch: Any, spikes: Any) -> Any:
    """Move each clip in time and by a band, and drop some of its spikes; [clips, channels, steps].

    A band more or less is a vocal tract that is a little shorter or longer.
    """
    late = torch.randint(SHIFTS.start, SHIFTS.stop, (len(spikes),)).tolist()
    up = torch.randint(-1, 2, (len(spikes),)).tolist()
    for clip, (steps, bands) in enumerate(zip(late, up, strict=True)):
        halves = spikes[clip].reshape(2, spoken.BANDS, -1)  # ups and downs
        spikes[clip] = moved(torch, moved(torch, halves, steps, 2), bands, 1).reshape(
            spoken.CHANNELS, -1
        )
    dropped = MOST_DROPPED * torch.rand(len(spikes), 1, 1)
    return spikes * (torch.rand_like(spikes) >= dropped)


def moved(torch: Any, values: Any, by: int, axis: int) -> Any:
    """Shift along an axis; zeros come in, what goes out is lost."""
    made = torch.roll(values, by, dims=axis)
    if by:
        made.narrow(axis, 0 if by > 0 else by, abs(by)).zero_()
    return made


def train(
    training: Training, clips: dict[str, spoken.Clips], checkpoint: Path, minutes: float
) -> bool:
    """Run epochs until all are done or the time is up; give whether all are.

    A checkpoint is written after every epoch.
    """
    from quick import quick

    start, longest = time.monotonic(), 0.0
    seen = len(clips["train"].labels)
    with quick(), bar() as progress:
        task = progress.add_task("clips", total=training.settings.epochs * seen)
        while training.epoch < training.settings.epochs:
            began = time.monotonic()
            if began + longest > start + 60 * minutes:
                return False
            progress.update(task, completed=training.epoch * seen)
            loss = right = 0.0
            for lost, good, size in training.learn_epoch(clips["train"]):
                loss, right = loss + lost, right + good
                progress.advance(task, size)
            training.save(checkpoint)
            line = (
                f"epoch {training.epoch}/{training.settings.epochs}  loss {loss / seen:.3f}  "
                f"training {right / seen:.1%}  "
                f"validation {training.accuracy(clips['validation']):.1%}"
            )
            longest = max(longest, time.monotonic() - began)
            print(f"{line}  {longest:.0f} s", flush=True)
    return True


def bar() -> Progress:
    """A bar on standard error, where that is a terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip


def watched(found: list[Clip]) -> Iterator[Clip]:
    """Show how many recordings are encoded."""
    with bar() as progress:
        yield from progress.track(found, description="encode")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path, help="of the free-spoken-digit-dataset")
    parser.add_argument("--out", type=Path, default=Path("run"), help="folder; made if missing")
    parser.add_argument("--epochs", type=int, default=Settings.epochs)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop before; go on later")
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--no-delays", action="store_true", help="for comparison")
    parser.add_argument("--hidden", type=int, default=spoken.HIDDEN, help="neurons of a layer")
    parser.add_argument("--small", action="store_true", help="16 of them: does it run?")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    given = parse(arguments)
    hidden = 16 if given.small else given.hidden
    settings = Settings(given.seed, given.epochs, hidden, not given.no_delays)
    try:
        given.out.mkdir(parents=True, exist_ok=True)
        training = Training(settings)
        training.torch.set_num_threads(THREADS)
        checkpoint = given.out / "checkpoint.pt"
        if checkpoint.is_file():
            training.resume(checkpoint)
            print(f"{checkpoint}: goes on after epoch {training.epoch}")
        clips = {
            split: spoken.load(given.recordings, split, given.out, watched)
            for split in ("train", "validation")
        }
        done = train(training, clips, checkpoint, given.minutes)
        if done:
            with written_whole(given.out / "trained.pt") as temporary:
                training.torch.save(training.module.state_dict(), temporary)
    except NeurodeployError as error:
        print(f"train: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nstopped; the same command goes on from {given.out}", file=sys.stderr)
        return 130
    print(f"{given.out / 'trained.pt'} written" if done else "time is up; the same command goes on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
