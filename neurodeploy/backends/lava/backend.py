"""The `lava` backend: Lava's CPU fixed-point simulator, in a worker process.

This is the side in the user's process: it finds an interpreter that has Lava,
refuses at once what Lava cannot run, and hands the rest to `worker`, where
`lava_processes` builds and runs the Lava processes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...inputs import Presented
from ...network import Network
from ...recording import Recording
from ...recording.run_options import RunOptions
from ...remote.places import VARIABLES
from ...remote.worker import run_elsewhere
from ...targets.lava_rules import check_supported

PYTHON_VARIABLE = VARIABLES["lava"]
"""Environment variable with the path of an interpreter that has Lava."""

_INSTALL = (
    f"install it under Python 3.10 (pip install 'neurodeploy[lava]') and, if that is another "
    f"interpreter, set {PYTHON_VARIABLE} to its path"
)
_PROBE = """
import sys
from importlib.metadata import version
from importlib.util import find_spec
missing = [name for name in ("lava", "numpy", "h5py") if find_spec(name) is None]
if missing:
    sys.exit("no " + ", ".join(missing))
print(f"Python {sys.version_info[0]}.{sys.version_info[1]}: lava-nc {version('lava-nc')}")
"""


def available() -> tuple[bool, str]:
    """Tell whether Lava can run here.

    Returns
    -------
    (bool, str)
        Whether it can; which interpreter and version, or what is missing and
        how to add it.
    """
    chosen = os.environ.get(PYTHON_VARIABLE)
    if not chosen:
        here = f"this interpreter (Python {sys.version_info[0]}.{sys.version_info[1]})"
        try:
            if find_spec("lava") is not None:
                return True, f"{here}: lava-nc {metadata.version('lava-nc')}"
        except metadata.PackageNotFoundError:
            pass
        return False, f"no Lava in {here}; {_INSTALL}"
    python = shutil.which(chosen)
    if python is None:
        return False, f"{PYTHON_VARIABLE}={chosen}: no such program; set it to a Python 3.10"
    try:
        probe = subprocess.run(
            [os.path.abspath(python), "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=Path(python).parent,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, f"{PYTHON_VARIABLE}={chosen}: cannot be started ({error}); {_INSTALL}"
    if probe.returncode:
        reason = (probe.stderr.strip().splitlines() or ["it failed"])[-1]
        return False, f"{PYTHON_VARIABLE}={chosen}: {reason}; {_INSTALL}"
    return True, f"{chosen}, {probe.stdout.strip()}"


def run(network: Network, values: NDArray[np.int32] | Presented, options: RunOptions) -> Recording:
    """Run a network on Lava's CPU fixed-point simulator.

    Parameters
    ----------
    network : Network
    values : int32 [samples, steps, *input shape], or Presented
        What is presented to the first population in each step: the messages
        that a `Source` sends, the input ``a`` of a population with neurons.
    options : RunOptions

    Returns
    -------
    Recording
        In memory, or opened from ``options.out``.

    Raises
    ------
    UnsupportedError
        If Lava cannot run an element of the network.
    BackendError
        If Lava is missing, fails or overruns the time limit.
    """
    check_supported(network, options)
    return run_elsewhere("lava", available, network, values, options)
