"""Runs graphs in a framework and in our float backend, and counts where spikes agree."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import neurodeploy as nd

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

ENVIRONMENTS = {
    "snntorch": "nir-torch",
    "snntorch-import": "nir-torch",
    "norse-import": "nir-torch",
    "spikingjelly": "nir-torch",
    "sinabs-import": "nir-sinabs",
    "rockpool": "nir-rockpool",
    "spyx": "nir-spyx",
}


GIVEN = {"snntorch": {"reset": "hard"}}
"""What must be said to read a graph; `workers.snntorch_worker` resets to a value."""


@dataclass(frozen=True)
class Job:
    """One graph for one framework."""

    graph: Path
    inputs: np.ndarray
    dt: float


@dataclass(frozen=True)
class Answer:
    """What a framework gave: its output, or why it refused."""

    output: np.ndarray | None
    voltage: np.ndarray | None = None
    refused: str = ""


def interpreter(framework: str) -> Path:
    """The Python of a framework's environment; it may not be there."""
    return python_of(ENVIRONMENTS[framework])


def python_of(environment: str) -> Path:
    """The Python of an environment of `benchmarks/make_peers`; it may not be there."""
    folder = Path(os.environ.get("NEURODEPLOY_PEERS") or ROOT / ".venv-peers")
    return folder / environment / "bin" / "python"


def ask(framework: str, jobs: Sequence[Job], timeout: float = 600) -> list[Answer]:
    """Run jobs in a framework, in one process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        listed = []
        for i, job in enumerate(jobs):
            np.save(folder / f"{i}.npy", job.inputs)
            listed.append(
                {"graph": str(job.graph), "inputs": str(folder / f"{i}.npy"), "dt": job.dt,
                 "out": str(folder / f"{i}.npz")}
            )  # fmt: skip
        (folder / "jobs.json").write_text(json.dumps(listed))
        subprocess.run(
            [interpreter(framework), HERE / "workers", framework, folder / "jobs.json"],
            check=True, timeout=timeout, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": "", "JAX_PLATFORMS": "cpu"},
        )  # fmt: skip
        answers = []
        for i in range(len(jobs)):
            with np.load(folder / f"{i}.npz") as found:
                if "refused" in found:
                    answers.append(Answer(None, refused=str(found["refused"])))
                else:
                    voltage = found.get("voltage", None)
                    answers.append(Answer(found["output"], voltage))
    return answers


def ours(job: Job, preset: str) -> tuple[np.ndarray, np.ndarray]:
    """Our output of a job and the voltages behind it, float32 [samples, steps, *shape]."""
    net = nd.load(job.graph, dt=job.dt, preset=preset, measure=False, **GIVEN.get(preset, {}))
    rec = nd.run(net, job.inputs, backend="float", record=("spikes", "v"))
    return rec.output.astype(np.float32), rec[net.output.name].v


@dataclass(frozen=True)
class Agreement:
    """How two outputs agree.

    Attributes
    ----------
    spikes : int
        Messages of the framework.
    differing : int
        Entries (sample, step, neuron) that differ; of numbers, by more than 1e-4 of the largest.
    voltage : float or None
        Largest difference of a voltage, where the framework shows it.
    """

    spikes: int
    differing: int
    entries: int
    voltage: float | None

    @property
    def exact(self) -> bool:
        return self.differing == 0

    @property
    def fraction(self) -> float:
        return 1 - self.differing / self.entries


def agreement(answer: Answer, mine: np.ndarray, voltage: np.ndarray) -> Agreement:
    """Hold a framework's answer against ours."""
    assert answer.output is not None
    theirs = answer.output.reshape(mine.shape)
    difference = np.abs(theirs - mine)
    whole = (theirs == np.rint(theirs)).all()
    bound = 1e-6 if whole else 1e-4 * max(1.0, float(np.abs(theirs).max()))
    off = None
    if answer.voltage is not None:
        off = float(np.abs(answer.voltage.reshape(voltage.shape) - voltage).max())
    return Agreement(
        int(np.count_nonzero(theirs)), int((difference > bound).sum()), theirs.size,
        off,
    )  # fmt: skip
