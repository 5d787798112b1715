"""What the price of activity buys: synaptic operations against SI-SNR, as deployed.

``python examples/dpsnn/sparing.py dpsnn_small.pt RECORDINGS [-o sparing.png]`` goes on from a
trained network at several prices, rounds each to integers and runs it on held-out mixtures.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from data import Mixtures
from deploy import CALIBRATED, deploy
from evaluate import streamed
from frames import RATE, one_line_errors
from train import load, train

from neurodeploy.audio.enhancement import separator, si_snr

PRICES = (0.0, 1.0, 4.0, 16.0, 64.0)
CLIPS, SECONDS = 30, 2
RATE_OF_LEARNING = 1e-3


def measure(checkpoint: Path, recordings: Path) -> tuple[float, float, float]:
    """Mean SI-SNR in dB of the integers, M-SynOps/s of all synapses and of those behind spikes."""
    model, _ = load(checkpoint)
    heard = Mixtures(recordings, "train")
    network, codec = deploy(model, [heard.draw(n, RATE)[0] for n in range(CALIBRATED)])
    live, held_out, ratios, spent = (
        separator(network, codec),
        Mixtures(recordings, "validation"),
        [],
        [],
    )
    first = network.fan_out(network.out_of("input")[0]).ravel().mean()
    for number in range(CLIPS):
        noisy, clean = held_out.draw(10_000 + number, SECONDS * RATE)
        ratios.append(si_snr(streamed(live, noisy), clean))
        reading = live.meter.read()
        dense = reading.messages_per_step["input"] * first * RATE / codec.hop
        spent.append((reading.synops_per_second, reading.synops_per_second - dense))
    every, behind = np.mean(spent, axis=0) / 1e6
    return float(np.mean(ratios)), float(every), float(behind)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("sparing.png"))
    parser.add_argument("--steps", type=int, default=120, help="of further training at each price")
    given = parser.parse_args()
    torch.set_num_threads(1)
    parts = [Mixtures(given.recordings, part) for part in ("train", "validation")]
    rows = []
    for price in PRICES:
        model, _ = load(given.checkpoint)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "priced.pt"
            train(model, *parts, path, given.steps, price, rate=RATE_OF_LEARNING)
            rows.append((price, *measure(path, given.recordings)))
        print(
            "price {:5.1f}: SI-SNR {:.2f} dB, {:.2f} M-SynOps/s, behind spikes {:.2f}".format(
                *rows[-1]
            )
        )
    draw(np.array(rows), given.out)


def draw(rows: np.ndarray, path: Path) -> None:
    """SI-SNR over the operations behind spikes, one point for each price."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
    axes.plot(rows[:, 3], rows[:, 1], "o-")
    for price, ratio, _, spent in rows:
        axes.annotate(f"{price:g}", (spent, ratio), textcoords="offset points", xytext=(4, -11))
    axes.set_xlabel("synaptic operations behind spikes, millions a second")
    axes.set_ylabel("SI-SNR, dB")
    axes.set_title("Price of activity in training", fontsize=10)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    with one_line_errors():
        main()
