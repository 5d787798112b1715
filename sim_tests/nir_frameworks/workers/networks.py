"""Trains, exports and runs networks: ``python workers/networks.py FRAMEWORK INPUTS.npy FOLDER``.

Leaves NAME.nir and NAME.npy, the spikes of the framework's own forward pass, for each case, and
cases.json: what each is, how its file is to be read, or why the framework refused. Nothing of
neurodeploy is imported here.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import sys
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))


def main(framework: str, inputs: str, folder: str) -> None:
    warnings.simplefilter("ignore")
    module = importlib.import_module(f"{framework}_networks")
    values = np.load(inputs).astype(np.float32)
    found = []
    for case in module.cases():
        place = Path(folder) / f"{case['name']}.nir"
        try:
            np.save(place.with_suffix(".npy"), module.make(case, values, place))
        except Exception as error:  # whatever the framework raises is the answer
            line = f"{type(error).__name__}: {error}".strip().split("\n")[0]
            case["refused"] = line[:300]
        found.append(case)
    (Path(folder) / "cases.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
