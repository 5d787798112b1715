"""What the digit spotter does, on each backend, and what it costs; see README.md beside this file.

``python examples/spoken_digits/evaluate.py RECORDINGS [--lava CLIPS] [--bits] [--result]``
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import spoken

import neurodeploy as nd
from neurodeploy.audio.encoders import parse_encoder
from neurodeploy.audio.files import AudioReader, to_pcm16
from neurodeploy.errors import NeurodeployError

EXPORTS = Path(__file__).resolve().parents[2] / "netx_exports"
WIDTHS = (8, 6, 5, 4, 3)


def accuracy(net: nd.Network, clips: spoken.Clips, backend: str = "engine") -> float:
    """Share of clips recognised.

    The chip takes a step for each hop, floats none: they get as many steps less to decide in.
    """
    steps = spoken.STEPS - (net.hops(net.output.name) if backend == "float" else 0)
    return nd.run(net, clips.inputs[:, :steps], backend=backend).accuracy(clips.labels)


def without_delays(net: nd.Network) -> nd.Network:
    """The same weights, every spike at once."""
    return replace(net, populations=tuple(replace(p, axon_delay=None) for p in net.populations))


def by_speaker(net: nd.Network, clips: spoken.Clips) -> None:
    """Accuracy of each speaker, and which digits are taken for which."""
    found = nd.run(net, clips.inputs).decisions()
    right = found == clips.labels
    shares = (f"{name} {right[clips.speakers == name].mean():.0%}"
              for name in np.unique(clips.speakers))  # fmt: skip
    print("by speaker: " + ", ".join(shares))
    pairs, counts = np.unique(
        np.stack([clips.labels, found])[:, ~right], axis=1, return_counts=True
    )
    told = (f"{a} as {b} {n}x" for (a, b), n in zip(pairs.T, counts, strict=True))
    print("errors: " + ", ".join(told))


def streamed(net: nd.Network, path: Path, size: int) -> np.ndarray:
    """Output of a recording in pieces of `size` samples, through the encoder and `nd.stream`."""
    encoder, sent = parse_encoder(spoken.ENCODER, spoken.RATE), []
    with nd.stream(net) as stream, AudioReader(path) as reader:
        for piece in reader.blocks(size):
            sent += [stream.step(spikes) for spikes in encoder.push(to_pcm16(piece))]
        silence = np.zeros(spoken.CHANNELS, np.uint8)
        sent += [stream.step(silence) for _ in range(spoken.STEPS - len(sent))]
    return np.stack(sent[: spoken.STEPS])


def check_stream(net: nd.Network, folder: Path, clips: spoken.Clips) -> None:
    """Every tenth clip in pieces of 100 samples against the whole run."""
    paths = [clip.path for clip in spoken.recordings(folder, "test")]
    chosen = range(0, len(paths), 10)
    whole = nd.run(net, clips.inputs[list(chosen)]).output
    streamed(net, paths[0], 100)  # lays the network out
    began = time.monotonic()
    found = [streamed(net, paths[i], 100) for i in chosen]
    spent = (time.monotonic() - began) / (len(found) * spoken.STEPS * spoken.STEP_SECONDS)
    same = sum(np.array_equal(f, w) for f, w in zip(found, whole, strict=True))
    print(
        f"stream in pieces of 100 samples equals the whole run: {same} of {len(found)} clips; "
        f"computing takes {spent:.3f} of the time"
    )


def early(net: nd.Network, clips: spoken.Clips) -> None:
    """Accuracy by the steps after which one decides."""
    so_far = nd.run(net, clips.inputs).output.cumsum(axis=1)
    for steps in range(30, spoken.STEPS + 1, 10):
        right = (so_far[:, steps - 1].argmax(axis=1) == clips.labels).mean()
        print(
            f"decided after {steps} steps ({1e3 * steps * spoken.STEP_SECONDS:.0f} ms): {right:.2%}"
        )


def on_lava(net: nd.Network, clips: spoken.Clips, number: int) -> str:
    """Every spike of the first clips of a shuffled test split on Lava, against the engine."""
    chosen = np.random.default_rng(0).permutation(len(clips.labels))[:number]
    inputs, labels = clips.inputs[chosen], clips.labels[chosen]
    recordings, seconds = {}, {}
    for backend in ("engine", "lava"):
        began = time.monotonic()
        recordings[backend] = nd.run(net, inputs, backend=backend, record=("spikes",))
        seconds[backend] = time.monotonic() - began
    right = recordings["lava"].accuracy(labels)
    ratio = seconds["lava"] / seconds["engine"]
    print(f"Lava, {len(labels)} clips: {right:.2%}; the engine is {ratio:.0f} times as fast")
    diff = nd.compare(recordings["engine"], recordings["lava"])
    print(diff.summary())
    return f"yes, {len(labels)} samples" if diff.equal else f"no: {diff.summary()}"


def costs(net: nd.Network, clips: spoken.Clips) -> None:
    """Estimated energy and time of an inference."""
    rec = nd.run(net, clips.inputs)
    for chip in ("loihi1", "loihi2", "loihi2-n3c1"):
        cost = nd.profile(rec, chip, nd.fit(net, chip))
        print(
            f"{cost.headline}; {cost.synops:.0f} synops, {cost.neuron_updates:.0f} updates, "
            f"{cost.messages:.0f} messages, {1e6 * cost.seconds:.0f} us an inference"
        )


def widths(exact: nd.Network, folder: Path, clips: spoken.Clips, cache: Path | None) -> None:
    """The float network rounded to fewer bits; scales by the validation clips, no labels."""
    calibration = spoken.load(folder, "validation", cache).inputs
    for bits in WIDTHS:
        fixed = nd.quantize(exact, nd.QuantConfig(bits, method="mse"), calibration)
        print(f"{bits} bits: {accuracy(fixed, clips):.2%}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--net", type=Path, default=EXPORTS / "spoken_digits.net")
    parser.add_argument("--cache", type=Path, help="folder that keeps encoded clips")
    parser.add_argument("--lava", type=int, default=0, metavar="CLIPS", help="so many on Lava, too")
    parser.add_argument("--bits", action="store_true", help="rounded to 8 to 3 bits, too")
    parser.add_argument("--result", action="store_true", help="write result.json, too")
    given = parser.parse_args(arguments)
    try:
        evaluate(given)
    except NeurodeployError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    return 0


def evaluate(given: argparse.Namespace) -> None:
    """Print all of it."""
    net = nd.load(given.net)
    clips = spoken.load(given.recordings, "test", given.cache)
    with np.load(given.net.with_name(f"{given.net.stem}_float.npz"), allow_pickle=False) as data:
        exact = spoken.float_network({name: data[name] for name in data.files})
    print(
        f"{len(clips.labels)} test clips, {clips.inputs.sum() / len(clips.labels):.0f} spikes each"
    )
    print(f"float: {accuracy(exact, clips, 'float'):.2%}")
    print(f"engine, 8 bits: {accuracy(net, clips):.2%}")
    print(f"engine, delays taken out: {accuracy(without_delays(net), clips):.2%}")
    by_speaker(net, clips)
    early(net, clips)
    check_stream(net, given.recordings, clips)
    costs(net, clips)
    if given.bits:
        widths(exact, given.recordings, clips, given.cache)
    equal = on_lava(net, clips, given.lava) if given.lava else "not tried"
    if given.result:
        write_result(net, exact, clips, equal)


def write_result(net: nd.Network, exact: nd.Network, clips: spoken.Clips, equal: str) -> None:
    """The row of this example."""
    sys.path.append(str(EXPORTS.parent))  # a script's path holds its own folder alone
    from examples.shared import Result, energy_of, priced

    found = {
        "floats": accuracy(exact, clips, "float"),
        "8 bits": accuracy(net, clips),
        "8 bits, delays taken out": accuracy(without_delays(net), clips),
    }
    place = Result(
        system="Spoken digits, learned axonal delays",
        reference="none on this split; the same clips in SLAYER's forward pass 98.33%",
        floats=f"{found['floats']:.2%}",
        integers=f"{found['8 bits']:.2%}; without its delays "
        f"{found['8 bits, delays taken out']:.2%}",
        lava=equal,
        cores=str(nd.fit(net, "loihi2").cores_used),
        energy=energy_of(priced(net, clips.inputs)),
        training="5.2 min of one CPU (lava-dl), seed 0 alone",
        data=f"free-spoken-digit-dataset, its {len(clips.labels)} test clips; the same speakers "
        "as in training",
        command="python examples/spoken_digits/evaluate.py RECORDINGS --lava 5 --result",
        figures=found,
    ).write(Path(__file__).resolve().parent)
    print(f"{place} written")


if __name__ == "__main__":
    sys.exit(main())
