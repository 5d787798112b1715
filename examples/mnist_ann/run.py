"""Intel's Keras MNIST network as graded spikes, changes and rates; see README.md beside this file.

``python -m examples.mnist_ann.run MODEL.h5 MNIST [--lava IMAGES] [--result]``: MNIST is the folder
with ``t10k-images-idx3-ubyte.gz`` and ``t10k-labels-idx1-ubyte.gz``.
"""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import neurodeploy as nd
from neurodeploy.ann import run_floats
from neurodeploy.numbers import si
from neurodeploy.profiling import Profile

from ..shared import Result

CALIBRATION = 1000
"""Of the test images; the others are scored."""

SHARD = 1000
STEPS = 16


def mnist(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Test images [images, 1, 28, 28] in 0..1, and labels."""
    images = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28) / 255
    return pixels, np.frombuffer(labels, np.uint8, offset=8).astype(np.int64)


@dataclass(frozen=True)
class Row:
    """A form of the network: its accuracy, and what an image costs."""

    form: str
    accuracy: float
    cores: int
    synops: float
    messages: float
    seconds: float
    dynamic: float
    joules: float

    @classmethod
    def of(cls, form: str, accuracy: float, cores: int, images: float, profile: Profile) -> Row:
        """From the profile of so many images."""
        p = profile
        costs = (p.synops, p.messages, p.seconds, p.dynamic_joules, p.energy_joules)
        return cls(form, accuracy, cores, *(number / images for number in costs))

    def __str__(self) -> str:
        return (
            f"| {self.form} | {self.accuracy:.2%} | {self.messages:,.0f} "
            f"| {self.synops / 1e6:.3f} M | {self.cores} | {self.seconds * 1e6:,.1f} "
            f"| {self.dynamic * 1e6:,.1f} | {self.joules * 1e6:,.1f} |"
        )


def graded(model: Path, images: np.ndarray, labels: np.ndarray, bits: int, payload: int) -> Row:
    """One image at each step: each goes through in one pass, one after the other."""
    net = nd.convert_ann(model, images[:CALIBRATION], bits=bits, activation_bits=payload)
    first, output = net.hops(net.output.name), net.output.name
    right, profiles = 0, []
    for at in range(CALIBRATION, len(images), SHARD):
        shown = images[at : at + SHARD]
        rec = nd.run(net, shown, drain=True, record=("counts", "v"))
        decided = rec[output].v[0, first:].reshape(len(shown), -1).argmax(axis=1)
        right += int((decided == labels[at : at + SHARD]).sum())
        profiles.append(nd.profile(rec, chip="loihi2"))
    whole = Profile.join(profiles)
    scored = len(images) - CALIBRATION
    cores = nd.fit(net, chip="loihi2").cores_used
    each = scored / len(profiles)
    form = f"graded, {bits}-bit weights, {payload}-bit payloads"
    return Row.of(form, right / scored, cores, each, whole)


def rates(model: Path, images: np.ndarray, labels: np.ndarray, bits: int) -> Row:
    """Each image presented for a while, from rest."""
    net = nd.convert_ann(model, images[:CALIBRATION], to="rate", steps=STEPS, bits=bits)
    rest = images[CALIBRATION:, None]
    shown = np.broadcast_to(rest, (len(rest), STEPS, *rest.shape[2:]))
    score = nd.evaluate(net, shown, labels[CALIBRATION:], drain=True)
    cores = nd.fit(net, chip="loihi2").cores_used
    return Row.of(
        f"rate, {bits}-bit weights, {STEPS} steps", score.accuracy, cores, 1, score.profile
    )


def on_lava(model: Path, images: np.ndarray, count: int) -> str:
    """A few images one after the other, as a stream of changes, on the engine and on Lava."""
    net = nd.convert_ann(model, images[:CALIBRATION], to="sigma-delta", measure=False)
    ready = nd.deploy(net, target="lava", inputs=images[None, :count], verified=False)
    found = nd.verify(ready.network, images[None, :count], backend="lava", drain=True)
    return f"Lava, sigma-delta, {count} images: {'equal' if found.equal else 'DIFFERS'}"


def result(floats: float, rows: Sequence[Row], lava: str) -> Result:
    """The row of examples/README.md."""
    first, rate = rows[0], rows[-1]
    costs = (
        f"{row.form.split(',')[0]}: {si(row.dynamic, 'J')} dynamic, {si(row.joules, 'J')} in all"
        for row in (first, rate)
    )
    return Result(
        system="MNIST, Intel's Keras network, an ordinary one",
        reference="98.1 % in floats, 98.0 % as rates of 16 steps (2,000 images, torch)",
        floats=f"{floats:.2%}",
        integers="; ".join(f"{row.form}: {row.accuracy:.2%}" for row in rows),
        lava=lava or "not tried",
        cores=str(first.cores),
        energy=f"{'; '.join(costs)} (loihi2, estimated)",
        training="none here: published weights",
        data="MNIST's test images: 1,000 to choose scales, 9,000 to score",
        command="python -m examples.mnist_ann.run MODEL.h5 MNIST --lava 3 --result",
        figures={"float": floats, **{row.form: vars(row) for row in rows}},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("mnist", type=Path)
    parser.add_argument("--images", type=int, default=10_000, help="of the test set, in all")
    parser.add_argument("--lava", type=int, default=0, metavar="IMAGES", help="run on Lava too")
    parser.add_argument("--result", action="store_true", help="write result.json")
    given = parser.parse_args()
    images, labels = (part[: given.images] for part in mnist(given.mnist))
    scores = run_floats(given.model, images[CALIBRATION:]).reshape(len(images) - CALIBRATION, -1)
    accuracy = (scores.argmax(axis=1) == labels[CALIBRATION:]).mean()
    print("| form | accuracy | messages | SynOps | cores | us | dynamic uJ | uJ |")
    print("|---|---|---|---|---|---|---|---|")
    print(f"| float | {accuracy:.2%} | | | | | | |")
    rows = []
    for bits, payload in ((8, 8), (4, 8), (8, 4)):
        rows.append(graded(given.model, images, labels, bits, payload))
        print(rows[-1], flush=True)
    rows.append(rates(given.model, images, labels, 8))
    print(rows[-1], flush=True)
    lava = on_lava(given.model, images, given.lava) if given.lava else ""
    print(lava)
    if given.result:
        same = lava.endswith("equal")
        told = f"{'yes' if same else 'no'}, {given.lava} images as sigma-delta" if lava else ""
        result(float(accuracy), rows, told).write(Path(__file__).parent)


if __name__ == "__main__":
    main()
