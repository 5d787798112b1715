"""Wrote the files beside it, with neurodeploy 0.1.0 at commit 9e9bec3.

They stay as they are: `sim_tests/formats/test_files_of_0_1.py` loads them with every later
version and compares networks, fingerprints and runs with what is kept here. Files of a later
version go into a folder of their own, with a script of their own.

From the repository of that commit: ``python sim_tests/data/v0_1/write.py FOLDER``.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

import neurodeploy as nd
from neurodeploy.network import (
    ALIF,
    AdaptiveResonateFire,
    AdaptiveResonateFireIzhikevich,
    Audit,
    AuditEntry,
    Average,
    Complex,
    ComplexConv,
    ComplexDense,
    Conv,
    ConvTranspose,
    CubaLIF,
    DelayedDense,
    Delta,
    Dense,
    Effect,
    FloatLIF,
    GeneralCubaLIF,
    GeneralSigmaDelta,
    GradedThreshold,
    InputTransform,
    LeakyIntegrator,
    Network,
    OneToOne,
    Pool,
    Population,
    Projection,
    Rating,
    Readout,
    ResonateFire,
    ResonateFireIzhikevich,
    Sigma,
    SigmaDelta,
    Source,
    Sparse,
    TemporalFIR,
    TernaryLIF,
    Threshold,
    Unpool,
)
from neurodeploy.recording.run_options import RunOptions
from neurodeploy.remote.job import write_job

RECORD = ("counts", "spikes", "u", "v")


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """All numbers, texts and arrays of a network, each with its path; also the classes' names."""
    if isinstance(value, Enum):
        yield path, value.value
    elif is_dataclass(value):
        yield f"{path}/class", type(value).__name__
        for item in fields(value):
            yield from leaves(getattr(value, item.name), f"{path}/{item.name}")
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}/{index}")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, f"{path}/{key}")
    else:
        yield path, value


def spiking() -> Network:
    """Every synapse, every spiking neuron; branches, a cycle, parallel ways, starts, delays."""
    rng = np.random.default_rng(0)

    def weight(*shape: int) -> np.ndarray:
        return (2 * rng.integers(-40, 60, shape)).astype(np.int32)

    def each(low: int, high: int, size: int) -> np.ndarray:
        return rng.integers(low, high, size).astype(np.int32)

    grid, small, large = (2, 6, 6), (2, 3, 3), (2, 5, 5)
    populations = (
        Population("in put/1", grid, Source(signed=True)),
        Population(
            "cuba", grid, CubaLIF(each(100, 900, 72), 300, each(60, 90, 72), 3), each(0, 9, 72)
        ),
        Population(
            "general",
            small,
            GeneralCubaLIF(300, 200, 100, 5, "current", "subtract", 3, True, 6, -2),
            starts=2,
        ),
        Population("wide", large, TernaryLIF(300, 200, 90, -80), starts=3),
        Population("alif", (7,), ALIF(300, 200, 30, 40, 100, 9, each(-2, 5, 7))),
        Population("loop", (7,), CubaLIF(900, 300, 70, 2)),
        Population("rf", (5,), ResonateFire(1200, 3500, 60)),
        Population("rf-iz", small, ResonateFireIzhikevich(1200, 3500, each(40, 70, 18))),
        Population("adrf", small, AdaptiveResonateFire(1200, 3500, 30, 40, 60, 7)),
        Population("adrf-iz", (5,), AdaptiveResonateFireIzhikevich(1200, 3500, 30, 40, 60, 7)),
        Population("threshold", (5,), Threshold(40, 1)),
        Population("graded", (5,), GradedThreshold(30, True)),
        Population("huge", (4,), CubaLIF(0, 0, 100_000)),
        Population("readout", (4,), LeakyIntegrator(300, 200, 4, 5)),
        Population("out", (6,), CubaLIF(4096, 4096, 50)),
        Population("mean", (2,), Average(3), np.array([1, 2], np.int32)),
    )
    real, imag = weight(2, 2, 2, 2), weight(2, 2, 2, 2)
    projections = (
        Projection("in put/1", "cuba", Conv(weight(2, 1, 3, 3), padding=(1, 1), groups=2)),
        Projection("cuba", "general", Pool.sums((2, 2), 30)),
        Projection("general", "wide", ConvTranspose(weight(2, 2, 1, 1), stride=(2, 2))),
        Projection("general", "cuba", Unpool(np.full((2, 2), 4, np.int32), stride=(2, 2))),
        Projection("wide", "alif", Dense(weight(7, 50))),
        Projection("alif", "loop", OneToOne(each(-40, 90, 7))),
        Projection("alif", "loop", OneToOne(34)),
        Projection("loop", "alif", DelayedDense(weight(7, 7) // 4, each(0, 9, 49).reshape(7, 7))),
        Projection("loop", "rf", ComplexDense(weight(5, 7), weight(5, 7))),
        Projection("cuba", "rf-iz", ComplexConv(real, imag, stride=(2, 2))),
        Projection("cuba", "adrf", Complex(Pool.sums((2, 2), 30), Pool.sums((2, 2), -20))),
        Projection("rf-iz", "adrf-iz", ComplexDense(weight(5, 18), weight(5, 18))),
        Projection("rf", "threshold", TemporalFIR(weight(3, 5, 5))),
        Projection("adrf-iz", "threshold", TemporalFIR(weight(2, 5))),
        Projection("threshold", "graded", OneToOne(34)),
        Projection("cuba", "huge", Dense(weight(4, 72) * 5_000)),
        Projection("graded", "readout", Dense(weight(4, 5))),
        Projection("adrf", "out", Dense(weight(6, 18))),
        Projection("loop", "out", Sparse.from_dense(weight(6, 7) * (rng.random((6, 7)) < 0.5))),
        Projection("out", "mean", Readout()),
    )
    effect = Effect("a random example of 24 steps, seed 0", "cuba", 40, 2, 9, 8, 0.125, 0.25)
    audit = Audit(
        (
            AuditEntry("cuba", Rating.FAITHFUL, "as it was"),
            AuditEntry("alif", Rating.APPROXIMATE, "rounded", effect),
        )
    )
    facts = {"readout/time_decimation": 4, "a": "b", "c": 0.5, "weights_clipped/loop->out": 3}
    return Network(populations, projections, audit, facts)


def values() -> Network:
    """Sigma-delta neurons behind an input with a transform."""
    rng = np.random.default_rng(1)

    def weight(*shape: int) -> np.ndarray:
        return (2 * rng.integers(-40, 60, shape)).astype(np.int32)

    return Network(
        (
            Population("input", (4,), Delta(3), transform=InputTransform(64.0, 0.5, True)),
            Population("a", (5,), SigmaDelta(900, np.arange(5, dtype=np.int32), False, 5)),
            Population("b", (5,), SigmaDelta(20, 7)),
            Population("c", (5,), GeneralSigmaDelta(30, 5, 0, 1 << 20, 8), starts=1),
            Population("sum", (2,), Sigma()),
        ),
        (
            Projection("input", "a", Dense(weight(5, 4))),
            Projection("input", "b", Dense(weight(5, 4))),
            Projection("a", "c", Dense(weight(5, 5))),
            Projection("b", "c", Dense(weight(5, 5))),
            Projection("c", "sum", Dense(weight(2, 5))),
        ),
    )


def floating() -> Network:
    """Two layers and a loop in float32."""
    rng = np.random.default_rng(2)

    def weight(*shape: int) -> np.ndarray:
        return rng.normal(0.2, 0.5, shape).astype(np.float32)

    keep = rng.uniform(0.5, 0.95, 8).astype(np.float32)
    return Network(
        (
            Population("input", (6,), Source()),
            Population("hidden", (8,), FloatLIF(0.5, voltage_keep=keep, voltage_bias=0.125)),
            Population("out", (3,), FloatLIF(0.0, voltage_keep=0.75, threshold=1.5)),
        ),
        (
            Projection("input", "hidden", Dense(weight(8, 6))),
            Projection("hidden", "hidden", Dense(weight(8, 8) / 4)),
            Projection("hidden", "out", Dense(weight(3, 8))),
        ),
    )


def recorded(name: str, recording: nd.Recording) -> Iterator[tuple[str, np.ndarray]]:
    """What each population did."""
    for population in recording.names:
        for kind in RECORD:
            if recording[population].has(kind):
                yield f"{name}:{population}:{kind}", getattr(recording[population], kind)


def write(folder: Path) -> None:
    """Write all files, and what they hold and give."""
    rng = np.random.default_rng(3)
    folder.mkdir(parents=True, exist_ok=True)
    inputs = {
        "spiking.net": (rng.random((2, 20, 2, 6, 6)) < 0.4).astype(np.int32),
        "values.net": rng.uniform(-3, 3, (2, 12, 4)).round(2),
        "float.net": (rng.random((2, 20, 6)) < 0.5).astype(np.int32),
    }
    inputs["float.nir"] = inputs["fixed.nir"] = inputs["fixed.net"] = inputs["float.net"]
    nd.save(spiking(), folder / "spiking.net")
    nd.save(values(), folder / "values.net")
    nd.save(floating(), folder / "float.net")
    nd.save(floating(), folder / "float.nir", dt=1e-3)
    fixed = nd.quantize(floating(), nd.QuantConfig(bits=6), calibration=inputs["float.net"])
    nd.save(fixed, folder / "fixed.nir")
    nd.save(fixed, folder / "fixed.net")
    told: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for name, given in inputs.items():
        network = nd.load(folder / name)
        told[name] = {"fingerprint": network.fingerprint, "float": network.is_float, "values": {}}
        for path, value in leaves(network, "network"):
            if isinstance(value, np.ndarray):
                arrays[f"{name}:{path}"] = value
            else:
                told[name]["values"][path] = value
        arrays[f"{name}:inputs"] = given
        backend = "float" if network.is_float else "engine"
        recording = nd.run(network, given, backend=backend, record=RECORD)
        arrays.update(recorded(name, recording))
    network = nd.load(folder / "spiking.net")
    recording = nd.run(
        network, inputs["spiking.net"][:1, :12], record=RECORD, reset_interval=8, reset_offset=3,
        out=folder / "recording.h5",
    )  # fmt: skip
    with gzip.open(folder / "recording.h5.gz", "wb") as packed:
        packed.write((folder / "recording.h5").read_bytes())
    arrays.update(recorded("recording.h5", recording))
    told["recording.h5"] = {
        "fingerprint": network.fingerprint,
        "overflows": {name: recording[name].overflows() for name in recording.names},
        "synops": {name: counts.tolist() for name, counts in recording.synops().items()},
    }
    options = RunOptions(steps=20, record=("counts", "spikes"), reset_interval=24)
    write_job(folder / "job", "engine", network, inputs["spiking.net"], options)
    (folder / "recording.h5").unlink()
    (folder / "expected.json").write_text(json.dumps(told, indent=1) + "\n")
    np.savez_compressed(folder / "expected.npz", **arrays)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
