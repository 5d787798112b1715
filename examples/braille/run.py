"""Two trained Braille readers from NIR to the chip's integers; see README.md beside this file.

``python examples/braille/run.py FOLDER [--lava SAMPLES]``: FOLDER holds the two graphs and
``val_0.npz`` (or the environment variable NEURODEPLOY_BRAILLE names it).
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

import neurodeploy as nd

HARD, SOFT = "braille_noDelay_bias_zero.nir", "braille_noDelay_noBias_subtract.nir"


def accuracy(net: nd.Network, inputs: np.ndarray, labels: np.ndarray, backend: str) -> float:
    """Share of samples whose most active output neuron is their letter.

    The chip takes a step for each hop, so its run is longer by as many.
    """
    steps = inputs.shape[1] + net.hops(net.output.name)
    return nd.run(net, inputs, backend=backend, steps=steps, axes="BTN").accuracy(labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "folder", type=Path, nargs="?", default=os.environ.get("NEURODEPLOY_BRAILLE")
    )
    parser.add_argument("--lava", type=int, default=0, metavar="SAMPLES", help="run on Lava too")
    given = parser.parse_args()
    if given.folder is None:
        parser.error("give the folder of the graphs and val_0.npz")
    folder = Path(given.folder)
    with np.load(folder / "val_0.npz") as data:
        inputs, labels = data["spikes"], data["labels"]

    for name, options, what in (
        (HARD, {}, "hard reset, in the step of the spike"),
        (HARD, {"preset": "snntorch", "reset": "hard"}, "hard reset, snnTorch's late one"),
        (HARD, {"preset": "norse"}, "as Norse's import runs it"),
        (SOFT, {"preset": "snntorch", "reset": "soft"}, "soft reset, as trained in snnTorch"),
        (SOFT, {"reset": "soft"}, "soft reset, in the step of the spike"),
        (SOFT, {}, "soft reset taken for a hard one"),
    ):
        net = nd.load(folder / name, **options)
        print(f"float32 {what:40s} {accuracy(net, inputs, labels, 'float'):.1%}")
    for name, options in ((HARD, {}), (SOFT, {"reset": "soft"})):
        net = nd.load(folder / name, **options)
        for scale in ("free", "power-of-two"):
            fixed = nd.quantize(net, nd.QuantConfig(bits=8, scale=scale))
            found = accuracy(fixed, inputs, labels, "engine")
            print(f"8 bits, uncalibrated, {scale:12s} {name:40s} {found:.1%}")
    if given.lava:
        fixed = nd.quantize(nd.load(folder / HARD))
        some, record = inputs[: given.lava], ("spikes", "u", "v")
        ours, lava = (nd.run(fixed, some, backend=b, record=record) for b in ("engine", "lava"))
        print(nd.compare(ours, lava).summary())


if __name__ == "__main__":
    main()
