"""The `loihi2` backend: a real chip, through Intel's lava-loihi, in a worker process.

This is the side in the user's process: it refuses at once what the chip cannot
run and hands the rest to the worker, where `run` reaches the board, runs and
measures. lava-loihi is not public, so the backend is written against the calls
that public code makes (see `board`, `meters`) and has run on no chip of ours.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from ...chip import fit
from ...errors import UnsupportedError
from ...inputs import Presented
from ...network import Network, Rating
from ...recording import Recording
from ...recording.run_options import RunOptions, refuse_floats
from ...remote.places import VARIABLES
from ...remote.worker import run_elsewhere
from ...targets.look_ahead import check_chip_population, check_chip_projection, look_ahead
from .settings import ChipSettings

HOST_VARIABLE = VARIABLES["loihi2"]
"""Environment variable: where the worker runs."""

LONGEST_SAMPLE = 1 << 20
"""Steps; what the host presents and reads is kept in memory."""


def available() -> tuple[bool, str]:
    """Tell whether a chip can be asked for from here.

    Returns
    -------
    (bool, str)
        Whether it can, and through what; or what is missing and how to add it.
    """
    if host := os.environ.get(HOST_VARIABLE):
        return True, f"through {host} ({HOST_VARIABLE}; not tried)"
    if find_spec("lava") is None:
        here = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
        return False, (
            f"no Lava in this interpreter ({here}); set {HOST_VARIABLE} to where lava-nc and "
            f"Intel's lava-loihi are: an interpreter, srun:partition=NAME or ssh:HOST"
        )
    try:
        from lava.utils import loihi

        found = bool(loihi.is_installed())
    except Exception as error:  # a broken extension must not take the doctor down
        return False, f"lava.utils.loihi failed: {type(error).__name__}: {error}"
    if not found:
        return False, (
            f"lava-loihi is not installed; Intel gives it to INRC members. Or set {HOST_VARIABLE}"
        )
    return True, "lava-loihi is installed"


def run(network: Network, values: NDArray[np.int32] | Presented, options: RunOptions) -> Recording:
    """Run a network on Loihi 2.

    Parameters
    ----------
    network : Network
    values : int32 [samples, steps, *input shape], or Presented
        What is presented to the first population in each step.
    options : RunOptions
        ``chip`` holds `ChipSettings`.

    Returns
    -------
    Recording
        With what the chip's meters said in ``header.measured`` and its own counters in
        ``header.counters``; what could not be measured, in ``header.warnings``.

    Raises
    ------
    UnsupportedError
        If the chip cannot run an element of the network.
    BackendError
        If there is no chip, or it fails or overruns the time limit.
    """
    ChipSettings.read(options.chip)
    check_supported(network, options)
    return run_elsewhere("loihi2", available, network, values, options)


def check_supported(network: Network, options: RunOptions) -> None:
    """Refuse what the chip would not run, or not as the network says.

    Raises
    ------
    UnsupportedError
        Naming the element, its value, the limit and what to do.
    """
    refuse_floats(network)
    interval = options.reset_interval
    if interval is not None and interval & (interval - 1):
        raise UnsupportedError(
            f"reset_interval: {interval}; the chip resets at powers of two only, e.g. "
            f"{1 << interval.bit_length()}"
        )
    if options.steps > LONGEST_SAMPLE:
        raise UnsupportedError(
            f"steps: {options.steps} of one sample, limit {LONGEST_SAMPLE}; split the sample"
        )
    for population in network.populations:
        check_chip_population(network, population)
    for projection in network.projections:
        check_chip_projection(network, projection)
    for entry in look_ahead(network, "loihi2").entries:
        if entry.rating is Rating.UNSUPPORTED:
            raise UnsupportedError(f"{entry.element}: {entry.reason}")
    if misfits := fit(network, "loihi2").misfits:
        raise UnsupportedError(str(misfits[0]))
