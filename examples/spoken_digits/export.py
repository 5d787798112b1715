"""Export the trained digit spotter and write its card; see README.md beside this file.

``python examples/spoken_digits/export.py RECORDINGS --run run [--out netx_exports]``. The same
``.net`` comes from ``neurodeploy export spoken:make --weights run/trained.pt`` in this folder;
this script also runs SLAYER and the engine on the test clips and keeps the unrounded weights.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import sys
from pathlib import Path

import numpy as np
import spoken
from evaluate import accuracy

import neurodeploy as nd
from neurodeploy.errors import FormatError, NeurodeployError
from neurodeploy.files import written_whole
from neurodeploy.formats.slayer import with_sample_axis
from neurodeploy.formats.slayer.checkpoint import load_checkpoint
from neurodeploy.formats.slayer.importing import import_slayer
from neurodeploy.targets.look_ahead import look_ahead
from neurodeploy.targets.netx_importer import netx_needs

NAME = "spoken_digits"

CARD = """\
# spoken_digits.net

Tells spoken digits, zero to nine, apart. Written by `examples/spoken_digits/export.py`; do not
edit.

| | |
|---|---|
| test accuracy, 8 bits | {right} of {tested} clips ({accuracy:.2%}): SLAYER's CPU forward pass, \
and the engine, every spike of every population the same |
| test accuracy, weights before rounding | {float_right} of {tested} ({float_accuracy:.2%}), \
float32, `spoken_digits_float.npz` |
| validation accuracy, 8 bits | {validation:.2%} of {validated} clips |
| sha256 of spoken_digits.net | `{sha256}` |
| architecture | {channels} inputs - {hidden} - {hidden} - {classes} CUBA neurons, dense, no bias |
| neurons | iDecay {current}, vDecay {voltage}, vThMant {threshold} |
| weights | even integers in [{smallest}, {largest}]; {zeros:.0%} are zero |
| learned axonal delays | {delays} |
| input | {steps} steps of {step_ms:g} ms; 8 kHz sound through `{encoder}`, cut at {steps} steps, \
no spikes after a clip's end |
| decision | most output spikes over the {steps} steps; the smallest digit of several |
| spikes per inference | {spikes} (means over the test clips) |
| lava-dl's netx | {netx} |
| trained with | lava-dl {lava_dl}, torch {torch}; seed {seed}, {epochs} epochs, last one taken |
| commands | `train.py RECORDINGS --out run --seed {seed} --epochs {epochs}`, \
`export.py RECORDINGS --run run`, in [examples/spoken_digits](../examples/spoken_digits) |
| licence of the network | BSD-3-Clause, as the project; its data below |

## Data

[free-spoken-digit-dataset](https://github.com/Jakobovski/free-spoken-digit-dataset), CC BY-SA 4.0:
3,000 recordings, 8 kHz, 50 of each digit by each of six speakers. Indices 0-4 are the official \
test split ({tested} clips), not looked at while settings were chosen; indices 5-9 validated \
({validated}), the rest trained ({trained}). The same six people speak in all three, so this says \
nothing of other voices. No recording is part of this project.
"""


def netx_line(network: nd.Network, inputs: np.ndarray) -> str:
    """What lava-dl's importer makes of the file, and what it needs for such inputs."""
    entries = [e for e in look_ahead(network, "netx") if e.rating.value != "faithful"]
    told = [f"{e.element}: {e.reason}" for e in entries] + netx_needs(network, inputs)
    return "; ".join(told) or "reads it and runs it the same"


def delay_line(arrays: dict[str, np.ndarray]) -> str:
    """How long the delays are."""
    found = [delays for name, delays in arrays.items() if name.endswith("delay")]
    if not found:
        return "none"
    low, high = np.percentile(np.concatenate(found), (25, 75))
    return (
        f"0 to {max(delays.max() for delays in found)} steps, half of them {low:.0f} to "
        f"{high:.0f}, on both hidden populations"
    )


def agrees(module: object, network: nd.Network, clips: spoken.Clips) -> np.ndarray:
    """Output of the engine, after every spike was held against SLAYER's forward pass.

    SLAYER shifts each block's output by a step, as the chip does, so the clocks are the same.
    """
    torch, _ = import_slayer()
    rec = nd.run(network, clips.inputs, record=("spikes",))
    with torch.no_grad():
        x = torch.from_numpy(clips.inputs.transpose(0, 2, 1).astype(np.float32))
        for number, block in enumerate(module.children()):
            x = block(x)
            theirs = x.numpy().transpose(0, 2, 1)
            ours = rec[f"{number}_dense"].spikes
            if not np.array_equal(theirs, ours):
                raise NeurodeployError(
                    f"{number}_dense: SLAYER and engine differ in {(theirs != ours).sum()} spikes"
                )
    return rec.output


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--run", type=Path, default=Path("run"), help="what train.py wrote")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).resolve().parents[2] / "netx_exports"
    )
    given = parser.parse_args()
    try:
        export(given.recordings, given.run, given.out)
    except NeurodeployError as error:
        print(f"export: {error}", file=sys.stderr)
        return 2
    return 0


def export(folder: Path, run: Path, out: Path) -> None:
    """Write ``spoken_digits.net``, ``_float.npz`` and ``.md`` to the folder `out`."""
    torch, _ = import_slayer()
    if not (run / "trained.pt").is_file():
        raise FormatError(f"{run}: no trained.pt; let train.py --out {run} finish first")
    held = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)["settings"]
    test, validation = (spoken.load(folder, split, run) for split in ("test", "validation"))
    module = spoken.make(held["hidden"], held["delays"])
    load_checkpoint(module, run / "trained.pt", with_sample_axis(test.inputs[0].astype(np.float32)))
    module.eval()
    network = nd.load(module, example=validation.inputs[:20])
    nd.save(network, out / f"{NAME}.net", netx_only=True)
    network = nd.load(out / f"{NAME}.net")
    arrays = spoken.float_weights(module)
    with written_whole(out / f"{NAME}_float.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    exact = accuracy(spoken.float_network(arrays), test, "float")
    output = agrees(module, network, test)
    right, validated = (
        int((spoken.decide(found) == clips.labels).sum())
        for found, clips in ((output, test), (agrees(module, network, validation), validation))
    )
    counts = nd.run(network, test.inputs)
    weights = [p.synapse.weight for p in network.projections]
    neuron = network.output.neuron
    names = {"input": "input", "0_dense": "first hidden", "1_dense": "second hidden"}
    card = CARD.format(
        right=right, tested=len(test.labels), accuracy=right / len(test.labels),
        float_right=round(exact * len(test.labels)), float_accuracy=exact,
        validation=validated / len(validation.labels), validated=len(validation.labels),
        trained=len(spoken.recordings(folder, "train")),
        sha256=hashlib.sha256((out / f"{NAME}.net").read_bytes()).hexdigest(),
        channels=spoken.CHANNELS, hidden=held["hidden"], classes=spoken.CLASSES,
        current=neuron.current_decay, voltage=neuron.voltage_decay, threshold=neuron.threshold,
        smallest=min(int(w.min()) for w in weights), largest=max(int(w.max()) for w in weights),
        zeros=np.mean(np.concatenate([w.ravel() for w in weights]) == 0),
        delays=delay_line(arrays),
        steps=spoken.STEPS, step_ms=1e3 * spoken.STEP_SECONDS, encoder=spoken.ENCODER,
        spikes=", ".join(
            f"{counts[p.name].counts.sum() / len(test.labels):.0f} {names.get(p.name, 'output')}"
            for p in network.populations
        ),
        netx=netx_line(network, test.inputs), seed=held["seed"], epochs=held["epochs"],
        lava_dl=importlib.metadata.version("lava-dl"), torch=importlib.metadata.version("torch"),
    )  # fmt: skip
    with written_whole(out / f"{NAME}.md") as temporary:
        temporary.write_text(card, encoding="utf-8")
    print(card.split("\n\n")[2])


if __name__ == "__main__":
    sys.exit(main())
