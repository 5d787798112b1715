"""Networks that each framework trained and exported, against its own forward pass.

``python -m sim_tests.nir_frameworks.trained [FRAMEWORK...]`` runs ``workers/*_networks.py``, reads
every file under the framework's preset, compares all spikes of the float backend with the
framework's, and renews ``trained.json``, ``truth/trained-*.npz`` (the files and spikes that the
tests read) and the table of docs/nir.md. Nothing is imported back into a framework.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import neurodeploy as nd
from neurodeploy.errors import NeurodeployError

from . import report
from .graphs import spikes_for
from .run import HERE, python_of

ENVIRONMENTS = {
    "snntorch": "nir-torch",
    "norse": "nir-torch",
    "spikingjelly": "nir-torch",
    "sinabs": "nir-sinabs",
    "rockpool": "nir-rockpool",
    "spyx": "nir-spyx",
}
RESULTS = HERE / "trained.json"


def inputs() -> np.ndarray:
    """Spikes for every network, uint8 [samples, steps, 20]."""
    return spikes_for((20,))


def truth_of(framework: str) -> Path:
    return HERE / "truth" / f"trained-{framework}.npz"


def export(framework: str, folder: Path, timeout: float = 900) -> list[dict[str, Any]]:
    """Let a framework train, export and run its networks; its cases, see `workers.networks`."""
    np.save(folder / "inputs.npy", inputs())
    subprocess.run(
        [python_of(ENVIRONMENTS[framework]), HERE / "workers" / "networks.py", framework,
         folder / "inputs.npy", folder],
        check=True, timeout=timeout, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": "", "JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    found: list[dict[str, Any]] = json.loads((folder / "cases.json").read_text())
    return found


def ours(path: Path, case: dict[str, Any], framework: str) -> np.ndarray:
    """The spikes of our float backend, read with what the case says."""
    preset = case.get("preset", framework)
    net = nd.load(path, preset=preset, measure=False, **case["options"])
    return nd.run(net, inputs(), backend="float", record=("spikes",)).output


def held(case: dict[str, Any], folder: Path, framework: str) -> dict[str, Any]:
    """What came of a case."""
    if "refused" in case:
        return case
    theirs = np.load(folder / f"{case['name']}.npy")
    try:
        mine = ours(folder / f"{case['name']}.nir", case, framework)
    except NeurodeployError as error:
        return {**case, "refused": f"neurodeploy: {error}".replace(str(folder), "")[:300]}
    counts = {
        "spikes": int(theirs.sum()),
        "differing": int(np.count_nonzero(mine != theirs)),
        "entries": theirs.size,
    }
    return {**case, **counts}


def keep(framework: str, cases: list[dict[str, Any]], folder: Path) -> None:
    """Record files and spikes of what agrees; of one decay for all neurons only the results."""
    arrays: dict[str, np.ndarray] = {}
    kept = []
    for case in cases:
        if case.get("differing") == 0 and case.get("beta") is None:
            name = case["name"]
            kept.append({key: case[key] for key in ("name", "options", "preset") if key in case})
            arrays[f"{name}.nir"] = np.fromfile(folder / f"{name}.nir", np.uint8)
            arrays[f"{name}.npy"] = np.load(folder / f"{name}.npy")
    arrays["cases"] = np.array(json.dumps(kept))
    np.savez_compressed(truth_of(framework), **arrays)


def main() -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for framework in sys.argv[1:] or ENVIRONMENTS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            cases = [held(case, folder, framework) for case in export(framework, folder)]
            keep(framework, cases, folder)
        results[framework] = cases
        exact = sum(case.get("differing") == 0 for case in cases)
        print(f"{framework}: {exact} of {len(cases)} networks to the spike", flush=True)
    RESULTS.write_text(json.dumps(results, indent=1))
    report.renew_trained(results)


if __name__ == "__main__":
    main()
