"""Runs every node type through every framework, both ways, and renews what is recorded of it.

``python -m sim_tests.nir_frameworks [--braille FOLDER]`` writes ``truth/*.npz`` (what each one
gave, against which the presets are tested everywhere), ``results.json`` and the tables of
``docs/nir.md``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import nir
import numpy as np

import neurodeploy as nd

from . import report
from .graphs import FLAVOURS, NODES, graph_of, spikes_for
from .run import (
    ENVIRONMENTS,
    GIVEN,
    HERE,
    Agreement,
    Answer,
    Job,
    agreement,
    ask,
    interpreter,
    ours,
)

TRUTH = HERE / "truth"
BRAILLE = ("braille_noDelay_bias_zero.nir", "braille_noDelay_noBias_subtract.nir")


def jobs_of(framework: str, folder: Path) -> list[Job]:
    """A job for each node type as the framework writes it, then as we write it for it."""
    read, written = [], []
    flavour = FLAVOURS[framework]
    for node in NODES:
        graph, shape = graph_of(node, flavour)
        path = folder / f"{framework}-{node}.nir"
        nir.write(path, graph)
        read.append(Job(path, spikes_for(shape), flavour.dt))
        back = folder / f"{framework}-{node}-back.nir"
        net = nd.load(path, dt=flavour.dt, preset=framework, **GIVEN.get(framework, {}))
        nd.save(net, back, dt=flavour.dt, preset=framework)
        written.append(Job(back, spikes_for(shape), flavour.dt))
    return read + written


def held(framework: str, job: Job, answer: Answer) -> dict[str, object]:
    """What came of a job."""
    if answer.output is None:
        return {"refused": answer.refused}
    mine, voltage = ours(job, framework)
    if answer.output.size != mine.size:
        return {
            "refused": f"gives {answer.output[0, 0].size} outputs in place of {mine[0, 0].size}"
        }
    found: Agreement = agreement(answer, mine, voltage)
    return asdict(found)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--braille", type=Path, help="folder of the two graphs and val_0.npz")
    braille = parser.parse_args().braille
    results: dict[str, dict[str, object]] = {}
    before = json.loads((HERE / "results.json").read_text())
    TRUTH.mkdir(exist_ok=True)
    for framework in ENVIRONMENTS:
        if not interpreter(framework).exists():
            raise SystemExit(f"{framework}: no environment; benchmarks/make_peers makes it")
        with tempfile.TemporaryDirectory() as name:
            jobs = jobs_of(framework, Path(name))
            extra = braille_jobs(braille, framework) if braille else []
            answers = ask(framework, [*jobs, *extra])
            found = [held(framework, *pair) for pair in zip([*jobs, *extra], answers, strict=True)]
        count = len(NODES)
        results[framework] = {
            "in": dict(zip(NODES, found[:count], strict=True)),
            "out": dict(zip(NODES, found[count : 2 * count], strict=True)),
            "braille": dict(zip(BRAILLE, found[2 * count :], strict=True))
            if braille
            else before[framework]["braille"],
        }
        keep(framework, found[:count], answers[:count])
        exact = sum(r.get("differing") == 0 for r in found[:count])
        print(f"{framework}: {exact} of {count} nodes to the spike", flush=True)
    (HERE / "results.json").write_text(json.dumps(results, indent=1))
    report.renew(results)


def braille_jobs(folder: Path, framework: str) -> list[Job]:
    inputs = np.load(folder / "val_0.npz")["spikes"]
    dt = 1e-4
    return [Job(folder / name, inputs, dt) for name in BRAILLE]


def keep(framework: str, found: list[dict[str, object]], answers: list[Answer]) -> None:
    """Record the spikes of what agrees; a test holds our presets against them."""
    recorded = {
        node: answer.output.astype(np.uint8)
        for node, result, answer in zip(NODES, found, answers, strict=True)
        if result.get("differing") == 0 and answer.output is not None
        and np.array_equal(answer.output, answer.output.astype(np.uint8))
    }  # fmt: skip
    np.savez_compressed(TRUTH / f"{framework}.npz", **recorded)


if __name__ == "__main__":
    main()
