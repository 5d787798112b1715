"""Intel's PilotNet LIF with the record that lava-dl ships, as a network, inputs and a recording."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..formats import load
from ..network import Network
from ..numpy_files import map_array
from ..recording import Recording, RecordingWriter
from ..recording.assemble import BlockAssembler, header_of
from ..recording.run_options import RunOptions

LAYERS = ("input", "conv-0", "conv-1", "conv-2", "conv-3", "conv-4", "fc-0", "fc-1", "fc-2")
"""Files of the record, in the order of the network's populations; the last layer has none."""

STEPS = 24
RESET_INTERVAL = 17
"""The record equals a run whose layers reset every 17 steps: 16 of a sample and one more."""

FRAME_STEPS = 16
"""Steps per frame in Intel's benchmark of this network (compiler-tables: 16 steps, 408.91 fps)."""


@dataclass(frozen=True, eq=False)
class PilotNet:
    """The network, its recorded frame and what was recorded.

    Attributes
    ----------
    network : Network
    frame : int32 [3, 66, 200]
        The input's bias mantissa, ``pixel * weight + bias`` already.
    truth : Recording
        Spikes of nine populations; u and v of all but the input.
    """

    network: Network
    frame: NDArray[np.int32]
    truth: Recording


def folder() -> Path | None:
    """Where lava-dl's wheel put the record, or None where it is not installed."""
    spec = importlib.util.find_spec("lava")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        found = Path(place).parent / "tests/lava/lib/dl/netx/gts/pilotnet_lif"
        if (found / "network.net").is_file() and (found / "image.npy").is_file():
            return found
    return None


def load_pilotnet(place: Path) -> PilotNet:
    """Read the network, the frame and the record from `folder`."""
    network = load(place / "network.net")
    frame = map_array(place / "image.npy").transpose(2, 1, 0)
    return PilotNet(network, frame, _record(place, network))


def _record(place: Path, network: Network) -> Recording:
    """Put the recorded arrays into a recording of the layers that have them."""
    on_record = replace(
        network,
        populations=network.populations[: len(LAYERS)],
        projections=network.projections[: len(LAYERS) - 1],
    )
    options = RunOptions(steps=STEPS, record=("counts", "spikes", "u", "v"))
    header = header_of(on_record, "record", "lava-dl 0.6.0", options)
    with RecordingWriter(header) as writer:
        assembler = BlockAssembler(on_record, options, writer)
        spikes, states = {}, {}
        for layer, population in zip(LAYERS, on_record.populations, strict=True):
            spikes[population.name] = _array(place / f"{layer}.npy")
            if layer != "input":
                states[population.name] = {s: _array(place / f"{layer}-{s}.npy") for s in "uv"}
        assembler.add(spikes, states)
        writer.finish(samples=1)
    return writer.recording()


def _array(path: Path) -> NDArray[np.int32]:
    """Read a [W, H, C, steps] or [neurons, steps] file as [1, steps, neurons]."""
    array = np.moveaxis(map_array(path), -1, 0)
    if array.ndim == 4:
        array = array.transpose(0, 3, 2, 1)
    return np.ascontiguousarray(array.reshape(1, len(array), -1), dtype=np.int32)
