"""Train the event digits with SLAYER; see README.md beside this file.

``python examples/event_digits/train.py --out run`` trains a network from each seed, says what each
does on validation and test data, and writes the one that validation data pick.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import saccades

import neurodeploy as nd
from neurodeploy.errors import NeurodeployError
from neurodeploy.files import written_whole
from neurodeploy.formats.slayer.importing import import_slayer
from neurodeploy.inputs.data_sets import as_data_set
from neurodeploy.network import Conv, Dense, FloatLIF, Network, Population, Projection, Source

NAME = "event_digits"
SEEDS = (0, 1, 2)
CLASSES = 10
CHANNELS = (8, 16)
NEURON: dict[str, Any] = {
    "threshold": 1.0,
    "current_decay": 0.25,
    "voltage_decay": 0.1,
    "tau_grad": 0.03,
    "scale_grad": 1.0,
}
SCALE = 64
"""SLAYER's: a weight of 1 is 64 of the chip's."""

SHIFT = 1
"""Pixels, of the training part alone."""

EPOCHS = 20
BATCH = 32
LEARNING_RATE = 0.01
LOGITS_PER_SPIKE = 0.5
SPIKE_PRICE = 0.1
"""On the rate at which neurons of the convolutions send: what is not sent costs no energy."""


def make() -> Any:
    """Two convolutions and a readout of SLAYER's CUBA blocks; weights are 8 bits in every pass."""
    torch, slayer = import_slayer()
    cuba, (first, second) = slayer.block.cuba, CHANNELS
    side = (saccades.SENSOR - 2 - 3) // 2 + 1  # after 3 x 3, and after 3 x 3 with a stride of 2
    return torch.nn.Sequential(
        cuba.Conv(NEURON, 2, first, 3),
        cuba.Conv(NEURON, first, second, 3, stride=2),
        cuba.Flatten(),
        cuba.Dense(NEURON, second * side * side, CLASSES),
    )


def read(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and digits of a part, through the same binning as ``nd.evaluate``."""
    items = saccades.load(split)
    data = as_data_set(items, steps=saccades.STEPS, bin=saccades.BIN)
    inputs, labels = data.read(0, len(items))
    assert labels is not None
    return inputs, labels


def tensor(torch: Any, inputs: np.ndarray) -> Any:
    """[samples, steps, C, H, W] as SLAYER takes it: [samples, C, H, W, steps]."""
    return torch.from_numpy(np.moveaxis(inputs, 1, -1).astype(np.float32))


def shifted(torch: Any, spikes: Any) -> Any:
    """Move each sample by up to `SHIFT` pixels at random: nobody knows where the digit stands."""
    moved = torch.zeros_like(spikes)
    side = spikes.shape[2]
    by = torch.randint(-SHIFT, SHIFT + 1, (len(spikes), 2)).tolist()
    for to, whole, (down, right) in zip(moved, spikes, by, strict=True):
        rows, columns = (slice(max(0, n), side + min(0, n)) for n in (down, right))
        from_rows, from_columns = (slice(max(0, -n), side + min(0, -n)) for n in (down, right))
        to[:, rows, columns] = whole[:, from_rows, from_columns]
    return moved


def train(
    seed: int, data: tuple[np.ndarray, np.ndarray], epochs: int = EPOCHS, tell: Any = print
) -> Any:
    """Train one network: cross entropy of the spike counts, Adam, a cycle of the learning rate."""
    torch, _ = import_slayer("train")
    torch.manual_seed(seed)
    torch.set_num_threads(1)  # the same sums in the same order
    module = make()
    inputs, labels = tensor(torch, data[0]), torch.from_numpy(data[1])
    module(inputs[:1])  # blocks learn their shapes
    optimiser = torch.optim.Adam(module.parameters(), LEARNING_RATE)
    batches = -(-len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, LEARNING_RATE, total_steps=epochs * batches, pct_start=0.2
    )
    for epoch in range(1, epochs + 1):
        loss_sum = right = 0.0
        for batch in torch.randperm(len(labels)).split(BATCH):
            x, sent = shifted(torch, inputs[batch]), 0.0
            for block in module:
                x = block(x)
                sent = sent + x.mean()
            counts = x.sum(dim=-1)
            loss = torch.nn.functional.cross_entropy(LOGITS_PER_SPIKE * counts, labels[batch])
            optimiser.zero_grad()
            (loss + SPIKE_PRICE * sent).backward()
            optimiser.step()
            schedule.step()
            loss_sum += loss.item() * len(batch)
            right += int((counts.argmax(1) == labels[batch]).sum())
        tell(f"  epoch {epoch}/{epochs}: loss {loss_sum / len(labels):.3f}, "
             f"{right / len(labels):.1%} of the training part")  # fmt: skip
    return module.eval()


def float_weights(module: Any) -> dict[str, np.ndarray]:
    """Weights before they are rounded, float32 in units of the integers, by population."""
    found = {}
    for number, block in enumerate(module.children()):
        if hasattr(block, "synapse"):
            kind = type(block).__name__.lower()
            weight = np.float32(SCALE) * block.synapse.weight.detach().numpy()[..., 0]
            found[f"{number}_{kind}"] = weight
    return found


def float_network(arrays: dict[str, np.ndarray]) -> Network:
    """The network of `float_weights` in float32, with the neurons' decays in twelve bits."""
    keep = {
        key: 1 - np.rint(NEURON[f"{key}_decay"] * 4096) / 4096 for key in ("current", "voltage")
    }
    neuron = FloatLIF(
        current_keep=keep["current"], voltage_keep=keep["voltage"],
        threshold=NEURON["threshold"] * SCALE,
    )  # fmt: skip
    populations = [Population("input", (2, saccades.SENSOR, saccades.SENSOR), Source())]
    projections = []
    for number, (name, weight) in enumerate(sorted(arrays.items())):
        before = populations[-1]
        if name.endswith("conv"):
            synapse: Any = Conv(weight, stride=(1 + number, 1 + number))
            shape = synapse.output_shape(before.shape)
        else:
            synapse = Dense(weight.reshape(len(weight), -1))
            shape = (len(weight),)
        projections.append(Projection(before.name, name, synapse))
        populations.append(Population(name, shape, neuron))
    return Network(tuple(populations), tuple(projections))


def accuracy(network: Network, data: tuple[np.ndarray, np.ndarray]) -> float:
    """Share of the samples whose decision is their digit."""
    return nd.run(network, data[0]).accuracy(data[1])


def agrees(module: Any, network: Network, inputs: np.ndarray) -> None:
    """Hold the engine's output against SLAYER's forward pass, every spike."""
    torch, _ = import_slayer()
    with torch.no_grad():
        theirs = np.moveaxis(module(tensor(torch, inputs)).numpy(), -1, 1)
    ours = nd.run(network, inputs).output
    if not np.array_equal(ours, theirs):
        raise NeurodeployError(f"SLAYER and engine differ in {(ours != theirs).sum()} spikes")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("run"), help="folder; made if missing")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--no-test", action="store_true", help="while settings are chosen")
    given = parser.parse_args(arguments)
    try:
        given.out.mkdir(parents=True, exist_ok=True)
        found, seeds = [], []
        data = {split: read(split) for split in saccades.SPLITS}
        for seed in SEEDS:
            began = time.process_time()
            module = train(seed, data["train"], given.epochs)
            seconds = time.process_time() - began
            network = nd.load(module, example=data["validation"][0][:20])
            agrees(module, network, data["validation"][0])
            validation = accuracy(network, data["validation"])
            found.append((validation, seed, module, network))
            row = {"seed": seed, "validation": round(validation, 4), "cpu_seconds": round(seconds)}
            line = f"seed {seed}: validation {validation:.2%}"
            if not given.no_test:
                row["test"] = round(accuracy(network, data["test"]), 4)
                line += f", test {row['test']:.2%}"
            seeds.append(row)
            print(f"{line}, {seconds:.0f} CPU-seconds", flush=True)
        validation, seed, module, network = max(found, key=lambda one: (one[0], -one[1]))
        nd.save(network, given.out / f"{NAME}.net", netx_only=True)
        path = given.out / f"{NAME}_float.npz"
        with written_whole(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **float_weights(module))
        rows = {"picked": seed, "seeds": seeds}
        with written_whole(given.out / "seeds.json") as temporary:
            temporary.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    except NeurodeployError as error:
        print(f"train: {error}", file=sys.stderr)
        return 2
    print(f"validation picks seed {seed}; {given.out / NAME}.net written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
