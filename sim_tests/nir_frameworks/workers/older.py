"""Files as nir 1.0.4 has them, to which Sinabs and Rockpool are bound: no ``v_reset``."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import h5py
import nir
import numpy as np


def read(path):
    """Read a graph; a reset to anything but 0 cannot be said in this version."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "older.nir"
        shutil.copy(path, copy)
        with h5py.File(copy, "r+") as file:
            found = []
            file.visit(lambda name: found.append(name) if name.endswith("/v_reset") else None)
            for name in found:
                if np.any(file[name][()]):
                    raise ValueError(f"{name} is not 0, which nir {nir.version} cannot say")
                del file[name]
        return nir.read(copy)
