"""Train the digits network; write digits.net, .md, digits_test.npz and digits_float.npz here.

    python netx_exports/train_digits.py

Needs lava-dl and the extra demo; takes about three minutes, most of
them for the other seeds and splits in the card.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import time
from pathlib import Path

import numpy as np

from neurodeploy.demo import digits

HERE = Path(__file__).resolve().parent
SEED = 0
OTHER_SEEDS = (1, 2, 3, 4)
OTHER_FOLDS = (1, 2, 3, 4)

CARD = """\
# digits.net

Recognises handwritten digits of 8 x 8 pixels. It is what `neurodeploy demo` trains, and what
the demo runs where there is no lava-dl. Written by `train_digits.py`; do not edit.

| | |
|---|---|
| test accuracy | {correct} of {tested} images ({accuracy:.2%}), SLAYER's CPU forward pass |
| sha256 of digits.net | `{sha256}` |
| architecture | {pixels} inputs - {hidden} - {classes} CUBA neurons, dense, no bias, no delay |
| neurons | iDecay {current_decay}, vDecay {voltage_decay}, vThMant {threshold} |
| weights | even integers in [{smallest}, {largest}]; {zeros:.0%} are zero |
| input | {steps} steps; grey level g of 0..16 adds g/32 spike per step, from a half |
| decision | most output spikes over the {steps} steps; the smallest digit of several |
| undecided | {ties} of {tested} test images end with more than one neuron in the lead |
| spikes per inference | {input_spikes:.1f} input, {hidden_spikes:.1f} hidden, {output_spikes:.1f} \
output (means over the test images) |
| trained with | lava-dl {lava_dl}, torch {torch}; seed {seed}, {epochs} epochs |
| command | `python netx_exports/train_digits.py` |
| licence of the network | BSD-3-Clause, as the project |

Each layer lags one step on the chip clock, so the input of the last two steps never reaches
the output; the recording is as long as the input.

## Data

scikit-learn's `load_digits`: 1,797 images, a copy of the test set of *Optical Recognition of
Handwritten Digits* by E. Alpaydin and C. Kaynak (1998), UCI Machine Learning Repository,
<https://doi.org/10.24432/C50P49>, licence CC BY 4.0. `digits_test.npz` holds its test images
as spikes (`inputs` uint8 [{tested}, {steps}, {pixels}], encoded as above) with their `labels`; \
it is
adapted from that data and stays under CC BY 4.0.

Sorted by digit, every fifth image is for testing: {tested} images, {trained} to train on. The
same people wrote both.

## How far the figure carries

Encoding, neurons and training settings were chosen by the accuracy on these test images, which
flatters it a little. Below, also other seeds on these images, and the other four fifths of the
data, each tested by a network trained on the rest; those four had no say in the settings. Mean
over the five fifths, seed {seed}: {mean:.2%}.

| seed | tested fifth | test accuracy | hidden spikes per inference | seconds |
|---|---|---|---|---|
{survey}

The same seed gives the same network on the same machine and versions (training uses one
thread). Another processor or torch build sums floats in another order, and may end a few
images away.
"""


def measure(seed: int, fold: int) -> tuple[digits.Trained, str]:
    """Train once; give the result and its row in the card."""
    split = digits.load_split(fold)
    start = time.perf_counter()
    trained = digits.train(seed=seed, split=split)
    seconds = time.perf_counter() - start
    hidden = digits.layer_spikes(trained.module, digits.encode(split.test_images))[0]
    row = f"| {seed} | {fold} | {trained.accuracy:.2%} | {hidden.sum() / len(hidden):.1f} "
    row += f"| {seconds:.0f} |"
    print(row, flush=True)
    return trained, row


def main() -> None:
    split = digits.load_split()
    inputs = digits.encode(split.test_images)
    trained, row = measure(SEED, fold=0)
    other_seeds = [measure(seed, fold=0) for seed in OTHER_SEEDS]
    other_folds = [measure(SEED, fold) for fold in OTHER_FOLDS]

    network = HERE / "digits.net"
    digits.export_netx(trained.module, network)
    np.savez_compressed(HERE / "digits_float.npz", **trained.float_weights)
    np.savez_compressed(HERE / "digits_test.npz", inputs=inputs, labels=split.test_labels)

    hidden, output = digits.layer_spikes(trained.module, inputs)
    neuron = trained.module[0].neuron
    integers = np.concatenate(
        [
            block.synapse.pre_hook_fx(block.synapse.weight, descale=True).detach().numpy().ravel()
            for block in trained.module
        ]
    )
    counts = np.sort(output.sum(axis=1), axis=1)
    card = CARD.format(
        correct=int(np.sum(digits.decide(output) == split.test_labels)),
        tested=len(inputs),
        trained=len(split.train_labels),
        accuracy=trained.accuracy,
        sha256=hashlib.sha256(network.read_bytes()).hexdigest(),
        pixels=digits.PIXELS,
        hidden=digits.HIDDEN,
        classes=digits.CLASSES,
        current_decay=neuron.cx_current_decay,
        voltage_decay=neuron.cx_voltage_decay,
        threshold=neuron.v_th_mant,
        smallest=int(integers.min()),
        largest=int(integers.max()),
        zeros=np.mean(integers == 0),
        steps=digits.STEPS,
        ties=int(np.sum(counts[:, -1] == counts[:, -2])),
        input_spikes=inputs.sum() / len(inputs),
        hidden_spikes=hidden.sum() / len(inputs),
        output_spikes=output.sum() / len(inputs),
        lava_dl=importlib.metadata.version("lava-dl"),
        torch=importlib.metadata.version("torch"),
        seed=SEED,
        epochs=digits.EPOCHS,
        mean=np.mean([trained.accuracy, *(other.accuracy for other, _ in other_folds)]),
        survey="\n".join([row, *(row for _, row in other_seeds + other_folds)]),
    )
    (HERE / "digits.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
