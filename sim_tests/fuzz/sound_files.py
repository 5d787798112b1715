"""Small sound files of every kind, and what reads each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import neurodeploy as nd
from neurodeploy.chip.specification import load_chip
from neurodeploy.inputs import present, read_inputs
from neurodeploy.network import (
    Conv,
    CubaLIF,
    DelayedDense,
    Dense,
    Network,
    Pool,
    Population,
    Projection,
    SigmaDelta,
    Source,
)
from neurodeploy.recording.run_options import RunOptions
from neurodeploy.remote.job import read_job, write_job

RNG = np.random.default_rng(0)
CHIP = Path(nd.__file__).parent / "chip" / "data" / "loihi1.toml"


def weights(*shape: int) -> Any:
    """Integers that let some neurons spike."""
    return RNG.integers(-60, 90, shape).astype(np.int32)


def network() -> Network:
    """A branched network with images, delays and a loop, which only the whole group holds."""
    neuron = CubaLIF(1000, 400, 50, np.arange(12, dtype=np.int32))
    return Network(
        (
            Population("input", (2, 4, 4), Source()),
            Population("conv", (3, 2, 2), neuron, axon_delay=np.arange(12, dtype=np.int32) % 3),
            Population("pool", (2, 2, 2), CubaLIF(4096, 4096, 1)),
            Population("out", (5,), CubaLIF(0, 128, 200)),
        ),
        (
            Projection("input", "conv", Conv(weights(3, 2, 3, 3))),
            Projection("input", "pool", Pool(np.full((2, 2), 9, np.int32), (2, 2))),
            Projection("conv", "out", Dense(weights(5, 12))),
            Projection("pool", "out", DelayedDense(weights(5, 8), weights(5, 8) % 7)),
            Projection("out", "out", Dense(weights(5, 5))),
        ),
    )


def chain() -> Network:
    """A chain that NetX holds."""
    return Network(
        (
            Population("input", (6,), Source()),
            Population("1_dense", (7,), CubaLIF(1000, 400, 50, np.arange(7, dtype=np.int32))),
            Population("2_dense", (3,), CubaLIF(1000, 400, 50)),
        ),
        (
            Projection("input", "1_dense", Dense(weights(7, 6))),
            Projection("1_dense", "2_dense", Dense(weights(3, 7))),
        ),
    )


def graded() -> Network:
    """A sigma-delta network, whose spikes have payloads."""
    return Network(
        (
            Population("input", (6,), Source(signed=True)),
            Population("a", (7,), SigmaDelta(64)),
            Population("b", (3,), SigmaDelta(64)),
        ),
        (
            Projection("input", "a", Dense(weights(7, 6))),
            Projection("a", "b", Dense(weights(3, 7))),
        ),
    )


def write_sound_files(folder: Path) -> dict[str, tuple[Path, Callable[[Path], None]]]:
    """Write one file (or job folder) of each kind; give its path and what reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    whole, flat = network(), chain()
    inputs = (RNG.random((3, 9, 2, 4, 4)) < 0.4).astype(np.uint8)
    nd.save(whole, folder / "whole.net")
    nd.save(flat, folder / "chain.net")
    nd.save(flat, folder / "chain.nir")
    record = ("counts", "spikes", "u", "v")
    nd.run(whole, inputs, record=record).save(folder / "plain.h5")
    graded_inputs = RNG.integers(-500, 500, (3, 9, 6)).astype(np.int32)
    nd.run(graded(), graded_inputs, record=record).save(folder / "graded.h5")
    np.savez_compressed(folder / "inputs.npz", inputs=inputs, labels=np.arange(3))
    np.save(folder / "inputs.npy", inputs)
    (folder / "chip.toml").write_text(CHIP.read_text())
    job = folder / "job"
    write_job(job, "engine", whole, inputs.astype(np.int32), RunOptions(9, ("counts",)))

    def read_network(path: Path) -> None:
        loaded = nd.load(path)
        assert loaded.fingerprint
        assert replace(loaded) == loaded

    def read_recording(path: Path) -> None:
        recording = nd.Recording.load(path)
        nd.compare(recording, recording)
        recording.synops(), recording.weights_clipped()
        for name in recording.names:
            recording[name].overflows()

    def present_inputs(path: Path) -> None:
        given, _ = read_inputs(path)
        present(whole, given)[0:1]

    def run_job(path: Path) -> None:
        read_job(path)

    def use_chip(path: Path) -> None:
        load_chip(path)

    return {
        "net-whole": (folder / "whole.net", read_network),
        "net-chain": (folder / "chain.net", read_network),
        "nir": (folder / "chain.nir", read_network),
        "recording": (folder / "plain.h5", read_recording),
        "recording-graded": (folder / "graded.h5", read_recording),
        "npz": (folder / "inputs.npz", present_inputs),
        "npy": (folder / "inputs.npy", present_inputs),
        "job": (job, run_job),
        "chip": (folder / "chip.toml", use_chip),
    }
