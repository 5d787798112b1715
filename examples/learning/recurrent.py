"""e-prop on a small recurrent net, in integers on the engine, beside its twin in floats.

    python -m examples.learning.recurrent

Three classes of spike patterns with jitter and noise. All three matrices learn at once: inputs and
recurrence by `eprop`, the readout by `delta_rule`. The error reaches the hidden neurons through
fixed random weights: labels and the readout's spikes lead into their third factor. The twin has
the same equations in float64, without widths or limits, once with nothing rounded and once with
the products of rules rounded down, which is what the engine's shifts do. The gain of each is
picked on validation data of the first seed.
"""

from dataclasses import replace

import numpy as np

import neurodeploy as nd
from neurodeploy.network import (
    Dense,
    ModulatedLIF,
    Network,
    Population,
    Projection,
    Source,
    Sparse,
)
from neurodeploy.network.learning import delta_rule, eprop

INPUTS, HIDDEN, CLASSES, STEPS = 24, 32, 3, 40
TRAIN, REST, PASSES, SEEDS = 150, 90, 3, (10, 11, 12)
TEACH, COST, KEEP = 16, 48, 96
THRESHOLD, WIDTH, HEIGHT = 300, 9, 30
TAU, IMPULSE = 8, 16
GAINS = (-6, -5, -4)


def data(seed):
    """Spikes [samples, steps, inputs] and labels: training, validation and test part."""
    rng = np.random.default_rng(seed)
    base = rng.integers(0, STEPS, (CLASSES, INPUTS, 2))
    found = []
    for count in (TRAIN, REST, REST):
        labels = rng.integers(0, CLASSES, count)
        when = base[labels] + rng.integers(-3, 4, (count, INPUTS, 2))
        spikes = rng.random((count, STEPS, INPUTS)) < 0.02
        sample, neuron, _ = np.indices(when.shape)
        inside = (when >= 0) & (when < STEPS)
        spikes[sample[inside], when[inside], neuron[inside]] = True
        found.append((spikes.astype(np.int32), labels))
    return found


def weights(seed):
    rng = np.random.default_rng(seed + 100)
    loop = rng.integers(-30, 31, (HIDDEN, HIDDEN))
    np.fill_diagonal(loop, 0)
    return (
        rng.integers(-40, 81, (HIDDEN, INPUTS)),
        loop,
        np.zeros((CLASSES, HIDDEN), int),
        rng.choice([-1, 1], (HIDDEN, CLASSES)),
    )


def _some(columns, weight, sources):
    indptr = np.arange(len(weight) + 1) * len(columns)
    return Sparse(indptr, np.tile(columns, len(weight)), np.ravel(weight), sources)


def network(seed, gain, hidden_learns=True):
    feed, loop, out, back = weights(seed)
    sources = INPUTS + CLASSES
    spikes, labels = np.arange(INPUTS), np.arange(INPUTS, sources)
    hidden = ModulatedLIF(
        2048, 256, THRESHOLD, y1_is="surrogate", y1_size=HEIGHT, y1_width=WIDTH, signal_keep=KEEP
    )
    reads = ModulatedLIF(2048, 512, 100, signal_keep=KEEP, message_cost=COST)
    how = {"impulse": IMPULSE, "tau": TAU, "epoch": 2}
    rule = eprop(gain=gain, eligibility=-2, decay=-3, seed=seed + 1, **how)
    rule = rule if hidden_learns else None
    return Network(
        (
            Population("in", (sources,), Source()),
            Population("hidden", (HIDDEN,), hidden),
            Population("out", (CLASSES,), reads),
        ),
        (
            Projection("in", "hidden", _some(spikes, feed, sources), rule=rule),
            Projection("hidden", "hidden", Dense(loop), rule=rule),
            Projection(
                "hidden", "out", Dense(out), rule=delta_rule(gain=-7, seed=seed + 2, **how)
            ),
            Projection("in", "hidden", _some(labels, TEACH * back, sources), into="third-factor"),
            Projection("out", "hidden", Dense(-COST * back), into="third-factor"),
            Projection(
                "in", "out", _some(labels, TEACH * np.eye(CLASSES, dtype=int), sources),
                into="third-factor",
            ),
        ),
    )  # fmt: skip


def with_lines(spikes, labels=None):
    lines = np.zeros((*spikes.shape[:2], CLASSES), np.int32)
    if labels is not None:
        lines[np.arange(len(labels)), :, labels] = 1
    return np.concatenate([spikes, lines], axis=2)


def in_integers(seed, gain, train, hidden_learns=True):
    """The network after some passes over the training part."""
    made = network(seed, gain, hidden_learns)
    for turn in range(PASSES):
        order = np.random.default_rng(10 * seed + turn).permutation(len(train[1]))
        shown = with_lines(train[0][order], train[1][order])
        made = nd.run(made, shown, learn_across_samples=True).learned()
    return made


def accuracy(made, part):
    still = replace(made, projections=tuple(replace(p, rule=None) for p in made.projections))
    recording = nd.run(still, with_lines(part[0]), record=("counts", "v"))
    return recording.accuracy(part[1])


class Twin:
    """The same net in floats; units are those of the integers.

    With `rounds_down` each product of a rule loses its fraction downwards, as the engine's shift
    does it, also of negative products. Nothing else is rounded, and nothing is limited.
    """

    def __init__(self, seed, rate, rounds_down):
        feed, loop, out, self.back = (w.astype(float) for w in weights(seed))
        self.w = {"feed": feed, "loop": loop, "out": out}
        self.rate = rate
        self.shifted = np.floor if rounds_down else np.asarray

    def run(self, spikes, label=None):
        """One sample; it learns from it if it gets a label. Gives the readout's spike counts."""
        w, keep, decay, down = self.w, KEEP / 128, np.exp(-1 / TAU), self.shifted
        z, u, v, o, uo, vo = (np.zeros(n) for n in (*[HIDDEN] * 3, *[CLASSES] * 3))
        signals = {"hidden": np.zeros((2, HIDDEN)), "out": np.zeros((2, CLASSES))}
        traces = {"feed": np.zeros(INPUTS), "loop": np.zeros(HIDDEN)}
        tags = {name: np.zeros_like(w[name]) for name in traces}
        count, before, target = np.zeros(CLASSES), np.zeros(INPUTS), np.zeros(CLASSES)
        if label is not None:
            target[label] = TEACH
        for t, x in enumerate(spikes):
            third = self.back @ (target - COST * o)
            u = 0.5 * u + w["feed"] @ before + w["loop"] @ z
            v = (1 - 256 / 4096) * v + u
            slope = np.maximum(HEIGHT - np.abs(v - THRESHOLD) * 64 / 2**WIDTH, 0)
            uo = 0.5 * uo + w["out"] @ z
            vo = (1 - 512 / 4096) * vo + uo
            z, o = (v > THRESHOLD).astype(float), (vo > 100).astype(float)
            v, vo = np.where(z > 0, 0, v), np.where(o > 0, 0, vo)
            count += o
            for name, error in (("hidden", third), ("out", target - COST * o)):
                signals[name] = keep * signals[name] + np.maximum([error, -error], 0)
            for name, source in (("feed", x), ("loop", z)):
                traces[name] = decay * traces[name] + IMPULSE * source
            before = x
            if label is None or t % 2 == 0:
                continue
            for name, trace in traces.items():
                tag = tags[name]
                for sign, signal in zip((1, -1), signals["hidden"], strict=True):
                    w[name] += self.rate * down(sign * signal[:, None] * tag / 32)
                tags[name] = tag + down(np.outer(slope, trace) / 8) / 4 - tag / 8
            for sign, signal in zip((1, -1), signals["out"], strict=True):
                w["out"] += 2.0**-7 * down(sign * np.outer(signal, traces["loop"]) / 8)
        return count


def in_floats(seed, gain, train, rounds_down=False):
    """The twin after as many passes."""
    twin = Twin(seed, 2.0**gain, rounds_down)
    for turn in range(PASSES):
        for k in np.random.default_rng(10 * seed + turn).permutation(len(train[1])):
            twin.run(train[0][k], train[1][k])
    return twin


def rounded_down(seed, gain, train):
    return in_floats(seed, gain, train, rounds_down=True)


def accuracy_of_twin(twin, part):
    return np.mean([twin.run(x).argmax() == y for x, y in zip(*part, strict=True)])


def main():
    picked, table = {}, {}
    ways = {
        "integers": (in_integers, accuracy),
        "floats": (in_floats, accuracy_of_twin),
        "floats, products rounded down": (rounded_down, accuracy_of_twin),
    }
    for seed in SEEDS:
        train, validation, test = data(seed)
        for name, (learn, judge) in ways.items():
            if name not in picked:
                found = {gain: judge(learn(seed, gain, train), validation) for gain in GAINS}
                picked[name] = max(found, key=found.get)
                told = ", ".join(f"2^{g} {100 * a:.1f} %" for g, a in found.items())
                print(f"{name}: validation picks a gain of 2^{picked[name]} ({told})")
            right = judge(learn(seed, picked[name], train), test)
            table.setdefault(name, []).append(right)
            print(f"seed {seed}, {name}: {100 * right:.1f} % of the test part", flush=True)
        right = accuracy(in_integers(seed, 0, train, hidden_learns=False), test)
        table.setdefault("integers, readout alone", []).append(right)
        print(f"seed {seed}, integers, readout alone: {100 * right:.1f} %", flush=True)
    for name, values in table.items():
        print(f"{name}: mean of {len(SEEDS)} seeds {100 * np.mean(values):.1f} %")


if __name__ == "__main__":
    main()
