"""The trained letter readers in floats, in integers, on Lava; see README.md.

``python -m examples.braille27.evaluate --out run`` takes all seeds that are trained there, prints
their figures beside two baselines, and writes ``result.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import neurodeploy as nd
from examples.shared import (
    InputError,
    Result,
    add_cases,
    beside_lava,
    case,
    energy_of,
    priced,
    progress,
    stated_errors,
)
from neurodeploy.network import Network

from . import data, published
from .deploy import calibration, deploy, reader_of

BITS = (8, 6, 4, 3)
ON_LAVA = 20
SILICON = (
    "silicon, Loihi 1, another network (48-450-28, 270 steps): 132.4 µJ dynamic, 6.64 µs a step, "
    "59.35 % of the letters"
)


def accuracy(net: Network, spikes: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    """Share of samples whose letter's neuron spikes most often; a step more for each hop."""
    backend = "float" if net.is_float else "engine"
    steps = spikes.shape[1] + net.hops(net.output.name)
    return nd.run(net, spikes, backend=backend, steps=steps).accuracy(labels)


def seeds(out: Path) -> list[Path]:
    """Folders of the seeds that are trained."""
    found = sorted(p.parent for p in out.glob("*/trained.pt"))
    if not found:
        raise InputError(f"{out}: no seed is trained there; run examples.braille27.train first")
    return found


def mean_of(found: list[dict[str, Any]], name: str) -> float:
    return float(np.mean([one[name] for one in found]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_cases(parser)
    parser.add_argument("--out", type=Path, default=Path("run"), help="folder of train.py")
    given = parser.parse_args()
    folders = seeds(given.out)
    pressure, labels = data.load(case(given, "braille27", "taxels.npz"))
    spikes, parts = data.encode(pressure), data.split(labels)
    test = (spikes[parts["test"]], labels[parts["test"]])
    base = data.baselines(spikes, labels, parts)
    for name, value in base.items():
        print(f"logistic regression on {name}: {value:.1%}")
    found: list[dict[str, Any]] = []
    with progress() as bar:
        for folder in bar.track(folders, description="seeds"):
            net = reader_of(folder / "trained.pt").network()
            one = json.loads((folder / "training.json").read_text(encoding="utf-8"))
            one["floats"] = accuracy(net, *test)
            for bits in BITS:
                fixed = nd.quantize(net, nd.QuantConfig(bits), spikes[calibration(labels)])
                one[f"{bits} bits"] = accuracy(fixed, *test)
            ready = deploy(net, spikes, labels, verified=folder == folders[0])
            one["deployed"] = accuracy(ready.network, *test)
            if folder == folders[0]:
                first = ready
            found.append(one)
            shown = {k: f"{v:.1%}" for k, v in one.items() if k != "cpu_seconds"}
            print(f"seed {folder.name}: {shown}, {one['cpu_seconds']:.0f} s of CPU", flush=True)
    print("\n".join(first.lines()))
    equal = beside_lava(first.network, test[0][:ON_LAVA])
    cost = priced(first.network, test[0])
    cores = nd.fit(first.network, "loihi2").cores_used
    print(f"equal to Lava: {equal}; {cores} cores; {cost.headline}\n{SILICON}")
    theirs = {
        name: published.seen(case(given, "systems", "braille_loihi1", name))
        for name in published.NAMES
    }
    for name, what in theirs.items():
        print(f"{name}: {what}")
    floats, whole = mean_of(found, "floats"), mean_of(found, "8 bits")
    place = Result(
        system="Braille, 27 letters",
        reference="81.8 % (authors' recurrent network, as L2MU-Braille's README has it); here "
        f"logistic regression {base['counts']:.1%} on counts, "
        f"{base['counts in 100 ms']:.1%} on counts in 100 ms",
        floats=f"{floats:.1%}, mean of {len(found)} seeds",
        integers=f"{whole:.1%} in 8 bits, {mean_of(found, 'deployed'):.1%} deployed",
        lava=equal,
        cores=str(cores),
        energy=f"{energy_of(cost)}; {SILICON}",
        training=f"{mean_of(found, 'cpu_seconds') / 60:.1f} min of CPU a seed",
        data="1350 fingertip recordings of 27 letters (CC BY 4.0), fixed split 945 / 135 / 270",
        command="python -m examples.braille27.evaluate --out run",
        figures={"baselines": base, "seeds": found, "published networks": theirs},
    ).write(Path(__file__).parent)
    print(f"{place} written")


if __name__ == "__main__":
    with stated_errors("braille27"):
        main()
