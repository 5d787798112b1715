"""snnTorch through its own NIR import, which builds neurons with reset_delay=False."""

import nir
from snntorch.import_nir import import_from_nir
from stepping import run_steps


def run(path, inputs, dt):
    if dt != 1e-4:
        raise ValueError("snnTorch's import takes a time step of 1e-4 s for granted")
    return run_steps(import_from_nir(nir.read(path)), inputs)
