"""A liquid state machine: a fixed random reservoir, and a readout that learns on the engine.

    python -m examples.learning.liquid

80 % of the reservoir's neurons excite and 20 % inhibit; nearer ones are connected more often
(Maass, Natschlaeger and Markram, Neural Computation 14, 2002). Reservoir and readout are one
network; the labels enter through lines of the input that lead into the third factor alone.
"""

import argparse
from pathlib import Path

import numpy as np

import neurodeploy as nd
from examples.shared import Result, energy_of, priced, stated_errors
from neurodeploy.network import CubaLIF, Network, Population, Projection, Source

from .common import (
    CLASSES,
    accuracy,
    choose,
    digits,
    encode,
    fixed,
    grid,
    learned,
    only,
    readout,
    say_choice,
    without_labels,
)

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


def by_logistic_regression(parts, liquid):
    """Test accuracy of a readout that is fitted on the host: on inputs, and on the reservoir."""
    from sklearn.linear_model import LogisticRegression

    settings = {"threshold": 200, "keep": 112, "cost": 24, "gain": -6, "impulse": 4, "teach": 16}
    net = fixed(network(settings, 1, liquid))
    found = {}
    for name in ("in", "liquid"):
        counts = {
            part: nd.run(net, without_labels(x))[name].counts for part, (x, _) in parts.items()
        }
        model = LogisticRegression(max_iter=5000)
        model.fit(counts["train"], parts["train"][1])
        found[name] = float(model.score(counts["test"], parts["test"][1]))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--result", action="store_true", help="deploy it, and write result.json")
    given = parser.parse_args()
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
        taught = learned(network(chosen, number + 1, liquid), *parts["train"], order)
        after.append(accuracy(taught, *parts["test"]))
        print(f"reservoir {number}: {100 * after[-1]:.1f} % of the test part after one pass")
    print(f"mean of {RESERVOIRS} reservoirs: {100 * np.mean(after):.1f} %")
    host = by_logistic_regression(parts, liquid)
    for name, value in host.items():
        print(f"logistic regression on the host, on spike counts of {name!r}: {100 * value:.1f} %")
    if given.result:
        write_result(fixed(taught), without_labels(parts["test"][0]), after, host)


def write_result(net, spikes, after, host):
    """The row of this example: of the last reservoir, with weights that stay."""
    ready = nd.deploy(net, "lava", inputs=spikes[:2])
    print("\n".join(ready.lines()))
    words = [f"{100 * value:.1f} %" for value in (np.mean(after), host["liquid"], host["in"])]
    Result(
        system="Liquid state machine, 8 x 8 digits",
        reference=f"readout fitted on the host: {words[1]} on the reservoir, {words[2]} on inputs",
        floats="none: learns in integers",
        integers=f"{words[0]}, mean of {len(after)} reservoirs, after one pass",
        lava="yes, 1 sample, weights that stay" if ready.runs else "no",
        cores=str(nd.fit(net, "loihi2").cores_used),
        energy=energy_of(priced(net, spikes[:50])),
        training="one pass on the engine, no back-propagation; the reservoir is frozen",
        data="scikit-learn's digits: 1150 to learn, 287 to choose, 360 to test",
        command="python -m examples.learning.liquid --result",
        figures={"reservoirs": after, "on the host": host},
    ).write(Path(__file__).parent)


if __name__ == "__main__":
    with stated_errors("liquid"):
        main()
