"""The trained L2MU on windows of subjects that it has not seen; see README.md.

``python -m examples.wisdm.evaluate --out run-wisdm`` takes all seeds that are trained there, prints
their figures beside the baselines, and writes ``result.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

import neurodeploy as nd
from examples.braille27.evaluate import accuracy, mean_of, seeds
from examples.shared import (
    Result,
    add_cases,
    beside_lava,
    case,
    energy_of,
    priced,
    progress,
    stated_errors,
)

from . import data
from .deploy import CALIBRATED, deploy, network_of, some
from .train import parts_of

ON_LAVA, PRICED = 10, 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_cases(parser)
    parser.add_argument("--out", type=Path, default=Path("run-wisdm"), help="folder of train.py")
    given = parser.parse_args()
    torch.set_num_threads(1)
    windows = data.load(case(given, "systems", "wisdm_watch_accel", "watch_accel_6.npz"))
    parts, index = parts_of(windows), windows.split()
    test = tuple(part.numpy() for part in parts["test"])
    spikes, labels = test[0].astype(np.uint8), test[1]
    edges = data.edges_of(windows.values[index["train"]])
    base = data.baselines(windows, data.encode(windows.values, edges), index)
    for name, value in base.items():
        print(f"{name}: {value:.1%}")
    found: list[dict[str, Any]] = []
    folders = seeds(given.out)
    with progress() as bar:
        for folder in bar.track(folders, description="seeds"):
            net = network_of(folder / "trained.pt")
            one = json.loads((folder / "training.json").read_text(encoding="utf-8"))
            fixed = nd.quantize(net, nd.QuantConfig(8), some(parts["train"], CALIBRATED)[0])
            one["8 bits"] = accuracy(fixed, spikes, labels)
            ready = deploy(net, parts, verified=folder == folders[0])
            one["deployed"] = accuracy(ready.network, spikes, labels)
            if folder == folders[0]:
                first = ready
            found.append(one)
            shown = {k: f"{v:.1%}" for k, v in one.items() if k != "cpu_seconds"}
            print(f"seed {folder.name}: {shown}, {one['cpu_seconds']:.0f} s of CPU", flush=True)
    print("\n".join(first.lines()))
    equal = beside_lava(first.network, some(parts["test"], ON_LAVA)[0])
    cost = priced(first.network, some(parts["test"], PRICED)[0])
    cores = nd.fit(first.network, "loihi2").cores_used
    print(f"equal to Lava: {equal}; {cores} cores; {cost.headline}")
    place = Result(
        system="L2MU, activities from a watch (WISDM, six of them)",
        reference=f"none on these six by subject; here most frequent {base['most frequent']:.1%}, "
        f"logistic regression {base['levels']:.1%} on levels, "
        f"{base['mean, spread, step']:.1%} on mean, spread and step",
        floats=f"{mean_of(found, 'test'):.1%}, mean of {len(found)} seeds",
        integers=f"{mean_of(found, '8 bits'):.1%} in 8 bits, "
        f"{mean_of(found, 'deployed'):.1%} deployed",
        lava=equal,
        cores=str(cores),
        energy=f"{energy_of(cost)}, for 2 s",
        training=f"{mean_of(found, 'cpu_seconds') / 60:.1f} min of CPU a seed",
        data=f"WISDM's watch accelerometer: {len(labels):,} windows of "
        f"{data.TEST_SUBJECTS} subjects who are in no other part",
        command="python -m examples.wisdm.evaluate --out run-wisdm",
        figures={"baselines": base, "seeds": found},
    ).write(Path(__file__).parent)
    print(f"{place} written")


if __name__ == "__main__":
    with stated_errors("wisdm"):
        main()
