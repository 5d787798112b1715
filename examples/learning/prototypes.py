"""A memory of prototypes: digits are taught class after class, each sample seen once.

    python -m examples.learning.prototypes

The hidden layer is trained on the digits 0 to 4 alone (scikit-learn's MLP, run as LIF neurons on
the engine). All ten classes are then taught on the engine by `imprint` (CLP-SNN,
arXiv:2511.01553): a pattern that no prototype of its class answers first becomes a prototype
itself. It is a nearest-prototype memory, so how many it takes is printed. The similarity from
which a prototype answers is picked on validation data.
"""

from dataclasses import replace

import numpy as np

import neurodeploy as nd
from neurodeploy.network import (
    CubaLIF,
    Dense,
    ModulatedLIF,
    Network,
    Population,
    Projection,
    Source,
    Sparse,
)
from neurodeploy.network.learning import imprint

from .common import CLASSES, digits

HIDDEN, STEPS = 96, 48
ROOM = 700  # prototypes
LENGTH = 300  # of a pattern as payloads; a similarity of 1 is its square, within 17 bits
KEPT = 0.985  # of a payload in a weight, see `imprint`, with what rounding costs
ANSWER = 20  # steps in which a prototype may answer
SIMILARITIES = (0.9, 0.95)
NETS = 3
TWO = ("train", "test")


def features(seed, images):
    """Rates of a hidden layer that has seen the digits 0 to 4, of LIF neurons on the engine."""
    from sklearn.neural_network import MLPClassifier

    x, y = digits()["train"]
    old = y < 5
    mlp = MLPClassifier((HIDDEN,), random_state=seed, max_iter=400, alpha=1e-3)
    mlp.fit(x[old] / 16, y[old])
    scale = 100 / np.abs(mlp.coefs_[0]).max()
    weight = np.rint(mlp.coefs_[0].T * scale).astype(int)
    bias = np.rint(mlp.intercepts_[0] * scale * 16).astype(int)
    threshold = int(16 * scale * 3)
    hidden = CubaLIF(4096, 0, threshold, np.clip(bias, -4095, 4095))
    network = Network(
        (Population("in", (64,), Source()), Population("hidden", (HIDDEN,), hidden)),
        (Projection("in", "hidden", Dense(weight)),),
    )
    held = np.broadcast_to(images[:, None, :], (len(images), STEPS, 64))
    return nd.run(network, np.ascontiguousarray(held)).arrays["populations/hidden/counts"][:]


def patterns(counts):
    """Whole numbers of one length each."""
    length = np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)
    return np.clip(np.rint(LENGTH * counts / length), 0, 254).astype(np.int32)


class Memory:
    """Prototypes as neurons; the first to answer decides, of several the most frequent class."""

    def __init__(self, size, similarity, seed):
        self.size, self.labels = size, []
        sources = size + ROOM  # behind the pattern a line that teaches each neuron
        least = round(similarity * KEPT * LENGTH**2)
        # v rises by what the similarity is above the least, and must gather 1 - similarity once.
        neuron = ModulatedLIF(4096, 0, LENGTH**2 - least)
        lines = np.arange(size, sources)
        self.network = Network(
            (Population("in", (sources + 1,), Source()), Population("memory", (ROOM,), neuron)),
            (
                Projection("in", "memory", _matrix(size, sources + 1), rule=imprint(seed=seed)),
                Projection("in", "memory", _line(lines, 127, sources + 1), into="third-factor"),
                Projection("in", "memory", _line(lines, 2 * LENGTH**2 - least, sources + 1)),
                Projection("in", "memory", _line(np.full(ROOM, sources), -least, sources + 1)),
            ),
        )
        self.still = self._fixed()

    def _fixed(self):
        return replace(
            self.network,
            projections=tuple(replace(p, rule=None) for p in self.network.projections),
        )

    def presented(self, x, teach=None):
        """Patterns for as long as an answer may take; or once, with the line of one neuron."""
        x = np.atleast_2d(x)
        steps = ANSWER if teach is None else 1
        given = np.zeros((len(x), steps + 1, self.size + ROOM + 1), np.int32)
        given[:, :steps, : self.size] = x[:, None]
        given[:, :steps, -1] = 1
        if teach is not None:
            given[:, 0, self.size + teach] = 1
        return given

    def answers(self, x, at_once=False):
        """Class of each pattern; where no prototype answers, that of the highest v, or -1."""
        run = nd.run(self.still, self.presented(x), record=("spikes", "v"))["memory"]
        spikes, taken = run.spikes != 0, len(self.labels)
        labels = np.array([*self.labels, *[-1] * (ROOM - len(self.labels))])
        found = []
        for sample, v in zip(spikes, run.v[:, -1], strict=True):
            when = np.where(sample.any(axis=0), sample.argmax(axis=0), ANSWER + 1)
            first = labels[when == when.min()] if when.min() <= ANSWER else np.array([])
            first = first[first >= 0].astype(int)
            silent = -1 if at_once or not taken else self.labels[int(v[:taken].argmax())]
            found.append(int(np.bincount(first).argmax()) if len(first) else silent)
        return np.array(found)

    def teach(self, x, label):
        """Let the next free neuron take a pattern, unless its class is answered already."""
        if self.answers(x, at_once=True)[0] == label or len(self.labels) == ROOM:
            return
        given = self.presented(x, teach=len(self.labels))
        self.network = nd.run(self.network, given).learned()
        self.still = self._fixed()
        self.labels.append(int(label))


def _matrix(columns, sources):
    """Synapses of weight 0 from the first sources to all neurons."""
    index = np.tile(np.arange(columns), ROOM)
    indptr = np.arange(ROOM + 1) * columns
    return Sparse(indptr, index, np.zeros(len(index), int), sources)


def _line(source, weight, sources):
    """One synapse into each neuron."""
    return Sparse(np.arange(ROOM + 1), source, np.full(ROOM, weight), sources)


def taught(x, y, similarity, seed):
    """A memory that has seen each sample once, class after class."""
    rng = np.random.default_rng(seed)
    order = np.concatenate(
        [rng.permutation(np.flatnonzero(y == c)) for c in rng.permutation(CLASSES)]
    )
    memory = Memory(x.shape[1], similarity, seed + 1)
    for k in order:
        memory.teach(x[k], y[k])
    return memory


def nearest(x, y):
    """Accuracy on the test part of the most similar of all training samples."""
    held, asked = (x[part] / np.linalg.norm(x[part], axis=1, keepdims=True) for part in TWO)
    return np.mean(y["train"][(asked @ held.T).argmax(axis=1)] == y["test"])


def main():
    parts = digits()
    y = {name: labels for name, (_, labels) in parts.items()}
    pixels = {name: images for name, (images, _) in parts.items()}
    print(
        f"most similar of all 1,150 pixel images: {100 * nearest(pixels, y):.1f} % of the test part"
    )
    after, similarity = [], None
    for net in range(NETS):
        x = {name: patterns(features(net, images)) for name, (images, _) in parts.items()}
        print(f"net {net}, most similar of all 1,150 samples: {100 * nearest(x, y):.1f} %")
        found = {}
        for one in SIMILARITIES if similarity is None else (similarity,):
            memory = taught(x["train"], y["train"], one, net)
            right = np.mean(memory.answers(x["validation"]) == y["validation"])
            found[one] = right, memory
            print(
                f"net {net}, similarity {one}: {100 * right:.1f} % of validation, "
                f"{len(memory.labels)} prototypes",
                flush=True,
            )
        similarity = max(found, key=lambda one: found[one][0])  # the first net's choice stays
        memory = found[similarity][1]
        answers = memory.answers(x["test"])
        after.append(np.mean(answers == y["test"]))
        unseen = y["test"] >= 5
        print(
            f"net {net}: {100 * after[-1]:.1f} % of the test part at {similarity} "
            f"({100 * np.mean(answers[unseen] == y['test'][unseen]):.1f} % of the digits 5 to 9, "
            f"which the hidden layer has not seen), {len(memory.labels)} prototypes",
            flush=True,
        )
    print(f"mean of {NETS} nets: {100 * np.mean(after):.1f} %")


if __name__ == "__main__":
    main()
