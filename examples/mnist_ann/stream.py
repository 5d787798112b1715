"""A plain torch net that follows a moving digit, as a sigma-delta network; see README.md.

``python -m examples.mnist_ann.stream MNIST``: trains for about two minutes, chooses thresholds on
a stream without labels, and counts what another stream costs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn

import neurodeploy as nd
from neurodeploy.ann import choose_thresholds, run_floats

from .run import mnist

CANVAS = 40
TRAINED, CHOSEN = 8000, 9000
"""Digits up to the first are trained on, up to the second thresholds are chosen on."""

STEPS = 400
BATCHES = 1500


def stream(digits: np.ndarray, steps: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A digit glides over a dark canvas and is another one every 50 steps.

    Returns frames [steps, 1, CANVAS, CANVAS] in 0..1 and where its centre is, -1..1.
    """
    random = np.random.default_rng(seed)
    room = CANVAS - 28
    phase, speed = random.random(2) * 2 * np.pi, 0.03 + 0.03 * random.random(2)
    frames, places = np.zeros((steps, 1, CANVAS, CANVAS), np.float32), np.zeros((steps, 2))
    for step in range(steps):
        if step % 50 == 0:
            digit = digits[random.integers(len(digits))]
        y, x = np.rint((np.sin(phase + speed * step) + 1) / 2 * room).astype(int)
        frames[step, 0, y : y + 28, x : x + 28] = digit[0]
        places[step] = np.array([y, x]) / room * 2 - 1
    return frames, places


def batch(digits: np.ndarray, random: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Digits at random places."""
    frames = np.zeros((64, 1, CANVAS, CANVAS), np.float32)
    at = random.integers(0, CANVAS - 28 + 1, (64, 2))
    for frame, digit, (y, x) in zip(frames, random.integers(len(digits), size=64), at, strict=True):
        frame[0, y : y + 28, x : x + 28] = digits[digit][0]
    return torch.tensor(frames), torch.tensor(at / (CANVAS - 28) * 2 - 1, dtype=torch.float32)


def trained(digits: np.ndarray) -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(),
        nn.Conv2d(16, 16, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 9, 32), nn.ReLU(),
        nn.Linear(32, 2),
    )  # fmt: skip
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, BATCHES)
    random = np.random.default_rng(0)
    for _ in range(BATCHES):
        frames, places = batch(digits, random)
        loss = ((net(frames) - places) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return net.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mnist", type=Path)
    parser.add_argument("--plot", type=Path, help="error against SynOps against energy")
    given = parser.parse_args()
    torch.set_num_threads(1)
    digits, _ = mnist(given.mnist)
    net = trained(digits[:TRAINED])
    unlabelled, _ = stream(digits[TRAINED:CHOSEN], STEPS // 2, 1)
    frames, places = stream(digits[CHOSEN:], STEPS, 2)
    pixels = (CANVAS - 28) / 2  # one unit of a place

    def error(found: np.ndarray) -> float:
        return float(np.sqrt(((found - places) ** 2).mean())) * pixels

    print("| form | RMSE, pixels | messages a frame | SynOps a frame | of dense | dynamic nJ |")
    print("|---|---|---|---|---|---|")
    print(f"| float | {error(run_floats(net, frames)):.3f} | | | | |")
    rows = [("graded", {}, None)]
    for tolerance in (0.04, 0.1, 0.2):
        found = choose_thresholds(net, unlabelled, tolerance)
        rows.append((f"sigma-delta, tolerance {tolerance:.0%}", found.chosen.thresholds, found))
    for name, thresholds, found in rows:
        form = "graded" if found is None else "sigma-delta"
        fixed = nd.convert_ann(net, unlabelled, to=form, thresholds=thresholds, measure=False)
        output, first = fixed.output.name, fixed.hops(fixed.output.name)
        rec = nd.run(fixed, frames[None], drain=True, record=("counts", "v"))
        values = rec[output].v[0, first:] / fixed.metadata[f"ann/scale/{output}"]
        cost = nd.profile(rec, chip="loihi2")
        dense = sum(int(fixed.fan_out(p, dense=True).sum()) for p in fixed.projections)
        print(
            f"| {name} | {error(values):.3f} | {cost.messages / STEPS:,.0f} "
            f"| {cost.synops / STEPS:,.0f} | {cost.synops / STEPS / dense:.1%} "
            f"| {cost.dynamic_joules / STEPS * 1e9:,.0f} |",
            flush=True,
        )
    if given.plot is not None:
        found.plot().figure.savefig(given.plot)


if __name__ == "__main__":
    main()
