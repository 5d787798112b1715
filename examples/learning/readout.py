"""The readout of a trained net, learned again on the engine by the delta rule, from zero weights.

    python -m examples.learning.readout

The hidden layer is that of netx_exports/digits.net, which was trained on all ten digits: this is a
readout learned again, no new class. Settings are picked on validation data; the test part is
looked at once for each order of the training samples.
"""

from pathlib import Path

import numpy as np

import neurodeploy as nd

from .common import accuracy, choose, digits, encode, learned, readout_network, say_choice

ROOT = Path(__file__).parents[2]
ORDERS = 5


def main():
    whole = nd.load(ROOT / "netx_exports" / "digits.net")
    hidden = whole.populations[1].name
    parts = {}
    for name, (images, labels) in digits().items():
        recording = nd.run(whole, encode(images), record=("counts", "spikes"))
        parts[name] = (recording[hidden].spikes.astype(np.int32), labels)
        if name == "test":
            print(f"the net as it was trained: {100 * recording.accuracy(labels):.1f} %")
            sent = recording[hidden].counts.sum() / len(labels)
            print(f"hidden spikes of a sample: {sent:.0f}")
    size = whole.populations[1].size
    chosen, found = choose(
        lambda one, seed: readout_network(size, one, seed), parts["train"], parts["validation"]
    )
    say_choice(chosen, found)
    after = []
    for order in range(ORDERS):
        shuffled = np.random.default_rng(order).permutation(len(parts["train"][1]))
        network = learned(readout_network(size, chosen, order + 1), *parts["train"], shuffled)
        after.append(accuracy(network, *parts["test"]))
        print(f"order {order}: {100 * after[-1]:.1f} % of the test part after one pass")
    print(f"mean of {ORDERS} orders: {100 * np.mean(after):.1f} %")


if __name__ == "__main__":
    main()
