"""Sequential MNIST in integers, beside compartments that join in one step; see README.md.

``python -m examples.lsnn.evaluate [--cases FOLDER] [--images 1000]`` prints the figures and writes
``result.json``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import neurodeploy as nd
from examples.shared import Result, add_cases, case, energy_of, priced, progress, stated_errors
from neurodeploy.network import Network

from .joined import joined
from .network import STEPS, encode, images, network

FIRST = 200
"""Images of Intel's figure."""

BLOCK, PRICED = 200, 20


def read(net: Network, spikes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Voltages [images, digits] of the readout after the last step, a hop later than the input."""
    recording = nd.run(net, spikes, steps=STEPS + 1, record=("v",))
    return np.asarray(recording["digits"].v[:, STEPS], np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_cases(parser)
    parser.add_argument("--images", type=int, default=1000)
    given = parser.parse_args()
    folder = case(given, "systems", "lsnn_smnist")
    pixels, digits = images(case(given, "systems", "mnist"), given.images)
    net = network(folder)
    said: dict[str, list[NDArray[np.int64]]] = {"here": [], "joined": []}
    with progress() as bar:
        for start in bar.track(range(0, len(pixels), BLOCK), description="blocks of images"):
            spikes = encode(pixels[start : start + BLOCK])
            said["here"].append(read(net, spikes).argmax(1))
            said["joined"].append(joined(folder, spikes).argmax(1))
    figures: dict[str, float] = {}
    answers = {name: np.concatenate(parts) for name, parts in said.items()}
    for name, found in answers.items():
        for count in (FIRST, len(digits)):
            figures[f"{name}, first {count}"] = float((found == digits)[:count].mean())
    figures["same digit"] = float((answers["here"] == answers["joined"]).mean())
    for name, value in figures.items():
        print(f"{name}: {value:.1%}")
    costs = {chip: priced(net, encode(pixels[:PRICED]), chip) for chip in ("loihi1", "loihi2")}
    cores = {chip: nd.fit(net, chip).cores_used for chip in costs}
    for chip, cost in costs.items():
        print(f"{cores[chip]} cores of {chip}; {cost.headline}")
        figures[f"{chip}, dynamic µJ"] = cost.dynamic_joules * 1e6
        figures[f"{chip}, µJ in all"] = cost.energy_joules * 1e6
    place = Result(
        system="LSNN, sequential MNIST",
        reference="94.5 % of the first 200 (Intel, Loihi 1); silicon: 22 µJ dynamic of the cores, "
        "362.7 µJ in all with the host, 16.65 µs a step",
        floats="none: published in integers",
        integers=f"{figures[f'here, first {FIRST}']:.1%} of the first {FIRST}, "
        f"{figures[f'here, first {len(digits)}']:.1%} of {len(digits)}; with compartments that "
        f"join in one step (NumPy) {figures[f'joined, first {FIRST}']:.1%} and "
        f"{figures[f'joined, first {len(digits)}']:.1%}",
        lava="Lava has no such neuron",
        cores=f"{cores['loihi1']} (loihi1), {cores['loihi2']} (loihi2)",
        energy=energy_of(costs["loihi1"]),
        training="none here: published weights",
        data=f"MNIST, first {len(digits)} test images, pixel after pixel",
        command="python -m examples.lsnn.evaluate",
        figures=figures,
    ).write(Path(__file__).parent)
    print(f"{place} written")


if __name__ == "__main__":
    with stated_errors("lsnn"):
        main()
