"""Runs jobs in a framework's interpreter: ``python workers FRAMEWORK JOBS.json``.

A job is {"graph": path, "inputs": path of .npy [samples, steps, *shape], "dt": seconds, "out":
path of .npz}. It leaves ``output`` [samples, steps, *shape], or ``refused``, one line. Nothing of
neurodeploy is imported here.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))


def main(framework: str, jobs: str) -> None:
    module = importlib.import_module(f"{framework.replace('-', '_')}_worker")
    for job in json.loads(Path(jobs).read_text()):
        inputs = np.load(job["inputs"]).astype(np.float32)
        try:
            output, voltage = module.run(job["graph"], inputs, job["dt"])
            found = {"output": np.asarray(output, np.float32)}
            if voltage is not None:
                found["voltage"] = np.asarray(voltage, np.float32)
        except Exception as error:  # whatever the framework raises is the answer
            line = f"{type(error).__name__}: {error}".strip().split("\n")[0]
            found = {"refused": np.array(line[:300])}
        np.savez_compressed(job["out"], **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
