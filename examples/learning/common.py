"""What the examples share: digits, their parts, readouts that learn, how settings are chosen."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

import neurodeploy as nd
from neurodeploy.network import ModulatedLIF, Network, Population, Projection, Source, Sparse
from neurodeploy.network.learning import delta_rule

CLASSES = 10


def digits(seed=0):
    """Scikit-learn's digits: images 0..16, labels; the last fifth is the test part."""
    from sklearn.datasets import load_digits

    data = load_digits()
    x, y = data.data.astype(np.int32), data.target
    test = np.arange(len(y)) >= 1437
    order = np.random.default_rng(seed).permutation(1437)
    parts = {"train": order[287:], "validation": order[:287], "test": np.flatnonzero(test)}
    return {name: (x[index], y[index]) for name, index in parts.items()}


def only(columns, weight, sources):
    """Synapses from some of the sources alone, weights of 0 too: [targets, columns]."""
    targets = len(weight)
    indptr = np.arange(targets + 1) * len(columns)
    index = np.tile(np.asarray(columns), targets)
    return Sparse(indptr, index, np.ravel(weight), sources)


def readout(settings, seed=1):
    """Neurons of a readout that learns by the delta rule, and the rule."""
    neuron = ModulatedLIF(
        current_decay=2048, voltage_decay=512, threshold=settings["threshold"],
        signal_keep=settings["keep"], message_cost=settings["cost"],
    )  # fmt: skip
    rule = delta_rule(gain=settings["gain"], impulse=settings["impulse"], tau=8, epoch=2, seed=seed)
    return neuron, rule


def with_labels(spikes, labels):
    """Spikes [samples, steps, n] with a line for each class beside them, on in every step."""
    lines = np.zeros((*spikes.shape[:2], CLASSES), np.int32)
    lines[np.arange(len(labels)), :, labels] = 1
    return np.concatenate([spikes, lines], axis=2)


def without_labels(spikes):
    """The same with lines that are silent."""
    silent = np.zeros((*spikes.shape[:2], CLASSES), np.int32)
    return np.concatenate([spikes, silent], axis=2)


def encode(images, steps=24, seed=0):
    """Spikes of grey levels 0..16: a level g fires with probability g / 32 in each step."""
    drawn = np.random.default_rng(seed).random((len(images), steps, images.shape[1]))
    return (drawn < images[:, None, :] / 32).astype(np.int32)


def readout_network(size, settings, seed=1, weight=None):
    """Sources, of which the last ten are the labels, and a readout from zero weights."""
    neuron, rule = readout(settings, seed)
    sources = size + CLASSES
    weight = np.zeros((CLASSES, size), int) if weight is None else weight
    teach = settings["teach"] * np.eye(CLASSES, dtype=int)
    return Network(
        (Population("in", (sources,), Source()), Population("out", (CLASSES,), neuron)),
        (
            Projection("in", "out", only(np.arange(size), weight, sources), rule=rule),
            Projection(
                "in", "out", only(np.arange(size, sources), teach, sources), into="third-factor"
            ),
        ),
    )


def fixed(network):
    """The same network with weights that stay."""
    return replace(network, projections=tuple(replace(p, rule=None) for p in network.projections))


def accuracy(network, spikes, labels):
    """Of decisions by the most spikes, without labels on the lines."""
    recording = nd.run(fixed(network), without_labels(spikes), record=("counts", "v"))
    return recording.accuracy(labels)


def learned(network, spikes, labels, order):
    """The network after it has seen samples in this order, one after the other."""
    recording = nd.run(
        network, with_labels(spikes[order], labels[order]), learn_across_samples=True
    )
    return recording.learned()


def grid(**choices):
    """All settings of a grid, in a fixed order."""
    return [
        dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())
    ]


READOUT_GRID = grid(
    threshold=(200,), teach=(16, 40), cost=(24, 60), keep=(64, 112), gain=(-6, -5), impulse=(4, 16)
)
"""Validation data alone choose among these."""


def choose(made, train, validation, settings=READOUT_GRID, seed=0):
    """The setting that is best on validation data after one pass, and all their accuracies.

    ``made(setting, seed)`` gives the network that begins.
    """
    order = np.random.default_rng(seed).permutation(len(train[1]))
    found = [accuracy(learned(made(one, seed + 1), *train, order), *validation) for one in settings]
    return settings[int(np.argmax(found))], np.array(found)


def say_choice(chosen, found):
    """Print what validation data picked, and how the rest of the grid did."""
    words = ", ".join(f"{name} {value}" for name, value in chosen.items())
    print(f"validation picks {words}: {100 * found.max():.1f} %")
    print(
        f"grid of {len(found)} settings: median {100 * np.median(found):.1f} %, "
        f"{np.count_nonzero(found < 0.9)} below 90 %"
    )
