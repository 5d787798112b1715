"""Intel's Keras MNIST network as graded spikes, changes and rates; see README.md beside this file.

``python examples/mnist_ann/run.py MODEL.h5 MNIST [--lava IMAGES]``: MNIST is the folder with
``t10k-images-idx3-ubyte.gz`` and ``t10k-labels-idx1-ubyte.gz``.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np

import neurodeploy as nd
from neurodeploy.ann import run_floats
from neurodeploy.profiling import Profile

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


def line(name: str, accuracy: float, cores: int, images: float, profile: Profile) -> str:
    """A row of the table; the profile is that of so many images."""
    synops, messages = profile.synops / images, profile.messages / images
    joules, dynamic = profile.energy_joules / images, profile.dynamic_joules / images
    return (
        f"| {name} | {accuracy:.2%} | {messages:,.0f} | {synops / 1e6:.3f} M | {cores} "
        f"| {profile.seconds / images * 1e6:,.1f} | {dynamic * 1e6:,.1f} | {joules * 1e6:,.1f} |"
    )


def graded(model: Path, images: np.ndarray, labels: np.ndarray, bits: int, payload: int) -> str:
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
    return line(f"graded, {bits}-bit weights, {payload}-bit payloads", right / scored, cores, each,
                whole)  # fmt: skip


def rates(model: Path, images: np.ndarray, labels: np.ndarray, bits: int) -> str:
    """Each image presented for a while, from rest."""
    net = nd.convert_ann(model, images[:CALIBRATION], to="rate", steps=STEPS, bits=bits)
    rest = images[CALIBRATION:, None]
    shown = np.broadcast_to(rest, (len(rest), STEPS, *rest.shape[2:]))
    score = nd.evaluate(net, shown, labels[CALIBRATION:], drain=True)
    cores = nd.fit(net, chip="loihi2").cores_used
    return line(f"rate, {bits}-bit weights, {STEPS} steps", score.accuracy, cores, 1, score.profile)


def on_lava(model: Path, images: np.ndarray, count: int) -> str:
    """A few images one after the other, as a stream of changes, on the engine and on Lava."""
    net = nd.convert_ann(model, images[:CALIBRATION], to="sigma-delta", measure=False)
    ready = nd.deploy(net, target="lava", inputs=images[None, :count], verified=False)
    found = nd.verify(ready.network, images[None, :count], backend="lava", drain=True)
    return f"Lava, sigma-delta, {count} images: {'equal' if found.equal else 'DIFFERS'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("mnist", type=Path)
    parser.add_argument("--images", type=int, default=10_000, help="of the test set, in all")
    parser.add_argument("--lava", type=int, default=0, metavar="IMAGES", help="run on Lava too")
    given = parser.parse_args()
    images, labels = (part[: given.images] for part in mnist(given.mnist))
    scores = run_floats(given.model, images[CALIBRATION:]).reshape(len(images) - CALIBRATION, -1)
    accuracy = (scores.argmax(axis=1) == labels[CALIBRATION:]).mean()
    print("| form | accuracy | messages | SynOps | cores | us | dynamic uJ | uJ |")
    print("|---|---|---|---|---|---|---|---|")
    print(f"| float | {accuracy:.2%} | | | | | | |")
    for bits, payload in ((8, 8), (4, 8), (8, 4)):
        print(graded(given.model, images, labels, bits, payload), flush=True)
    print(rates(given.model, images, labels, 8), flush=True)
    if given.lava:
        print(on_lava(given.model, images, given.lava))


if __name__ == "__main__":
    main()
