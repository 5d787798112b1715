"""A liquid state machine: a fixed random reservoir, and a readout that learns on the engine.

    python examples/learning/liquid.py

80 % of the reservoir's neurons excite and 20 % inhibit; nearer ones are connected more often
(Maass, Natschlaeger and Markram, Neural Computation 14, 2002). Reservoir and readout are one
network; the labels enter through lines of the input that lead into the third factor alone.
"""

import numpy as np
from common import (
    CLASSES,
    accuracy,
    choose,
    digits,
    encode,
    grid,
    learned,
    only,
    readout,
    say_choice,
)

from neurodeploy.network import CubaLIF, Network, Population, Projection, Source

PIXELS, SIDE = 64, (5, 5, 8)
RESERVOIRS = 3
GRID = grid(
    threshold=(200,), teach=(16, 40), cost=(24, 60), keep=(112,), gain=(-7, -6), impulse=(4,)
)


def reservoir(seed):
    """Weights into the reservoir and within it."""
    rng = np.random.default_rng(seed)
    place = np.argwhere(np.ones(SIDE))
    size = len(place)
    inhibits = rng.random(size) < 0.2
    far = np.linalg.norm(place[:, None] - place[None], axis=2)
    near = rng.random((size, size)) < 0.3 * np.exp(-((far / 2) ** 2))
    np.fill_diagonal(near, False)
    loops = np.where(near, np.where(inhibits[None, :], -60, 16), 0)
    feed = np.where(rng.random((size, PIXELS)) < 0.1, rng.integers(20, 60, (size, PIXELS)), 0)
    return feed, loops


def network(settings, seed, liquid):
    feed, loops = liquid
    size, sources = len(feed), PIXELS + CLASSES
    neuron, rule = readout(settings, seed)
    teach = settings["teach"] * np.eye(CLASSES, dtype=int)
    pixels, labels = np.arange(PIXELS), np.arange(PIXELS, sources)
    zeros = np.zeros((CLASSES, size), int)
    return Network(
        (
            Population("in", (sources,), Source()),
            Population("liquid", (size,), CubaLIF(1024, 256, 1000)),
            Population("out", (CLASSES,), neuron),
        ),
        (
            Projection("in", "liquid", only(pixels, feed, sources)),
            Projection("liquid", "liquid", only(np.arange(size), loops, size)),
            Projection("liquid", "out", only(np.arange(size), zeros, size), rule=rule),
            Projection("in", "out", only(labels, teach, sources), into="third-factor"),
        ),
    )


def main():
    parts = {name: (encode(x), y) for name, (x, y) in digits().items()}
    after = []
    for number in range(RESERVOIRS):
        liquid = reservoir(number)
        chosen, found = choose(
            lambda one, seed, held=liquid: network(one, seed, held),
            parts["train"], parts["validation"], GRID,
        )  # fmt: skip
        say_choice(chosen, found)
        order = np.random.default_rng(number).permutation(len(parts["train"][1]))
        after.append(
            accuracy(
                learned(network(chosen, number + 1, liquid), *parts["train"], order),
                *parts["test"],
            )
        )
        print(f"reservoir {number}: {100 * after[-1]:.1f} % of the test part after one pass")
    print(f"mean of {RESERVOIRS} reservoirs: {100 * np.mean(after):.1f} %")


if __name__ == "__main__":
    main()
