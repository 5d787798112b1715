"""The two published networks that read these letters on Loihi 1, in slayerPytorch's NetX.

``python -m examples.braille27.published [--cases FOLDER]``

Their events are not public, so they run on made ones: accuracy cannot be claimed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import neurodeploy as nd
from examples.shared import add_cases, beside_lava, case, stated_errors
from neurodeploy.network import Network

NAMES = ("netLoihi_rec_th1.net", "netLoihi_rec_th2.net")
CHANNELS, STEPS = 48, 270
NEURONS_PER_CORE = 10
"""Of the recurrent and the input layer in the authors' partition, chosen for speed."""


def made_events(net: Network, samples: int = 4, seed: int = 0) -> NDArray[np.uint8]:
    """Poisson events of 48 channels, [samples, 270, *input shape].

    A network with more inputs is given each channel as often, as the authors' copies.
    """
    rng = np.random.default_rng(seed)
    drawn = (rng.random((samples, STEPS, CHANNELS)) < 0.03).astype(np.uint8)
    copies = net.input.size // CHANNELS
    return np.tile(drawn, copies).reshape(samples, STEPS, *net.input.shape)


def seen(path: Path, on_lava: bool = True) -> dict[str, object]:
    """Load one, run it, place it."""
    net = nd.load(path)
    events = made_events(net)
    recording = nd.run(net, events)
    counts = {n: float(recording[n].counts.sum() / len(events)) for n in recording.names}
    decays = net.populations[1].neuron
    return {
        "inputs": net.input.size,
        "decays and threshold": [decays.current_decay, decays.voltage_decay, decays.threshold],
        "messages": counts,
        "cores of loihi1": nd.fit(net, "loihi1").cores_used,
        "equal to Lava": beside_lava(net, events[:1]) if on_lava else "not tried",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_cases(parser)
    given = parser.parse_args()
    folder = case(given, "systems", "braille_loihi1")
    for name in NAMES:
        print(f"{name}: {seen(folder / name)}")


if __name__ == "__main__":
    with stated_errors("braille27"):
        main()
